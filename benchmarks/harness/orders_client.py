"""Places orders over HTTP while a WebSocket tells when each was filled: prints one JSON object."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid
from typing import Any

import httpx2
from websockets.asyncio.client import connect

ORDER = {"symbol": "NSE:INFY", "type": "market", "quantity": 1, "allow_duplicate": True}


class Watch:
    """When each order was seen filled on the socket, by its id."""

    def __init__(self) -> None:
        self.filled: dict[str, float] = {}

    async def run(self, port: int, token: str, ready: asyncio.Event) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with connect(f"ws://127.0.0.1:{port}/ws", additional_headers=headers, max_size=2**24) as socket:
            await socket.send(json.dumps({"action": "subscribe", "topics": ["order_updates"]}))
            async for text in socket:
                now, frame = time.perf_counter(), json.loads(text)
                if frame["event"] == "snapshot":
                    ready.set()
                elif frame["event"] == "order_updates" and frame["data"]["status"] == "filled":
                    self.filled.setdefault(frame["data"]["order_id"], now)


async def place(client: httpx2.AsyncClient, side: str) -> tuple[str, float]:
    sent = time.perf_counter()
    answer = await client.post(
        "/orders", json={**ORDER, "side": side}, headers={"Idempotency-Key": str(uuid.uuid4())}
    )
    if answer.status_code != 202:
        raise RuntimeError(answer.text)
    return answer.json()["id"], sent


async def steady(client: httpx2.AsyncClient, count: int, rate: float) -> dict[str, float]:
    """Place orders one by one at a rate; return when each was sent."""
    sent = {}
    for number in range(count):
        began = time.perf_counter()
        order_id, at = await place(client, "buy" if number % 2 == 0 else "sell")
        sent[order_id] = at
        await asyncio.sleep(max(0.0, 1 / rate - (time.perf_counter() - began)))
    return sent


async def flood(client: httpx2.AsyncClient, count: int, connections: int) -> dict[str, float]:
    """Place orders as fast as so many clients can; return when each was sent."""
    numbers, sent = iter(range(count)), {}

    async def one() -> None:
        for number in numbers:
            order_id, at = await place(client, "buy" if number % 2 == 0 else "sell")
            sent[order_id] = at

    await asyncio.gather(*(one() for _ in range(connections)))
    return sent


async def until_filled(watch: Watch, sent: dict[str, float]) -> None:
    deadline = time.perf_counter() + 120
    while not sent.keys() <= watch.filled.keys():
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{len(sent.keys() - watch.filled.keys())} orders were not filled")
        await asyncio.sleep(0.05)


async def main(asked: argparse.Namespace) -> dict[str, Any]:
    watch, ready = Watch(), asyncio.Event()
    task = asyncio.create_task(watch.run(asked.port, asked.token, ready))
    await asyncio.wait_for(ready.wait(), 20)
    base, headers = f"http://127.0.0.1:{asked.port}", {"Authorization": f"Bearer {asked.token}"}
    async with httpx2.AsyncClient(base_url=base, headers=headers, timeout=30) as client:
        await until_filled(watch, await steady(client, 20, asked.rate))
        sent = await steady(client, asked.steady, asked.rate)
        await until_filled(watch, sent)
        latencies = sorted((watch.filled[order_id] - at) * 1000 for order_id, at in sent.items())
        flooded = await flood(client, asked.flood, asked.connections)
        await until_filled(watch, flooded)
        began = min(flooded.values())
        placed = max(flooded.values()) - began
        done = max(watch.filled[order_id] for order_id in flooded) - began
    task.cancel()
    return {
        "latencies_ms": latencies,
        "placed_per_second": asked.flood / placed,
        "filled_per_second": asked.flood / done,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--steady", type=int, default=100)
    parser.add_argument("--flood", type=int, default=400)
    parser.add_argument("--connections", type=int, default=16)
    print(json.dumps(asyncio.run(main(parser.parse_args()))))
