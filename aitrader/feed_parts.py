"""What a feed is made of, by the settings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.feeds.polled import PolledFeed
from adapters.feeds.redis_ticks import RedisTicks, write_ticks
from adapters.feeds.replayed import ReplayedFeed
from adapters.feeds.simulated import SimulatedFeed
from adapters.feeds.tick_file import TickRecorder, read_ticks
from aitrader.feeding import DetectorFile, FeedRunner, OnTicks, pipeline_sink, surely
from domain.common.errors import Invalid, NotFound
from domain.market.model import parse_symbol
from domain.market.ports import BarStore, MarketFeed
from domain.market.synthetic import merged, ticks_of_bars
from domain.market.ticks import Tick
from domain.pipeline.running import TickPipeline
from domain.signals.detecting import Detector
from domain.signals.parsing import Sender

if TYPE_CHECKING:
    from aitrader.container import Container
    from aitrader.settings import Settings

_PRACTICE = ("NASDAQ:DEMO", "NSE:DEMO", "CRYPTO:DEMO")
_PER_BAR = 60
_POLL_S = 1.0


def make_feed(parts: Container) -> MarketFeed:
    """Return the feed of the settings.

    Raises:
        Invalid: something that it needs is not set.
        NotFound: there are no stored bars of a symbol.
    """
    settings: Settings = parts.settings()
    symbols = [parse_symbol(symbol) for symbol in settings.feed_symbols]
    if settings.feed == "redis":
        if settings.redis_url is None:
            raise Invalid("the feed redis needs REDIS_URL", code="invalid_settings")
        return RedisTicks(parts.redis(), settings.ticks_stream)
    if settings.feed == "replay":
        ticks = _recorded(settings.feed_file) if settings.feed_file else _stored(parts.bars(), symbols)
        return ReplayedFeed(ticks, parts.clock(), speed=settings.feed_speed)
    if settings.feed == "broker":
        if settings.feed_account is None or not symbols:
            raise Invalid(
                "the feed broker needs AITRADER_FEED_ACCOUNT and AITRADER_FEED_SYMBOLS", code="invalid_settings"
            )
        return PolledFeed(partial(parts.desk().prices, settings.feed_account, symbols), _POLL_S)
    return SimulatedFeed(symbols or _PRACTICE, parts.clock(), speed=settings.feed_speed)


def _recorded(path: Path) -> Callable[[], Iterator[Tick]]:
    if not path.exists():
        raise NotFound(f"there are no ticks at {path}", code="no_ticks")
    return lambda: read_ticks(path)


def _stored(bars: BarStore, symbols: Sequence[str]) -> Callable[[], Iterator[Tick]]:
    """Return the ticks of the shortest bars that are stored of each symbol; of all symbols when none is named."""
    found = {item.symbol: item for item in reversed(bars.list()) if not symbols or item.symbol in symbols}
    missing = [symbol for symbol in symbols if symbol not in found]
    if missing or not found:
        what = missing[0] if missing else "any symbol"
        raise NotFound(f"no bars of {what} are stored; import some with: aitrader data import", code="no_bars")

    def ticks() -> Iterator[Tick]:
        return merged(
            {
                name: ticks_of_bars(name, bars.read(name, item.timeframe), item.timeframe, _PER_BAR)
                for name, item in found.items()
            }
        )

    return ticks


def start_feed(parts: Container, owner_id: str, *, patterns: bool) -> Callable[[], None]:
    """Start the feed of the settings; return what stops it.

    Args:
        owner_id: whose the signals are.
        patterns: whether patterns are found here; else another program does, from the stream of ticks.

    Raises:
        Invalid, NotFound: see `make_feed`.
    """
    settings: Settings = parts.settings()
    feed, clock, stopping = make_feed(parts), parts.clock(), threading.Event()
    bars = parts.live_bars()
    detector = Detector(bars=bars) if patterns else None
    kept = None if detector is None else DetectorFile(settings.data_dir / "patterns.json", detector)
    if kept is not None:
        kept.load()
    pipeline = TickPipeline(
        bars=bars,
        detector=detector,
        show=parts.quotes().show,
        take=surely(parts.act_on_signal(), clock, stopping.is_set),
        sender=lambda: Sender(owner_id, feed.name, clock.now_ms()),
        source=feed.name,
    )
    sinks: list[OnTicks] = [pipeline_sink(pipeline)]
    if settings.redis_url is not None and settings.feed != "redis":
        sinks.append(partial(write_ticks, parts.redis(), settings.ticks_stream))
    recorder = TickRecorder(settings.ticks_dir)
    if settings.record_ticks:
        sinks.insert(0, recorder.write)
    runner = FeedRunner(feed, sinks, (lambda: None) if kept is None else kept.save)
    runner.start()

    def stop() -> None:
        stopping.set()
        runner.stop()
        recorder.close()

    return stop
