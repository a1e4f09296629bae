"""Who may open a WebSocket, what they may watch, and for how long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from domain.common.errors import Unavailable
from domain.identity.model import Role, Scope
from tests.integration.http.live import Server, live
from tests.integration.http.test_http_socket import NEVER, add_events
from tests.integration.http.world import LOCAL, PASSWORD, World

SOON = 0.02


async def refusal(server: Server, **options: Any) -> tuple[int, str]:
    """Return status and code of a handshake that is refused before it is accepted."""
    with pytest.raises(InvalidStatus) as refused:
        async with server.socket(**options):
            pass
    response = refused.value.response
    if response.status_code == 401:
        assert response.headers["WWW-Authenticate"] == "Bearer"
    return response.status_code, json.loads(response.body)["code"]


async def answers(server: Server, **options: Any) -> str | None:
    """Check that a socket opens; return its subprotocol."""
    async with server.socket(**options) as socket:
        await socket.send(action="ping")
        await socket.expect("pong")
        subprotocol: str | None = socket.connection.subprotocol
        return subprotocol


def cookie(world: World) -> dict[str, Any]:
    opened = world.identity.log_in("local", PASSWORD, "test")
    return {"token": "", "additional_headers": {"Cookie": f"aitrader={opened.secret}"}}


def test_without_good_credentials_nothing_is_accepted(world: World) -> None:
    async def scenario(server: Server) -> None:
        assert await refusal(server, token="") == (401, "not_authenticated")
        assert await refusal(server, token="wrong") == (401, "not_authenticated")
        assert await refusal(server, token="", subprotocols=["aitrader.v1"]) == (401, "not_authenticated")
        wrong = ["aitrader.v1", "bearer.wrong"]
        assert await refusal(server, token="", subprotocols=wrong) == (401, "not_authenticated")
        headers = {"Cookie": "aitrader=wrong"}
        assert await refusal(server, token="", additional_headers=headers) == (401, "not_authenticated")
        world.clock.advance(minutes=91 * 24 * 60)
        assert await refusal(server) == (401, "token_ended")

    live(world.app(), scenario)


def test_token_in_the_url_is_refused(world: World) -> None:
    async def scenario(server: Server) -> None:
        from websockets.asyncio.client import connect

        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{server.ws}?token={world.token}"):
                pass
        assert json.loads(refused.value.response.body)["code"] == "token_in_url"

    live(world.app(), scenario)


def test_token_as_subprotocol_is_taken_and_not_echoed(world: World) -> None:
    async def scenario(server: Server) -> None:
        offered = ["aitrader.v1", f"bearer.{world.token}"]
        assert await answers(server, token="", subprotocols=offered) == "aitrader.v1"
        assert await answers(server, token="", subprotocols=offered[::-1]) == "aitrader.v1"
        assert await answers(server, token="", subprotocols=offered[1:]) is None
        assert await answers(server, subprotocols=["aitrader.v1"]) == "aitrader.v1"

    live(world.app(), scenario)


def test_cookie_opens_a_socket_for_our_own_pages_only(world: World) -> None:
    async def scenario(server: Server) -> None:
        mine = cookie(world)
        await answers(server, origin=server.url, **mine)
        await answers(server, origin="https://ui.example", **mine)
        assert await refusal(server, **mine) == (403, "origin_required")
        for origin in ("https://evil.example", "null", f"{server.url}0"):
            assert await refusal(server, origin=origin, **mine) == (403, "origin_not_allowed")
            assert await refusal(server, origin=origin) == (403, "origin_not_allowed")

    live(world.app(allowed_origins=("https://ui.example",)), scenario)


def test_expired_token_closes_its_open_sockets(world: World) -> None:
    short = world.issue(world.owner, days=1)

    async def scenario(server: Server) -> None:
        async with server.socket(short) as one, server.socket(short) as two, server.socket() as other:
            await one.subscribe()
            world.clock.advance(minutes=24 * 60 + 1)
            assert await one.close_code() == 4401
            assert await two.close_code() == 4401
            await other.send(action="ping")
            await other.expect("pong")

    live(world.app(recheck_interval=SOON), scenario)


def test_token_revoked_by_another_process_closes_its_open_sockets(world: World) -> None:
    token = world.issue(world.owner)
    found = world.identity.list_tokens(LOCAL)[0]

    async def scenario(server: Server) -> None:
        async with server.socket(token) as socket, server.socket() as other:
            await socket.subscribe()
            with world.work() as work:  # as another process does: nothing in this one hears of it
                work.tokens.revoke(found.id, world.clock.now_ms())
                work.commit()
            assert await socket.close_code() == 4401
            await other.send(action="ping")
            await other.expect("pong")
            assert await refusal(server, token="x") == (401, "not_authenticated")

    live(world.app(recheck_interval=SOON), scenario)


def test_token_revoked_here_closes_its_open_sockets_without_waiting(world: World) -> None:
    token = world.issue(world.owner)
    found = world.identity.list_tokens(LOCAL)[0]

    async def scenario(server: Server) -> None:
        async with server.socket(token) as socket:
            answer = await server.app.test_client().delete(f"/tokens/{found.id}")
            assert answer.status_code == 200
            assert await socket.close_code() == 4401

    live(world.app(recheck_interval=NEVER), scenario)


def test_logout_and_idleness_close_the_sockets_of_a_session(world: World) -> None:
    async def scenario(server: Server) -> None:
        opened = world.identity.log_in("local", PASSWORD, "test")
        headers = {"Cookie": f"aitrader={opened.secret}"}
        options: dict[str, Any] = {"token": "", "origin": server.url, "additional_headers": headers}
        async with server.socket(**options) as socket:
            world.identity.log_out(opened.principal)
            assert await socket.close_code() == 4401
        async with server.socket(origin=server.url, **cookie(world)) as socket:
            world.clock.advance(minutes=31)
            assert await socket.close_code() == 4401

    live(world.app(recheck_interval=SOON), scenario)


def test_one_credential_is_checked_once_however_many_sockets_it_has(world: World) -> None:
    checked: list[int] = []
    ended = world.identity.authenticate.ended

    def counting(principals: Any) -> Any:
        checked.append(len(principals))
        if len(checked) == 1:
            raise Unavailable("the database did not answer")  # which closes nothing
        return ended(principals)

    world.identity.authenticate.ended = counting  # type: ignore[method-assign]

    async def scenario(server: Server) -> None:
        from adapters.http.app import state_of

        async with server.socket() as one, server.socket(), server.socket():
            with pytest.raises(Unavailable):
                await state_of(server.app).recheck.look()
            await state_of(server.app).recheck.look()
            await one.send(action="ping")
            await one.expect("pong")

    live(world.app(recheck_interval=NEVER), scenario)
    assert checked == [1, 1]


def test_topics_need_their_scope(world: World) -> None:
    token = world.issue(world.owner, Scope.SIGNALS_READ)

    async def scenario(server: Server) -> None:
        async with server.socket(token) as socket:
            await socket.send(action="subscribe", topics=["job_updates"])
            error = await socket.expect("error")
            assert (error["code"], error["topic"]) == ("insufficient_scope", "job_updates")
            await socket.subscribe("system_status")
            add_events(world, 3)
            await socket.send(action="ping")
            await socket.expect("pong")

    live(world.app(), scenario)


def test_topics_are_authorised_again_when_sending(world: World) -> None:
    async def scenario(server: Server) -> None:
        from adapters.http.app import state_of

        async with server.socket() as socket:
            await socket.subscribe()
            (client,) = state_of(server.app).hub.clients
            client.topics = frozenset()  # whatever happened since
            add_events(world, 3)
            await socket.send(action="ping")
            await socket.expect("pong")

    live(world.app(heal_interval=NEVER), scenario)


def test_sockets_are_limited_by_user(world: World) -> None:
    ann = world.issue(world.add_user("ann", Role.VIEWER))

    async def scenario(server: Server) -> None:
        async with server.socket(), server.socket(world.issue(world.owner)):
            async with server.socket() as third:
                assert await third.close_code() == 4429
            assert await answers(server, token=ann) is None

    live(world.app(max_user_sockets=2), scenario)


def test_messages_and_subscriptions_are_limited(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            for _ in range(5):
                await socket.send(action="ping")
            assert await socket.close_code() == 4429
        async with server.socket() as socket:
            await socket.subscribe("system_status")
            await socket.subscribe("system_status")  # again is no other one
            await socket.send(action="subscribe", topics=["job_updates"])
            assert await socket.close_code() == 4429

    live(world.app(max_messages=4, max_subscriptions=1), scenario)


def test_handshakes_count_as_requests(world: World) -> None:
    async def scenario(server: Server) -> None:
        await answers(server)
        await answers(server)
        assert await refusal(server) == (429, "rate_limited")

    live(world.app(rate_limit="2/day"), scenario)
