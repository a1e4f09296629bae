"""Which column of a file is which: the spellings people have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from domain.common.errors import FieldError, Invalid

_MOMENTS = (
    *("datetime", "timestamp", "datetimeutc", "timestamputc", "gmttime", "utctime", "localtime", "opentime"),
    *("ts", "starttime", "begintime", "unix", "unixtime", "epoch"),
)
_DATES = ("date", "day", "tradedate", "tradingdate", "businessdate", "dt")
_CLOCKS = ("time",)
_INDEXES = ("indexlevel0", "index", "unnamed0", "level0", "")
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "open": ("open", "o", "openprice", "priceopen", "bidopen", "openbid"),
    "high": ("high", "h", "highprice", "pricehigh", "bidhigh", "highbid", "max"),
    "low": ("low", "l", "lowprice", "pricelow", "bidlow", "lowbid", "min"),
    "close": ("close", "c", "closeprice", "priceclose", "bidclose", "closebid", "last", "closelast", "price"),
    "adjusted": ("adjclose", "adjustedclose", "adjcloseprice", "closeadj"),
    "volume": (
        "volume",
        "vol",
        "v",
        "tickvolume",
        "tickvol",
        "ticks",
        "quantity",
        "qty",
        "totaltradedquantity",
    ),
}


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """The positions of the columns to read; None where a file has no such column."""

    time: int
    clock: int | None
    open: int
    high: int
    low: int
    close: int
    adjusted: int | None
    volume: int | None

    def positions(self) -> dict[str, int]:
        """Return the position of each column that is there, by its role."""
        roles = ("time", "clock", "open", "high", "low", "close", "adjusted", "volume")
        found = {role: getattr(self, role) for role in roles}
        return {role: position for role, position in found.items() if position is not None}


def find_columns(names: Sequence[str], *, adjusted: bool = False) -> ColumnPlan:
    """Return which column is which.

    Args:
        names: the column names as the file has them.
        adjusted: also look for the adjusted close.

    Raises:
        Invalid: code ``missing_columns``; a column that is needed has no known spelling.
    """
    plain = [_plain(name) for name in names]
    found = {role: _first(plain, spellings) for role, spellings in _SPELLINGS.items()}
    if found["volume"] is None:
        found["volume"] = next((i for i, name in enumerate(plain) if name.startswith("volume")), None)
    time, clock = _find_time(plain)
    needed = {"time": time, **{role: found[role] for role in ("open", "high", "low", "close")}}
    if adjusted:
        needed["adjusted"] = found["adjusted"]
    missing = [role for role, position in needed.items() if position is None]
    if missing:
        raise _missing(missing, names)
    extra = {"adjusted": found["adjusted"] if adjusted else None, "volume": found["volume"], "clock": clock}
    return ColumnPlan(**{**needed, **extra})  # type: ignore[arg-type]


def _find_time(plain: Sequence[str]) -> tuple[int | None, int | None]:
    moment, date, clock = _first(plain, _MOMENTS), _first(plain, _DATES), _first(plain, _CLOCKS)
    if moment is not None:
        return moment, None
    if date is not None:
        return date, clock
    if clock is not None:
        return clock, None
    return _first(plain, _INDEXES), None


def _first(plain: Sequence[str], spellings: Sequence[str]) -> int | None:
    return next((plain.index(spelling) for spelling in spellings if spelling in plain), None)


def _plain(name: str) -> str:
    numbered = re.sub(r"^\s*\d+[a-z]?\.\s*", "", name.lower())
    return re.sub(r"[^a-z0-9]", "", numbered)


def _missing(missing: Sequence[str], names: Sequence[str]) -> Invalid:
    seen = ", ".join(repr(name[:40]) for name in names[:30]) or "none"
    return Invalid(
        f"no column for {', '.join(missing)}; the file has the columns {seen}",
        code="missing_columns",
        errors=[FieldError(role, f"name the column one of: {', '.join(_accepted(role))}") for role in missing],
    )


def _accepted(role: str) -> tuple[str, ...]:
    if role == "time":
        return ("time", "date", "date and time", *_MOMENTS)
    return _SPELLINGS[role]
