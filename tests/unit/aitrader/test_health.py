from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import migrations
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from adapters.marketdata.hours import MarketHours
from adapters.redis.signal_stream import Backlog
from adapters.security.urls import GuardedUrls
from aitrader import health
from aitrader.health import Health
from aitrader.settings import load_settings
from aitrader.testing.clock import FakeClock
from domain.common.errors import NotFound, Unavailable
from domain.common.events import Event
from domain.trading.brokerage import Quote
from tests.unit.jobs.support import World, open_world

Maker = Callable[..., Health]

FOLDER = Path(migrations.__file__).parent


class Bus:
    """Answers pings, unless told not to."""

    def __init__(self) -> None:
        self.down = False
        self.pings = 0

    def ping(self) -> None:
        self.pings += 1
        if self.down:
            raise Unavailable("Redis did not answer: refused")


class Site:
    """A local HTTP server that answers each path with a status."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.asked: list[str] = []
        self.body = b""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                self.send_response(site.statuses.get(self.path, 404))
                self.send_header("Content-Length", str(len(site.body)))
                self.end_headers()
                self.wfile.write(site.body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = open_world(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The time that the health module sees."""
    made = FakeClock()
    module = SimpleNamespace(
        time=lambda: made.now_ms() / 1000, time_ns=lambda: made.now_ms() * 1_000_000, monotonic=made.monotonic
    )
    monkeypatch.setattr(health, "time", module)
    return made


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def quotes() -> list[Quote]:
    return []


@pytest.fixture
def waiting() -> list[Backlog]:
    return [Backlog(0, 0, 0)]


@pytest.fixture
def make(clean: Path, world: World, bus: Bus, clock: FakeClock, quotes: list[Quote], waiting: list[Backlog]) -> Maker:
    def made(**settings: Any) -> Health:
        read_work: Any = partial(SqlUnitOfWork, world.engine, read_only=True)
        schema = Migrations(world.engine, FOLDER)
        told: Any = lambda limit: quotes  # noqa: E731
        hours = MarketHours().is_open
        return Health(
            load_settings(**settings), read_work, bus, schema, GuardedUrls(), told, hours, lambda: waiting[-1]
        )  # type: ignore[arg-type]

    return made


def beat(world: World, role: str) -> None:
    with world.work() as work:
        work.workers.beat(f"id-{role}", host="h", pid=1, role=role, url="")
        work.commit()


def test_everything_is_well(make: Maker, world: World, bus: Bus) -> None:
    beat(world, "worker")
    found = make(redis_url="redis://x").all()
    assert {item.name: item.status for item in found} == {
        "db": "ok",
        "redis": "ok",
        "workers": "ok",
        "feed": "off",
        "signals": "ok",
    }
    assert bus.pings == 1
    assert all(item.latency_ms is not None for item in found if item.status != "off")


def test_redis_is_off_when_it_is_not_configured(make: Callable[..., Health], bus: Bus) -> None:
    found = make().check("redis")
    assert (found.status, found.latency_ms, bus.pings) == ("off", None, 0)


def test_redis_is_down(make: Callable[..., Health], bus: Bus) -> None:
    bus.down = True
    report = make(redis_url="redis://x")
    assert (report.check("redis").status, report.check("redis").detail) == ("down", "Redis did not answer: refused")
    assert report.ready() == (True, [])


@pytest.mark.parametrize(("role", "status"), [("up", "ok"), ("worker", "ok"), ("serve", "degraded")])
def test_workers(make: Callable[..., Health], world: World, role: str, status: str) -> None:
    beat(world, role)
    found = make().check("workers")
    assert found.status == status
    assert ("aitrader worker" in found.detail) == (status == "degraded")


def test_workers_that_went_silent_do_not_count(make: Callable[..., Health], world: World) -> None:
    beat(world, "worker")
    world.execute("UPDATE workers SET beat_at = beat_at - 60000")
    assert make().check("workers").status == "degraded"


def test_a_database_that_is_not_migrated_is_down(make: Callable[..., Health], world: World) -> None:
    world.execute("UPDATE alembic_version SET version_num = 'older'")
    report = make()
    assert report.check("db").status == "down"
    ready, (reason,) = report.ready()
    assert not ready
    assert "aitrader db upgrade" in reason


def test_a_database_without_tables_is_down(make: Callable[..., Health], world: World) -> None:
    Migrations(world.engine, FOLDER).downgrade("base")
    report = make()
    assert [report.check(name).status for name in ("db", "workers")] == ["down", "down"]
    assert not report.ready()[0]


def test_events_that_nobody_publishes_degrade_the_database(make: Callable[..., Health], world: World) -> None:
    with world.work() as work:
        work.outbox.add([Event("t", "ann", {})])
        work.commit()
    report = make()
    assert report.check("db").status == "ok"
    world.execute("UPDATE outbox SET created_at = created_at - 60000")
    other = make()
    assert other.check("db").status == "degraded"
    assert "1 events wait" in other.check("db").detail
    assert other.ready() == (True, [])


def test_answers_are_kept_for_two_seconds(make: Callable[..., Health], bus: Bus, clock: FakeClock) -> None:
    report = make(redis_url="redis://x")
    first = report.check("redis")
    bus.down = True
    clock.advance(1.9)
    assert report.check("redis") is first
    clock.advance(0.2)
    assert report.check("redis").status == "down"
    assert bus.pings == 2


def test_readiness_asks_this_process(make: Callable[..., Health]) -> None:
    report = make()
    assert report.ready() == (True, [])
    report.attach(lambda: ["sweep"], lambda: True)
    assert report.ready() == (False, ["loop sweep is late", "stopping"])


def test_services_are_off_until_configured(make: Callable[..., Health]) -> None:
    found = make().services()
    assert [item.name for item in found] == ["mcp", "onnx_runner", "sentiment_engine", "strategy_engine"]
    assert {item.status for item in found} == {"off"}
    assert all(item.detail.startswith("not configured") for item in found)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", "ok"),
        (b"ok", "ok"),
        (b'{"ok":true,"has_hf":true}', "ok"),
        (b"[]", "ok"),
        (b'{"ok":true,"has_hf":false}', "down"),
    ],
)
def test_a_sentiment_engine_without_a_model_is_down(make: Maker, site: Site, body: bytes, status: str) -> None:
    site.statuses["/health"], site.body = 200, body
    found = make(sentiment_engine_url=site.url).check("sentiment_engine")
    assert (found.status, found.detail) == (status, "" if status == "ok" else "it has no model")


def test_a_transformer_of_ours_is_looked_for(make: Maker, tmp_path: Path) -> None:
    settings = {"sentiment_model": str(tmp_path / "finbert")}
    found = make(**settings).check("sentiment_engine")
    assert (found.status, found.detail) == ("down", f"no model.onnx in {tmp_path / 'finbert'}")
    (tmp_path / "finbert").mkdir()
    (tmp_path / "finbert" / "model.onnx").touch()
    found = make(**settings).check("sentiment_engine")
    assert (found.status, found.detail) == ("ok", "the transformer finbert")


@pytest.mark.parametrize(
    ("name", "field", "path"),
    [
        ("onnx_runner", "onnx_runner_url", "/v2/health/live"),
        ("sentiment_engine", "sentiment_engine_url", "/health"),
        ("strategy_engine", "strategy_engine_url", "/health"),
    ],
)
@pytest.mark.parametrize(("answer", "status"), [(200, "ok"), (204, "ok"), (404, "down"), (503, "down")])
def test_a_service_is_asked(
    make: Callable[..., Health], site: Site, name: str, field: str, path: str, answer: int, status: str
) -> None:
    site.statuses[path] = answer
    found = make(**{field: site.url}).check(name)
    assert (found.status, site.asked) == (status, [path])
    assert found.detail == ("" if status == "ok" else f"answered HTTP {answer}")
    assert found.latency_ms is not None


@pytest.mark.parametrize("answer", [200, 404, 405, 406])
def test_any_answer_proves_that_the_mcp_server_is_there(make: Callable[..., Health], site: Site, answer: int) -> None:
    site.statuses["/mcp"] = answer
    assert make(mcp_url=f"{site.url}/mcp").check("mcp").status == "ok"
    assert site.asked == ["/mcp"]


def test_a_service_that_does_not_answer_is_down(make: Callable[..., Health], site: Site) -> None:
    site.close()
    found = make(strategy_engine_url=site.url).check("strategy_engine")
    assert (found.status, found.detail) == ("down", "no answer: ConnectError")


def test_a_service_is_never_looked_for_where_clouds_keep_credentials(make: Callable[..., Health]) -> None:
    found = make(strategy_engine_url="http://169.254.169.254").check("strategy_engine")
    assert found.status == "down"
    assert "link-local" in found.detail


def test_there_is_no_such_component(make: Callable[..., Health]) -> None:
    with pytest.raises(NotFound, match="there is no component 'disk'"):
        make().check("disk")


class TestFeed:
    def test_a_price_of_just_now_is_well(self, make: Maker, quotes: list[Quote], clock: FakeClock) -> None:
        quotes.append(Quote("CRYPTO:BTC", Decimal(1), clock.now_ms() - 1000, source="simulated"))
        assert make(feed="simulated").check("feed").status == "ok"

    def test_silence_is_said_while_an_exchange_is_open(
        self, make: Maker, quotes: list[Quote], clock: FakeClock
    ) -> None:
        quotes.append(Quote("CRYPTO:BTC", Decimal(1), clock.now_ms() - 31_000, source="simulated"))
        found = make(feed="simulated").check("feed")
        assert found.status == "degraded"
        assert "has told no price since" in found.detail

    def test_a_price_that_somebody_pushed_is_not_the_feeds(
        self, make: Maker, quotes: list[Quote], clock: FakeClock
    ) -> None:
        quotes.append(Quote("CRYPTO:BTC", Decimal(1), clock.now_ms(), source="me"))
        assert make(feed="simulated").check("feed").status == "degraded"

    def test_silence_over_a_closed_exchange_is_no_trouble(
        self, make: Callable[..., Health], clock: FakeClock
    ) -> None:
        clock.jump(1_732_935_600 - clock.now_ms() / 1000)  # 2024-11-30, a Saturday
        assert make(feed="simulated", feed_symbols="nse:infy").check("feed").status == "ok"
        assert make(feed="simulated", feed_symbols="nse:infy,CRYPTO:BTC").check("feed").status == "degraded"


def test_signals_that_pile_up_are_said(make: Maker, waiting: list[Backlog]) -> None:
    assert make().check("signals").status == "off"
    waiting.append(Backlog(900, 64, 5))
    assert make(redis_url="redis://x").check("signals").status == "ok"
    waiting.append(Backlog(0, 1064, 0))
    assert make(redis_url="redis://x").check("signals").status == "degraded"
