"""Events are numbered by one transaction at a time; who finds another at it does not wait, and is not forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

import migrations
from adapters.bus.in_process import InProcessBus
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from aitrader.dispatch import DispatchEvents
from domain.common.events import Event


@pytest.fixture
def engine(postgres_url: str) -> Engine:
    made = open_engine(parse_database_url(postgres_url))
    Migrations(made, Path(migrations.__file__).parent).upgrade()
    return made


def test_somebody_else_numbers_just_then(engine: Engine) -> None:
    woken: list[str] = []
    dispatch = DispatchEvents(lambda: SqlUnitOfWork(engine), InProcessBus(), gather_s=0.0)
    dispatch.attach(lambda: woken.append("again"))
    with SqlUnitOfWork(engine) as other:
        assert other.outbox.publish_pending(10) == []  # and holds the turn until its end
        with SqlUnitOfWork(engine, on_events=lambda: woken.append("soon"), publish=dispatch.publish) as work:
            work.outbox.add([Event("t", "ann", {"n": 1})])
            work.commit()
        assert woken == ["soon"]
        dispatch()
        assert woken == ["soon", "again"]
        other.commit()
    dispatch()
    assert woken == ["soon", "again"]
    with SqlUnitOfWork(engine, read_only=True) as work:
        assert [(event.seq, event.data) for event in work.outbox.read("t", "ann", 0, 10)] == [(1, {"n": 1})]
        assert work.outbox.pending() == (0, None)
    engine.dispose()
