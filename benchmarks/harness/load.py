"""The load generator, a process of its own: keep-alive HTTP/1.1 connections that post one body again and again.

Raw asyncio protocols and hardly any parsing, so that it is never what limits the measurement; its own share of
a core is reported beside every result. It prints one JSON object and knows nothing of whom it asks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter

import uvloop

_GIVE_UP_S = 10.0


class Tally:
    """What all connections count into."""

    def __init__(self) -> None:
        self.counting = False
        self.stopping = False
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.accepted: list[bytes] = []
        self.reconnects = 0

    def add(self, status: int, took_s: float, content: bytes) -> None:
        """Count a response; what was accepted is kept also while warming up, to be checked afterwards."""
        if status in (200, 202):
            self.accepted.append(content)
        if self.counting:
            self.statuses[status] += 1
            self.latencies.append(took_s)


class Connection(asyncio.Protocol):
    """One connection: the next request is sent as soon as a response is complete."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request = request
        self._tally = tally
        self._buffer = b""
        self._length = -1
        self._status = 0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._length < 0 and not self._read_head():
            return
        if len(self._buffer) < self._length:
            return
        self._tally.add(self._status, time.perf_counter() - self._sent_at, self._buffer[: self._length])
        self._buffer = self._buffer[self._length :]
        if self._tally.stopping:
            self._transport.close()
        else:
            self._send()

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._buffer[:end].lower()
        self._status = int(head[9:12])
        start = head.index(b"content-length:") + 15
        self._length = int(head[start:].split(b"\r\n", 1)[0])
        self._buffer = self._buffer[end + 4 :]
        return True

    def _send(self) -> None:
        self._length = -1
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]


async def keep_posting(port: int, request: bytes, tally: Tally) -> None:
    """Hold one connection open until it is time to stop."""
    loop = asyncio.get_running_loop()
    while not tally.stopping:
        _, connection = await loop.create_connection(lambda: Connection(request, tally), "127.0.0.1", port)
        await connection.closed
        tally.reconnects += not tally.stopping


def request_of(path: str, body: str, token: str) -> bytes:
    """Return the bytes of the request."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body.encode())}\r\nAccept: */*\r\n{authorization}\r\n"
    )
    return (head + body).encode()


async def run(port: int, request: bytes, connections: int, warmup_s: float, seconds: float) -> dict[str, object]:
    """Post for a while and return what happened."""
    tally = Tally()
    tasks = [asyncio.create_task(keep_posting(port, request, tally)) for _ in range(connections)]
    await asyncio.sleep(warmup_s)
    tally.counting = True
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    tally.counting = False
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tally.stopping = True
    _, late = await asyncio.wait(tasks, timeout=_GIVE_UP_S)
    for task in late:
        task.cancel()
    return report(tally, wall, cpu)


def report(tally: Tally, wall: float, cpu: float) -> dict[str, object]:
    """Return the result as JSON types."""
    latencies = sorted(tally.latencies)
    count = len(latencies)
    return {
        "per_second": sum(n for status, n in tally.statuses.items() if status in (200, 202)) / wall,
        "statuses": {str(status): n for status, n in tally.statuses.items()},
        "p50_ms": latencies[count // 2] * 1000 if count else None,
        "p99_ms": latencies[int(count * 0.99)] * 1000 if count else None,
        "reconnects": tally.reconnects,
        "client_cpu": cpu / wall,
        "accepted": [json.loads(content)["id"] for content in tally.accepted],
    }


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/jobs")
    parser.add_argument("--body", required=True)
    parser.add_argument("--token", default="")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--warmup", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    asked = parser.parse_args()
    request = request_of(asked.path, asked.body, asked.token)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(run(asked.port, request, asked.connections, asked.warmup, asked.seconds))
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
