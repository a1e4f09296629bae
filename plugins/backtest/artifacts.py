"""The tables of a backtest as Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aitrader.api import Bars, drawdowns
from plugins.backtest.engine import Simulation
from plugins.backtest.trades import Trades

PARQUET = "application/vnd.apache.parquet"

_TIME = pa.timestamp("ms", tz="UTC")


def write_equity(path: Path, bars: Bars, simulation: Simulation) -> None:
    """Write one row per bar, as of its close: time (its open), equity, cash, position, drawdown, close."""
    columns = {
        "time": pa.array(bars.time, type=_TIME),
        "equity": simulation.equity,
        "cash": simulation.cash,
        "position": simulation.position,
        "drawdown": drawdowns(simulation.equity),
        "close": bars.close,
    }
    pq.write_table(pa.table(columns), path)


def write_trades(path: Path, bars: Bars, trades: Trades) -> None:
    """Write one row per closed trade; the columns of `Trades`, with times instead of bar numbers."""
    columns = {
        "entry_time": pa.array(bars.time[trades.entry_bar], type=_TIME),
        "exit_time": pa.array(bars.time[trades.exit_bar], type=_TIME),
        "side": pa.array(np.where(trades.side > 0, "long", "short").tolist(), type=pa.string()),
        "quantity": trades.quantity,
        "entry_price": trades.entry_price,
        "exit_price": trades.exit_price,
        "pnl": trades.pnl,
        "pnl_fraction": trades.pnl_fraction,
        "fees": trades.fees,
        "slippage": trades.slippage,
    }
    pq.write_table(pa.table(columns), path)
