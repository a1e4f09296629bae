"""What the WebSocket refuses: bad frames, abuse, too many clients, other sites."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import InvalidStatus

from adapters.http.app import state_of
from tests.integration.http.live import Server, eventually, live
from tests.integration.http.world import World


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("not json", "malformed_json"),
        ("[]", "not_an_object"),
        ('{"action":"dance"}', "invalid_frame"),
        ('{"topics":["job_updates"]}', "invalid_frame"),
        ('{"action":"subscribe"}', "invalid_frame"),
        ('{"action":"subscribe","topics":[]}', "invalid_frame"),
        ('{"action":"subscribe","topics":"job_updates"}', "invalid_frame"),
        ('{"action":"subscribe","topics":["nope"]}', "unknown_topic"),
        ('{"action":"subscribe","topics":["job_updates"],"x":1}', "invalid_frame"),
        ('{"action":"subscribe","topics":["job_updates"],"resume":{"job_updates":"1"}}', "invalid_frame"),
        ('{"action":"subscribe","topics":["job_updates"],"resume":{"job_updates":true}}', "invalid_frame"),
        ('{"action":"subscribe","topics":["job_updates"],"resume":{"job_updates":-1}}', "invalid_frame"),
        ('{"action":"subscribe","topics":["job_updates"],"resume":{"system_status":1}}', "invalid_frame"),
        ('{"action":"subscribe","topics":["job_updates"],"filters":{"job_updates":{"x":["1"]}}}', "invalid_frame"),
        ('{"action":"ping","action":"ping"}', "malformed_json"),
        ('{"action":"ping","x":NaN}', "malformed_json"),
    ],
)
def test_bad_frame_is_an_error_and_the_socket_lives(world: World, frame: str, code: str) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            await socket.connection.send(frame)
            error = await socket.expect("error")
            assert error["code"] == code
            assert error["detail"]
            await socket.send(action="ping")
            await socket.expect("pong")

    live(world.app(), scenario)


def test_abuse_is_closed(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            for _ in range(10):
                await socket.connection.send("nonsense")
            assert await socket.close_code() == 1008
        for content in (b"binary", b""):
            async with server.socket() as socket:
                await socket.connection.send(content)
                assert await socket.close_code() == 1003
        async with server.socket() as socket:
            await socket.connection.send("x" * 70_000)
            assert await socket.close_code() == 1009
        await eventually(lambda: not state_of(server.app).hub._clients)

    live(world.app(), scenario)


def test_too_many_clients(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as first, server.socket() as second:
            assert await second.close_code() == 4429
            await first.send(action="ping")
            await first.expect("pong")

    live(world.app(max_ws_clients=1), scenario)


def test_other_sites_are_refused_before_accept(world: World) -> None:
    async def scenario(server: Server) -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with server.socket(origin="https://evil.example"):
                pass
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body)["code"] == "origin_not_allowed"
        for origin in (server.url, "https://ui.example"):
            async with server.socket(origin=origin) as socket:
                await socket.send(action="ping")
                await socket.expect("pong")

    live(world.app(allowed_origins=("https://ui.example",)), scenario)
