"""Positions, equity history and last quotes in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select

from adapters.db.trading_orders import chunks
from adapters.db.trading_tables import equity_points, positions, quotes
from adapters.db.upsert import upsert
from domain.trading.brokerage import Quote
from domain.trading.model import Lot, Position
from domain.trading.records import EquityPoint


def _to_position(row: Row[Any]) -> Position:
    lots = tuple(Lot(Decimal(quantity), Decimal(price)) for quantity, price in row.lots)
    return Position(**{**row._mapping, "lots": lots})


class SqlPositions:
    """Positions in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, account: str, symbol: str) -> Position:
        """Return a position; a flat one when there is none."""
        query = select(positions).where(positions.c.account == account, positions.c.symbol == symbol)
        row = self._connection.execute(query).one_or_none()
        return Position(account, symbol) if row is None else _to_position(row)

    def list(self, account: str) -> Sequence[Position]:
        """Return all positions that were ever open, by symbol."""
        query = select(positions).where(positions.c.account == account).order_by(positions.c.symbol)
        return [_to_position(row) for row in self._connection.execute(query)]

    def save(self, position: Position) -> None:
        """Insert or replace a position."""
        lots = [[format(lot.quantity, "f"), format(lot.price, "f")] for lot in position.lots]
        upsert(self._connection, positions, {**asdict(position), "lots": lots})


class SqlEquity:
    """Equity history in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, point: EquityPoint) -> None:
        """Insert a point, or replace the one at its time."""
        upsert(self._connection, equity_points, asdict(point))

    def page(self, account: str, *, since_ms: int | None, until_ms: int | None, limit: int) -> Sequence[EquityPoint]:
        """Return the newest points, oldest first."""
        query = select(equity_points).where(equity_points.c.account == account)
        if since_ms is not None:
            query = query.where(equity_points.c.at >= since_ms)
        if until_ms is not None:
            query = query.where(equity_points.c.at < until_ms)
        rows = self._connection.execute(query.order_by(equity_points.c.at.desc()).limit(limit)).all()
        return [EquityPoint(**row._mapping) for row in reversed(rows)]

    def last_before(self, account: str, at_ms: int) -> EquityPoint | None:
        """Return the last point before a time."""
        found = self.page(account, since_ms=None, until_ms=at_ms, limit=1)
        return found[0] if found else None


class SqlQuotes:
    """Last quotes in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, symbols: Sequence[str]) -> Sequence[Quote]:
        """Return the quotes that are known."""
        found: list[Quote] = []
        for part in chunks(symbols):
            rows = self._connection.execute(select(quotes).where(quotes.c.symbol.in_(part)))
            found += [Quote(**row._mapping) for row in rows]
        return found

    def newest(self, limit: int) -> Sequence[Quote]:
        """Return the last quotes, the newest first."""
        query = select(quotes).order_by(quotes.c.time_ms.desc(), quotes.c.symbol).limit(limit)
        return [Quote(**row._mapping) for row in self._connection.execute(query)]

    def save(self, new: Sequence[Quote]) -> None:
        """Insert or replace quotes; an older one changes nothing."""
        for quote in new:
            upsert(self._connection, quotes, asdict(quote), newer="time_ms")
