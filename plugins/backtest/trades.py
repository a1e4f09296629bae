"""Round trips out of fills: a trade goes from flat to flat, or to the opposite side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aitrader.api import FloatColumn

IntColumn = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fills:
    """Executed orders in time order, columns of shape (m,).

    ``bar``: the bar at whose open it filled. ``quantity``: units, positive bought, negative sold.
    ``price``: currency per unit, slippage included. ``fee``: commission, currency, ≥ 0.
    ``slippage``: cost against the open, currency, ≥ 0. ``position``: units held after the fill.
    """

    bar: IntColumn
    quantity: FloatColumn
    price: FloatColumn
    fee: FloatColumn
    slippage: FloatColumn
    position: FloatColumn

    def __len__(self) -> int:
        return len(self.bar)


@dataclass(frozen=True, slots=True)
class Trades:
    """Closed trades in order of their exit, columns of shape (k,).

    Everything between leaving flat and being flat (or reversed) again is one trade: adding to and reducing a
    position make no trade of their own. A fill that reverses ends one trade and starts the next; its fee and
    slippage are split between them by quantity.

    ``side``: 1 long, −1 short. ``quantity``: units bought to enter (sold, when short), over all entries.
    ``entry_price``, ``exit_price``: quantity-weighted averages, slippage included.
    ``pnl``: currency, after fees and slippage. ``fees``, ``slippage``: currency, ≥ 0.
    ``pnl_fraction``: pnl ÷ (quantity × entry_price).
    """

    entry_bar: IntColumn
    exit_bar: IntColumn
    side: IntColumn
    quantity: FloatColumn
    entry_price: FloatColumn
    exit_price: FloatColumn
    pnl: FloatColumn
    fees: FloatColumn
    slippage: FloatColumn
    pnl_fraction: FloatColumn

    def __len__(self) -> int:
        return len(self.entry_bar)


@dataclass(frozen=True, slots=True)
class OpenTrade:
    """The trade that is still open after the last bar.

    ``position``: signed units held. ``cash_flow``: what it has paid in (+) or cost (−) so far, fees included,
    so that its unrealised P&L at a price p is ``cash_flow + position × p``.
    """

    entry_bar: int
    position: float
    entry_price: float
    cash_flow: float
    fees: float
    slippage: float


@dataclass(frozen=True, slots=True)
class _Legs:
    """Each fill in two parts: the one that ends or reduces a position, and the one that starts or adds."""

    starts: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    entered: FloatColumn
    left: FloatColumn
    entry_trade: IntColumn
    exit_trade: IntColumn


def round_trips(fills: Fills) -> tuple[Trades, OpenTrade | None]:
    """Return the closed trades, and the one still open."""
    legs = _legs(fills)
    closed = int(legs.ends.sum())
    count = int(legs.starts.sum())
    sums = _per_trade(fills, legs, count)
    starts, ends = np.flatnonzero(legs.starts), np.flatnonzero(legs.ends)
    trades = _closed(fills, sums, starts[:closed], ends)
    if closed == count:
        return trades, None
    return trades, OpenTrade(
        entry_bar=int(fills.bar[starts[-1]]),
        position=float(fills.position[-1]),
        entry_price=float(sums["entry_value"][-1] / sums["quantity"][-1]),
        cash_flow=float(sums["cash_flow"][-1]),
        fees=float(sums["fees"][-1]),
        slippage=float(sums["slippage"][-1]),
    )


def _legs(fills: Fills) -> _Legs:
    after = fills.position
    before = np.concatenate((np.zeros(1), after[:-1]))[: len(after)]
    turned = np.sign(before) != np.sign(after)
    starts, ends = turned & (after != 0.0), turned & (before != 0.0)
    grows = np.abs(after) >= np.abs(before)
    left = np.where(ends, -before, np.where(grows | turned, 0.0, fills.quantity))
    entered = np.where(starts, after, np.where(grows & ~turned, fills.quantity, 0.0))
    entry_trade = np.cumsum(starts) - 1
    # The part of a reversing fill that closes belongs to the trade before the one it starts.
    return _Legs(starts, ends, entered, left, entry_trade, entry_trade - (starts & ends))


def _per_trade(fills: Fills, legs: _Legs, count: int) -> dict[str, FloatColumn]:
    entry_size, exit_size = np.abs(legs.entered), np.abs(legs.left)
    share = entry_size / (entry_size + exit_size)

    def total(entry: FloatColumn, exit: FloatColumn) -> FloatColumn:
        sums = np.zeros(count)
        sums += np.bincount(legs.entry_trade, weights=entry, minlength=count)
        sums += np.bincount(legs.exit_trade, weights=exit, minlength=count)
        return sums

    def split(column: FloatColumn) -> FloatColumn:
        return total(column * share, column * (1.0 - share))

    nothing = np.zeros(len(fills))
    fees = split(fills.fee)
    return {
        "quantity": total(entry_size, nothing),
        "entry_value": total(entry_size * fills.price, nothing),
        "exit_quantity": total(nothing, exit_size),
        "exit_value": total(nothing, exit_size * fills.price),
        "fees": fees,
        "slippage": split(fills.slippage),
        "cash_flow": total(-legs.entered * fills.price, -legs.left * fills.price) - fees,
    }


def _closed(fills: Fills, sums: dict[str, FloatColumn], starts: IntColumn, ends: IntColumn) -> Trades:
    sums = {name: column[: len(ends)] for name, column in sums.items()}
    return Trades(
        entry_bar=fills.bar[starts],
        exit_bar=fills.bar[ends],
        side=np.sign(fills.position[starts]).astype(np.int64),
        quantity=sums["quantity"],
        entry_price=sums["entry_value"] / sums["quantity"],
        exit_price=sums["exit_value"] / sums["exit_quantity"],
        pnl=sums["cash_flow"],
        fees=sums["fees"],
        slippage=sums["slippage"],
        pnl_fraction=sums["cash_flow"] / sums["entry_value"],
    )
