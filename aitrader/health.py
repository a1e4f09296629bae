"""How the parts of this installation are: cached answers, so that probes cannot overload a sick dependency."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import orjson

from adapters.db.migrations import Migrations
from adapters.redis.signal_stream import Backlog
from adapters.security.urls import GuardedUrls
from aitrader.settings import Settings
from domain.common.errors import AITraderError, NotFound
from domain.common.events import EventBus
from domain.common.health import ComponentHealth
from domain.common.time import rfc3339
from domain.jobs.ports import JobsWork
from domain.trading.brokerage import Quote

_CACHE_S = 2.0
_SERVICE_TIMEOUT_S = 2.0
_ALIVE_MS = 20_000
_SOME_QUOTES = 50
_MOST_WAITING = 1000

# What each outside service answers when it is well; any HTTP answer proves that an MCP server is there. Last what is
# there instead where none is configured.
_SERVICES = {
    "mcp": ("mcp_url", "", "not configured"),
    "onnx_runner": ("onnx_runner_url", "/v2/health/live", "not configured: models run in our own processes"),
    "strategy_engine": ("strategy_engine_url", "/health", "not configured: the built-in engine decides"),
}
_SENTIMENT = "sentiment_engine"

Probe = Callable[[], tuple[str, str]]


class Health:
    """``HealthReport`` over the database, the event bus, workers, loops and outside services."""

    def __init__(
        self,
        settings: Settings,
        read_work: Callable[[], JobsWork],
        bus: EventBus,
        migrations: Migrations,
        urls: GuardedUrls,
        newest_quotes: Callable[[int], Sequence[Quote]],
        is_open: Callable[[str, int], bool | None],
        signals_waiting: Callable[[], Backlog],
    ) -> None:
        self._settings = settings
        self._read_work = read_work
        self._bus = bus
        self._migrations = migrations
        self._urls = urls
        self._newest_quotes = newest_quotes
        self._is_open = is_open
        self._signals_waiting = signals_waiting
        self._late_loops: Callable[[], Sequence[str]] = tuple
        self._draining: Callable[[], bool] = lambda: False
        self._cache: dict[str, ComponentHealth] = {}
        self._lock = threading.Lock()
        self._probes: dict[str, Probe] = {"db": self._database, "redis": self._redis, "workers": self._workers}
        self._probes |= {"feed": self._feed, "signals": self._signals}

    def attach(self, late_loops: Callable[[], Sequence[str]], draining: Callable[[], bool]) -> None:
        """Say how to ask this process about its own loops and whether it is stopping."""
        self._late_loops = late_loops
        self._draining = draining

    def check(self, name: str) -> ComponentHealth:
        """Return how one component is: one of `all`, or an outside service."""
        if name in self._probes:
            return self._cached(name, self._probes[name])
        if name == _SENTIMENT:
            return self._cached(name, self._sentiment)
        if name in _SERVICES:
            return self._cached(name, lambda: self._service(name))
        raise NotFound(f"there is no component {name!r}")

    def all(self) -> list[ComponentHealth]:
        """Return how our own parts are."""
        return [self.check(name) for name in self._probes]

    def services(self) -> list[ComponentHealth]:
        """Return how the outside services are; ``off`` when not configured."""
        return [self.check(name) for name in sorted((*_SERVICES, _SENTIMENT))]

    def ready(self) -> tuple[bool, list[str]]:
        """Return whether requests and jobs are safe here, and why not. A lost Redis does not stop writes."""
        reasons = [f"loop {name} is late" for name in self._late_loops()]
        if self._draining():
            reasons.append("stopping")
        database = self.check("db")
        if database.status == "down":
            reasons.append(database.detail)
        return not reasons, reasons

    def _cached(self, name: str, probe: Probe) -> ComponentHealth:
        with self._lock:
            known = self._cache.get(name)
        if known is not None and time.time() - known.checked_at / 1000 < _CACHE_S:
            return known
        started = time.monotonic()
        status, detail = _try(probe)
        took = None if status == "off" else round((time.monotonic() - started) * 1000, 2)
        result = ComponentHealth(name, status, detail, took, time.time_ns() // 1_000_000)  # type: ignore[arg-type]
        with self._lock:
            self._cache[name] = result
        return result

    def _database(self) -> tuple[str, str]:
        with self._read_work() as work:
            waiting, age = work.outbox.pending()
        self._migrations.require_head()
        if age is not None and age > 30_000:
            return "degraded", f"{waiting} events wait to be published, the oldest for {age // 1000} s"
        return "ok", ""

    def _redis(self) -> tuple[str, str]:
        if self._settings.redis_url is None:
            return "off", "not configured: queue and events run in this process"
        self._bus.ping()
        return "ok", ""

    def _workers(self) -> tuple[str, str]:
        with self._read_work() as work:
            alive = [row for row in work.workers.alive(_ALIVE_MS) if row["role"] in ("up", "worker")]
        if not alive:
            return "degraded", "no worker is alive; start one with: aitrader worker"
        return "ok", f"{len(alive)} alive"

    def _feed(self) -> tuple[str, str]:
        """Compare the newest price of the feed with the clock; silence counts while an exchange is open."""
        name = self._settings.feed
        if name == "off":
            return "off", "not configured: prices come from who pushes them"
        quotes = [quote for quote in self._newest_quotes(_SOME_QUOTES) if quote.source == name]
        now = time.time_ns() // 1_000_000
        if quotes and now - quotes[0].time_ms <= self._settings.feed_stale_seconds * 1000:
            return "ok", ""
        symbols = self._settings.feed_symbols or tuple(quote.symbol for quote in quotes)
        if symbols and all(self._is_open(symbol.upper(), now) is False for symbol in symbols):
            return "ok", "the exchanges are closed"
        since = f"since {rfc3339(quotes[0].time_ms)}" if quotes else "yet"
        return "degraded", f"the feed {name} has told no price {since}"

    def _signals(self) -> tuple[str, str]:
        if self._settings.redis_url is None:
            return "off", "not configured: signals come over HTTP and from the feed of this process"
        waiting = self._signals_waiting()
        late = waiting.lag + waiting.pending
        if late > _MOST_WAITING:
            return "degraded", "signals come faster than they are taken in; start more workers"
        return "ok", ""

    def _service(self, name: str) -> tuple[str, str]:
        field, path, otherwise = _SERVICES[name]
        url = getattr(self._settings, field)
        if url is None:
            return "off", otherwise
        status = self._urls.status(str(url).rstrip("/") + path, operator=True, timeout_s=_SERVICE_TIMEOUT_S)
        if path and status >= 400:
            return "down", f"answered HTTP {status}"
        return "ok", ""

    def _sentiment(self) -> tuple[str, str]:
        """Ask the sentiment engine. TEI answers nothing; the predecessor's says whether it has a model."""
        folder, url = self._settings.sentiment_model, self._settings.sentiment_engine_url
        if url is None and folder is not None:
            there = (folder / "model.onnx").is_file()
            return ("ok", f"the transformer {folder.name}") if there else ("down", f"no model.onnx in {folder}")
        if url is None:
            return "off", "not configured: texts are scored in our own processes"
        answer = self._urls.get(f"{str(url).rstrip('/')}/health", operator=True, timeout_s=_SERVICE_TIMEOUT_S)
        if answer.status >= 400:
            return "down", f"answered HTTP {answer.status}"
        return ("down", "it has no model") if _says_no_model(answer.body) else ("ok", "")


def _says_no_model(body: bytes) -> bool:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(told, dict) and told.get("has_hf") is False


def _try(probe: Probe) -> tuple[str, str]:
    try:
        return probe()
    except AITraderError as error:
        return "down", error.detail
