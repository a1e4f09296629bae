"""Positions as the fold of fills, first in first out; and what an account is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from domain.trading.brokerage import Quote
from domain.trading.model import ZERO, Account, Fill, Lot, Position
from domain.trading.records import EquityPoint


def apply_fill(position: Position, fill: Fill) -> Position:
    """Return a position after a fill: it closes the oldest lots of the other direction, then opens a new one.

    Realized P&L is (exit price - entry price) · quantity of what was closed, signed for shorts, before fees.
    """
    rest, realized = fill.side.sign * fill.quantity, position.realized_pnl
    lots = list(position.lots)
    while rest and lots and lots[0].quantity * rest < 0:
        lot = lots.pop(0)
        closed = min(abs(rest), abs(lot.quantity)).copy_sign(lot.quantity)
        realized += closed * (fill.price - lot.price)
        rest += closed
        if lot.quantity != closed:
            lots.insert(0, Lot(lot.quantity - closed, lot.price))
    if rest:
        lots.append(Lot(rest, fill.price))
    return replace(
        position,
        quantity=position.quantity + fill.side.sign * fill.quantity,
        lots=tuple(lots),
        realized_pnl=realized,
        fees=position.fees + fill.fees,
        updated_at=max(position.updated_at, fill.filled_at),
    )


def opened(position: Position, quantity: Decimal, price: Decimal, at: int) -> Position:
    """Return a position that starts from a quantity held before any of our fills."""
    lots = (Lot(quantity, price),) if quantity else ()
    return Position(
        position.account,
        position.symbol,
        quantity=quantity,
        lots=lots,
        opening_quantity=quantity,
        opening_price=price if quantity else ZERO,
        updated_at=at,
    )


def fold(position: Position, fills: Iterable[Fill]) -> Position:
    """Return a position folded anew: its opening quantity, then the fills in the order they were executed."""
    start = opened(position, position.opening_quantity, position.opening_price, 0)
    for fill in sorted(fills, key=lambda fill: (fill.filled_at, fill.id)):
        start = apply_fill(start, fill)
    return start


def fold_all(account: str, fills: Iterable[Fill]) -> dict[str, Position]:
    """Return positions by symbol, from nothing but fills."""
    found: dict[str, Position] = {}
    for fill in sorted(fills, key=lambda fill: (fill.filled_at, fill.id)):
        found[fill.symbol] = apply_fill(found.get(fill.symbol, Position(account, fill.symbol)), fill)
    return found


def average(fills: Sequence[Fill]) -> tuple[Decimal, Decimal | None]:
    """Return the quantity of fills and their average price; None when there are none."""
    quantity = sum((fill.quantity for fill in fills), ZERO)
    if not quantity:
        return ZERO, None
    return quantity, sum((fill.quantity * fill.price for fill in fills), ZERO) / quantity


def equity_point(
    account: Account, positions: Sequence[Position], quotes: Mapping[str, Quote], at: int, cash: Decimal | None = None
) -> EquityPoint:
    """Return what an account is worth.

    Args:
        account: whose ``starting_cash`` the fold of cash begins with.
        positions: all that were ever open.
        quotes: the last prices by symbol.
        at: milliseconds UTC.
        cash: what the broker says; None: fold it from starting cash, fills and fees.
    """
    realized = sum((position.realized_pnl for position in positions), ZERO)
    fees = sum((position.fees for position in positions), ZERO)
    held = [position for position in positions if position.quantity]
    if cash is None:
        cost = sum((lot.quantity * lot.price for position in held for lot in position.lots), ZERO)
        opening = sum((position.opening_quantity * position.opening_price for position in positions), ZERO)
        cash = account.starting_cash + opening + realized - fees - cost
    prices = {position.symbol: quotes[position.symbol].price for position in held if position.symbol in quotes}
    if len(prices) < len(held):
        return EquityPoint(account.id, at, cash, None, realized, None, fees)
    value = sum((position.quantity * prices[position.symbol] for position in held), ZERO)
    unrealized = sum((position.unrealized_pnl(prices[position.symbol]) for position in held), ZERO)
    return EquityPoint(account.id, at, cash, cash + value, realized, unrealized, fees)


def profit(point: EquityPoint) -> Decimal | None:
    """Return the P&L after fees since the account was opened; None where it is not known."""
    return None if point.unrealized_pnl is None else point.realized_pnl + point.unrealized_pnl - point.fees
