"""``/strategies`` and ``/decisions`` over HTTP, and their socket topic."""

from __future__ import annotations

from typing import Any

import pytest
from quart.testing.client import QuartClient

from domain.identity.model import Role
from tests.integration.http.browser import Browser, code_of
from tests.integration.http.test_http_jobs import with_client
from tests.integration.http.trading import quote
from tests.integration.http.world import World

SIGNAL = {"id": "s1", "symbol": "NSE:INFY", "score": 0.8, "pattern": "ema_cross"}


def test_from_a_strategy_to_an_order(world: World) -> None:
    quote(world)

    async def scenario(client: QuartClient) -> None:
        asked = {"name": "mine", "symbols": ["nse:infy"], "params": {"threshold": 0.4}}
        made = await client.post("/strategies", json=asked)
        assert made.status_code == 201
        body = await made.get_json()
        assert made.headers["Location"] == f"/strategies/{body['id']}"
        assert (body["symbols"], body["params"]["threshold"], body["enabled"]) == (["NSE:INFY"], 0.4, False)
        assert await (await client.get("/strategies")).get_json() == {"items": [body]}
        assert await (await client.get("/strategies/mine")).get_json() == body

        await client.post("/signals", json=SIGNAL)
        (seen,) = (await (await client.get("/decisions")).get_json())["items"]
        assert (seen["status"], seen["action"], seen["strategy"]) == ("observed", "buy", "mine")

        world.services.trading.find_account(world.owner.id)
        etag = {"If-Match": made.headers["ETag"]}
        enabled = await client.patch("/strategies/mine", json={"enabled": True, "account": "paper"}, headers=etag)
        assert enabled.status_code == 200, await enabled.get_json()
        assert (await client.patch("/strategies/mine", json={"enabled": False}, headers=etag)).status_code == 409

        signal = await (await client.post("/signals", json={**SIGNAL, "id": "s2"})).get_json()
        page = await (await client.get(f"/decisions?signal={signal['id']}")).get_json()
        (decision,) = page["items"]
        assert decision["status"] == "ordered"
        assert decision["quantity"] == "13"
        order = await (await client.get(f"/orders/{decision['order_id']}")).get_json()
        assert (order["decision_id"], order["strategy"], order["quantity"]) == (decision["id"], "mine", "13")
        detail = await (await client.get(f"/decisions/{decision['id']}")).get_json()
        assert detail["inputs"]["params"]["threshold"] == 0.4
        assert {name: value for name, value in detail.items() if name != "inputs"} == decision
        for query, count in (("status=ordered", 1), ("action=sell", 0), ("symbol=nse:infy&strategy=mine", 2)):
            assert len((await (await client.get(f"/decisions?{query}")).get_json())["items"]) == count, query
        newest = await (await client.get("/decisions?limit=1")).get_json()
        older = await (await client.get(f"/decisions?limit=1&cursor={newest['next_cursor']}")).get_json()
        assert (newest["items"][0]["status"], older["items"][0]["status"]) == ("ordered", "observed")

    with_client(world, scenario)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "Big"}, "name"),
        ({"name": "a", "engine": "magic"}, "engine"),
        ({"name": "a", "params": {"threshold": 2}}, "params.threshold"),
        ({"name": "a", "params": {"color": 1}}, "params.color"),
        ({"name": "a", "symbols": ["??"]}, "symbol"),
        ({"name": "a", "enabled": True}, "enabled"),
    ],
)
def test_strategies_that_cannot_be(world: World, body: dict[str, Any], field: str) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/strategies", json=body)
        assert answer.status_code == 422
        assert field in [error["field"] for error in (await answer.get_json())["errors"]]
        assert (await (await client.get("/strategies")).get_json())["items"] == []

    with_client(world, scenario)


def test_changes_that_cannot_be(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        await client.post("/strategies", json={"name": "mine"})
        again = await client.post("/strategies", json={"name": "mine"})
        assert await code_of(again) == (409, "strategy_exists")
        etag = {"If-Match": '"1"'}
        assert (await client.patch("/strategies/mine", json={"enabled": True})).status_code == 428
        for body, code in (
            ({"enabled": True}, (422, "invalid_strategy")),
            ({"enabled": True, "account": "nobody"}, (404, "account_not_found")),
            ({}, (422, "invalid_strategy")),
        ):
            assert await code_of(await client.patch("/strategies/mine", json=body, headers=etag)) == code
        assert await code_of(await client.patch("/strategies/x", json={"enabled": False}, headers=etag)) == (
            404,
            "strategy_not_found",
        )
        for query in ("action=panic", "status=x", "limit=0", "color=red", "since=noon"):
            assert (await client.get(f"/decisions?{query}")).status_code == 422, query

    with_client(world, scenario)


def test_a_viewer_looks_and_does_not_touch(world: World) -> None:
    world.add_user("vera", Role.VIEWER)

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client, "vera")
        assert (await browser.get("/strategies")).status_code == 200
        assert (await browser.get("/decisions")).status_code == 200
        assert (await browser.post("/strategies", {"name": "mine"})).status_code == 403

    with_client(world, scenario)


def test_how_strategies_did(world: World) -> None:
    quote(world)

    async def scenario(client: QuartClient) -> None:
        await client.post("/strategies", json={"name": "mine"})
        before = await (await client.get("/strategies/mine/performance")).get_json()
        assert (before["account"], before["mode"], before["trades"], before["pnl"]) == (None, None, 0, "0")
        assert before["hit_rate"] is before["sharpe"] is before["buy_and_hold"] is None
        assert (await client.get("/strategies/other/performance")).status_code == 404
        assert (await client.get("/strategies/mine/performance?x=1")).status_code == 422
        board = await (await client.get("/leaderboard")).get_json()
        assert [item["strategy"] for item in board["items"]] == ["mine"]

    with_client(world, scenario)
