"""Orders, fills and pictures of accounts for tests."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from aitrader.testing import trading_samples
from aitrader.testing.trading_samples import NOW
from domain.common.ids import new_id
from domain.trading.brokerage import Quote
from domain.trading.model import Fill, Mode, Order, Side
from domain.trading.risk import RiskPicture


def order(**changes: Any) -> Order:
    return trading_samples.order(**{"account": "paper", **changes})


def fill(side: str, quantity: str, price: str, *, at: int = NOW, fees: str = "0", symbol: str = "NSE:INFY") -> Fill:
    return Fill(
        id=new_id(),
        order_id="o",
        account="paper",
        symbol=symbol,
        side=Side(side),
        broker_fill_id=new_id(),
        quantity=Decimal(quantity),
        price=Decimal(price),
        filled_at=at,
        fees=Decimal(fees),
    )


def quote(price: str, *, age_ms: int = 0, symbol: str = "NSE:INFY") -> Quote:
    return Quote(symbol, Decimal(price), NOW - age_ms)


def picture(**changes: Any) -> RiskPicture:
    calm = RiskPicture(now=NOW, mode=Mode.PAPER, quote=quote("100"), prices={"NSE:INFY": Decimal(100)})
    return replace(calm, **changes)
