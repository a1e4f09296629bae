"""What a fill costs, and the port that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

from domain.trading.model import ZERO, Product, Side

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Charges:
    """What one fill costs, in the account's currency, rounded to 0.01; ``total`` is the sum of ``parts``."""

    parts: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """The sum of the parts."""
        return sum(self.parts.values(), ZERO)


class FeeModel(Protocol):
    """Says what a fill costs."""

    def charges(
        self, *, symbol: str, side: Side, product: Product | None, quantity: Decimal, price: Decimal, at: int
    ) -> Charges:
        """Return the charges of one fill; ``at`` is milliseconds UTC.

        Raises:
            Invalid: the model knows nothing of this exchange, product or time.
        """
        ...


def rounded(value: Decimal) -> Decimal:
    """Return money rounded to 0.01, half up."""
    return value.quantize(CENT, ROUND_HALF_UP)
