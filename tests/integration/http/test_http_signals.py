"""``/signals``: taken once, owned, checked; alerts of TradingView with their token in the message; sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from quart.testing.client import QuartClient

from domain.common.time import rfc3339
from domain.identity.model import Scope
from tests.integration.http.browser import NOBODY, code_of
from tests.integration.http.test_http_jobs import with_client
from tests.integration.http.world import World

SIGNAL = {"id": "s1", "symbol": "nse:infy", "score": 0.5, "pattern": "ema_cross", "source": "engine"}
ALERT = {"ticker": "INFY", "exchange": "NSE", "action": "buy", "strategy": "ema"}
UNKNOWN = "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13"


def test_a_signal_is_taken_once_and_shown(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        answers = await asyncio.gather(*(client.post("/signals", json=SIGNAL) for _ in range(6)))
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [202]
        bodies = [await answer.get_json() for answer in answers]
        assert all(body == bodies[0] for body in bodies)
        body = bodies[0]
        assert (body["symbol"], body["score"], body["status"]) == ("NSE:INFY", 0.5, "taken")
        assert body["signal_id"] == "s1"
        assert await (await client.get(f"/signals/{body['id']}")).get_json() == body
        assert await (await client.get("/signals")).get_json() == {"items": [body], "next_cursor": None}
        again = await client.post("/signals", json={**SIGNAL, "score": -1})
        assert (again.status_code, await again.get_json()) == (200, body)

    with_client(world, scenario)


def test_filters_and_pages(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        for number in range(5):
            sent = {**SIGNAL, "id": f"s{number}", "score": number / 4 - 0.5, "symbol": f"NSE:S{number % 2}"}
            assert (await client.post("/signals", json=sent)).status_code == 202

        async def ids(query: str) -> list[str]:
            page = await (await client.get(f"/signals?{query}")).get_json()
            return [item["signal_id"] for item in page["items"]]

        assert await ids("") == ["s4", "s3", "s2", "s1", "s0"]
        assert await ids("symbol=nse:s1") == ["s3", "s1"]
        assert await ids("min_score=0.5") == ["s4", "s0"]
        assert await ids("source=engine&pattern=ema_cross&limit=1") == ["s4"]
        assert await ids("source=other") == []
        assert await ids("since=2999-01-01T00:00:00Z") == []
        page = await (await client.get("/signals?limit=2")).get_json()
        assert await ids(f"limit=2&cursor={page['next_cursor']}") == ["s2", "s1"]
        for query in (
            "min_score=2",
            "min_score=x",
            "min_score=-0.5",
            "limit=0",
            "color=red",
            "symbol=??",
            "since=noon",
        ):
            assert (await client.get(f"/signals?{query}")).status_code == 422, query
        assert (await client.get("/signals?cursor=x")).status_code == 400

    with_client(world, scenario)


def test_wrong_signals_change_nothing(world: World) -> None:
    future = world.clock.now_ms() / 1000 + 60
    wrong: list[Any] = [
        {},
        {**SIGNAL, "score": 2},
        {**SIGNAL, "score": "1"},
        {**SIGNAL, "symbol": "NSE:"},
        {**SIGNAL, "timestamp": future},
        {**SIGNAL, "x": 1},
        {**SIGNAL, "meta": {"api_key": "abcdef0123456789"}},
    ]

    async def scenario(client: QuartClient) -> None:
        for body in wrong:
            assert (await client.post("/signals", json=body)).status_code == 422, body
        assert (await client.post("/signals", json=[SIGNAL])).status_code == 422
        plain = await client.post("/signals", data=json.dumps(SIGNAL), headers={"Content-Type": "text/plain"})
        assert plain.status_code == 415
        big = await client.post("/signals", json={**SIGNAL, "meta": {"x": "y" * 5000}})
        assert await code_of(big) == (413, "signal_too_large")
        assert await (await client.get("/signals")).get_json() == {"items": [], "next_cursor": None}

    with_client(world, scenario)


def test_nobody_sees_the_signals_of_others(world: World) -> None:
    ann = world.add_user("ann")
    theirs = {"Authorization": f"Bearer {world.issue(ann, Scope.SIGNALS_READ, Scope.SIGNALS_WRITE)}"}
    reader = {"Authorization": f"Bearer {world.issue(world.owner, Scope.SIGNALS_READ)}"}

    async def scenario(client: QuartClient) -> None:
        mine = await (await client.post("/signals", json=SIGNAL)).get_json()
        assert await code_of(await client.get(f"/signals/{mine['id']}", headers=theirs)) == (404, "signal_not_found")
        assert (await (await client.get("/signals", headers=theirs)).get_json())["items"] == []
        assert (await client.post("/signals", json=SIGNAL, headers=theirs)).status_code == 202
        assert (await client.post("/signals", json=SIGNAL, headers=reader)).status_code == 403
        assert (await client.get(f"/signals/{UNKNOWN}")).status_code == 404

    with_client(world, scenario)


class TestTradingView:
    def test_the_token_stands_in_the_message_and_is_not_kept(self, world: World) -> None:
        secret = world.issue(world.owner, Scope.SIGNALS_WRITE)

        async def scenario(client: QuartClient) -> None:
            sent = {**ALERT, "secret": secret, "contracts": "10", "time": rfc3339(world.clock.now_ms() - 1000)}
            for kind, status in (("application/json", 202), ("text/plain; charset=utf-8", 200)):
                headers = {**NOBODY, "Content-Type": kind}
                answer = await client.post("/webhooks/tradingview", data=json.dumps(sent), headers=headers)
                assert answer.status_code == status, await answer.get_data(as_text=True)
            (kept,) = (await (await client.get("/signals")).get_json())["items"]
            assert (kept["symbol"], kept["score"], kept["source"]) == ("NSE:INFY", 1, "tradingview")
            assert kept["meta"] == {"action": "buy", "contracts": "10"}
            assert secret not in json.dumps(kept)

        with_client(world, scenario)

    @pytest.mark.parametrize(
        ("secret", "status"), [(None, 422), ("", 422), ("ait_wrong", 401), (5, 422), ("reader", 403)]
    )
    def test_without_a_good_one_nothing_is_taken(self, world: World, secret: Any, status: int) -> None:
        reader = world.issue(world.owner, Scope.SIGNALS_READ)
        sent = {**ALERT, "secret": reader if secret == "reader" else secret}

        async def scenario(client: QuartClient) -> None:
            answer = await client.post("/webhooks/tradingview", json=sent, headers=NOBODY)
            assert answer.status_code == status
            assert (await (await client.get("/signals")).get_json())["items"] == []

        with_client(world, scenario)

    def test_what_is_wrong_is_refused(self, world: World) -> None:
        secret = world.issue(world.owner, Scope.SIGNALS_WRITE)

        async def scenario(client: QuartClient) -> None:
            async def post(body: str) -> tuple[int, str]:
                return await code_of(await client.post("/webhooks/tradingview", data=body, headers=NOBODY))

            unfilled = {**ALERT, "secret": secret, "ticker": "{{ticker}}"}
            assert await post(json.dumps(unfilled)) == (422, "placeholder")
            assert await post(json.dumps({**ALERT, "secret": secret, "action": "hold"})) == (422, "invalid_signal")
            assert await post("buy INFY now") == (400, "malformed_json")
            assert await post("x" * 5000) == (413, "signal_too_large")

        with_client(world, scenario)


def test_sockets_see_signals_as_they_come(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        headers = {"Authorization": f"Bearer {world.token}"}
        before = await (await client.post("/signals", json=SIGNAL)).get_json()
        world.publish()
        async with client.websocket("/ws", headers=headers) as socket:
            asked = {"action": "subscribe", "topics": ["trading_signals"], "filters": {"trading_signals": {}}}
            asked["filters"] = {"trading_signals": {"symbol": ["NSE:INFY"]}}
            await socket.send_json(asked)
            assert (await socket.receive_json())["event"] == "subscribed"
            snapshot = await socket.receive_json()
            assert snapshot["data"]["items"] == [before]
            await client.post("/signals", json={**SIGNAL, "id": "s2", "symbol": "NSE:TCS"})
            sent = await (await client.post("/signals", json={**SIGNAL, "id": "s3"})).get_json()
            await client.post("/signals", json=SIGNAL)  # known: no event
            world.publish()
            event = await asyncio.wait_for(socket.receive_json(), 10)
            assert (event["event"], event["data"]) == ("trading_signals", sent)

    with_client(world, scenario)
