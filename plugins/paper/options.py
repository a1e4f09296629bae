"""What can be set about a paper account."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from aitrader.api import FillRules, Invalid, StrictModel, parse_fee_options


def _text(value: object) -> object:
    if isinstance(value, float):
        raise ValueError('must be decimal text, such as "0.05"')
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Number = Annotated[Decimal, BeforeValidator(_text), Field(allow_inf_nan=False)]

_SMALLEST = Decimal("0.00000001")


class PaperOptions(StrictModel):
    """How a paper account imitates a real one. Numbers are decimal text; money is in the account's currency.

    The cash that it begins with is the account's ``starting_cash``.
    """

    fees: dict[str, Any] = Field(
        default={"model": "none"}, description='such as {"model": "india_equity"} or {"model": "bps", "bps": "5"}'
    )
    slippage_bps: Number = Field(Decimal(0), ge=0, le=1000, description="beyond the touch, for takers")
    slippage_jitter_bps: Number = Field(Decimal(0), ge=0, le=1000, description="and up to this much more, at random")
    participation: Number = Field(
        Decimal("0.1"), gt=0, le=1, description="the share of a tick's or bar's volume that orders may take"
    )
    tick_size: Number = Field(Decimal("0.00001"), ge=_SMALLEST, le=10**6, description="prices are multiples of it")
    lot_size: Number = Field(Decimal(1), ge=_SMALLEST, le=10**9, description="quantities are multiples of it")
    seed: int = Field(0, ge=0, lt=2**63, description="of what is at random")
    leverage: Number = Field(
        Decimal(1), ge=1, le=100, description="the value of all positions, long and short, per unit of equity"
    )
    maintenance: Number = Field(
        Decimal("0.5"),
        gt=0,
        le=1,
        description="once equity is below this share of the initial margin, everything is closed",
    )
    shorting: bool = Field(True, description="whether positions may go below zero")
    day_ends: str = Field(
        "00:00",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="when day orders expire and intraday positions are closed, hours and minutes UTC",
    )

    @field_validator("fees")
    @classmethod
    def _known(cls, fees: dict[str, Any]) -> dict[str, Any]:
        try:
            parse_fee_options(fees)
        except Invalid as error:
            raise ValueError(error.detail) from None
        return fees

    @property
    def day_ends_ms(self) -> int:
        """The end of the day as milliseconds after midnight UTC."""
        hours, minutes = self.day_ends.split(":")
        return (int(hours) * 60 + int(minutes)) * 60_000

    def rules(self) -> FillRules:
        """Return how orders are filled."""
        return FillRules(
            slippage_bps=self.slippage_bps,
            slippage_jitter_bps=self.slippage_jitter_bps,
            participation=self.participation,
            tick_size=self.tick_size,
            lot_size=self.lot_size,
            seed=self.seed,
        )
