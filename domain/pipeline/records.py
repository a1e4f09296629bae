"""What a run came to, told so that another run of the same ticks can be compared with it: without ids of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from domain.common.errors import Invalid
from domain.decisions.model import Decision, DecisionFilter
from domain.decisions.work import DecisionWork
from domain.signals.model import Signal, SignalFilter
from domain.trading.model import Fill, Order
from domain.trading.records import OrderFilter

VERSION = 1
SECTIONS = ("signals", "decisions", "orders", "fills")
# A live run is a moment late with everything.
TIMES = frozenset({"as_of", "created_at", "time"})
_PAGE = 500

Row = dict[str, Any]
R = TypeVar("R", Signal, Decision, Order)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Signals, and the decisions, orders and fills that came of them, as JSON types, each by time.

    ``about`` says what was run. Every row names its signal by producer and the producer's id. Times are milliseconds
    UTC, amounts decimal text.
    """

    about: Row
    signals: list[Row] = field(default_factory=list)
    decisions: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    fills: list[Row] = field(default_factory=list)

    def to_json(self) -> Row:
        """Return the record as JSON types."""
        return {"version": VERSION, "about": self.about, **{name: getattr(self, name) for name in SECTIONS}}

    @classmethod
    def from_json(cls, data: Any) -> RunRecord:
        """Return the record that was written.

        Raises:
            Invalid: it is none.
        """
        right = isinstance(data, dict) and data.get("version") == VERSION and isinstance(data.get("about"), dict)
        if not right or not all(isinstance(data.get(name), list) for name in SECTIONS):
            raise Invalid("this is no record of a run; aitrader replay --output writes one", code="invalid_record")
        return cls(data["about"], *(data[name] for name in SECTIONS))


def read_run(
    work: DecisionWork, user_id: str, strategy: str, account: str | None, since_ms: int, until_ms: int, about: Row
) -> RunRecord:
    """Return what a strategy made of the signals within [since, until)."""
    these = SignalFilter(user_id, since_ms=since_ms, until_ms=until_ms)
    signals = _all(lambda before: work.signals.page(these, before_id=before, limit=_PAGE))
    keys = {signal.id: _key(signal) for signal in signals}
    mine = DecisionFilter(user_id, strategy=strategy, since_ms=since_ms)
    decided = _all(lambda before: work.decisions.page(mine, before_id=before, limit=_PAGE))
    decisions = [item for item in decided if item.signal in keys]
    by_decision = {item.id: keys[item.signal] for item in decisions}
    sent = OrderFilter(user_id, account=account, strategy=strategy)
    placed = _all(lambda before: work.orders.page(sent, before_id=before, limit=_PAGE))
    orders = [item for item in placed if item.decision_id in by_decision]
    named = {order.id: by_decision[order.decision_id or ""] for order in orders}
    fills = [(named[order.id], fill) for order in orders for fill in work.fills.of_order(order.id)]
    return RunRecord(
        about,
        _sorted((_signal_row(item) for item in signals), "time"),
        _sorted((_decision_row(keys[item.signal], item) for item in decisions), "as_of"),
        _sorted((_order_row(named[item.id], item) for item in orders), "created_at"),
        _sorted((_fill_row(key, fill) for key, fill in fills), "time"),
    )


def _sorted(rows: Iterable[Row], time: str) -> list[Row]:
    return sorted(rows, key=lambda row: (row[time], row["signal"], str(row.get("quantity"))))


def _all(page: Callable[[str | None], Sequence[R]]) -> list[R]:
    """Return the rows of all pages; ``page`` gives those before an id, and none at the end."""
    found: list[R] = []
    before: str | None = None
    while rows := page(before):
        found += rows
        before = rows[-1].id
    return found


def _key(signal: Signal) -> str:
    return f"{signal.source}/{signal.signal_id}"


def _signal_row(signal: Signal) -> Row:
    names = ("symbol", "score", "pattern")
    return {"signal": _key(signal), "time": signal.time_ms, **{name: getattr(signal, name) for name in names}}


def _decision_row(key: str, decision: Decision) -> Row:
    return {
        "signal": key,
        "as_of": decision.as_of,
        "symbol": decision.symbol,
        "action": decision.action.value,
        "quantity": format(decision.quantity, "f"),
        "confidence": decision.confidence,
        "rationale": decision.rationale,
        "status": decision.status.value,
        "reason": decision.reason,
        "price": decision.price,
        "stop": decision.risk.stop,
        "target": decision.risk.target,
        "expected_r": decision.risk.expected_r,
    }


def _order_row(key: str, order: Order) -> Row:
    return {
        "signal": key,
        "created_at": order.created_at,
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type.value,
        "quantity": format(order.quantity, "f"),
        "status": order.status.value,
        "filled_quantity": format(order.filled_quantity, "f"),
    }


def _fill_row(key: str, fill: Fill) -> Row:
    return {
        "signal": key,
        "time": fill.filled_at,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "quantity": format(fill.quantity, "f"),
        "price": format(fill.price, "f"),
        "fees": format(fill.fees, "f"),
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two runs part: at a signal, in a section, in a field; None for the whole row, which one of them lacks."""

    signal: str
    section: str
    field: str | None
    left: Any
    right: Any


def first_difference(left: RunRecord, right: RunRecord, *, times: bool = False) -> Difference | None:
    """Return the first signal that two runs did not treat alike, by time; None when they are the same.

    Args:
        times: whether the moments of decisions, orders and fills count too. They never agree with a live run.
    """
    ours, theirs = _by_signal(left), _by_signal(right)
    at = {row["signal"]: row["time"] for record in (left, right) for row in record.signals}
    for key in sorted(ours.keys() | theirs.keys(), key=lambda key: (at.get(key, 0), key)):
        for section in SECTIONS:
            one, other = ours.get(key, {}).get(section, []), theirs.get(key, {}).get(section, [])
            ignored = frozenset() if times or section == "signals" else TIMES
            found = _difference(key, section, one, other, ignored)
            if found is not None:
                return found
    return None


def _by_signal(record: RunRecord) -> dict[str, dict[str, list[Row]]]:
    found: dict[str, dict[str, list[Row]]] = {}
    for section in SECTIONS:
        for row in getattr(record, section):
            found.setdefault(row["signal"], {}).setdefault(section, []).append(row)
    return found


def _difference(
    key: str, section: str, one: Sequence[Row], other: Sequence[Row], ignored: frozenset[str]
) -> Difference | None:
    for place in range(max(len(one), len(other))):
        left: Mapping[str, Any] | None = one[place] if place < len(one) else None
        right: Mapping[str, Any] | None = other[place] if place < len(other) else None
        if left is None or right is None:
            return Difference(key, section, None, left, right)
        for name in left:
            if name not in ignored and left[name] != right.get(name):
                return Difference(key, section, name, left[name], right.get(name))
    return None
