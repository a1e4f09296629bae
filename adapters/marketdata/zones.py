"""Local wall-clock times to UTC, including the hours that clocks skip or repeat."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np

from domain.market.model import TimeColumn
from domain.market.validation import Mask


def local_to_utc(local: TimeColumn, zone: ZoneInfo) -> tuple[TimeColumn, Mask]:
    """Return UTC and which of the times do not exist.

    When clocks go back an hour happens twice. A time of that hour is the first one, unless the column already
    had it or a later one: then it is the second. Columns that run backwards are understood too.

    Args:
        local: wall-clock milliseconds, as if the wall were in UTC.
        zone: where the wall is.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    naive = pa.array(local).cast(pa.timestamp("ms"))
    early = pc.assume_timezone(naive, zone.key, ambiguous="earliest", nonexistent="earliest")
    late = pc.assume_timezone(naive, zone.key, ambiguous="latest", nonexistent="latest")
    utc = np.array(early.cast(pa.int64()).to_numpy(), dtype=np.int64)
    later = late.cast(pa.int64()).to_numpy()
    back = pc.local_timestamp(late).cast(pa.int64()).to_numpy()
    skipped: Mask = back != local
    repeated = np.flatnonzero((utc != later) & ~skipped)
    if len(local) > 1 and local[0] > local[-1]:
        repeated = repeated[::-1]
    seen = -(2**62)
    for position in repeated:
        if utc[position] <= seen:
            utc[position] = later[position]
        else:
            seen = int(utc[position])
    return utc, skipped
