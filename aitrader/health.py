"""How the parts of this installation are: cached answers, so that probes cannot overload a sick dependency."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from adapters.db.migrations import Migrations
from adapters.security.urls import GuardedUrls
from aitrader.settings import Settings
from domain.common.errors import AITraderError, NotFound
from domain.common.events import EventBus
from domain.common.health import ComponentHealth
from domain.jobs.ports import JobsWork

_CACHE_S = 2.0
_SERVICE_TIMEOUT_S = 2.0
_ALIVE_MS = 20_000

# What each outside service answers when it is well; any HTTP answer proves that an MCP server is there.
_SERVICES = {
    "mcp": ("mcp_url", ""),
    "onnx_runner": ("onnx_runner_url", "/v2/health/live"),
    "sentiment_engine": ("sentiment_engine_url", "/health"),
    "strategy_engine": ("strategy_engine_url", "/health"),
}

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
    ) -> None:
        self._settings = settings
        self._read_work = read_work
        self._bus = bus
        self._migrations = migrations
        self._urls = urls
        self._late_loops: Callable[[], Sequence[str]] = tuple
        self._draining: Callable[[], bool] = lambda: False
        self._cache: dict[str, ComponentHealth] = {}
        self._lock = threading.Lock()
        self._probes: dict[str, Probe] = {"db": self._database, "redis": self._redis, "workers": self._workers}

    def attach(self, late_loops: Callable[[], Sequence[str]], draining: Callable[[], bool]) -> None:
        """Say how to ask this process about its own loops and whether it is stopping."""
        self._late_loops = late_loops
        self._draining = draining

    def check(self, name: str) -> ComponentHealth:
        """Return how one component is: ``db``, ``redis``, ``workers`` or an outside service."""
        if name in self._probes:
            return self._cached(name, self._probes[name])
        if name in _SERVICES:
            return self._cached(name, lambda: self._service(name))
        raise NotFound(f"there is no component {name!r}")

    def all(self) -> list[ComponentHealth]:
        """Return how our own parts are."""
        return [self.check(name) for name in self._probes]

    def services(self) -> list[ComponentHealth]:
        """Return how the outside services are; ``off`` when not configured."""
        return [self.check(name) for name in _SERVICES]

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

    def _service(self, name: str) -> tuple[str, str]:
        field, path = _SERVICES[name]
        url = getattr(self._settings, field)
        if url is None:
            return "off", "not configured"
        status = self._urls.status(str(url).rstrip("/") + path, operator=True, timeout_s=_SERVICE_TIMEOUT_S)
        if path and status >= 400:
            return "down", f"answered HTTP {status}"
        return "ok", ""


def _try(probe: Probe) -> tuple[str, str]:
    try:
        return probe()
    except AITraderError as error:
        return "down", error.detail
