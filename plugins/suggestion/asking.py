"""One symbol: its features now, what the model says of them, and which of them matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aitrader.api import (
    CLASSES,
    Bars,
    Dataset,
    FloatColumn,
    InferenceEngine,
    Invalid,
    Manifest,
    SentimentColumns,
    average_range,
    calibrated,
    feature_table,
    rfc3339,
    said_by,
)

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """What a model said of the last bar.

    Args:
        probabilities: calibrated, by `CLASSES`.
        moved: for each feature and class, the probability less what it is with that feature at its typical value;
            shape (features, classes).
        values: the features.
        price, barrier: the close, and how far stop and target are from it.
        as_of: when the bar closed.
    """

    probabilities: FloatColumn
    moved: FloatColumn
    values: FloatColumn
    price: float
    barrier: float
    as_of: int


def ask(
    engine: InferenceEngine, manifest: Manifest, dataset: Dataset, bars: Bars, sentiment: SentimentColumns
) -> Asked:
    """Ask a model about the last of some bars.

    Raises:
        Invalid: there are too few bars, or the model was made for other features.
        Unavailable: the engine did not answer.
    """
    table = feature_table(bars, manifest.timeframe, sentiment)
    if len(bars) <= table.first:
        raise Invalid(
            f"{len(bars)} bars of {dataset.symbol} are too few; {table.first + 1} are needed. Stored are "
            f"{dataset.rows} from {rfc3339(dataset.first_ms)} to {rfc3339(dataset.last_ms)}",
            code="too_few_bars",
        )
    if table.names != manifest.features:
        raise Invalid(
            f"the model {manifest.name} was trained on other features; train it again", code="model_outdated"
        )
    row = table.values[-1]
    rows = np.tile(row, (len(row) + 1, 1))
    rows[np.arange(1, len(rows)), np.arange(len(row))] = np.asarray(manifest.typical, dtype=np.float32)
    said = calibrated(said_by(engine, manifest, rows), manifest.calibration)
    return Asked(
        probabilities=said[0],
        moved=said[0] - said[1:],
        values=row.astype(np.float64),
        price=float(bars.close[-1]),
        barrier=manifest.label.barrier_atr * float(average_range(bars)[-1]),
        as_of=int(bars.time[-1]) + manifest.timeframe.ms,
    )


def contributions(asked: Asked, manifest: Manifest, outcome: int) -> list[dict[str, object]]:
    """Return the features that move the probability of an outcome most, the strongest first."""
    moved = asked.moved[:, outcome]
    order = np.argsort(-np.abs(moved), kind="stable")[:_SHOWN]
    return [
        {"feature": manifest.features[at], "value": float(asked.values[at]), "contribution": float(moved[at])}
        for at in order
        if moved[at]
    ]


def by_class(values: FloatColumn) -> dict[str, float]:
    """Return probabilities by the names of their outcomes."""
    return {name: round(float(value), 6) for name, value in zip(CLASSES, values, strict=True)}
