"""The hits and their evidence as the job answers them."""

from __future__ import annotations

from typing import cast

import numpy as np

from aitrader.api import Bars, FloatColumn, PatternHistory, PatternHits, Timeframe, rfc3339
from plugins.pattern_scan.payload import Direction, Hit, Line, Outcome, PatternEvidence, Point


class Listing:
    """Tells of the last hits.

    Args:
        bars: up to the end of the range.
        hits: in the range.
        history: of the last ones.
        plots: names of files with charts, by hit.
    """

    def __init__(
        self, bars: Bars, timeframe: Timeframe, hits: PatternHits, history: PatternHistory, plots: dict[int, str]
    ) -> None:
        self._bars = bars
        self._timeframe = timeframe
        self._hits = hits
        self._history = history
        self._plots = plots

    def newest(self) -> list[Hit]:
        """Return the hits that have evidence, newest first."""
        first = len(self._hits) - self._history.hits
        return [self._hit(index, index - first) for index in reversed(range(first, len(self._hits)))]

    def patterns(self) -> list[PatternEvidence]:
        """Return every pattern, as of the last bar."""
        return [
            PatternEvidence(
                pattern=item.pattern,
                direction=cast(Direction, item.direction),
                occurrences=len(item.bar),
                evidence=self._outcomes(self._history.hits + number),
            )
            for number, item in enumerate(self._history.occurrences)
        ]

    def _hit(self, index: int, row: int) -> Hit:
        hits, bar = self._hits, int(self._hits.bar[index])
        time, chart, shapes = int(self._bars.time[bar]), int(hits.chart[index]), hits.shapes
        return Hit(
            time=rfc3339(time),
            closed_at=rfc3339(time + self._timeframe.ms),
            pattern=hits.names[hits.pattern[index]],
            direction=cast(Direction, hits.direction(index)),
            strength=int(hits.strength[index]),
            close=float(self._bars.close[bar]),
            target=_number(shapes.target[chart]) if chart >= 0 else None,
            invalidation=_number(shapes.invalidation[chart]) if chart >= 0 else None,
            points=self._points(chart) if chart >= 0 else [],
            lines=self._lines(chart) if chart >= 0 else [],
            evidence=self._outcomes(row),
            plot=self._plots.get(index),
        )

    def _points(self, chart: int) -> list[Point]:
        shapes, time = self._hits.shapes, self._bars.time
        return [
            Point(
                time=rfc3339(int(time[int(bar)])),
                price=price,
                known_at=rfc3339(int(time[known]) + self._timeframe.ms),
            )
            for (bar, price), known in zip(shapes.points[chart].tolist(), shapes.known[chart].tolist(), strict=True)
            if known >= 0
        ]

    def _lines(self, chart: int) -> list[Line]:
        time = self._bars.time
        return [
            Line(
                start=rfc3339(int(time[int(start)])),
                start_price=start_price,
                end=rfc3339(int(time[int(end)])),
                end_price=end_price,
            )
            for start, start_price, end, end_price in self._hits.shapes.lines[chart].tolist()
            if start == start
        ]

    def _outcomes(self, row: int) -> list[Outcome]:
        return [self._outcome(row, place) for place in range(len(self._history.horizons))]

    def _outcome(self, row: int, place: int) -> Outcome:
        found = self._history.evidence

        def of(column: FloatColumn) -> float | None:
            return _number(column[row, place])

        return Outcome(
            horizon=self._history.horizons[place],
            n=int(found.n[row, place]),
            stretches=int(found.stretches[row, place]),
            mean=of(found.mean),
            median=of(found.median),
            share=of(found.share),
            base_mean=of(found.base_mean),
            base_share=of(found.base_share),
            excess=of(found.excess),
            excess_low=of(found.low),
            excess_high=of(found.high),
            p_value=of(found.p),
            q_value=of(found.q),
        )


def _number(value: np.float64) -> float | None:
    """Return a number of six digits, null for one that is not defined."""
    return None if np.isnan(value) else float(f"{value:.6g}")
