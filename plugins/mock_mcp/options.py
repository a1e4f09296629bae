"""What can be set about the practice broker."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pydantic import Field

from aitrader.api import StrictModel


class MockOptions(StrictModel):
    """How the practice broker behaves. Money is in rupees."""

    folder: Path | None = Field(
        None, description="where its ledger is kept, so that a restart forgets nothing; in memory when left out"
    )
    cash: Decimal = Field(Decimal(1_000_000), gt=0, le=10**12, description="what the account begins with")
    logged_in: bool = Field(False, description="whether every session is logged in from the start")
    keep_sessions: bool = Field(False, description="whether sessions outlive a restart; at Kite they do not")
    market_orders: bool = Field(False, description="whether market and stop orders are taken; at Kite they are not")
    excluded_tools: tuple[str, ...] = Field(
        (), description='tools that are not offered, as Zerodha\'s hosted server leaves out ["place_order"]'
    )
    page_limit: int = Field(
        0, ge=0, le=1000, description="the most entries of one answer; 0: as many as are asked for"
    )
