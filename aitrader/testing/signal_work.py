"""What every `SignalWork` does. Subclass `SignalWorkContract` and override its fixtures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aitrader.testing.waiting import together
from domain.common.errors import NotFound
from domain.common.ids import new_id
from domain.signals.model import Signal, SignalFilter
from domain.signals.work import SignalWork

NOW = 1_763_955_901_000

Work = Callable[[], SignalWork]


def signal(number: int = 0, **changes: Any) -> Signal:
    """Return a signal; another number is another one."""
    values: dict[str, Any] = {
        "id": new_id(),
        "signal_id": f"s{number}",
        "user_id": "ann",
        "source": "tests",
        "symbol": "NSE:INFY",
        "score": 0.42,
        "pattern": "ema_cross",
        "time_ms": NOW,
        "ttl_ms": 60_000,
        "received_at": NOW + 5,
        "meta": {"ema": [1.5, None], "note": "ä"},
    }
    return Signal(**{**values, **changes})


class SignalWorkContract:
    """Tests for any `SignalWork` over an empty, migrated database."""

    @pytest.fixture
    def work(self) -> Work:
        """Return what makes units of work."""
        raise NotImplementedError("override the work fixture")

    def add(self, work: Work, *signals: Signal) -> list[bool]:
        """Store signals, one transaction each."""
        added = []
        for item in signals:
            with work() as unit:
                added.append(unit.signals.add(item))
                unit.commit()
        return added

    def page(self, work: Work, before_id: str | None = None, limit: int = 50, **wanted: Any) -> list[Signal]:
        """Return a page of Ann's signals."""
        with work() as unit:
            return list(unit.signals.page(SignalFilter("ann", **wanted), before_id=before_id, limit=limit))

    def test_a_signal_comes_back_as_it_was(self, work: Work) -> None:
        item = signal(score=-0.1)
        assert self.add(work, item) == [True]
        with work() as unit:
            assert unit.signals.get(item.id, "ann") == item
            assert unit.signals.known(replace(item, id=new_id(), score=0.9)) == item

    def test_the_same_id_of_the_same_producer_is_the_same_signal(self, work: Work) -> None:
        first = signal(1)
        others = [replace(signal(1), source="others"), replace(signal(1), user_id="bob")]
        assert self.add(work, first, signal(1, score=-1.0), *others) == [True, False, True, True]
        assert [item.id for item in self.page(work, source="tests")] == [first.id]

    def test_many_at_once_store_one(self, work: Work) -> None:
        added = together([lambda: self.add(work, signal(7))[0] for _ in range(8)])
        assert sorted(added) == [False] * 7 + [True]

    def test_nobody_sees_what_is_someone_elses(self, work: Work) -> None:
        item = signal(user_id="bob")
        self.add(work, item)
        assert self.page(work) == []
        with work() as unit, pytest.raises(NotFound):
            unit.signals.get(item.id, "ann")
        with work() as unit, pytest.raises(NotFound):
            unit.signals.known(signal(5))

    def test_pages_go_from_new_to_old(self, work: Work) -> None:
        items = [signal(number) for number in range(5)]
        self.add(work, *items)
        newest = self.page(work, limit=2)
        assert newest == items[:2:-1]
        assert self.page(work, before_id=newest[-1].id) == items[2::-1]

    def test_filters(self, work: Work) -> None:
        items = [
            signal(0, symbol="NSE:TCS", score=-0.8, time_ms=NOW - 10),
            signal(1, pattern="vwap", score=0.5),
            signal(2, source="other", score=0.25),
        ]
        self.add(work, *items)
        assert self.page(work, symbol="NSE:TCS") == [items[0]]
        assert self.page(work, pattern="vwap") == [items[1]]
        assert self.page(work, source="other") == [items[2]]
        assert self.page(work, min_score=0.5) == [items[1], items[0]]
        assert self.page(work, since_ms=NOW) == [items[2], items[1]]
        assert self.page(work, until_ms=NOW) == [items[0]]
        assert self.page(work, symbol="NSE:INFY", min_score=0.3, source="tests") == [items[1]]

    def test_what_may_be_acted_on_still(self, work: Work) -> None:
        items = [
            signal(1, ttl_ms=10_000),
            signal(2, time_ms=NOW - 70_000, received_at=NOW - 70_000),
            signal(3, time_ms=NOW - 50_000, received_at=NOW + 20_000),
            signal(4, symbol="NSE:TCS"),
            signal(5, user_id="bob"),
            signal(6, time_ms=NOW - 50_000, received_at=NOW - 50_000, source="other", score=-0.5),
        ]
        self.add(work, *items)

        def alive(at: int, limit: int = 9) -> list[tuple[object, ...]]:
            with work() as unit:
                return [tuple(item)[:4] for item in unit.signals.alive("ann", "NSE:INFY", at, limit)]

        first, last = ("tests", "ema_cross", 0.42, NOW), ("other", "ema_cross", -0.5, NOW - 50_000)
        assert alive(NOW) == [last, first]
        assert alive(NOW, 1) == [last]
        assert alive(NOW + 10_000) == [last, first]
        assert alive(NOW + 10_001) == []

    def test_of_each_producer_and_pattern_only_the_newest_may_be_acted_on(self, work: Work) -> None:
        items = [
            signal(1, time_ms=NOW - 1),
            signal(2, time_ms=NOW - 9),
            signal(3, pattern="vwap", time_ms=NOW - 2),
            signal(4, pattern="vwap", time_ms=NOW - 2),
            signal(5, source="other", time_ms=NOW - 3),
            signal(6, time_ms=NOW - 60_001),
        ]
        self.add(work, *items)
        with work() as unit:
            found = unit.signals.alive("ann", "NSE:INFY", NOW, 9)
            assert [item.signal_id for item in found] == ["s5", "s4", "s1"]
            assert [item.signal_id for item in unit.signals.alive("ann", "NSE:INFY", NOW, 2)] == ["s5", "s4"]
