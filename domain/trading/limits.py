"""Risk limits: what an account or a strategy may do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.common.errors import FieldError, Invalid
from domain.trading.model import Mode


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """What an account, or one strategy in it, may do. None: no limit.

    Args:
        symbols: the only symbols that may be traded.
        market_hours: refuse orders while the symbol's exchange is closed.
        max_quantity: of one order. ``max_notional``: of one order, in the account's currency.
        price_collar_bps: how far a limit or trigger price may be from the last price, in basis points.
        max_gross_exposure, max_net_exposure: of positions and open orders together at their worst, in currency.
        max_daily_loss: realized and unrealized since midnight UTC, in currency; above zero.
        max_open_orders: sent or waiting.
        max_orders_per_second, max_orders_per_minute, max_orders_per_day: submitted orders.
        duplicate_window_ms: refuse the same side, symbol, quantity and price again within it.
        max_price_age_ms: refuse when the last price is older.
    """

    symbols: tuple[str, ...] | None = None
    market_hours: bool = False
    max_quantity: Decimal | None = None
    max_notional: Decimal | None = None
    price_collar_bps: Decimal | None = None
    max_gross_exposure: Decimal | None = None
    max_net_exposure: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_open_orders: int | None = None
    max_orders_per_second: int | None = None
    max_orders_per_minute: int | None = None
    max_orders_per_day: int | None = None
    duplicate_window_ms: int | None = None
    max_price_age_ms: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the limits as JSON types; money is decimal text."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}


PAPER_LIMITS = RiskLimits(
    price_collar_bps=Decimal(2000),
    max_open_orders=1000,
    max_orders_per_second=200,
    max_orders_per_minute=6000,
    max_orders_per_day=100_000,
    duplicate_window_ms=2000,
)


# Below what Indian brokers let through since 2026-04-01: 10 a second, 200 a minute, 3,000 a day.
LIVE_LIMITS = RiskLimits(
    market_hours=True,
    price_collar_bps=Decimal(500),
    max_open_orders=20,
    max_orders_per_second=5,
    max_orders_per_minute=100,
    max_orders_per_day=1000,
    duplicate_window_ms=2000,
    max_price_age_ms=60_000,
)


_INTEGERS = frozenset(
    {
        "max_open_orders",
        "max_orders_per_second",
        "max_orders_per_minute",
        "max_orders_per_day",
        "duplicate_window_ms",
        "max_price_age_ms",
    }
)


def default_limits(mode: Mode) -> RiskLimits:
    """Return the limits of a new account."""
    return PAPER_LIMITS if mode is Mode.PAPER else LIVE_LIMITS


def parse_limits(values: Mapping[str, Any], base: RiskLimits) -> RiskLimits:
    """Return ``base`` with some limits replaced; None lifts one.

    Raises:
        Invalid: an unknown limit, or a value that it cannot have.
    """
    known = {item.name for item in fields(RiskLimits)}
    problems: list[FieldError] = []
    found = {item.name: getattr(base, item.name) for item in fields(RiskLimits)}
    for name, value in values.items():
        if name not in known:
            problems.append(FieldError(name[:64], f"is not a limit; known: {', '.join(sorted(known))}"))
            continue
        try:
            found[name] = _parse(name, value)
        except ValueError as error:
            problems.append(FieldError(name, str(error)))
    if problems:
        raise Invalid("the limits are not valid", code="invalid_limits", errors=problems)
    return RiskLimits(**found)


def _parse(name: str, value: Any) -> Any:
    if name == "market_hours":
        if type(value) is not bool:
            raise ValueError("must be true or false")
        return value
    if value is None:
        return None
    if name == "symbols":
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
            raise ValueError("must be a list of symbols")
        return tuple(sorted(set(value)))
    if name in _INTEGERS:
        if type(value) is not int or not 0 <= value < 2**31:
            raise ValueError("must be a whole number, 0 or above")
        return value
    return _money(value)


# No exponents: a short text must not become a number of a billion digits.
_PLAIN = re.compile(r"\d{1,18}(\.\d{1,8})?", re.ASCII)


def _money(value: Any) -> Decimal:
    try:
        if isinstance(value, bool | float) or not _PLAIN.fullmatch(str(value)):
            raise InvalidOperation
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError('must be a decimal number as text, such as "25000"') from None
    if not number.is_finite() or number < 0 or abs(number) > Decimal(10) ** 18:
        raise ValueError("must be a number, 0 or above")
    return number


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    return list(value) if isinstance(value, tuple) else value
