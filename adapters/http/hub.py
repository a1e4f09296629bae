"""The hub: one per process, from the outbox and its bus to every client that watches.

The outbox numbers the events of each (topic, audience) without gaps; the bus is only a hint. So the hub hands out
an event from the bus when it is the next one, and reads the outbox whenever it is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from adapters.http import frames
from adapters.http.access import insufficient
from adapters.http.client import RESTARTING, RESUME_IMPOSSIBLE, Client, Filter, Subscription
from adapters.http.live import Latest, LiveSubscription
from adapters.http.offload import Offload
from adapters.http.topics import Items, Topic
from domain.common.errors import AITraderError
from domain.common.events import EventBus, PublishedEvent
from domain.common.unit_of_work import UnitOfWork
from domain.identity.model import Principal

log = logging.getLogger(__name__)

PAGE = 200
MAX_REPLAY = 5000
_DRAIN_S = 2.0

Key = tuple[str, str]


@dataclass(slots=True, eq=False)
class _Stream:
    """A watched (topic, audience). ``last`` is the seq of the event handed out last; None until it is known."""

    key: Key
    last: int | None = None
    hinted: int = 0
    clients: set[Client] = field(default_factory=set)
    joining: int = 0
    catching_up: asyncio.Task[None] | None = None


class Hub:
    """Everything here runs on the event loop, so state changes only at an ``await``.

    Args:
        events: opens a unit of work whose outbox is read.
        heal_interval: seconds between looks for events that the bus lost.
        send_timeout: seconds that one frame may take.
    """

    def __init__(
        self,
        topics: Mapping[str, Topic],
        events: Callable[[], UnitOfWork],
        bus: EventBus,
        offload: Offload,
        *,
        max_clients: int,
        max_per_user: int,
        heal_interval: float,
        send_timeout: float,
    ) -> None:
        self.topics = topics
        self._events = events
        self._bus = bus
        self._offload = offload
        self._max_clients = max_clients
        self._max_per_user = max_per_user
        self._heal_interval = heal_interval
        self._send_timeout = send_timeout
        self._streams: dict[Key, _Stream] = {}
        self._clients: set[Client] = set()
        self._empty = asyncio.Event()
        self._draining = False
        self._unlisten: Callable[[], None] = lambda: None
        self._healer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen."""
        loop = asyncio.get_running_loop()

        def hop(event: PublishedEvent) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(self._heard, event)

        self._unlisten = self._bus.listen(hop)
        self._healer = asyncio.create_task(self._heal_for_ever())

    async def stop(self) -> None:
        """Stop listening."""
        self._unlisten()
        tasks = [self._healer, *(stream.catching_up for stream in self._streams.values())]
        for task in tasks:
            if task is not None:
                task.cancel()

    async def drain(self) -> None:
        """Take no more clients and close those there are with 1012; wait a moment for them to leave."""
        self._draining = True
        for client in list(self._clients):
            client.close(RESTARTING, "restarting")
        if self._clients:
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), _DRAIN_S)

    @property
    def draining(self) -> bool:
        """Whether new clients are refused because the process is stopping."""
        return self._draining

    @property
    def clients(self) -> Collection[Client]:
        """The clients there are."""
        return self._clients

    def join(self, principal: Principal, send: Callable[[str], Awaitable[None]]) -> Client | None:
        """Return a new client; None when there are too many, in all or of this user."""
        of_user = sum(client.user_id == principal.user_id for client in self._clients)
        if len(self._clients) >= self._max_clients or of_user >= self._max_per_user:
            return None
        topics = frozenset(name for name, topic in self.topics.items() if topic.allows(principal))
        client = Client(principal, topics, send, self._send_timeout)
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """Forget a client."""
        for topic in [*client.subscriptions, *client.live]:
            self.unsubscribe(client, topic)
        self._clients.discard(client)
        if not self._clients:
            self._empty.set()

    def unsubscribe(self, client: Client, topic: str) -> None:
        """Hand the client no more events of a topic."""
        client.live.pop(topic, None)
        client.subscriptions.pop(topic, None)
        client.resyncs.pop(topic, None)
        stream = self._streams.get(self._key(client, topic))
        if stream is not None:
            stream.clients.discard(client)
            self._forget_unused(stream)

    async def subscribe(self, client: Client, name: str, filter: Filter, resume: int | None) -> None:
        """Hand the client a topic's events: all of those after ``resume``, or a snapshot and all after it.

        Raises:
            Denied: the client may not watch this; nothing is subscribed.
            Unavailable: the database did not answer; nothing is subscribed.
        """
        self.unsubscribe(client, name)
        if name not in client.topics:
            raise insufficient(self.topics[name].scope or "")
        if self.topics[name].latest is not None:
            await self._subscribe_live(client, name, filter)
            return
        key = self._key(client, name)
        stream = self._streams.setdefault(key, _Stream(key))
        stream.joining += 1
        try:
            await self._join_stream(client, stream, Subscription(-1 if resume is None else resume, filter))
        finally:
            stream.joining -= 1
            self._forget_unused(stream)

    async def _subscribe_live(self, client: Client, name: str, filter: Filter) -> None:
        """Send a snapshot, then the newest word on each key; what comes meanwhile waits."""
        client.live[name] = LiveSubscription(name, filter)
        try:
            items = await self._offload(self.topics[name].snapshot, client.user_id)
        except AITraderError:
            client.live.pop(name, None)
            raise
        client.offer(frames.subscribed_frame(name, 0))
        wanted = [item for item in items if Subscription(0, filter).wants(item)]
        await client.offer_patiently(frames.snapshot_frame(name, 0, wanted))
        client.open_live(name)

    def _heard_live(self, event: PublishedEvent, latest: Callable[[PublishedEvent], Latest]) -> None:
        watching = [client for client in self._clients if event.topic in client.live]
        if watching:
            found = latest(event)
            for client in watching:
                client.offer_latest(event.topic, found)

    def _key(self, client: Client, topic: str) -> Key:
        return topic, self.topics[topic].audience(client.user_id)

    def _forget_unused(self, stream: _Stream) -> None:
        if stream.clients or stream.joining:
            return
        if self._streams.get(stream.key) is stream:
            del self._streams[stream.key]
        if stream.catching_up is not None:
            stream.catching_up.cancel()

    # --- joining a stream ------------------------------------------------------------------------------------

    async def _join_stream(self, client: Client, stream: _Stream, subscription: Subscription) -> None:
        """Bring a client to where its stream is, then attach it.

        There is no ``await`` between finding that the client has everything and attaching it, so no event can
        fall between; what it already has is skipped by position. Nothing is buffered meanwhile.
        """
        if stream.last is None:
            _, top = await self._offload(self._page, stream.key, 0, 0)
            if stream.last is None:
                stream.last = top
            self._catch_up_if_behind(stream)
        target = await self._begin(client, stream.key, subscription)
        while subscription.position < max(target, stream.last):
            known = stream.last
            rows, _ = await self._offload(self._page, stream.key, subscription.position, PAGE)
            if not rows or rows[0].seq != subscription.position + 1:
                target = await self._start_over(client, stream.key, subscription)
                if target < known:
                    self._resync(stream, target)
                continue
            for row in rows:
                subscription.position = row.seq
                if subscription.wants(row.data):
                    await client.offer_patiently(frames.event_frame(row))
        client.subscriptions[stream.key[0]] = subscription
        stream.clients.add(client)

    async def _begin(self, client: Client, key: Key, subscription: Subscription) -> int:
        """Say where the subscription starts; return the seq up to which it is to be replayed."""
        resume = subscription.position
        if resume >= 0:
            rows, top = await self._offload(self._page, key, resume, 1)
            replayable = resume == top or (bool(rows) and rows[0].seq == resume + 1)
            if resume <= top <= resume + MAX_REPLAY and replayable:
                client.offer(frames.subscribed_frame(key[0], resume))
                return top
        return await self._start_over(client, key, subscription, fresh=True)

    async def _start_over(self, client: Client, key: Key, subscription: Subscription, *, fresh: bool = False) -> int:
        """Send a snapshot, after saying what is missing if the client had a position; return the snapshot's seq."""
        had = subscription.position
        seq, items = await self._offload(self._snapshot, key, client.user_id)
        if fresh:
            client.offer(frames.subscribed_frame(key[0], seq))
        if had >= 0 and had != seq:
            first, last = sorted((had, seq))
            client.offer(frames.gap_frame(key[0], first + 1, last))
        wanted = [item for item in items if subscription.wants(item)]
        subscription.position = seq
        await client.offer_patiently(frames.snapshot_frame(key[0], seq, wanted))
        return seq

    # --- in threads ------------------------------------------------------------------------------------------

    def _page(self, key: Key, after: int, limit: int) -> tuple[list[PublishedEvent], int]:
        """Return events after a seq, and the last seq as it was just before reading them."""
        with self._events() as work:
            top = work.outbox.last_seq(*key)
            return (work.outbox.read(*key, after, limit) if limit else []), top

    def _snapshot(self, key: Key, user_id: str) -> tuple[int, Items]:
        # The seq first: an event up to it was committed before, so the state read afterwards shows it.
        with self._events() as work:
            seq = work.outbox.last_seq(*key)
        return seq, self.topics[key[0]].snapshot(user_id)

    def _tops(self, keys: list[Key]) -> dict[Key, int]:
        with self._events() as work:
            return {key: work.outbox.last_seq(*key) for key in keys}

    # --- handing out -----------------------------------------------------------------------------------------

    def _heard(self, event: PublishedEvent) -> None:
        topic = self.topics.get(event.topic)
        if topic is not None and topic.latest is not None:
            self._heard_live(event, topic.latest)
            return
        stream = self._streams.get((event.topic, event.audience))
        if stream is None:
            return
        if stream.last is not None and event.seq == stream.last + 1:
            self._hand_out(stream, event)
        elif stream.last is None or event.seq > stream.last:
            stream.hinted = max(stream.hinted, event.seq)
            self._catch_up_if_behind(stream)

    def _hand_out(self, stream: _Stream, event: PublishedEvent) -> None:
        stream.last = event.seq
        if not stream.clients:
            return
        frame = ""
        for client in stream.clients:
            subscription = client.subscriptions[event.topic]
            if event.seq > subscription.position:
                subscription.position = event.seq
                if event.topic in client.topics and subscription.wants(event.data):
                    frame = frame or frames.event_frame(event)  # once per event, not per client
                    client.offer(frame)

    def _catch_up_if_behind(self, stream: _Stream) -> None:
        if stream.last is None or stream.hinted <= stream.last:
            return
        if stream.catching_up is None or stream.catching_up.done():
            stream.catching_up = asyncio.create_task(self._catch_up(stream))

    async def _catch_up(self, stream: _Stream) -> None:
        """Hand out what the bus did not bring."""
        try:
            while stream.last is not None and stream.hinted > stream.last:
                if not await self._read_on(stream, stream.last):
                    break
        except AITraderError as error:
            log.warning("could not read missed events; trying again soon", extra={"error": error.detail})
        stream.hinted = 0

    async def _read_on(self, stream: _Stream, after: int) -> bool:
        """Hand out one page; return whether there may be more."""
        rows, top = await self._offload(self._page, stream.key, after, PAGE)
        assert stream.last is not None
        for row in rows:
            if row.seq > stream.last + 1:
                self._resync(stream, row.seq - 1)
            if row.seq == stream.last + 1:
                self._hand_out(stream, row)
        # Judged by where we were when the database was read: the bus may have brought more since.
        if top < after or (not rows and top > stream.last):
            self._resync(stream, top)
        return bool(rows) and stream.last < max(stream.hinted, top)

    def _resync(self, stream: _Stream, seq: int) -> None:
        """The log lacks events, or was set back: each client gets a gap and a snapshot."""
        stream.last = seq
        topic = stream.key[0]
        for client in list(stream.clients):
            client.resyncs[topic] = client.subscriptions.pop(topic)
            client.commands.put_nowait(partial(self._resubscribe, client, topic))
        stream.clients.clear()

    async def _resubscribe(self, client: Client, topic: str) -> None:
        lost = client.resyncs.get(topic)
        if lost is None:
            return  # the client has unsubscribed, or subscribed anew
        try:
            await self.subscribe(client, topic, lost.filter, lost.position)
        except AITraderError as error:
            log.warning("could not bring a client back", extra={"error": error.detail})
            client.close(RESUME_IMPOSSIBLE, "resume impossible")

    async def _heal_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._heal_interval)
            try:
                await self.heal()
            except AITraderError as error:
                log.warning("could not look for missed events", extra={"error": error.detail})
            except Exception:
                log.exception("looking for missed events failed")

    async def heal(self) -> None:
        """Notice events that the bus lost."""
        before = {key: stream.last for key, stream in self._streams.items() if stream.last is not None}
        if not before:
            return
        for key, top in (await self._offload(self._tops, list(before))).items():
            stream = self._streams.get(key)
            if stream is None or stream.last is None:
                continue
            if top > stream.last:
                stream.hinted = max(stream.hinted, top)
                self._catch_up_if_behind(stream)
            elif top < before[key]:
                self._resync(stream, top)
