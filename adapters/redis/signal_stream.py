"""Reading signals from a Redis stream with a consumer group: each is handled by one process, and acknowledged after.

An entry that is acknowledged late is read again, which the id of its producer makes harmless. What is no signal goes
to a stream of its own, with the reason, and never stops the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from domain.common.errors import AITraderError, Unavailable

log = logging.getLogger(__name__)

DEAD = "signals:dead"
GROUP = "aitrader"
_MOST_DEAD = 10_000
_MOST_LAG = 10_000
_BATCH = 64
_CLAIM_EVERY_S = 15.0
_REASON_LENGTH = 300

Entry = tuple[bytes, dict[bytes, bytes]]


class SignalStream:
    """One consumer of one stream; used by one thread.

    Args:
        client: Redis.
        stream: such as ``signals:global``.
        consumer: this process, by a name of its own.
        take: stores what an entry says. Raises ``Unavailable`` when that has to be tried again, and any other error
            when the entry is bad.
        idle_ms: entries that another consumer read and did not acknowledge for so long are taken over.
    """

    def __init__(
        self,
        client: redis.Redis,
        stream: str,
        consumer: str,
        take: Callable[[Mapping[str, str]], None],
        *,
        idle_ms: int = 60_000,
        group: str = GROUP,
    ) -> None:
        self._client = client
        self._stream = stream
        self._group = group
        self._consumer = consumer
        self._take = take
        self._idle_ms = idle_ms
        self._start = "$"
        self._ready = False
        self._unfinished = True
        self._claimed_at = 0.0

    def read(self, block_ms: int = 1000) -> int:
        """Handle what is there, waiting a while for something to come; return how many entries.

        Raises:
            Unavailable: Redis or the database did not answer; nothing is lost.
        """
        try:
            self._ensure_group()
            handled = self._handle(self._mine()) if self._unfinished else 0
            handled += self._handle(self._abandoned())
            return handled + self._handle(self._new(0 if handled else block_ms))
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise Unavailable(f"Redis refused: {error}", code="redis_unavailable") from error
            # Somebody emptied Redis: what is written from now on must not be missed.
            self._ready, self._start = False, "0"
            return 0
        except redis.RedisError as error:
            raise Unavailable(f"Redis did not answer: {error}", code="redis_unavailable") from error

    def close(self) -> None:
        """Leave the group, unless something that was read is not handled yet."""
        try:
            if not self._mine():
                self._client.xgroup_delconsumer(self._stream, self._group, self._consumer)
        except redis.RedisError as error:
            log.info("the group was not left", extra={"reason": str(error)})

    def _ensure_group(self) -> None:
        if self._ready:
            return
        try:
            self._client.xgroup_create(self._stream, self._group, id=self._start, mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._ready = True

    def _mine(self) -> Sequence[Entry]:
        return self._read_group("0", None)

    def _new(self, block_ms: int) -> Sequence[Entry]:
        return self._read_group(">", block_ms or None)

    def _read_group(self, after: str, block_ms: int | None) -> Sequence[Entry]:
        answer = self._client.xreadgroup(
            self._group, self._consumer, {self._stream: after}, count=_BATCH, block=block_ms
        )
        streams = cast("list[tuple[bytes, list[Entry]]]", answer or [])
        return [entry for _, entries in streams for entry in entries]

    def _abandoned(self) -> Sequence[Entry]:
        if time.monotonic() - self._claimed_at < min(_CLAIM_EVERY_S, self._idle_ms / 1000):
            return []
        self._claimed_at = time.monotonic()
        answer = self._client.xautoclaim(self._stream, self._group, self._consumer, self._idle_ms, count=_BATCH)
        if len(answer) > 2 and answer[2]:
            lost = {"count": len(answer[2])}
            log.warning("signals were trimmed from the stream before they were handled", extra=lost)
        return [entry for entry in cast("list[Entry]", answer[1]) if entry[1] is not None]

    def _handle(self, entries: Sequence[Entry]) -> int:
        self._unfinished = True
        for entry_id, fields in entries:
            if fields:
                self._handle_one(entry_id, fields)
            self._client.xack(self._stream, self._group, entry_id)
        self._unfinished = False
        return len(entries)

    def _handle_one(self, entry_id: bytes, fields: dict[bytes, bytes]) -> None:
        try:
            self._take({name.decode(): value.decode() for name, value in fields.items()})
        except Unavailable:
            raise
        except AITraderError as error:
            self._bury(entry_id, fields, error.detail)
        except Exception as error:
            log.exception("an entry of the signal stream could not be handled")
            self._bury(entry_id, fields, repr(error))

    def _bury(self, entry_id: bytes, fields: dict[bytes, bytes], reason: str) -> None:
        log.warning("a signal was refused", extra={"entry": entry_id.decode(), "reason": reason[:_REASON_LENGTH]})
        kept: dict[Any, Any] = {**fields, b"reason": reason[:_REASON_LENGTH].encode(), b"entry": entry_id}
        self._client.xadd(DEAD, kept, maxlen=_MOST_DEAD, approximate=True)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a stream.

    ``lag``: entries that nobody has read yet; 10,000 means that many or more. ``pending``: entries that were read and
    are not acknowledged. ``dead``: refused ones that are kept.
    """

    lag: int
    pending: int
    dead: int


def backlog(client: redis.Redis, stream: str, group: str = GROUP) -> Backlog:
    """Return what waits in a stream for a group.

    Raises:
        Unavailable: Redis does not answer.
    """
    try:
        groups = client.xinfo_groups(stream) if client.exists(stream) else []
        dead = client.xlen(DEAD)
        mine = next((item for item in groups if item["name"] == group.encode()), None)
        if mine is None:
            return Backlog(0, 0, dead)
        # Redis 6 does not tell the lag, and Redis 7 not always.
        unread = client.xrange(stream, min=f"({mine['last-delivered-id'].decode()}", count=_MOST_LAG)
    except redis.RedisError as error:
        raise Unavailable(f"Redis does not answer: {error}", code="redis_down") from error
    return Backlog(len(unread or ()), mine["pending"], dead)
