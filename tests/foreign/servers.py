"""Foreign MCP servers on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypercorn.asyncio import serve
from hypercorn.config import Config

from tests.foreign.alpaca_api import AlpacaApi
from tests.foreign.environments import environment
from tests.processes import Process, eventually

_HOSTS = ("paper-api.alpaca.markets", "data.alpaca.markets")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for Alpaca's hosts that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in _HOSTS]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, secret


@contextmanager
def tls_server(app: Any, address: str, certificate: Path, key: Path) -> Iterator[None]:
    """Serve an application over TLS on port 443 of a loopback address, from a thread."""
    config = Config()
    config.bind = [f"{address}:443"]
    config.certfile, config.keyfile = str(certificate), str(key)
    config.graceful_timeout = 0.5
    config.errorlog = None
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    work = threading.Thread(
        target=lambda: loop.run_until_complete(serve(app, config, shutdown_trigger=stop.wait, mode="asgi"))  # type: ignore[arg-type]
    )
    work.start()
    trust = ssl.create_default_context(cafile=str(certificate))

    def answers() -> bool:
        with socket.create_connection((address, 443), 1) as raw:
            trust.wrap_socket(raw, server_hostname=_HOSTS[0]).close()
        return True

    try:
        eventually(answers, 10, 0.05, "the API of the broker answers")
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        work.join(10)


class AlpacaServer:
    """Alpaca's own MCP server, in a namespace where Alpaca is a stand-in on loopback. Needs root."""

    def __init__(self, start: Callable[..., Process], folder: Path, address: str, certificate: Path) -> None:
        self._start = start
        self._folder = folder
        hosts = folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {host}\n" for host in _HOSTS))
        program = environment("alpaca-mcp-server==2.4.0") / "alpaca-mcp-server"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        inside = (
            f'mount --bind {hosts} /etc/hosts && exec "{program}" '
            f"--transport streamable-http --host 127.0.0.1 --port {self.port}"
        )
        self._command = ["unshare", "--mount", "sh", "-c", inside]
        self._env = {
            "ALPACA_API_KEY": "key",
            "ALPACA_SECRET_KEY": "secret",
            "ALPACA_PAPER_TRADE": "true",
            "SSL_CERT_FILE": str(certificate),
            "HOME": str(folder),
            "PYTHONPATH": None,
        }
        self.up()

    def up(self) -> None:
        """Start it; wait until it answers."""
        self._process = self._start(self._command, env=self._env)
        eventually(lambda: httpx2.get(self.url, timeout=1).status_code, 60, 0.2, "Alpaca's MCP server answers")

    def kill(self) -> None:
        """Kill it, with no chance to do anything."""
        self._process.kill()


@contextmanager
def alpaca(start: Callable[..., Process], folder: Path) -> Iterator[tuple[AlpacaServer, AlpacaApi]]:
    """Serve Alpaca's MCP server and the API behind it."""
    certificate, key = _certificate(folder)
    address = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{os.getpid() % 254 + 1}"
    api = AlpacaApi()
    with tls_server(api, address, certificate, key):
        yield AlpacaServer(start, folder, address, certificate), api


def ccxt(start: Callable[..., Process], folder: Path) -> tuple[Process, str]:
    """Start mcp-ccxt, which speaks the protocol of 2026 and trades elsewhere; return it and its address."""
    config = folder / "ccxt.json"
    config.write_text(json.dumps({"accounts": [{"name": "practice", "exchange_id": "binance"}]}))
    port = free_port()
    program = environment("mcp-ccxt==1.0.0") / "mcp-ccxt"
    command = [str(program), "run", "-c", str(config), "-t", "streamable-http", "-p", str(port)]
    process = start(command, env={"HOME": str(folder), "PYTHONPATH": None})
    url = f"http://127.0.0.1:{port}/mcp"
    eventually(lambda: httpx2.get(url, timeout=1).status_code, 60, 0.2, "mcp-ccxt answers")
    return process, url
