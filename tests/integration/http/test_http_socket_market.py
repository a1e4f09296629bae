"""``market_data``: the last price of each symbol, conflated, never wrong."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from adapters.http.app import state_of
from adapters.http.live import MOST_KEYS, Latest, LiveSubscription
from domain.identity.model import Scope
from domain.trading.brokerage import Quote
from tests.integration.http.live import Server, Socket, live
from tests.integration.http.world import World


def push(world: World, *prices: tuple[str, str], seconds: int = 0) -> None:
    world.clock.advance(seconds=1 + seconds)
    now = world.clock.now_ms()
    world.quotes.save([Quote(f"NSE:{name}", Decimal(price), now, source="test") for name, price in prices])


async def said(socket: Socket, count: int) -> list[tuple[int, str, str]]:
    """Return (seq, symbol, price) of so many events."""
    events = [await socket.expect("market_data") for _ in range(count)]
    return [(event["seq"], event["data"]["symbol"], event["data"]["price"]) for event in events]


def test_a_snapshot_then_the_newest_prices(world: World) -> None:
    push(world, ("A", "1.50"), ("B", "2"))

    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            snapshot = await socket.subscribe("market_data")
            assert snapshot["seq"] == 0
            assert {item["symbol"]: item["price"] for item in snapshot["data"]["items"]} == {
                "NSE:A": "1.50",
                "NSE:B": "2",
            }
            push(world, ("A", "1.75"), ("C", "3"))
            assert await said(socket, 2) == [(1, "NSE:A", "1.75"), (2, "NSE:C", "3")]
            await socket.send(action="unsubscribe", topics=["market_data"])
            await socket.expect("unsubscribed")
            push(world, ("A", "9"))
            await socket.send(action="ping")
            await socket.expect("pong")

    live(world.app(), scenario)


def test_only_the_symbols_that_were_asked_for(world: World) -> None:
    push(world, ("A", "1"), ("B", "2"))

    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            snapshot = await socket.subscribe("market_data", filters={"market_data": {"symbol": ["NSE:B"]}})
            assert [item["symbol"] for item in snapshot["data"]["items"]] == ["NSE:B"]
            push(world, ("A", "5"), ("B", "6"))
            assert await said(socket, 1) == [(1, "NSE:B", "6")]

    live(world.app(), scenario)


def test_a_client_that_was_away_sees_the_last_price_and_no_gap(world: World) -> None:
    """While the socket's task cannot write, prices replace each other; what comes out at last is the newest."""

    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            await socket.subscribe("market_data")
            (client,) = state_of(server.app).hub.clients
            client.live["market_data"].open = False  # stands in for a socket that is busy with other frames
            for number in range(1, 500):
                push(world, ("A", str(number)), ("B", str(number)))
            while len(client.live["market_data"].waiting) < 2:
                await asyncio.sleep(0.01)
            while client.live["market_data"].waiting["NSE:B"].data["price"] != "499":
                await asyncio.sleep(0.01)
            client.open_live("market_data")
            assert sorted(await said(socket, 2)) == [(1, "NSE:A", "499"), (2, "NSE:B", "499")]

    live(world.app(), scenario)


def test_resume_is_a_snapshot(world: World) -> None:
    push(world, ("A", "1"))

    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            await socket.send(action="subscribe", topics=["market_data"], resume={"market_data": 7})
            assert (await socket.expect("subscribed"))["seq"] == 0
            assert len((await socket.expect("snapshot"))["data"]["items"]) == 1

    live(world.app(), scenario)


def test_a_token_that_may_not_look_does_not(world: World) -> None:
    token = world.issue(world.owner, Scope.JOBS_READ)

    async def scenario(server: Server) -> None:
        async with server.socket(token) as socket:
            await socket.send(action="subscribe", topics=["market_data"])
            error = await socket.expect("error")
            assert (error["code"], error["topic"]) == ("insufficient_scope", "market_data")

    live(world.app(), scenario)


@pytest.mark.parametrize("count", [1, MOST_KEYS + 5])
def test_what_waits_is_bounded(count: int) -> None:
    subscription = LiveSubscription("market_data", {}, open=True)
    for number in range(count):
        assert subscription.take(Latest.of(str(number), 0, {"symbol": str(number)}))
    assert len(subscription.waiting) == min(count, MOST_KEYS)
    assert str(count - 1) in subscription.waiting
