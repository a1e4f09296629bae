"""HTTPS by our own server."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from adapters.http.server import tls_context
from domain.common.errors import Invalid
from tests.integration.http.live import Server, live
from tests.integration.http.world import World


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.fail("openssl makes the certificate of this test; install it, as with: apt-get install openssl")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *made, *names]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def test_https_and_wss_with_tls_1_2_or_newer(world: World, files: tuple[Path, Path]) -> None:
    async def scenario(server: Server) -> None:
        assert server.url.startswith("https://127.0.0.1:")
        trust = ssl.create_default_context(cafile=str(files[0]))
        trust.set_alpn_protocols(["h2", "http/1.1"])
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = (await reader.read()).lower()
        assert answer.startswith(b"http/1.1 200")
        assert b"strict-transport-security: max-age=" in answer
        writer.close()
        trust.set_alpn_protocols(["http/1.1"])
        headers = {"Authorization": f"Bearer {world.token}"}
        async with connect(server.ws, ssl=trust, additional_headers=headers) as socket:
            await socket.send('{"action":"ping"}')
            assert "pong" in str(await socket.recv())

    live(world.app(), scenario, tls=files)


def test_versions_before_1_2_are_refused(files: tuple[Path, Path]) -> None:
    assert tls_context(*files).minimum_version is ssl.TLSVersion.TLSv1_2


def test_unusable_files_are_said_before_anything_starts(world: World, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    for certificate, key in ((bad, bad), (tmp_path / "none.pem", bad)):
        with pytest.raises(Invalid) as refused:
            live(world.app(), pytest.fail, tls=(certificate, key))
        assert refused.value.code == "bad_tls"
    assert world.bus.listeners == []
