"""Running the past: the parts of a live process over a database of their own, turned by hand, in the ticks' time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dependency_injector import providers

from adapters.marketdata.parquet_store import ParquetBarStore
from domain.common.errors import Invalid
from domain.decisions.market import StoredMarket
from domain.decisions.performance import measure_by_symbol, measure_fills, performance_view
from domain.market.building import LiveBars, always
from domain.market.ports import BarStore
from domain.market.synthetic import merged, ticks_of_bars
from domain.market.ticks import Tick
from domain.pipeline.records import read_run
from domain.pipeline.replay import PAPER, ReplayResult, ReplaySpec
from domain.pipeline.running import TickPipeline
from domain.signals.detecting import Detector
from domain.signals.parsing import Sender
from domain.trading.accounts import NewAccount
from domain.trading.applying import worth
from domain.trading.brokerage import Quote
from domain.trading.shown import ShownQuotes

if TYPE_CHECKING:
    from aitrader.container import Container
    from aitrader.settings import Settings

SOURCE = "replay"
MOST_TICKS = 3_000_000
_SAMPLES = 200
_TOLD_EVERY = 512
# A turn of the desk that waits for so long, or longer, waits for nothing that time alone brings.
_IDLE_S = 2.0
_LEASE_S = 600.0
_NEVER_MS = 2**62
# Below this, starting the compiler costs more than it saves.
_MANY_TICKS = 200_000

Progress = Callable[[float, str], None]
Make = Callable[["Settings"], "Container"]


class TickClock:
    """A `Clock` that stands at the time of a tick."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Return the time of the tick, milliseconds UTC."""
        return self._now_ms

    def monotonic(self) -> float:
        """Return the same in seconds."""
        return self._now_ms / 1000

    def sleep(self, seconds: float) -> None:
        """Go on by as much at once."""
        self._now_ms += round(seconds * 1000)

    def set(self, now_ms: int) -> None:
        """Go on to a time; an earlier one changes nothing."""
        self._now_ms = max(self._now_ms, now_ms)


class HandLoop:
    """A loop whose turns the replay takes, when it was woken or when it asked for one."""

    def __init__(self, name: str, interval_s: float, action: Callable[[], float | None]) -> None:
        self.name = name
        self._action = action
        self.woken = True
        self.due_ms: int | None = None

    def start(self) -> None:
        """Wait for the first turn."""

    def stop(self) -> None:
        """Take no more turns."""
        self.woken = False

    def wake(self) -> None:
        """Ask for a turn."""
        self.woken = True

    def turn(self, now_ms: int) -> None:
        """Take a turn."""
        self.woken, self.due_ms = False, None
        wait_s = self._action()
        if wait_s == 0:
            self.woken = True
        elif wait_s is not None and wait_s < _IDLE_S:
            self.due_ms = now_ms + round(wait_s * 1000)


def stored_ticks(spec: ReplaySpec, bars: BarStore) -> list[Tick]:
    """Return the ticks made of stored bars.

    Raises:
        NotFound: nothing is stored of a symbol.
        Invalid: they would be more than fit into memory.
    """
    found = {
        symbol: bars.read(symbol, spec.timeframe, start_ms=spec.start_ms, end_ms=spec.end_ms)
        for symbol in spec.symbols
    }
    count = sum(map(len, found.values())) * spec.ticks_per_bar
    if count > MOST_TICKS:
        raise Invalid(
            f"these are {count:,} ticks, and a replay takes {MOST_TICKS:,}; ask for a shorter range, fewer symbols "
            "or fewer ticks per bar",
            code="too_many_ticks",
        )
    timeframe, each = spec.timeframe, spec.ticks_per_bar
    return list(merged({symbol: ticks_of_bars(symbol, item, timeframe, each) for symbol, item in found.items()}))


def replay(
    make: Make,
    settings: Settings,
    spec: ReplaySpec,
    ticks: Iterable[Tick],
    bars: BarStore,
    progress: Progress = lambda fraction, message: None,
    *,
    live_bars: LiveBars | None = None,
) -> ReplayResult:
    """Run ticks, by time, through the pipeline and return what came of them.

    Nothing of the installation is read but stored bars from before the first tick, and nothing of it is changed.

    Args:
        make: returns the container of a process that works, its database at head.
        settings: for the engines and plugins; database, queue and folders are others.
        live_bars: what the ticks become; by default bars of the spec's timeframe that begin where stored ones do.
        progress: called now and then; may raise to stop.

    Raises:
        Invalid: there are no ticks, or an option of the account cannot be.
    """
    known = list(ticks)
    if not known:
        raise Invalid("there is nothing to replay: no ticks in this range", code="no_ticks")
    with _world(make, settings, known[0].time_ms) as world:
        run = _Run(world, spec, known, bars, live_bars or LiveBars(spec.timeframe, always))
        return run(progress)


def replay_bars(make: Make, settings: Settings, spec: ReplaySpec, bars: BarStore, progress: Progress) -> ReplayResult:
    """Run the ticks made of stored bars; see `stored_ticks` and `replay`."""
    progress(0.0, "reading bars")
    return replay(make, settings, spec, stored_ticks(spec, bars), bars, progress)


class _World:
    """The container of a replay."""

    def __init__(self, container: Container, clock: TickClock) -> None:
        self.container = container
        self.clock = clock
        self.quotes = ShownQuotes()
        self.loops: list[HandLoop] = []

    def make_loop(self, name: str, interval_s: float, action: Callable[[], float | None]) -> HandLoop:
        """Return a loop that the replay turns."""
        loop = HandLoop(name, interval_s, action)
        self.loops.append(loop)
        return loop


@contextmanager
def _world(make: Make, settings: Settings, start_ms: int) -> Iterator[_World]:
    with tempfile.TemporaryDirectory(prefix="aitrader-replay-") as folder:
        changes: dict[str, Any] = {"data_dir": Path(folder), "database_url": None, "redis_url": None}
        changes |= {"feed": "off", "notify_urls": (), "lease_seconds": _LEASE_S, "vault_key": None}
        container = make(settings.model_copy(update=changes))
        world = _World(container, TickClock(start_ms))
        container.clock.override(providers.Object(world.clock))
        container.quotes.override(providers.Object(world.quotes))
        # The books of a venue that nobody else trades at need not be compared again and again.
        container.desk.add_kwargs(make_loop=world.make_loop, sure_ms=_NEVER_MS)
        # Nothing of a replay has to survive the power.
        container.unit_of_work.override(container.relaxed_work)
        container.prompt_work.override(container.relaxed_work)
        try:
            yield world
        finally:
            container.desk().stop()
            container.engine().dispose()


class _Run:
    def __init__(self, world: _World, spec: ReplaySpec, ticks: list[Tick], bars: BarStore, live: LiveBars) -> None:
        self._world = world
        self._spec = spec
        self._ticks = ticks
        parts = world.container
        parts.live_bars.override(providers.Object(live))
        first = ticks[0].time_ms
        market = StoredMarket(bars, world.quotes, world.clock, live, until_ms=first)
        parts.market.override(providers.Object(market))
        # The venue knows no stored bar: it would be the future's.
        parts.bars.override(providers.Object(ParquetBarStore(parts.settings().bars_dir, world.clock)))
        self._owner = parts.ensure_owner()().id
        self._account = self._set_up()
        detector = Detector(bars=live)
        if len(ticks) >= _MANY_TICKS:
            detector.look_ahead(ticks)
        self._pipeline = TickPipeline(
            bars=live,
            detector=detector,
            show=self._show,
            take=parts.act_on_signal(),
            sender=lambda: Sender(self._owner, SOURCE, world.clock.now_ms()),
            source=SOURCE,
            ttl_ms=spec.signal_ttl_ms,
        )
        self._equity: list[tuple[int, float]] = []

    def _set_up(self) -> str:
        parts, spec = self._world.container, self._spec
        new = NewAccount(
            PAPER, self._owner, PAPER, currency=spec.currency, starting_cash=spec.cash, options=spec.account_options
        )
        parts.create_account()(new, actor=SOURCE)
        made = parts.create_strategy()(
            self._owner, spec.strategy, actor=SOURCE, engine=spec.engine, symbols=(), params=spec.params.to_json()
        )
        parts.change_strategy()(made.id, self._owner, actor=SOURCE, enabled=True, account=PAPER)
        desk = parts.desk()
        parts.desk_bell().attach(desk.wake)
        desk.watch()
        desk.take()
        self._turn()
        return PAPER

    def __call__(self, progress: Progress) -> ReplayResult:
        desk, clock = self._world.container.desk(), self._world.clock
        count, first, last = len(self._ticks), self._ticks[0].time_ms, self._ticks[-1].time_ms
        step = max(1, (last - first) // _SAMPLES)
        sample_at = first + step
        for number, tick in enumerate(self._ticks):
            if number % _TOLD_EVERY == 0:
                progress(number / count, f"{number:,} of {count:,} ticks")
                desk.watch()
            if tick.time_ms >= sample_at:
                self._sample()
                sample_at = tick.time_ms + step
            self._wait_until(tick.time_ms)
            clock.set(tick.time_ms)
            self._pipeline.on_tick(tick)
            self._turn()
        self._sample()
        progress(1.0, "done")
        return self._result()

    def _show(self, quote: Quote) -> None:
        """Let resting orders trade, and have the books say so, before a strategy decides."""
        self._world.quotes.show(quote)
        self._turn()

    def _turn(self) -> None:
        for loop in self._world.loops:
            while loop.woken:
                loop.turn(self._world.clock.now_ms())

    def _wait_until(self, at: int) -> None:
        """Take the turns that the desk asked for at times before the next tick."""
        for loop in self._world.loops:
            while loop.due_ms is not None and loop.due_ms <= at:
                self._world.clock.set(loop.due_ms)
                loop.turn(loop.due_ms)
                self._turn()

    def _sample(self) -> None:
        parts, now = self._world.container, self._world.clock.now_ms()
        with parts.read_work() as work:
            point = worth(work, work.accounts.get(self._account), self._world.quotes, now, None)
        if point.equity is not None:
            self._equity.append((now, float(point.equity)))

    def _result(self) -> ReplayResult:
        spec, first, last = self._spec, self._ticks[0].time_ms, self._ticks[-1].time_ms
        about = {"kind": "replay", **spec.to_json(), "start_ms": first, "end_ms": last + 1}
        with self._world.container.read_work() as work:
            record = read_run(work, self._owner, spec.strategy, self._account, first, last + 1, about)
            fills = work.decisions.fills(self._account, spec.strategy)
        prices: dict[str, Decimal] = {}
        for symbol in {fill.symbol for fill in fills}:
            quote = self._world.quotes.last(symbol)
            if quote is not None:
                prices[symbol] = quote.price
        whole = performance_view(measure_fills(fills, prices, last))
        parts = {name: performance_view(item) for name, item in measure_by_symbol(fills, prices, last).items()}
        shown = {**whole, "by_symbol": parts, "mode": "paper", "currency": spec.currency}
        return ReplayResult(record, len(self._ticks), self._equity, shown)
