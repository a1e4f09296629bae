"""The table of scored texts as Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from plugins.sentiment.texts import Scored

PARQUET = "application/vnd.apache.parquet"

_TIME = pa.timestamp("ms", tz="UTC")


def write_table(path: Path, scored: Sequence[Scored]) -> None:
    """Write one row per text, available first first.

    Columns: available_at, published_at, source, symbols, score, label, confidence, weight, truncated, text, key.
    """
    rows = sorted(scored, key=lambda item: (item.text.available_at, item.text.key))
    columns = {
        "available_at": pa.array([row.text.available_at for row in rows], type=_TIME),
        "published_at": pa.array([row.text.published_at for row in rows], type=_TIME),
        "source": pa.array([row.text.source for row in rows], type=pa.string()),
        "symbols": pa.array([row.text.symbols for row in rows], type=pa.list_(pa.string())),
        "score": pa.array([row.sentiment.score for row in rows], type=pa.float64()),
        "label": pa.array([row.sentiment.label.value for row in rows], type=pa.string()),
        "confidence": pa.array([row.sentiment.confidence for row in rows], type=pa.float64()),
        "weight": pa.array([row.text.weight for row in rows], type=pa.float64()),
        "truncated": pa.array([row.truncated for row in rows], type=pa.bool_()),
        "text": pa.array([row.text.text for row in rows], type=pa.string()),
        "key": pa.array([row.text.key for row in rows], type=pa.string()),
    }
    pq.write_table(pa.table(columns), path)
