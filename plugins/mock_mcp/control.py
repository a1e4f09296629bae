"""``/control``: prices, faults and looks behind the curtain, for tests and for anyone who practises."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from aitrader.api import StrictModel
from plugins.mock_mcp.exchange import Exchange
from plugins.mock_mcp.faults import Bookkeeping, Fault, Faults
from plugins.mock_mcp.market import LISTED
from plugins.mock_mcp.sessions import Sessions

M = TypeVar("M", bound=BaseModel)


class Refused(Exception):
    """What was asked for does not exist, or is not right."""


class _Price(StrictModel):
    """The next trade of an instrument."""

    symbol: str
    price: Decimal = Field(gt=0, lt=10**7)


class _External(StrictModel):
    """An order that somebody else places in the account, as at the broker's own terminal."""

    symbol: str
    side: str = "BUY"
    quantity: int = Field(1, ge=1, le=10**6)
    price: float = Field(gt=0)
    product: str = "CNC"
    tag: str = Field("", max_length=20)


class _Nothing(StrictModel):
    """Nothing more to say."""


class Control:
    """The actions by name. Not safe for threads.

    Args:
        exchange: the venue.
        faults: what goes wrong.
        sessions: who is logged in.
    """

    def __init__(self, exchange: Exchange, faults: Faults, sessions: Sessions) -> None:
        self._exchange = exchange
        self._faults = faults
        self._sessions = sessions
        self._actions: dict[str, Callable[[Any, int], Any]] = {
            "price": self._price,
            "order": self._order,
            "fault": lambda body, now: self._faults.add(_parsed(Fault, body)),
            "books": lambda body, now: self._faults.set(_parsed(Bookkeeping, body)),
            "heal": self._heal,
            "night": self._night,
            "logout": self._log_out,
            "expire": self._expire,
        }

    def __call__(self, method: str, action: str, body: Any, now: int) -> Any:
        """Look at the state, or change something.

        Raises:
            Refused: there is no such action, or its body is not right.
        """
        if method == "GET" and action == "state":
            return self._state()
        if method != "POST" or action not in self._actions:
            raise Refused(f"GET /control/state, or POST one of: {', '.join(sorted(self._actions))}")
        self._actions[action](body, now)
        return self._state()

    def _state(self) -> dict[str, Any]:
        orders = self._exchange.books.orders.values()
        return {
            "prices": {symbol: str(price) for symbol, price in self._exchange.books.prices.items()},
            "cash": str(self._exchange.books.cash),
            "sessions": len(self._sessions),
            "orders": [{"id": item.id, "tag": item.asked.get("tag") or "", "status": item.status} for item in orders],
            "placed": [entry["asked"].get("tag") or "" for entry in self._exchange.ledger.of("place")],
        }

    def _price(self, body: Any, now: int) -> None:
        asked = _parsed(_Price, body)
        self._listed(asked.symbol)
        self._exchange.do("price", now, symbol=asked.symbol, price=str(asked.price))

    def _order(self, body: Any, now: int) -> None:
        asked = _parsed(_External, body)
        exchange, name = self._listed(asked.symbol)
        numbers = {"quantity": asked.quantity, "price": asked.price, "order_type": "LIMIT", "tag": asked.tag}
        names = {"exchange": exchange, "tradingsymbol": name, "variety": "regular", "product": asked.product}
        self._exchange.place({**numbers, **names, "transaction_type": asked.side}, now, by="person")

    def _heal(self, body: Any, now: int) -> None:
        _parsed(_Nothing, body)
        self._faults.clear()
        self._faults.set(Bookkeeping(duplicates=False, hidden_seconds=0, page_limit=0, lose_pages=False))

    def _night(self, body: Any, now: int) -> None:
        _parsed(_Nothing, body)
        self._exchange.do("night", now)
        self._sessions.log_out()

    def _log_out(self, body: Any, now: int) -> None:
        _parsed(_Nothing, body)
        self._sessions.log_out()

    def _expire(self, body: Any, now: int) -> None:
        _parsed(_Nothing, body)
        self._sessions.end()

    def _listed(self, symbol: str) -> tuple[str, str]:
        if symbol not in LISTED:
            raise Refused(f"{symbol} is not listed; there are: {', '.join(LISTED)}")
        exchange, _, name = symbol.partition(":")
        return exchange, name


def _parsed(model: type[M], body: Any) -> M:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Refused(f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}") from None
