"""Numbers as a table: medians with their ranges, ratios to the peer, goals."""

from __future__ import annotations

import statistics
import sys
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    part: str
    system: str
    result: str
    ratio: str = ""
    goal: str = ""
    verdict: str = ""
    note: str = ""


class Report:
    """Collects rows."""

    def __init__(self, *, quiet: bool) -> None:
        self._rows: list[Row] = []
        self._data: list[dict[str, Any]] = []
        self._quiet = quiet

    def say(self, text: str) -> None:
        """Tell how far it is, on stderr."""
        if not self._quiet:
            print(f"… {text}", file=sys.stderr, flush=True)

    def add(self, row: Row, **data: Any) -> None:
        """Add a line and the numbers behind it."""
        self._rows.append(row)
        self._data.append(asdict(row) | data)

    def as_json(self) -> list[dict[str, Any]]:
        """Return everything."""
        return self._data

    def as_text(self) -> str:
        """Return the table."""
        lines = [("", "", "result", "× peer", "goal", "", "")]
        last = ""
        for row in self._rows:
            part = row.part if row.part != last else ""
            last = row.part
            lines.append((part, row.system, row.result, row.ratio, row.goal, row.verdict, row.note))
        widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )


def spread(values: list[float], unit: str, digits: int = 0) -> str:
    """Return the median and the range."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f}{unit} ({low:.{digits}f}–{high:.{digits}f})"


def verdict(passed: bool) -> str:
    """Return PASS or FAIL."""
    return "PASS" if passed else "FAIL"
