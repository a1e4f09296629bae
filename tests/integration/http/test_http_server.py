"""The server itself: ports, limits and stopping."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time

import pytest

from adapters.http.app import state_of
from adapters.http.server import open_listener, serve
from domain.common.errors import Invalid
from tests.integration.http.live import TIMEOUT, Server, eventually, live, running
from tests.integration.http.world import World

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer TOKEN\r\n\r\n"
)


def handshake(world: World) -> bytes:
    return HANDSHAKE.replace(b"TOKEN", world.token.encode())


async def exchange(server: Server, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send raw bytes; return status, headers and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(TIMEOUT):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split()[1]), headers, body
    finally:
        writer.close()


def test_port_in_use_is_said_before_anything_starts(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async def main() -> None:
            await serve(world.app(), port=port, ready=lambda _url: pytest.fail("started"), stop=asyncio.Event())

        with pytest.raises(Invalid, match=f"port {port} is in use.*PORT=") as refused:
            asyncio.run(main())
    assert refused.value.code == "port_in_use"
    assert world.bus.listeners == []


def test_bad_host_is_said() -> None:
    with pytest.raises(Invalid) as refused:
        open_listener("no-such-host.invalid", 0)
    assert refused.value.code == "bad_host"


def test_answers_over_the_wire_without_naming_the_server(world: World) -> None:
    async def scenario(server: Server) -> None:
        status, headers, body = await exchange(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status == 200
        assert json.loads(body)["name"] == "AITrader"
        assert "server" not in headers

    live(world.app(), scenario)


def test_large_body_is_413_with_a_length_and_in_chunks(world: World) -> None:
    head = (
        b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + world.token.encode() + b"\r\n"
    )
    million = b"x" * 1_000_000

    async def scenario(server: Server) -> None:
        with_length = (head + b"Content-Length: 1000000\r\n\r\n", million)
        chunked = (head + b"Transfer-Encoding: chunked\r\n\r\n", b"f4240\r\n", million, b"\r\n0\r\n\r\n")
        for parts in (with_length, chunked):
            status, headers, body = await exchange(server, *parts)
            assert (status, json.loads(body)["code"]) == (413, "too_large")
            assert headers["content-type"] == "application/problem+json"

    live(world.app(), scenario)
    assert world.count_jobs() == 0


def test_never_ending_body_is_408(world: World) -> None:
    async def scenario(server: Server) -> None:
        head = (
            b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
            b"Authorization: Bearer " + world.token.encode() + b"\r\n\r\n{"
        )
        status, _, body = await exchange(server, head)
        assert (status, json.loads(body)["code"]) == (408, "request_timeout")

    live(world.app(body_timeout=0.05), scenario)


@pytest.mark.parametrize("start", [b"", b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_connection_that_does_not_say_what_it_wants_is_closed(world: World, start: bytes) -> None:
    async def scenario(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(start)
        async with asyncio.timeout(TIMEOUT):
            await reader.read()
        writer.close()

    live(world.app(), scenario, head_s=0.05)


def test_ambiguous_length_is_refused(world: World) -> None:
    async def scenario(server: Server) -> None:
        request = (
            b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        status, _, _ = await exchange(server, request)
        assert status == 400

    live(world.app(), scenario)


def test_stop_closes_sockets_with_1012_and_ends(world: World) -> None:
    async def main() -> None:
        async with running(world.app()) as server, server.socket() as one, server.socket() as two:
            await one.subscribe()
            server.stop.set()
            assert await one.close_code() == 1012
            assert await two.close_code() == 1012
            async with asyncio.timeout(TIMEOUT):
                await server.task
        assert world.bus.listeners == []

    asyncio.run(main())


def test_stop_ends_though_a_client_is_dead(world: World) -> None:
    """A client that opened a WebSocket, never reads and never answers the close."""

    async def main() -> float:
        async with running(world.app(), grace_s=0.2) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(handshake(world))
            await reader.readuntil(b"\r\n\r\n")
            began = time.monotonic()
            server.stop.set()
            async with asyncio.timeout(TIMEOUT):
                await server.task
            writer.transport.abort()
            return time.monotonic() - began

    assert asyncio.run(main()) < TIMEOUT


def test_compression_is_not_negotiated(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket(compression="deflate") as client:
            assert client.connection.response is not None
            assert "Sec-WebSocket-Extensions" not in client.connection.response.headers

    live(world.app(), scenario)


def test_compressed_frame_is_refused_unread(world: World) -> None:
    """The bit that marks a compressed frame means nothing that was agreed on: a bomb is never inflated."""

    async def scenario(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        wants = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        writer.write(handshake(world).removesuffix(b"\r\n") + wants)
        async with asyncio.timeout(TIMEOUT):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101")
            assert b"deflate" not in head.lower()
            writer.write(b"\xc1\x84\x00\x00\x00\x00" + b"\x4b\x4c\x04\x00")
            assert b"error" not in await reader.read()  # nothing but the end
        writer.close()
        await eventually(lambda: not state_of(server.app).hub.clients)

    live(world.app(), scenario)


def test_reset_connection_harms_nobody(world: World) -> None:
    async def scenario(server: Server) -> None:
        for _ in range(5):
            raw = socket.create_connection(("127.0.0.1", server.port))
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.sendall(b"GET /jobs HTTP/1.1\r\nHost: localhost\r\n\r\n")
            raw.close()
        status, _, _ = await exchange(server, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status == 200

    live(world.app(), scenario)


def test_frame_before_the_handshake_is_answered_leaves_nothing_behind(world: World) -> None:
    async def scenario(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(handshake(world) + b"\x81\x82\x00\x00\x00\x00{}")
        async with asyncio.timeout(TIMEOUT):
            assert (await reader.read()).startswith(b"HTTP/1.1 ")
        writer.close()
        await eventually(lambda: not state_of(server.app).hub._clients)

    live(world.app(), scenario)


def test_malformed_handshake_is_400_and_the_connection_ends(world: World) -> None:
    async def scenario(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(handshake(world).replace(b"Version: 13", b"Version: 9"))
        async with asyncio.timeout(TIMEOUT):
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()

    live(world.app(), scenario)
