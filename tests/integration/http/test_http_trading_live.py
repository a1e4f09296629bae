"""Trading over a real server: orders that race for one key, and sockets that see what is open and what changes."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2

from domain.identity.model import Role, Scope
from domain.trading.limits import RiskLimits
from domain.trading.model import Order, OrderState
from domain.trading.records import OrderFilter
from tests.integration.http.live import Server, live
from tests.integration.http.trading import move, place, quote
from tests.integration.http.world import LOCAL, World

ORDER = {"symbol": "NSE:INFY", "side": "buy", "type": "limit", "quantity": "10", "price": "1500"}
S = OrderState


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["order_id"] for item in items]


def many_ended(world: World, count: int) -> None:
    """Store orders that have ended, newer than all there are."""
    with world.work() as work:
        work.limits.save("paper", "", RiskLimits())
        work.commit()
    for _ in range(count):
        move(world, place(world), S.CANCELED)


def test_one_key_over_many_connections_places_one_order(world: World) -> None:
    quote(world)

    async def scenario(server: Server) -> None:
        headers = {"Authorization": f"Bearer {world.token}", "Idempotency-Key": "one"}

        async def send(number: int) -> httpx2.Response:
            body = ORDER if number % 4 else {**ORDER, "quantity": "11"}
            async with httpx2.AsyncClient(base_url=server.url, headers=headers) as client:
                return await client.post("/orders", json=body)

        answers = await asyncio.gather(*(send(number) for number in range(16)))
        good = [answer for answer in answers if answer.status_code in (200, 202)]
        refused = [answer for answer in answers if answer not in good]
        assert [answer.status_code for answer in good].count(202) == 1
        assert len({answer.json()["id"] for answer in good}) == 1
        assert {answer.json()["code"] for answer in refused} == {"idempotency_key_reused"}
        assert {len(good), len(refused)} == {12, 4}

    live(world.app(), scenario)
    with world.read() as work:
        assert len(work.orders.page(OrderFilter(), before_id=None, limit=10)) == 1


def test_a_snapshot_holds_what_is_open_however_old(world: World) -> None:
    old = [place(world) for _ in range(2)]
    many_ended(world, 101)
    world.publish()

    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            items = (await socket.subscribe("order_updates"))["data"]["items"]
            assert len(items) == 100
            assert ids(items)[:2] == [order.id for order in reversed(old)]
            assert ids(items)[2:] == sorted(ids(items)[2:], reverse=True)
            assert {item["status"] for item in items[2:]} == {"canceled"}

    live(world.app(), scenario)


def test_snapshots_and_events_have_one_shape(world: World) -> None:
    order = place(world)
    world.publish()

    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            snapshot = await socket.subscribe("order_updates")
            await asyncio.to_thread(_cancel, world, order)
            event = await socket.expect("order_updates")
            assert event["seq"] == snapshot["seq"] + 1
            [item] = snapshot["data"]["items"]
            assert item.keys() == event["data"].keys()
            assert (item["status"], event["data"]["status"]) == ("new", "canceled")

    live(world.app(), scenario)


def _cancel(world: World, order: Order) -> None:
    world.services.trading.cancel(order.id, order.user_id, actor="test")
    world.publish()


def test_filters_and_owners(world: World) -> None:
    ann = world.add_user("ann", Role.TRADER)
    quote(world, "NSE:TCS")

    def happens() -> list[Order]:
        made = [place(world), place(world, ann.id), place(world, symbol="NSE:TCS")]
        _cancel(world, made[0])
        return made

    async def scenario(server: Server) -> None:
        async with (
            server.socket() as canceled,
            server.socket() as infosys,
            server.socket(world.issue(ann)) as anns,
        ):
            await canceled.subscribe("order_updates", filters={"order_updates": {"status": ["canceled"]}})
            await infosys.subscribe("order_updates", filters={"order_updates": {"symbol": ["NSE:TCS"]}})
            await anns.subscribe("order_updates")
            mine, theirs, tcs = await asyncio.to_thread(happens)
            assert (await canceled.expect("order_updates"))["data"]["order_id"] == mine.id
            assert (await infosys.expect("order_updates"))["data"]["order_id"] == tcs.id
            seen = await anns.expect("order_updates")
            assert (seen["data"]["order_id"], seen["data"]["account"]) == (theirs.id, f"paper-{ann.id}")
            await anns.send(action="ping")
            await anns.expect("pong")  # nothing else was sent before it

    live(world.app(), scenario)


def test_watching_orders_needs_its_scope(world: World) -> None:
    place(world)
    token = world.issue(world.owner, Scope.JOBS_READ)

    async def scenario(server: Server) -> None:
        async with server.socket(token) as socket:
            await socket.send(action="subscribe", topics=["order_updates"])
            error = await socket.expect("error")
            assert (error["code"], error["topic"]) == ("insufficient_scope", "order_updates")
            await asyncio.to_thread(place, world, LOCAL)
            await asyncio.to_thread(world.publish)
            await socket.send(action="ping")
            await socket.expect("pong")

    live(world.app(), scenario)
