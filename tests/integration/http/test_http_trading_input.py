"""Bad input to trading: each kind its own problem with the field's path, nothing stored, nobody woken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from quart.testing.client import QuartClient

from domain.trading.model import OrderState
from domain.trading.records import OrderFilter
from tests.integration.http.browser import Browser, code_of
from tests.integration.http.test_http_bad_input import problem_of
from tests.integration.http.test_http_jobs import with_client
from tests.integration.http.trading import move, place, quote
from tests.integration.http.world import PASSWORD, World

ORDER = {"symbol": "NSE:INFY", "side": "buy", "type": "limit", "quantity": 10, "price": "1500"}
JSON = {"Content-Type": "application/json", "Idempotency-Key": "one"}
S = OrderState

BODIES: list[tuple[bytes, int, str]] = [
    (b"", 400, "malformed_json"),
    (b"{", 400, "malformed_json"),
    (b'{"symbol":"A","symbol":"B"}', 400, "malformed_json"),
    (b'{"quantity":NaN}', 400, "malformed_json"),
    (b'{"quantity":-Infinity}', 400, "malformed_json"),
    (b'{"a":' * 40 + b"1" + b"}" * 40, 400, "too_deep"),
    (b"[]", 422, "not_an_object"),
    (b'{"quantity":1e400}', 422, "number_out_of_range"),
    (b'{"quantity":1180591620717411303424}', 422, "number_out_of_range"),
    (b'{"strategy":"a\\u0000b"}', 422, "invalid_text"),
    (b'{"strategy":"\\ud800"}', 422, "invalid_text"),
    (b"{}", 422, "invalid_request"),
    (b'{"strategy":"' + b"x" * 300_000 + b'"}', 413, "too_large"),
]

FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"price": 1500}, "price"),
    ({"price": "1e3"}, "price"),
    ({"price": "-1"}, "price"),
    ({"price": "0"}, "price"),
    ({"price": "1500.123456789"}, "price"),
    ({"price": "1000000000000.01"}, "price"),
    ({"price": " 1500"}, "price"),
    ({"price": "1_500"}, "price"),
    ({"price": "١٥٠٠"}, "price"),
    ({"price": "1500."}, "price"),
    ({"type": "stop", "price": None, "trigger_price": 5}, "trigger_price"),
    ({"quantity": 10**12 + 1}, "quantity"),
    ({"quantity": -1}, "quantity"),
    ({"quantity": "Infinity"}, "quantity"),
    ({"quantity": [10]}, "quantity"),
    ({"account": 5}, "account"),
    ({"account": "a" * 65}, "account"),
    ({"account": "paper\n"}, "account"),
    ({"strategy": "a\r\nb"}, "strategy"),
    ({"strategy": "a\u202eb"}, "strategy"),
    ({"strategy": "a\u2028b"}, "strategy"),
    ({"strategy": ""}, "strategy"),
    ({"symbol": "../../etc/passwd"}, "symbol"),
    ({"symbol": "NSE:INFY' OR 1=1"}, "symbol"),
    ({"symbol": "Infosys:SU5GWQ=="}, "symbol"),
    ({"user_id": "somebody"}, "user_id"),
    ({"idempotency_key": "two"}, "idempotency_key"),
]


def stored(world: World) -> int:
    with world.read() as work:
        return len(work.orders.page(OrderFilter(), before_id=None, limit=100))


def test_bad_bodies_of_orders(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        for path in ("/orders", "/mcp/orders"):
            for body, status, code in BODIES:
                answer = await client.post(path, data=body, headers=JSON)
                assert (answer.status_code, (await problem_of(answer))["code"]) == (status, code), body[:40]

    with_client(world, scenario)
    assert stored(world) == 0
    assert world.bell.rung == []


def test_bad_fields_of_orders_are_named(world: World) -> None:
    quote(world)

    async def scenario(client: QuartClient) -> None:
        for change, field in FIELDS:
            body = {key: value for key, value in {**ORDER, **change}.items() if value is not None}
            answer = await client.post("/orders", json=body, headers={"Idempotency-Key": "one"})
            problem = await problem_of(answer)
            assert answer.status_code == 422, (change, problem)
            assert field in [error["field"] for error in problem["errors"]], (change, problem)
        good = await client.post("/orders", json=ORDER, headers={"Idempotency-Key": "one"})
        assert good.status_code == 202  # none of those used up the key

    with_client(world, scenario)
    assert stored(world) == 1
    assert world.bell.rung == ["paper"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_orders_are_plain_json(world: World, headers: dict[str, str]) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/orders", data=b"{}", headers={**headers, "Idempotency-Key": "one"})
        assert (await problem_of(answer))["code"] == "unsupported_media_type"

    with_client(world, scenario)


def test_keys_of_orders_are_checked(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        for key in ("", "x" * 256, "with space"):
            for path in ("/orders", "/mcp/orders"):
                answer = await client.post(path, json=ORDER, headers={"Idempotency-Key": key})
                assert await code_of(answer) == (400, "invalid_idempotency_key"), (path, key[:9])

    with_client(world, scenario)
    assert stored(world) == 0


def test_ids_that_are_none(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client)
        for order_id in ("1", "%00", "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f1g"):
            for method, path in (
                ("GET", ""),
                ("GET", "/history"),
                ("POST", "/cancel"),
                ("POST", "/approve"),
                ("POST", "/refuse"),
                ("POST", "/resolve"),
            ):
                answer = await browser.send(method, f"/orders/{order_id}{path}")
                assert await code_of(answer) == (400, "invalid_id"), (method, path)
            changed = await browser.send("PATCH", f"/orders/{order_id}", {"price": "1"}, **{"If-Match": '"1"'})
            assert await code_of(changed) == (400, "invalid_id")
        assert await code_of(await client.get("/fills?order_id=abc")) == (400, "invalid_id")
        for account in ("nobody", "%00", "%F0%9F%98%80", "a" * 300):
            for method, path in (
                ("GET", ""),
                ("GET", "/equity"),
                ("GET", "/limits"),
                ("POST", "/refresh"),
                ("POST", "/login"),
                ("POST", "/disarm"),
            ):
                answer = await client.open(f"/accounts/{account}{path}", method=method)
                assert await code_of(answer) == (404, "account_not_found"), (account[:9], method, path)

    with_client(world, scenario)


def test_changes_are_held_to_the_bounds_of_orders(world: World) -> None:
    order = place(world)
    working = move(world, place(world), S.SENDING, S.ACCEPTED)

    async def scenario(client: QuartClient) -> None:
        for of in (order, working):
            for body, field in (
                ({"quantity": "0.123456789"}, "quantity"),
                ({"quantity": "999999999999999999"}, "quantity"),
                ({"quantity": 0}, "quantity"),
                ({"quantity": True}, "quantity"),
                ({"price": "1500.123456789"}, "price"),
                ({"price": 1500}, "price"),
                ({"trigger_price": "5"}, "trigger_price"),
                ({"price": "1500", "side": "sell"}, "side"),
            ):
                answer = await client.patch(f"/orders/{of.id}", json=body, headers={"If-Match": f'"{of.version}"'})
                problem = await problem_of(answer)
                assert answer.status_code == 422, body
                assert field in [error["field"] for error in problem["errors"]], body
            now = await (await client.get(f"/orders/{of.id}")).get_json()
            assert (now["version"], now["quantity"], now["pending_change"]) == (of.version, "10", None)

    with_client(world, scenario)


def test_prices_are_named_where_they_are_wrong(world: World) -> None:
    good: Mapping[str, Any] = {"symbol": "NSE:TCS", "price": "3500"}
    rows: list[tuple[Any, str]] = [
        ({**good, "time": "yesterday"}, "items.1.time"),
        ({**good, "time": 5}, "items.1.time"),
        ({**good, "price": "1.123456789"}, "items.1.price"),
        ({**good, "price": "1000000000001"}, "items.1.price"),
        ({**good, "price": 3500}, "items.1.price"),
        ({**good, "bid": "0"}, "items.1.bid"),
        ({**good, "ask": "-1"}, "items.1.ask"),
        ({**good, "volume": -1}, "items.1.volume"),
        ({**good, "volume": 1.5}, "items.1.volume"),
        ({**good, "symbol": "a b"}, "items.1.symbol"),
        ({**good, "source": "me"}, "items.1.source"),
        ([], "items.1"),
    ]

    async def scenario(client: QuartClient) -> None:
        for item, field in rows:
            answer = await client.post("/quotes", json={"items": [good, item]})
            problem = await problem_of(answer)
            assert (answer.status_code, [error["field"] for error in problem["errors"]]) == (422, [field]), item
        many = await client.post("/quotes", json={"items": [good] * 501})
        assert many.status_code == 422

    with_client(world, scenario)
    assert world.quotes.last("NSE:TCS") is None


def test_limits_are_checked_before_the_password(world: World) -> None:
    place(world)
    rows: list[tuple[Any, str]] = [
        ({"max_notional": "1e5"}, "limits.max_notional"),
        ({"max_notional": "1_000"}, "limits.max_notional"),
        ({"max_notional": " 5"}, "limits.max_notional"),
        ({"max_notional": "NaN"}, "limits.max_notional"),
        ({"max_notional": 1.5}, "limits.max_notional"),
        ({"max_daily_loss": "1e-999999999"}, "limits.max_daily_loss"),
        ({"max_open_orders": "5"}, "limits.max_open_orders"),
        ({"symbols": ["NSE:INFY", "a b"]}, "limits.symbols.1"),
        ({"symbols": ["NSE:INFY", 5]}, "limits.symbols.1"),
        ({"symbols": ["A"] * 1001}, "limits.symbols"),
        ({"max_everything": "1"}, "limits.max_everything"),
        ({}, "limits"),
    ]

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client)
        before = world.hasher.checked
        for limits, field in rows:
            body = {"limits": limits, "password": PASSWORD}
            answer = await browser.send("PUT", "/accounts/paper/limits", body)
            problem = await problem_of(answer)
            assert (answer.status_code, [error["field"] for error in problem["errors"]]) == (422, [field]), limits
        assert world.hasher.checked == before

    with_client(world, scenario)


def test_reasons_are_one_line_in_any_script(world: World) -> None:
    place(world)

    async def scenario(client: QuartClient) -> None:
        for reason in ("a\r\nb", "a\u202eb", "", "x" * 201, 5):
            refused = await client.post("/kill", json={"reason": reason, "scope": "paper"})
            assert refused.status_code == 422, reason
        with world.read() as work:
            assert not any(switch.engaged for switch in work.switches.list())
        reason = "गलत ऑर्डर " * 20
        answer = await client.post("/kill", json={"reason": reason, "scope": "paper"})
        assert (answer.status_code, (await answer.get_json())["switch"]["reason"]) == (200, reason)

    with_client(world, scenario)
