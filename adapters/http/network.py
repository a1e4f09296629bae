"""Where a request comes from, also through reverse proxies that are known."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Headers = Iterable[tuple[bytes, bytes]]

_FORWARDING = frozenset({b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"forwarded"})


@dataclass(frozen=True, slots=True)
class Remote:
    """Who is at the other end.

    Args:
        address: the client's; of IPv6 only the network of one customer (/64). Empty when unknown.
        secure: whether the client speaks TLS, with us or with our proxy.
        host: the ``Host`` that the client asked for, with its port.
        loopback: whether it is a program of this machine, surely not a proxy that speaks for others.
    """

    address: str = ""
    secure: bool = False
    host: str = ""
    loopback: bool = False

    def is_own(self, origin: str) -> bool:
        """Return whether an ``Origin`` is ours."""
        schemes = ("https",) if self.secure else ("http", "https")
        return origin.lower() in [f"{scheme}://{self.host}" for scheme in schemes]


class Proxies:
    """The reverse proxies whose ``X-Forwarded-*`` headers count; those of anyone else are ignored."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]

    def remote(self, scope: Any, headers: dict[bytes, bytes]) -> Remote:
        """Return who is at the other end of a connection."""
        client = scope.get("client")
        peer = _address(client[0]) if client else None
        secure = scope.get("scheme") in ("https", "wss")
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if peer is None:
            return Remote("", secure, host)
        if self._networks and self._trusts(peer):
            return self._forwarded(peer, scope["headers"], secure, host)
        forwarded = not _FORWARDING.isdisjoint(headers)
        return Remote(_bucket(peer), secure, host, peer.is_loopback and not forwarded and not self._networks)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def _forwarded(self, peer: Address, headers: Headers, secure: bool, host: str) -> Remote:
        client = peer
        for text in reversed(_values(headers, b"x-forwarded-for")):
            address = _address(_without_port(text))
            if address is None:
                break
            client = address
            if not self._trusts(address):
                break
        protocols = _values(headers, b"x-forwarded-proto")
        hosts = _values(headers, b"x-forwarded-host")
        return Remote(
            _bucket(client),
            protocols[-1].lower() == "https" if protocols else secure,
            hosts[-1].lower() if hosts else host,
        )


def _values(headers: Headers, name: bytes) -> list[str]:
    text = ",".join(value.decode("latin-1") for key, value in headers if key == name)
    return [part.strip() for part in text.split(",") if part.strip()]


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


@lru_cache(1024)
def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _bucket(address: Address) -> str:
    # Who has one IPv6 address has the 2**64 beside it.
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))
