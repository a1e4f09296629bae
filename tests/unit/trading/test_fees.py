"""Charges, checked against sums made by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domain.common.errors import Invalid
from domain.trading.charges import Charges
from domain.trading.fees import parse_fee_options
from domain.trading.fees_india import RATES
from domain.trading.model import Product, Side

D = Decimal
AT_2025 = 1_750_000_000_000


def charged(options: dict[str, Any], side: str = "buy", product: Product | None = None, **changes: Any) -> Charges:
    asked = {"symbol": "NSE:INFY", "quantity": D(100), "price": D(1500), "at": AT_2025, **changes}
    return parse_fee_options(options).charges(side=Side(side), product=product, **asked)


def test_simple_models() -> None:
    assert charged({"model": "none"}).total == 0
    assert charged({"model": "flat", "amount": "20"}).total == 20
    assert charged({"model": "per_share", "amount": "0.005"}).total == D("0.50")
    assert charged({"model": "per_share", "amount": "0.005", "minimum": "1"}).total == 1
    assert charged({"model": "per_share", "amount": "1", "maximum": "7.5"}).total == D("7.5")
    assert charged({"model": "bps", "bps": "5"}).total == 75


def test_indian_delivery_buy() -> None:
    # 100 × 1500 = 150,000: STT 0.1 %, NSE 0.00297 %, SEBI 10 per crore, GST 18 % of (4.46 + 0.15), stamp 0.015 %.
    parts = charged({"model": "india_equity"}, product=Product.DELIVERY).parts
    assert parts == {
        "brokerage": 0,
        "stt": 150,
        "exchange": D("4.46"),
        "sebi": D("0.15"),
        "gst": D("0.83"),
        "stamp": D("22.50"),
    }


def test_indian_intraday_sell() -> None:
    # Brokerage min(20, 0.03 % = 45) = 20; STT 0.025 % = 37.50; GST 18 % of (20 + 4.46 + 0.15); no stamp on sells.
    parts = charged({"model": "india_equity"}, "sell", Product.INTRADAY).parts
    assert parts == {
        "brokerage": 20,
        "stt": D("37.50"),
        "exchange": D("4.46"),
        "sebi": D("0.15"),
        "gst": D("4.43"),
        "stamp": 0,
    }


def test_indian_rates_apply_from_their_day() -> None:
    newest = RATES[-1].since
    before = charged({"model": "india_equity"}, at=newest - 1).parts["exchange"]
    after = charged({"model": "india_equity"}, at=newest).parts["exchange"]
    assert (before, after) == (D("4.46"), D("4.61"))
    assert all(rates.source.startswith("https://") for rates in RATES)
    with pytest.raises(Invalid, match="known from"):
        charged({"model": "india_equity"}, at=RATES[0].since - 1)
    with pytest.raises(Invalid, match="NSE, BSE"):
        charged({"model": "india_equity"}, symbol="NASDAQ:MSFT")


@pytest.mark.parametrize(
    "options",
    [
        {"model": "free"},
        {"model": "bps", "amount": "5"},
        {"model": "bps", "bps": 5.0},
        {"model": "bps", "bps": "-1"},
        {"model": "bps", "bps": "NaN"},
        {"model": "flat", "amount": True},
    ],
)
def test_what_no_model_has_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        parse_fee_options(options)
    assert caught.value.errors[0].field.startswith("fees.")
