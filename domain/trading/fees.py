"""What a fill costs beside its price."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.common.errors import FieldError, Invalid
from domain.trading.charges import Charges, FeeModel, rounded
from domain.trading.fees_india import IndiaEquityFees
from domain.trading.model import ZERO, Product, Side

_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class NoFees:
    """Nothing is charged."""

    def charges(
        self, *, symbol: str, side: Side, product: Product | None, quantity: Decimal, price: Decimal, at: int
    ) -> Charges:
        """Return no charges."""
        return Charges()


@dataclass(frozen=True, slots=True)
class FlatFee:
    """So much per fill."""

    amount: Decimal

    def charges(
        self, *, symbol: str, side: Side, product: Product | None, quantity: Decimal, price: Decimal, at: int
    ) -> Charges:
        """Return the amount, whatever was traded."""
        return Charges({"brokerage": rounded(self.amount)})


@dataclass(frozen=True, slots=True)
class PerShareFee:
    """So much per unit, at least ``minimum`` and at most ``maximum`` per fill."""

    amount: Decimal
    minimum: Decimal = ZERO
    maximum: Decimal | None = None

    def charges(
        self, *, symbol: str, side: Side, product: Product | None, quantity: Decimal, price: Decimal, at: int
    ) -> Charges:
        """Return quantity times the amount, within the bounds."""
        cost = max(self.minimum, quantity * self.amount)
        return Charges({"brokerage": rounded(cost if self.maximum is None else min(cost, self.maximum))})


@dataclass(frozen=True, slots=True)
class BpsFee:
    """A share of the value traded, in basis points."""

    bps: Decimal

    def charges(
        self, *, symbol: str, side: Side, product: Product | None, quantity: Decimal, price: Decimal, at: int
    ) -> Charges:
        """Return that share of quantity times price."""
        return Charges({"brokerage": rounded(quantity * price * self.bps / _BPS)})


def parse_fee_options(options: Mapping[str, Any]) -> FeeModel:
    """Return the fee model of options such as ``{"model": "bps", "bps": "5"}``.

    Models: ``none``; ``flat`` (amount); ``per_share`` (amount, minimum, maximum); ``bps`` (bps); ``india_equity``.

    Raises:
        Invalid: an unknown model or option, or a number below zero.
    """
    name = options.get("model", "none")
    if name not in _MODELS:
        raise _invalid("model", f"must be one of: {', '.join(_MODELS)}")
    names, make = _MODELS[name]
    for key in options:
        if key != "model" and key not in names:
            raise _invalid(str(key)[:64], f"is not an option of {name}; it has: {', '.join(names) or 'none'}")
    return make(**{key: _number(key, options[key]) for key in names if key in options})


_MODELS: dict[str, tuple[tuple[str, ...], Callable[..., FeeModel]]] = {
    "none": ((), NoFees),
    "flat": (("amount",), lambda amount=ZERO: FlatFee(amount)),
    "per_share": (("amount", "minimum", "maximum"), lambda amount=ZERO, **rest: PerShareFee(amount, **rest)),
    "bps": (("bps",), lambda bps=ZERO: BpsFee(bps)),
    "india_equity": ((), IndiaEquityFees),
}


def _number(name: str, value: Any) -> Decimal:
    try:
        if isinstance(value, bool | float):
            raise InvalidOperation
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise _invalid(name, 'must be a decimal number as text, such as "0.35"') from None
    if not number.is_finite() or number < 0:
        raise _invalid(name, "must be 0 or above")
    return number


def _invalid(name: str, message: str) -> Invalid:
    return Invalid(f"fees.{name} {message}", code="invalid_fees", errors=[FieldError(f"fees.{name}", message)])
