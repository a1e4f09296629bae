"""The table of hits as Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aitrader.api import Bars, Timeframe
from plugins.pattern_scan.scan import Hits

PARQUET = "application/vnd.apache.parquet"

_TIME = pa.timestamp("ms", tz="UTC")


def write_hits(path: Path, bars: Bars, timeframe: Timeframe, hits: Hits) -> None:
    """Write one row per hit, oldest first: time, closed_at, pattern, direction, strength, close."""
    time = bars.time[hits.bar]
    patterns = pa.DictionaryArray.from_arrays(
        pa.array(hits.pattern.astype(np.int32)), pa.array(hits.names, pa.string())
    )
    directions = [hits.direction(index) for index in range(len(hits))]
    columns = {
        "time": pa.array(time, type=_TIME),
        "closed_at": pa.array(time + timeframe.ms, type=_TIME),
        "pattern": patterns,
        "direction": pa.array(directions, type=pa.string()),
        "strength": hits.strength.astype(np.int16),
        "close": bars.close[hits.bar],
    }
    pq.write_table(pa.table(columns), path)
