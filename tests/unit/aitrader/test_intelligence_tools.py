"""What jobs of intelligence are given, over a real database."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine

import migrations
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from aitrader.bootstrap import build
from aitrader.container import Container
from aitrader.intelligence_tools import AccountsOf, SentimentOf, StoredModels
from aitrader.settings import load_settings
from aitrader.testing.intelligence_work import NOW, item, manifest, model, scored
from domain.common.errors import NotFound
from domain.intelligence.models import Manifest
from domain.trading.model import Account, Mode


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(data_dir=tmp_path / "data")
    made = build(settings, works=True)
    made.migrations().upgrade()
    return made


def test_models_are_read_and_published(container: Container) -> None:
    class Folders:
        def __init__(self) -> None:
            self.published: list[tuple[Manifest, bytes]] = []

        def publish(self, manifest: Manifest, onnx: bytes) -> None:
            self.published.append((manifest, onnx))

    folders = Folders()
    shelf = StoredModels(container.read_work, lambda: folders)  # type: ignore[arg-type, return-value]
    made = model(status="active")
    with container.unit_of_work() as work:
        work.models.add(made)
        work.commit()
    assert shelf.get("tiny") == made
    assert shelf.active("1d") == [made]
    assert shelf.active("1h") == []
    told = manifest()
    shelf.publish(told, b"onnx")
    assert folders.published == [(told, b"onnx")]


def test_sentiment_is_the_user_s_and_as_of_then(container: Container) -> None:
    with container.unit_of_work() as work:
        work.sentiments.put(scored())
        work.sentiments.put(scored(key="k2", available_at=NOW + 10, score=-1.0))
        work.sentiments.put(scored(user_id="bob", score=1.0))
        work.news.add([item(), item(key="k2", available_at=NOW + 10), item(user_id="bob")])
        work.commit()
    mine = SentimentOf("ann", container.read_work)
    assert mine.columns("NSE:INFY", until_ms=NOW + 1).score.tolist() == [0.5]
    assert mine.columns("NSE:INFY", until_ms=NOW + 11).score.tolist() == [0.5, -1.0]
    assert [row.score for row in mine.newest("NSE:INFY", until_ms=NOW + 11, limit=1)] == [-1.0]
    assert [one.key for one in mine.news("NSE:INFY", since_ms=None, until_ms=None, limit=10)] == ["k1", "k2"]
    assert [one.key for one in mine.news(None, since_ms=NOW + 1, until_ms=None, limit=10)] == ["k2"]


def test_an_account_is_the_named_or_the_only_one_on_paper(container: Container) -> None:
    accounts = AccountsOf("ann", container.read_trading())
    assert accounts.worth(None) is None
    with container.unit_of_work() as work:
        work.accounts.add(Account("a1", "ann", "paper", Mode.PAPER, "INR", NOW, starting_cash=Decimal(5000)))
        work.commit()
    found = accounts.worth(None)
    assert found is not None
    assert (found.account, found.equity, found.currency) == ("a1", Decimal(5000), "INR")
    assert accounts.worth("a1") == found
    with container.unit_of_work() as work:
        work.accounts.add(Account("a2", "ann", "paper", Mode.PAPER, "USD", NOW, starting_cash=Decimal(7)))
        work.commit()
    assert accounts.worth(None) is None
    with pytest.raises(NotFound):
        AccountsOf("bob", container.read_trading()).worth("a1")


def test_a_child_opens_the_database_only_when_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(data_dir=tmp_path / "data")
    tools = build(settings).toolbox()
    assert tools.intelligence is not None
    assert not (tmp_path / "data" / "aitrader.db").exists()
    migrate(settings.database)
    assert tools.intelligence.models.active("1d") == []
    assert len(tools.intelligence.sentiment_of("ann").columns("X", until_ms=NOW)) == 0


def migrate(url: str) -> None:
    engine: Engine = open_engine(parse_database_url(url))
    Migrations(engine, Path(migrations.__file__).parent).upgrade()
    engine.dispose()
