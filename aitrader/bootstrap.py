"""Building the application and starting and stopping its parts in order."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

from adapters.db.watch import SqliteWatch
from adapters.queue.local_bell import LocalBell
from adapters.redis.signal_stream import SignalStream
from aitrader.container import Container
from aitrader.desk import TAKE_S, WATCH_S
from aitrader.feed_parts import start_feed
from aitrader.loops import Loop
from aitrader.mcp_account import ensure_mcp_account
from aitrader.replaying import replay_bars
from aitrader.settings import Settings, load_settings
from aitrader.system_status import PublishSystemStatus
from aitrader.user_ids import owner_of
from domain.common.errors import AITraderError, Conflict
from domain.common.events import PublishedEvent
from domain.common.ids import new_id
from domain.decisions.evidence import EVIDENCE
from domain.engines.ports import REMOTE
from domain.jobs import events as job_events
from domain.jobs.model import Isolation
from domain.signals.entries import signal_of_entry
from domain.signals.parsing import Sender

log = logging.getLogger(__name__)

_PACKAGES = ("aitrader", "adapters", "domain", "plugins", "migrations")
_DAY_MS = 24 * 3_600_000
_RELEASE_S = 5.0
PRESENCE_S = 5.0
FLUSH_S = 0.25
REWARDS_S = 15.0
OUTCOMES_S = 20.0


def build(settings: Settings, *, works: bool = False) -> Container:
    """Return the container for these settings. Nothing is opened yet.

    Args:
        works: whether jobs run in this process.

    Raises:
        Conflict: one of our top-level packages is shadowed by another distribution's.
    """
    require_own_packages()
    owner = f"{socket.gethostname()}:{os.getpid()}"
    return Container(settings=settings, owner=owner, works=works, run_replay=partial(replay_bars, ready, settings))


def ready(settings: Settings) -> Container:
    """Return the container of a process that works, its database at head."""
    container = build(settings, works=True)
    require_schema(container)
    return container


def require_own_packages() -> None:
    """Check that ``domain``, ``adapters``, … are ours: PyPI has packages of the same names.

    Raises:
        Conflict: one of them comes from elsewhere.
    """
    home = Path(__file__).resolve().parent.parent
    for name in _PACKAGES:
        found = Path(__import__(name).__file__ or "").resolve().parent
        if found != home / name:
            raise Conflict(
                f"the package {name!r} comes from {found}, not from AITrader; "
                "install AITrader into a virtual environment of its own",
                code="package_shadowed",
            )


def require_schema(container: Container) -> None:
    """Migrate the embedded database; refuse any other that is not at head.

    Raises:
        Conflict: the database is not migrated; the message holds the command to run.
    """
    schema = container.migrations()
    if container.settings().embedded_database and schema.current() != schema.head():
        schema.upgrade()
    schema.require_head()


@cache
def _client(_pid: int) -> Container:
    container = build(load_settings())
    require_schema(container)
    return container


def client_application() -> Container:
    """Return the container of a program that only submits and reads; one per process, also after a fork."""
    return _client(os.getpid())


class Application:
    """A long-running process: the loops that every one needs, and a worker if asked for.

    Args:
        role: ``up``, ``serve`` or ``worker``, as others see it.
        works: whether to run jobs.
    """

    def __init__(self, settings: Settings, *, role: str, works: bool) -> None:
        self.settings = settings
        self.container = build(settings, works=works)
        self.id = new_id()
        self.url = ""
        self.draining = False
        self._role = role
        self._works = works
        self._undo: list[Callable[[], object]] = []
        self.loops: list[Loop] = []

    def start(self) -> None:
        """Start everything in order; a failure stops what had started.

        Raises:
            AITraderError: a part could not start.
        """
        try:
            self._start()
        except BaseException:
            self.stop(drain_s=0)
            raise

    def stop(self, drain_s: float) -> None:
        """Stop everything in reverse order. Running jobs get ``drain_s`` seconds, then are handed back."""
        self.draining = True
        self._drain_s = drain_s
        while self._undo:
            undo = self._undo.pop()
            try:
                undo()
            except AITraderError as error:
                log.warning("could not stop a part", extra={"reason": error.detail})

    def late_loops(self) -> list[str]:
        """Return the names of loops that hang or keep failing."""
        return [loop.name for loop in self.loops if loop.late()]

    def _start(self) -> None:
        parts = self.container
        require_schema(parts)
        self._undo.append(parts.engine().dispose)
        self._undo.append(parts.queue().close)
        self._undo.append(parts.bus().close)
        if parts.transport() == "redis":
            parts.hints().start()
            self._undo.append(parts.hints().close)
        self._undo.append(parts.quotes().start())
        dispatch, sweep = self._start_loops()
        self._watch_sqlite(dispatch, sweep)
        if self._works:
            self._start_worker()
            self._start_desk()
            self._start_signals()
        if self._role in ("up", "feed"):
            self._start_feed()

    def _start_loops(self) -> tuple[Loop, Loop]:
        parts = self.container
        dispatch = Loop("dispatch", 1.0, parts.dispatch())
        parts.dispatch().attach(dispatch.wake)
        sweep = Loop("sweep", self._sweep_every_s(), self._sweep)
        presence = Loop("presence", PRESENCE_S, self._beat)
        for loop in (dispatch, sweep, presence, Loop("prune", 600.0, self._prune)):
            self._run_loop(loop)
        self._undo.append(self._leave)
        return dispatch, sweep

    def _run_loop(self, loop: Loop) -> None:
        self.loops.append(loop)
        loop.start()
        self._undo.append(loop.stop)

    def _sweep_every_s(self) -> float:
        alone = self.container.transport() != "redis" and self.container.engine().dialect.name != "sqlite"
        return 1.0 if alone else 5.0

    def _sweep(self) -> float | None:
        wait_ms = self.container.running.sweep_jobs()()
        return None if wait_ms is None else wait_ms / 1000

    def _prune(self) -> None:
        with self.container.unit_of_work() as work:
            work.outbox.prune(_DAY_MS)
            work.commit()

    def _beat(self) -> None:
        with self.container.unit_of_work() as work:
            work.workers.beat(self.id, host=socket.gethostname(), pid=os.getpid(), role=self._role, url=self.url)
            work.commit()

    def _leave(self) -> None:
        with self.container.unit_of_work() as work:
            work.workers.leave(self.id)
            work.commit()

    def announce(self, url: str) -> None:
        """Say where this process serves the API, and begin to publish how our parts are."""
        self.url = url
        self._beat()
        self._run_loop(Loop("system-status", PRESENCE_S, PublishSystemStatus(self.container)))

    def _watch_sqlite(self, dispatch: Loop, sweep: Loop) -> None:
        engine = self.container.engine()
        if engine.dialect.name != "sqlite":
            return
        watch = SqliteWatch(engine)
        self._undo.append(watch.close)

        def look() -> None:
            if watch.changed():
                dispatch.wake()
                sweep.wake()
                self.container.desk_bell()("")

        self._run_loop(Loop("watch", 0.2, look))

    def _start_worker(self) -> None:
        parts = self.container
        running = parts.running
        leases = running.leases()
        self._undo.append(lambda: [executor.close() for executor in running.executors().values()])
        self._run_loop(Loop("heartbeat", self.settings.lease_seconds / 6, leases.beat))
        run = running.run_next_job(accepting=lambda: not self.draining)
        slots = {Isolation.THREAD.queue: self.settings.threads, Isolation.PROCESS.queue: self.settings.processes}
        self._undo.append(self._stop_worker)
        self._undo.append(parts.bus().listen(self._hear))
        parts.consumer().start(slots, run)
        self._run_loop(Loop("outcomes", OUTCOMES_S, self._resolve_suggestions))
        if parts.transport() == "in_process":
            self._listen_to_bell()

    def _start_desk(self) -> None:
        """Offer to trade: the accounts that nobody has are taken, and their brokers opened."""
        parts = self.container
        ensure_mcp_account(parts)
        desk = parts.desk()
        self._undo.append(desk.stop)
        self._undo.append(lambda: parts.desk_bell().attach(lambda account: None))
        parts.desk_bell().attach(desk.wake_or_take)
        self._undo.append(parts.bus().listen(desk.hear))
        desk.watch()
        take = Loop("desk", TAKE_S, desk.take)
        desk.attach(take.wake)
        self._run_loop(take)
        self._run_loop(Loop("switches", WATCH_S, desk.watch))
        self._run_loop(Loop("approvals", 5.0, self._expire_approvals))

    def _start_signals(self) -> None:
        """See that there is a strategy, and read signals that other programs write to the stream."""
        parts = self.container
        owner = owner_of(parts.find_user(), parts.ensure_owner())
        parts.ensure_strategy()(owner.id, EVIDENCE if self.settings.strategy_engine_url is None else REMOTE)
        if self.settings.strategy_engine_url is not None:
            self._run_loop(Loop("rewards", REWARDS_S, self._send_rewards))
        if parts.transport() != "redis":
            return
        take, clock = parts.act_on_signal(), parts.clock()

        def take_entry(fields: Mapping[str, str]) -> None:
            take(signal_of_entry(fields, Sender(owner.id, "stream", clock.now_ms())))

        stream = SignalStream(parts.redis(), self.settings.signals_stream, self.id, take_entry)

        def read() -> float:
            stream.read()
            return 0.0

        self._undo.append(stream.close)
        self._run_loop(Loop("signals", 1.0, read))

    def _start_feed(self) -> None:
        """Take ticks in, where the settings name a feed."""
        parts = self.container
        if self.settings.feed == "off":
            return
        owner = owner_of(parts.find_user(), parts.ensure_owner())
        self._undo.append(parts.quotes().flush)
        self._run_loop(Loop("quotes", FLUSH_S, parts.quotes().flush))
        self._undo.append(start_feed(parts, owner.id, patterns=self._works and parts.transport() != "redis"))

    def _resolve_suggestions(self) -> None:
        self.container.intelligence.resolve_suggestions()()

    def _send_rewards(self) -> None:
        self.container.send_rewards()()

    def _expire_approvals(self) -> None:
        self.container.expire_approvals()()

    def _listen_to_bell(self) -> None:
        queue, dispatch = self.container.queue(), self.container.dispatch()

        def on_ring(name: str, count: int) -> None:
            queue.hint(name, ["bell"] * count)
            dispatch.wake()

        bell = LocalBell(self.settings.bell_path, on_ring)
        bell.start()
        self._undo.append(bell.stop)

    def _hear(self, event: PublishedEvent) -> None:
        if event.topic == job_events.TOPIC and event.data["cancel_requested"]:
            self.container.running.leases().cancel(event.data["job_id"])

    def _stop_worker(self) -> None:
        consumer = self.container.consumer()
        if consumer.stop(self._drain_s):
            return
        self.container.running.leases().release_all()
        consumer.stop(_RELEASE_S)
