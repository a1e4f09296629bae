"""``/orders`` and what belongs to it: once per key, checked, owned, versioned, and pushed to sockets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from quart.testing.client import QuartClient

from domain.identity.model import Role, Scope
from domain.trading.limits import RiskLimits
from domain.trading.model import OrderState
from domain.trading.records import OrderFilter
from tests.integration.http.browser import Browser, code_of
from tests.integration.http.test_http_jobs import with_client
from tests.integration.http.trading import connect, move, place, quote
from tests.integration.http.world import PASSWORD, World

ORDER = {"symbol": "nse:infy", "side": "buy", "type": "limit", "quantity": 10, "price": "1500"}
KEY = {"Idempotency-Key": "one"}
S = OrderState


def stored(world: World) -> int:
    with world.read() as work:
        return len(work.orders.page(OrderFilter(), before_id=None, limit=100))


def test_an_order_is_stored_and_answered(world: World) -> None:
    quote(world)

    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/orders", json=ORDER, headers=KEY)
        body = await answer.get_json()
        assert answer.status_code == 202, body
        assert answer.headers["Location"] == f"/orders/{body['id']}"
        assert answer.headers["ETag"] == '"1"'
        assert (body["symbol"], body["quantity"], body["price"]) == ("NSE:INFY", "10", "1500")
        assert (body["account"], body["mode"], body["status"]) == ("paper", "paper", "new")
        assert await (await client.get(f"/orders/{body['id']}")).get_json() == body
        history = await (await client.get(f"/orders/{body['id']}/history")).get_json()
        assert [item["status"] for item in history["items"]] == ["new"]
        assert world.bell.rung == ["paper"]

    with_client(world, scenario)


def test_a_key_places_once(world: World) -> None:
    quote(world)

    async def scenario(client: QuartClient) -> None:
        assert await code_of(await client.post("/orders", json=ORDER)) == (400, "idempotency_key_required")
        answers = await asyncio.gather(*(client.post("/orders", json=ORDER, headers=KEY) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]
        assert len({(await answer.get_json())["id"] for answer in answers}) == 1
        other = await client.post("/orders", json={**ORDER, "quantity": 11}, headers=KEY)
        assert await code_of(other) == (422, "idempotency_key_reused")

    with_client(world, scenario)
    assert stored(world) == 1


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"quantity": 1.5}, "quantity"),
    ({"quantity": True}, "quantity"),
    ({"quantity": "1e3"}, "quantity"),
    ({"quantity": 0}, "quantity"),
    ({"quantity": "-5"}, "quantity"),
    ({"quantity": "0.123456789"}, "quantity"),
    ({"quantity": None}, "quantity"),
    ({"price": 1500.5}, "price"),
    ({"price": "NaN"}, "price"),
    ({"price": None}, "price"),
    ({"trigger_price": "5"}, "trigger_price"),
    ({"type": "stop"}, "trigger_price"),
    ({"side": "BUY"}, "side"),
    ({"type": "iceberg"}, "type"),
    ({"time_in_force": "forever"}, "time_in_force"),
    ({"product": "CNC"}, "product"),
    ({"symbol": ""}, "symbol"),
    ({"symbol": "NSE:INFY; DROP TABLE orders"}, "symbol"),
    ({"leverage": 5}, "leverage"),
    ({"allow_duplicate": "yes"}, "allow_duplicate"),
]


@pytest.mark.parametrize(("change", "field"), WRONG)
def test_what_an_order_cannot_be_is_refused(world: World, change: dict[str, Any], field: str) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/orders", json={**ORDER, **change}, headers=KEY)
        body = await answer.get_json()
        assert answer.status_code == 422, body
        assert field in [error["field"] for error in body["errors"]], body

    with_client(world, scenario)
    assert stored(world) == 0


def test_a_refusal_of_the_risk_gate_changes_nothing_but_the_audit_log(world: World) -> None:
    place(world)
    with world.work() as work:
        work.limits.save("paper", "", RiskLimits(max_quantity=Decimal(9)))
        work.commit()

    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/orders", json=ORDER, headers=KEY)
        assert await code_of(answer) == (403, "risk_limit_quantity")
        assert "quantity=10 max=9" in (await answer.get_json())["detail"]
        again = await client.post("/orders", json={**ORDER, "quantity": 9}, headers=KEY)
        assert again.status_code == 202

    with_client(world, scenario)
    assert stored(world) == 2
    with world.read() as work:
        assert "order.refuse" in [line.action for line in work.audit.newest(5)]


def test_what_the_broker_cannot_do_is_said(world: World) -> None:
    place(world)
    connect(world, "paper")
    with world.work() as work:
        state = work.desk.state("paper")
        assert state is not None
        assert state.capabilities is not None
        work.desk.save_state(
            replace(state, capabilities=replace(state.capabilities, place=False, notes=("read only",)))
        )
        work.commit()

    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/orders", json=ORDER, headers=KEY)
        assert await code_of(answer) == (409, "broker_capability_missing")
        assert "read only" in (await answer.get_json())["detail"]

    with_client(world, scenario)


def test_orders_that_name_no_account_go_to_the_one_made_for_the_user(world: World) -> None:
    place(world)

    async def scenario(client: QuartClient) -> None:
        await client.post("/accounts", json={"id": "more", "broker": "paper"})
        plain = await client.post("/orders", json={**ORDER, "quantity": 3}, headers=KEY)
        assert (await plain.get_json())["account"] == "paper"
        named = await client.post("/orders", json={**ORDER, "broker": "paper"}, headers={"Idempotency-Key": "two"})
        assert await code_of(named) == (422, "account_ambiguous")

    with_client(world, scenario)


def test_lists_are_filtered_and_paged(world: World) -> None:
    made = [place(world) for _ in range(5)]
    move(world, made[0], S.CANCELED)

    async def scenario(client: QuartClient) -> None:
        first = await (await client.get("/orders?limit=3")).get_json()
        rest = await (await client.get(f"/orders?limit=3&cursor={first['next_cursor']}")).get_json()
        ids = [item["id"] for item in first["items"] + rest["items"]]
        assert ids == [order.id for order in reversed(made)]
        assert rest["next_cursor"] is None
        for query, count in (
            ("open=true", 4),
            ("status=canceled", 1),
            ("symbol=nse:infy", 5),
            ("account=other", 0),
            ("approval=pending", 0),
        ):
            assert len((await (await client.get(f"/orders?{query}")).get_json())["items"]) == count, query
        for query in ("status=done", "open=1", "limit=0", "limit=201", "color=red", "symbol=%00"):
            assert (await client.get(f"/orders?{query}")).status_code == 422, query

    with_client(world, scenario)


def test_canceling(world: World) -> None:
    new, working, done = place(world), place(world), place(world)
    move(world, working, S.SENDING, S.ACCEPTED)
    move(world, done, S.SENDING, S.FILLED)

    async def scenario(client: QuartClient) -> None:
        for order, status, asked in ((new, "canceled", True), (working, "accepted", True), (done, "filled", False)):
            for _ in range(2):
                answer = await client.post(f"/orders/{order.id}/cancel")
                body = await answer.get_json()
                assert (answer.status_code, body["status"], body["cancel_requested"]) == (200, status, asked)

    with_client(world, scenario)


def test_changing_needs_the_version_that_was_read(world: World) -> None:
    order = place(world)
    working = move(world, place(world), S.SENDING, S.ACCEPTED)

    async def scenario(client: QuartClient) -> None:
        def change(of: Any, body: dict[str, Any], **headers: str) -> Any:
            return client.patch(
                f"/orders/{of.id}", json=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
            )

        assert await code_of(await change(order, {"price": "1501"})) == (428, "precondition_required")
        assert await code_of(await change(order, {"price": "1501"}, If_Match="1")) == (400, "invalid_if_match")
        assert await code_of(await change(order, {"price": "1501"}, If_Match='"9"')) == (409, "order_changed")
        assert await code_of(await change(order, {}, If_Match='"1"')) == (422, "invalid_order")
        body = await (await change(order, {"price": "1501"}, If_Match='"1"')).get_json()
        assert (body["price"], body["version"], body["pending_change"]) == ("1501", 2, None)
        answer = await change(working, {"quantity": "7"}, If_Match=f'"{working.version}"')
        body = await answer.get_json()
        assert (body["quantity"], body["pending_change"]["quantity"]) == ("10", "7")
        assert answer.headers["ETag"] == f'"{working.version + 1}"'

    with_client(world, scenario)


def test_only_a_person_approves(world: World) -> None:
    place(world)
    world.services.trading.change_account("paper", actor="t", approval_required=True)
    first, second, late = place(world), place(world), place(world)
    assert first.approval.value == "pending"

    async def scenario(client: QuartClient) -> None:
        assert await code_of(await client.post(f"/orders/{first.id}/approve")) == (403, "person_required")
        browser = await Browser.logged_in(client)
        approved = await (await browser.post(f"/orders/{first.id}/approve")).get_json()
        assert (approved["approval"], approved["status"]) == ("approved", "new")
        refused = await (await browser.post(f"/orders/{second.id}/refuse")).get_json()
        assert (refused["approval"], refused["status"]) == ("refused", "canceled")
        world.clock.advance(minutes=16)
        assert await code_of(await browser.post(f"/orders/{late.id}/approve")) == (409, "order_state")

    with_client(world, scenario)


def test_nothing_of_somebody_else_is_found(world: World) -> None:
    order = place(world)
    ann = world.add_user("ann", Role.TRADER)
    token = {"Authorization": f"Bearer {world.issue(ann)}"}

    async def scenario(client: QuartClient) -> None:
        for method, path in (("GET", ""), ("GET", "/history"), ("POST", "/cancel")):
            answer = await client.open(f"/orders/{order.id}{path}", method=method, headers=token)
            assert await code_of(answer) == (404, "order_not_found")
        stolen = await client.post("/orders", json={**ORDER, "account": "paper"}, headers={**KEY, **token})
        assert await code_of(stolen) == (404, "account_not_found")
        own = await client.post("/orders", json=ORDER, headers={**KEY, **token})
        assert (await own.get_json())["account"] == f"paper-{ann.id}"

    with_client(world, scenario)


@pytest.mark.parametrize("scope", [Scope.ORDERS_READ, Scope.JOBS_WRITE])
def test_placing_needs_its_scope(world: World, scope: Scope) -> None:
    token = {"Authorization": f"Bearer {world.issue(world.owner, scope)}"}

    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/orders", json=ORDER, headers={**KEY, **token})
        assert await code_of(answer) == (403, "insufficient_scope")

    with_client(world, scenario)


def test_sockets_see_a_snapshot_and_then_each_change(world: World) -> None:
    order = place(world)
    world.publish()

    async def scenario(client: QuartClient) -> None:
        async with client.websocket("/ws", headers={"Authorization": f"Bearer {world.token}"}) as socket:
            await socket.send_json({"action": "subscribe", "topics": ["order_updates"]})
            subscribed = await socket.receive_json()
            assert subscribed["event"] == "subscribed", subscribed
            snapshot = await socket.receive_json()
            assert [item["order_id"] for item in snapshot["data"]["items"]] == [order.id]
            await asyncio.to_thread(move, world, order, S.SENDING)
            await client.post(f"/orders/{order.id}/cancel")
            await asyncio.to_thread(world.publish)
            event = await socket.receive_json()
            assert (event["event"], event["data"]["order_id"]) == ("order_updates", order.id)
            assert event["data"]["cancel_requested"]

    with_client(world, scenario)


def test_the_kill_switch_over_http(world: World) -> None:
    place(world)
    ann = world.add_user("ann", Role.TRADER)
    token = {"Authorization": f"Bearer {world.issue(ann)}"}

    async def scenario(client: QuartClient) -> None:
        refused = await client.post("/kill", json={"reason": "x"}, headers=token)
        assert await code_of(refused) == (403, "insufficient_scope")
        foreign = await client.post("/kill", json={"reason": "x", "scope": "paper"}, headers=token)
        assert await code_of(foreign) == (404, "account_not_found")
        answer = await client.post("/kill", json={"reason": "loop"})
        body = await answer.get_json()
        assert (answer.status_code, body["effective"], body["switch"]["engaged"]) == (200, True, True)
        assert await code_of(await client.post("/orders", json=ORDER, headers=KEY)) == (403, "risk_switch_engaged")
        health = await (await client.get("/health/trading")).get_json()
        assert health["status"] == "blocked"
        assert "kill_switch" in health["accounts"][0]["reasons"]
        release = {"reason": "found it", "password": PASSWORD}
        assert await code_of(await client.post("/release", json=release)) == (403, "person_required")
        browser = await Browser.logged_in(client)
        wrong = await browser.post("/release", {**release, "password": "wrong"})
        assert await code_of(wrong) == (403, "wrong_password")
        assert (await (await browser.post("/release", release)).get_json())["engaged"] is False
        assert await code_of(await browser.post("/release", release)) == (409, "not_engaged")
        switches = await (await client.get("/switches")).get_json()
        assert [item["engaged"] for item in switches["items"]] == [False, False]

    with_client(world, scenario)


def test_a_kill_that_a_sender_has_not_seen_is_not_effective(world: World) -> None:
    place(world)
    connect(world, "paper")

    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/kill", json={"reason": "loop", "scope": "paper"})
        assert (answer.status_code, (await answer.get_json())["effective"]) == (202, False)

    with_client(world, scenario)


def test_live_trading_is_off_until_a_person_arms_it(world: World) -> None:
    quote(world)
    live = {"id": "kite", "broker": "mcp", "currency": "INR"}
    order = {**ORDER, "account": "kite"}

    async def scenario(client: QuartClient) -> None:
        made = await (await client.post("/accounts", json=live)).get_json()
        assert (made["mode"], made["armed_until"]) == ("live", None)
        assert await code_of(await client.post("/orders", json=order, headers=KEY)) == (403, "risk_live_not_armed")
        proof = {"password": PASSWORD}
        assert await code_of(await client.post("/accounts/kite/arm", json=proof)) == (403, "person_required")
        browser = await Browser.logged_in(client)
        assert await code_of(await browser.post("/accounts/kite/arm", proof)) == (409, "limits_missing")
        limits = {"limits": {"max_notional": "20000", "max_daily_loss": "500"}, **proof}
        assert (await browser.send("PUT", "/accounts/kite/limits", limits)).status_code == 200
        wrong = await browser.post("/accounts/kite/arm", {"password": "wrong"})
        assert await code_of(wrong) == (403, "wrong_password")
        assert (await browser.post("/accounts/kite/arm", {**proof, "hours": 1})).status_code == 200
        assert (await client.post("/orders", json=order, headers=KEY)).status_code == 202
        world.clock.advance(minutes=61)
        late = await client.post("/orders", json=order, headers={"Idempotency-Key": "two"})
        assert await code_of(late) == (403, "risk_live_not_armed")
        browser = await Browser.logged_in(client)
        assert (await browser.post("/accounts/kite/arm", proof)).status_code == 200
        await browser.send("PUT", "/accounts/kite/limits", limits)
        disarmed = await client.post("/orders", json=order, headers={"Idempotency-Key": "three"})
        assert await code_of(disarmed) == (403, "risk_live_not_armed")
        assert await code_of(await browser.post("/accounts/paper/arm", proof)) == (404, "account_not_found")

    with_client(world, scenario)


def test_the_books(world: World) -> None:
    place(world)

    async def scenario(client: QuartClient) -> None:
        for path in (
            "/fills",
            "/positions",
            "/positions?flat=true",
            "/holdings?broker=paper",
            "/fills?account=paper",
        ):
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert (await answer.get_json())["items"] == []
        equity = await (await client.get("/accounts/paper/equity")).get_json()
        assert equity["now"]["equity"] == "100000"
        assert await code_of(await client.get("/positions?account=nobody")) == (404, "account_not_found")
        asked = await client.post("/accounts/paper/refresh")
        assert await code_of(asked) == (503, "no_sender")

    with_client(world, scenario)


def test_quotes_are_checked_and_believed(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        good = {"items": [{"symbol": "nse:tcs", "price": "3500.5", "volume": 5}]}
        answer = await client.post("/quotes", json=good)
        assert (answer.status_code, await answer.get_json()) == (202, {"accepted": 1})
        found = world.quotes.last("NSE:TCS")
        assert found is not None
        assert found.price == Decimal("3500.5")
        for item in (
            {"symbol": "NSE:TCS"},
            {"symbol": "NSE:TCS", "price": "0"},
            {"symbol": "NSE:TCS", "price": 1.5},
            {"symbol": "??", "price": "1"},
            {"symbol": "NSE:TCS", "price": "1", "time": "2999-01-01T00:00:00Z"},
            {"symbol": "NSE:TCS", "price": "1", "time": "yesterday"},
            {"symbol": "NSE:TCS", "price": "1", "color": "red"},
            5,
        ):
            assert (await client.post("/quotes", json={"items": [item]})).status_code == 422, item
        for body in ({"items": []}, {}, {"items": good["items"], "x": 1}):
            assert (await client.post("/quotes", json=body)).status_code == 422, body

    with_client(world, scenario)


def test_the_seeds_names(world: World) -> None:
    quote(world)

    async def scenario(client: QuartClient) -> None:
        assert await code_of(await client.get("/mcp/login")) == (404, "account_not_found")
        made = {"id": "kite", "broker": "mcp", "mode": "paper", "currency": "INR"}
        assert (await client.post("/accounts", json=made)).status_code == 201
        assert await code_of(await client.get("/mcp/login")) == (503, "no_sender")
        assert await code_of(await client.get("/mcp/positions")) == (503, "broker_unavailable")
        from domain.trading.brokerage import BrokerPosition, Holding, SessionState

        connect(world, "kite", SessionState.NEEDS_LOGIN)
        assert await code_of(await client.get("/mcp/holdings")) == (409, "broker_login_required")
        holding = Holding("NSE:INFY", Decimal(5), Decimal(1400), None, None, "INR", "INE009A01021")
        position = BrokerPosition("NSE:TCS", Decimal(-2), Decimal(3500))
        connect(world, "kite", positions=(position,), holdings=(holding,))
        positions = await (await client.get("/mcp/positions")).get_json()
        assert [(item["symbol"], item["side"], item["quantity"]) for item in positions["items"]] == [
            ("NSE:TCS", "short", "-2")
        ]
        holdings = await (await client.get("/mcp/holdings")).get_json()
        assert holdings["items"][0]["isin"] == "INE009A01021"
        assert await code_of(await client.post("/mcp/orders", json=ORDER)) == (400, "idempotency_key_required")
        placed = await client.post("/mcp/orders", json=ORDER, headers=KEY)
        body = await placed.get_json()
        assert (placed.status_code, body["account"], body["broker"]) == (202, "kite", "mcp")
        extra = await client.post("/mcp/orders", json={**ORDER, "broker": "paper"}, headers={"Idempotency-Key": "x"})
        assert extra.status_code == 422

    with_client(world, scenario)
