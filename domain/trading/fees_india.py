"""What trading Indian equities costs at a discount broker: brokerage, STT, exchange, SEBI, GST, stamp duty.

Rates are rows with the day from which they are known to apply and where they were read. Each part is rounded to the
paisa per fill; a contract note sums a day first and rounds STT to the rupee, so it may differ by less than a rupee
per symbol and day. The charge of the depository for selling out of a holding is not part of a fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from domain.common.errors import Invalid
from domain.common.time import rfc3339
from domain.trading.charges import Charges, rounded
from domain.trading.model import ZERO, Product, Side

_PERCENT = Decimal("0.01")
_CRORE = Decimal(10_000_000)


@dataclass(frozen=True, slots=True)
class IndiaRates:
    """Rates as shares of the value traded, unless said otherwise.

    Args:
        since: milliseconds UTC from which they are known to apply.
        source: where they were read.
        exchange: by exchange.
        stt_delivery: on buys and sells. ``stt_intraday``: on sells.
        stamp_delivery, stamp_intraday: on buys.
        brokerage_intraday: at most ``brokerage_cap`` rupees; delivery has none.
        sebi: rupees per crore. ``gst``: on brokerage, exchange and SEBI charges.
    """

    since: int
    source: str
    exchange: dict[str, Decimal]
    stt_delivery: Decimal = Decimal("0.1") * _PERCENT
    stt_intraday: Decimal = Decimal("0.025") * _PERCENT
    stamp_delivery: Decimal = Decimal("0.015") * _PERCENT
    stamp_intraday: Decimal = Decimal("0.003") * _PERCENT
    brokerage_intraday: Decimal = Decimal("0.03") * _PERCENT
    brokerage_cap: Decimal = Decimal(20)
    sebi: Decimal = Decimal(10)
    gst: Decimal = Decimal("0.18")


RATES = (
    IndiaRates(
        since=1_727_721_000_000,  # 2024-10-01 in India: uniform exchange charges
        source="https://notifications.geojit.com/exchange-circulars/cash-segment",
        exchange={"NSE": Decimal("0.00297") * _PERCENT, "BSE": Decimal("0.00375") * _PERCENT},
    ),
    IndiaRates(
        since=1_795_458_600_000,  # 2026-11-24 in India: the day the new rate was read, it may be older
        source="https://proficientequities.com/elementskit-content/dynamic-content-widget-22fc413-c5bea74/",
        exchange={"NSE": Decimal("0.00307") * _PERCENT, "BSE": Decimal("0.00375") * _PERCENT},
    ),
)


@dataclass(frozen=True, slots=True)
class IndiaEquityFees:
    """Indian equity charges by product: delivery, or intraday. Margin is charged as delivery."""

    def charges(
        self, *, symbol: str, side: Side, product: Product | None, quantity: Decimal, price: Decimal, at: int
    ) -> Charges:
        """Return the parts ``brokerage stt exchange sebi gst stamp`` of one fill, in rupees."""
        rates = _rates(at)
        exchange = symbol.partition(":")[0] if ":" in symbol else "NSE"
        if exchange not in rates.exchange:
            raise Invalid(f"the charges of {exchange} are not known; known: NSE, BSE", code="unknown_charges")
        value, intraday = quantity * price, product is Product.INTRADAY
        brokerage = rounded(min(rates.brokerage_cap, value * rates.brokerage_intraday) if intraday else ZERO)
        turnover = rounded(value * rates.exchange[exchange])
        sebi = rounded(value * rates.sebi / _CRORE)
        return Charges(
            {
                "brokerage": brokerage,
                "stt": rounded(_stt(rates, side, intraday) * value),
                "exchange": turnover,
                "sebi": sebi,
                "gst": rounded((brokerage + turnover + sebi) * rates.gst),
                "stamp": rounded(_stamp(rates, side, intraday) * value),
            }
        )


def _rates(at: int) -> IndiaRates:
    known = [rates for rates in RATES if rates.since <= at]
    if not known:
        first = rfc3339(RATES[0].since)
        raise Invalid(f"Indian charges are known from {first} on, not for {rfc3339(at)}", code="unknown_charges")
    return known[-1]


def _stt(rates: IndiaRates, side: Side, intraday: bool) -> Decimal:
    if not intraday:
        return rates.stt_delivery
    return rates.stt_intraday if side is Side.SELL else ZERO


def _stamp(rates: IndiaRates, side: Side, intraday: bool) -> Decimal:
    if side is Side.SELL:
        return ZERO
    return rates.stamp_intraday if intraday else rates.stamp_delivery
