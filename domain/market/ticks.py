"""Ticks, and the stream entries that carry them: one field ``data`` with JSON text, or a field for each value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.common.errors import Invalid
from domain.market.model import parse_symbol

_OLDEST_S = 946_684_800  # 2000-01-01
_NEWEST_S = 2**33


@dataclass(frozen=True, slots=True)
class Tick:
    """A trade, or several at once: price, volume, and milliseconds UTC."""

    symbol: str
    price: float
    volume: float
    time_ms: int


def read_tick(fields: Mapping[bytes, bytes], symbols: dict[str, str]) -> Tick:
    """Return the tick of a stream entry.

    Args:
        fields: the entry.
        symbols: those that were read before, by how they were written; more are added.

    Raises:
        Invalid: it is none.
    """
    try:
        data: Any = fields
        if b"data" in fields:
            data = {name.encode(): value for name, value in json.loads(fields[b"data"]).items()}
        price, volume = float(data[b"price"]), float(data.get(b"volume") or 0)
        seconds, written = float(data[b"timestamp"]), data[b"symbol"]
        name = written if isinstance(written, str) else written.decode()
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Invalid(f"this is no tick: {error!r:.200}", code="invalid_tick") from None
    if not (0 < price < math.inf and 0 <= volume < math.inf and _OLDEST_S <= seconds <= _NEWEST_S):
        raise Invalid("this is no tick: price, volume or timestamp is out of range", code="invalid_tick")
    symbol = symbols.get(name)
    if symbol is None:
        symbol = symbols[name] = parse_symbol(name)
    return Tick(symbol, price, volume, round(seconds * 1000))


def tick_fields(tick: Tick) -> dict[str, str]:
    """Return a tick as the fields of a stream entry, exact: ``read_tick`` gives it back."""
    return {
        "symbol": tick.symbol,
        "price": repr(tick.price),
        "volume": repr(tick.volume),
        "timestamp": repr(tick.time_ms / 1000),
    }
