"""Reading signals that others send: strictly, since money may follow them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.common.errors import FieldError, Invalid
from domain.common.ids import new_id
from domain.common.time import to_ms
from domain.market.model import parse_symbol
from domain.signals.model import MOST_TTL_MS, Signal

TTL_MS = 60_000
FUTURE_MS = 2_000
MOST_META = 2048

_KNOWN = frozenset({"id", "symbol", "exchange", "score", "pattern", "timestamp", "ttl_ms", "source", "meta"})
_SCORES = {"buy": 1.0, "long": 1.0, "sell": -1.0, "short": -1.0, "close": 0.0, "exit": 0.0, "flat": 0.0}
_OLDEST_S = 946_684_800  # 2000-01-01


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a signal, and now: the owner, the name of the producer where it names none, milliseconds UTC."""

    user_id: str
    source: str
    now_ms: int


class _Reader:
    """Reads fields and remembers what is wrong with them."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.problems: list[FieldError] = []

    def wrong(self, name: str, message: str) -> None:
        given = self.data.get(name) is not None
        self.problems.append(FieldError(name, message if given else f"is required; it {message}"))

    def word(self, name: str, most: int, default: str | None = None) -> str:
        value = self._given(name, default)
        if isinstance(value, str) and 0 < len(value) <= most and value.isprintable() and value == value.strip():
            return value
        self.wrong(name, f"must be one line of 1 to {most} characters")
        return ""

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        value = self._given(name, default)
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if known and value is not None and low <= value <= high:  # not true of NaN either
            return float(value)
        self.wrong(name, f"must be a number from {low:g} to {high:g}")
        return 0.0

    def _given(self, name: str, default: Any) -> Any:
        value = self.data.get(name)
        return default if value is None else value

    def done(self, make: Callable[[], Signal]) -> Signal:
        if self.problems:
            first = self.problems[0]
            detail = f"this is no signal: {first.field} {first.message}"
            raise Invalid(detail, code="invalid_signal", errors=self.problems[:20])
        return make()


def parse_signal(data: Mapping[str, Any], sender: Sender) -> Signal:
    """Return the signal of a JSON object.

    Fields: ``id`` of the producer, ``symbol``, ``exchange`` where the symbol has none, ``score`` -1 to 1,
    ``pattern``, ``timestamp`` in seconds since 1970 (now where left out), ``ttl_ms``, ``source``, ``meta``.

    Raises:
        Invalid: a field is missing, wrong or unknown, or the time is in the future.
    """
    reader = _Reader(data)
    reader.problems += [FieldError(name[:64], "is not a known field") for name in data if name not in _KNOWN]
    now_s = sender.now_ms / 1000
    signal_id, pattern = reader.word("id", 128), reader.word("pattern", 64)
    source = reader.word("source", 64, sender.source)
    score = reader.number("score", -1, 1)
    seconds = reader.number("timestamp", _OLDEST_S, 2**33, now_s)
    ttl = reader.number("ttl_ms", 1, MOST_TTL_MS, TTL_MS)
    if seconds > now_s + FUTURE_MS / 1000:
        reader.wrong("timestamp", "is in the future; compare the clocks")
    symbol = _symbol(reader)
    meta = _meta(reader)
    return reader.done(
        lambda: Signal(
            id=new_id(),
            signal_id=signal_id,
            user_id=sender.user_id,
            source=source,
            symbol=symbol,
            score=score,
            pattern=pattern,
            time_ms=round(seconds * 1000),
            ttl_ms=int(ttl),
            received_at=sender.now_ms,
            meta=meta,
        )
    )


def parse_tradingview(data: Mapping[str, Any], sender: Sender) -> Signal:
    """Return the signal of a TradingView alert, https://www.tradingview.com/support/solutions/43000529348/.

    Fields: ``ticker``, ``action`` (buy, sell, long, short, close, exit, flat), and where wanted ``exchange``,
    ``strategy``, ``time`` (ISO 8601, now where left out), ``ttl_ms``; more is kept. The same strategy, ticker, time
    and action is the same signal.

    Raises:
        Invalid: a placeholder was not filled, or a field is missing or wrong.
    """
    unfilled = [name for name, value in data.items() if isinstance(value, str) and "{{" in value]
    if unfilled:
        errors = [FieldError(name[:64], "holds a placeholder that was not filled") for name in unfilled[:20]]
        raise Invalid("a placeholder was not filled; check the alert's message", code="placeholder", errors=errors)
    reader = _Reader(data)
    ticker, action = reader.word("ticker", 45), reader.word("action", 16).lower()
    strategy = reader.word("strategy", 64, "tradingview")
    if action not in _SCORES and not reader.problems:
        reader.wrong("action", f"must be one of: {', '.join(_SCORES)}")
    seconds = _iso(reader, sender.now_ms)
    if reader.problems:
        return reader.done(_never)
    parts = [strategy, data.get("exchange"), ticker, str(data.get("time") or sender.now_ms), action]
    rest = {"ticker", "exchange", "action", "strategy", "time", "ttl_ms"}
    asked = {
        "id": hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32],
        "symbol": ticker,
        "exchange": data.get("exchange"),
        "score": _SCORES[action],
        "pattern": strategy,
        "timestamp": seconds,
        "ttl_ms": data.get("ttl_ms", TTL_MS),
        "source": "tradingview",
        "meta": {"action": action, **{name: value for name, value in data.items() if name not in rest}},
    }
    return parse_signal({name: value for name, value in asked.items() if value is not None}, sender)


def _never() -> Signal:
    raise AssertionError("there were problems")


def _iso(reader: _Reader, now_ms: int) -> float:
    value = reader.data.get("time")
    if value is None:
        return now_ms / 1000
    try:
        found = datetime.fromisoformat(str(value))
        if found.tzinfo is not None:
            return to_ms(found) / 1000
    except ValueError:
        pass
    reader.wrong("time", "must be an ISO 8601 time with a zone, such as {{timenow}} gives")
    return 0.0


def _symbol(reader: _Reader) -> str:
    symbol, exchange = reader.word("symbol", 45), ""
    if reader.data.get("exchange") is not None:
        exchange = reader.word("exchange", 20)
    try:
        return parse_symbol(symbol if ":" in symbol or not exchange else f"{exchange}:{symbol}")
    except Invalid:
        if symbol:
            reader.wrong("symbol", "must be EXCHANGE:SYMBOL or SYMBOL, such as NSE:INFY")
        return ""


def _meta(reader: _Reader) -> dict[str, Any]:
    value = reader.data.get("meta", {})
    try:
        if isinstance(value, dict) and len(json.dumps(value, allow_nan=False)) <= MOST_META:
            return value
    except (ValueError, TypeError, RecursionError):
        pass
    reader.wrong("meta", f"must be an object of at most {MOST_META} characters, with finite numbers")
    return {}
