"""The instruments of the practice broker and their prices when it opens."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Listed:
    """An instrument. ``price`` is where it begins, in rupees."""

    exchange: str
    symbol: str
    name: str
    token: int
    isin: str
    price: Decimal
    tick: Decimal = Decimal("0.05")
    lot: int = 1

    @property
    def id(self) -> str:
        """The exchange and the symbol, such as NSE:INFY."""
        return f"{self.exchange}:{self.symbol}"


LISTED = {
    item.id: item
    for item in (
        Listed("NSE", "INFY", "Infosys", 408065, "INE009A01021", Decimal(1500)),
        Listed("NSE", "TCS", "Tata Consultancy Services", 2953217, "INE467B01029", Decimal(3900)),
        Listed("NSE", "RELIANCE", "Reliance Industries", 738561, "INE002A01018", Decimal(2800)),
        Listed("NSE", "HDFCBANK", "HDFC Bank", 341249, "INE040A01034", Decimal(1600)),
        Listed("NSE", "ICICIBANK", "ICICI Bank", 1270529, "INE090A01021", Decimal(1100)),
        Listed("NSE", "SBIN", "State Bank of India", 779521, "INE062A01020", Decimal(750)),
        Listed("NSE", "ITC", "ITC", 424961, "INE154A01025", Decimal(450)),
        Listed("NSE", "WIPRO", "Wipro", 969473, "INE075A01022", Decimal(500)),
        Listed("NSE", "TATASTEEL", "Tata Steel", 895745, "INE081A01020", Decimal(150)),
        Listed("BSE", "INFY", "Infosys", 128053508, "INE009A01021", Decimal(1500)),
        Listed("BSE", "RELIANCE", "Reliance Industries", 128083204, "INE002A01018", Decimal(2800)),
    )
}
