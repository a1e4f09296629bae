"""Inputs that are small to send and large to take in: refused, with the server's memory bounded."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.processes import Process
from tests.stack import Stack

pytestmark = pytest.mark.once

GROWTH_LIMIT_KB = 32 * 1024
JSON = {"Content-Type": "application/json"}


class Server:
    """An embedded installation whose peak memory is watched."""

    def __init__(self, stack: Stack, process: Process) -> None:
        self.stack, self.pid = stack, process.pid

    def peak_kb(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])

    def post(self, body: bytes, **headers: str) -> httpx2.Response:
        return httpx2.post(
            f"{self.stack.url}/jobs", content=body, headers={**self.stack.headers, **JSON, **headers}, timeout=20
        )


@pytest.fixture
def server(tmp_path: Path, start_process: Callable[..., Process]) -> Server:
    stack = Stack(start_process, tmp_path, database=None, redis=None)
    process = stack.api("up")
    made = Server(stack, process)
    assert made.post(b'{"job_type":"effect","payload":{}}').status_code == 202  # everything is loaded
    return made


def bombs() -> dict[str, tuple[bytes, dict[str, str], set[int]]]:
    """Return bodies with their headers and the answers that are right."""
    zeros = b'{"job_type":"' + b"0" * 50_000_000 + b'"}'
    return {
        "gzip": (gzip.compress(zeros), {"Content-Encoding": "gzip"}, {415}),
        "deflate": (zlib.compress(zeros), {"Content-Encoding": "deflate"}, {415}),
        "deep": (b'{"job_type":"effect","payload":' + b'{"a":' * 40_000 + b"1" + b"}" * 40_001, {}, {400}),
        "deep list": (b'{"job_type":"effect","payload":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}", {}, {400}),
        "large": (b'{"job_type":"effect","payload":{"a":"' + b"x" * 30_000_000 + b'"}}', {}, {413}),
        "many keys": (json.dumps({f"k{n}": n for n in range(15_000)}).encode(), {}, {413, 422}),
        "long number": (b'{"job_type":"effect","payload":{"a":' + b"9" * 200_000 + b"}}", {}, {400, 422}),
    }


@pytest.mark.parametrize("name", bombs())
def test_a_body_bomb_is_refused_in_bounded_memory(server: Server, name: str) -> None:
    body, headers, expected = bombs()[name]
    before = server.peak_kb()
    answer = server.post(body, **headers)
    assert answer.status_code in expected, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    assert server.peak_kb() - before < GROWTH_LIMIT_KB
    assert server.post(b'{"job_type":"effect","payload":{}}').status_code == 202


def test_a_compressed_websocket_frame_is_never_inflated(server: Server) -> None:
    """The server negotiates no compression, so a compressed frame is a protocol error."""
    before = server.peak_kb()

    async def attack() -> tuple[bool, int]:
        url = server.stack.url.replace("http", "ws") + "/ws"
        extensions = [ClientPerMessageDeflateFactory()]
        connection = websockets.connect(
            url, extensions=extensions, additional_headers=server.stack.headers, max_size=None
        )
        async with connection as socket:
            negotiated = bool(socket.protocol.extensions)
            compress = zlib.compressobj(9, zlib.DEFLATED, -15)
            bomb = compress.compress(b"0" * 60_000_000) + compress.flush(zlib.Z_SYNC_FLUSH)
            mask = b"\0\0\0\0"
            header = bytes([0b1100_0001, 0x80 | 127]) + len(bomb[:-4]).to_bytes(8, "big") + mask
            socket.transport.write(header + bomb[:-4])
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 20)
            return negotiated, int(socket.close_code or 0)

    negotiated, code = asyncio.run(attack())
    assert not negotiated
    assert code in (1002, 1006, 1009)
    assert server.peak_kb() - before < GROWTH_LIMIT_KB
    assert server.post(b'{"job_type":"effect","payload":{}}').status_code == 202


def test_a_flood_of_frames_that_nobody_reads_is_bounded(server: Server) -> None:
    before = server.peak_kb()

    async def flood() -> int:
        url = server.stack.url.replace("http", "ws") + "/ws"
        async with websockets.connect(url, additional_headers=server.stack.headers, max_size=None) as socket:
            with pytest.raises(websockets.ConnectionClosed):
                for _ in range(400):
                    await socket.send("x" * 60_000)
                await asyncio.wait_for(socket.recv(), 20)
                while True:
                    await asyncio.wait_for(socket.recv(), 20)
            return int(socket.close_code or 0)

    assert asyncio.run(flood()) in (1006, 1008, 1009, 4429)
    assert server.peak_kb() - before < GROWTH_LIMIT_KB
