"""The tables of a scan as Parquet."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aitrader.api import Bars, PatternHistory, PatternHits, Timeframe

PARQUET = "application/vnd.apache.parquet"

_TIME = pa.timestamp("ms", tz="UTC")


def write_hits(path: Path, bars: Bars, timeframe: Timeframe, hits: PatternHits) -> None:
    """Write one row per hit, oldest first: the columns of ``Hit``, without evidence and lines.

    ``points`` is a list of (time, price, known_at) for a chart pattern, empty for a candlestick.
    """
    time = bars.time[hits.bar]
    names = pa.array(hits.names, pa.string())
    directions = pa.array(["bearish", "neutral", "bullish"], pa.string())
    columns = {
        "time": pa.array(time, type=_TIME),
        "closed_at": pa.array(time + timeframe.ms, type=_TIME),
        "pattern": pa.DictionaryArray.from_arrays(pa.array(hits.pattern.astype(np.int32)), names),
        "direction": directions.take(pa.array(hits.signs() + 1)),
        "strength": hits.strength.astype(np.int16),
        "close": bars.close[hits.bar],
        "target": _nullable(hits.price(hits.shapes.target)),
        "invalidation": _nullable(hits.price(hits.shapes.invalidation)),
        "points": _points(bars, timeframe, hits),
    }
    pq.write_table(pa.table(columns), path)


def _points(bars: Bars, timeframe: Timeframe, hits: PatternHits) -> pa.ListArray:
    shapes = hits.shapes.take(hits.chart[hits.chart >= 0])
    there = shapes.known >= 0
    bar = shapes.points[..., 0][there].astype(np.int64)
    counts = np.zeros(len(hits), np.int64)
    counts[hits.chart >= 0] = there.sum(axis=1)
    values = pa.StructArray.from_arrays(
        [
            pa.array(bars.time[bar], type=_TIME),
            pa.array(shapes.points[..., 1][there]),
            pa.array(bars.time[shapes.known[there]] + timeframe.ms, type=_TIME),
        ],
        names=["time", "price", "known_at"],
    )
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, values)


def write_evidence(path: Path, bars: Bars, timeframe: Timeframe, history: PatternHistory) -> None:
    """Write the evidence, one row per horizon: of each listed hit, and of each pattern at the end of the range.

    ``time`` and ``closed_at`` are of the bar as of which it is; ``hit`` tells whether the pattern was complete there
    and its hit is listed. The others are the fields of ``Outcome``.
    """
    horizons = len(history.horizons)
    time = np.repeat(bars.time[history.bar], horizons)
    of = [history.occurrences[number] for number in history.which.tolist()]
    columns: dict[str, pa.Array] = {
        "time": pa.array(time, type=_TIME),
        "closed_at": pa.array(time + timeframe.ms, type=_TIME),
        "pattern": pa.array(np.repeat([item.pattern for item in of], horizons).tolist(), pa.string()),
        "direction": pa.array(np.repeat([item.direction for item in of], horizons).tolist(), pa.string()),
        "hit": pa.array(np.repeat(np.arange(len(of)) < history.hits, horizons)),
        "horizon": pa.array(np.tile(np.array(history.horizons, np.int32), len(of))),
    }
    for field in fields(history.evidence):
        values = getattr(history.evidence, field.name).ravel()
        columns[_NAMES.get(field.name, field.name)] = _nullable(values) if values.dtype.kind == "f" else values
    pq.write_table(pa.table(columns), path)


_NAMES = {"low": "excess_low", "high": "excess_high", "p": "p_value", "q": "q_value"}


def _nullable(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> pa.Array:
    return pa.array(values, from_pandas=True)
