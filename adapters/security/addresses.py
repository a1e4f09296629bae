"""Which addresses a URL may lead to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Where clouds tell machines their credentials, besides the link-local 169.254.169.254.
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


class PrivateHosts:
    """Hosts of private networks that URLs of users may lead to.

    Args:
        listed: names, addresses and networks such as ``10.1.0.0/16``.
    """

    def __init__(self, listed: Sequence[str] = ()) -> None:
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for item in listed:
            try:
                self._networks.append(ipaddress.ip_network(item, strict=False))
            except ValueError:
                self._names.add(item.lower().rstrip("."))

    def holds(self, host: str, address: Address) -> bool:
        """Return whether this host, or where it leads, is listed."""
        return host.lower().rstrip(".") in self._names or any(address in network for network in self._networks)


def parse_address(text: str) -> Address:
    """Return an address as ``getaddrinfo`` gives it, with or without an interface (``fe80::1%eth0``)."""
    return ipaddress.ip_address(text.partition("%")[0])


def reasons(address: Address) -> tuple[str | None, str | None]:
    """Return why nobody may go to an address, and why users may not; None when they may."""
    every = [address, *_inside(address)]
    return _first(map(_never, every)), _first(map(_not_for_users, every))


def _first(found: Iterable[str | None]) -> str | None:
    return next((reason for reason in found if reason), None)


def _inside(address: Address) -> Iterable[Address]:
    """Yield the IPv4 addresses that an IPv6 address carries: packets for it may end there."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _never(address: Address) -> str | None:
    if address in _METADATA:
        return "a metadata service"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    if address.is_unspecified or (address.version == 4 and int(address) >> 24 == 0):
        return "unspecified"
    # The IPv6 ranges called reserved include those that carry IPv4 addresses, which are looked at by themselves.
    return "reserved" if address.version == 4 and address.is_reserved else None


def _not_for_users(address: Address) -> str | None:
    if address.is_loopback:
        return "loopback"
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return "private"
    carried = address.version == 6 and any(_inside(address))
    return None if address.is_global or carried else "private"
