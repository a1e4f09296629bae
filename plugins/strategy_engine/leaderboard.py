"""Which model's opinions paid: the rewards that callers sent, by model and symbol."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class _Row:
    count: int = 0
    total: float = 0.0


class Leaderboard:
    """Counts rewards. What was not rewarded for the longest time is forgotten first.

    Args:
        most: how many (model, symbol) pairs are remembered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: OrderedDict[tuple[str, str], _Row] = OrderedDict()

    def add(self, symbol: str, model: str, reward: float) -> dict[str, Any]:
        """Count a reward; return the model's row."""
        row = self._rows.setdefault((model, symbol), _Row())
        row.count += 1
        row.total += reward
        self._rows.move_to_end((model, symbol))
        while len(self._rows) > self._most:
            self._rows.popitem(last=False)
        return _view(model, symbol, row)

    def top(self, count: int) -> list[dict[str, Any]]:
        """Return the rows with the best mean reward, best first."""
        rows = [_view(model, symbol, row) for (model, symbol), row in self._rows.items()]
        return sorted(rows, key=lambda row: (-row["mean_reward"], row["model"], row["symbol"]))[:count]

    def __len__(self) -> int:
        return len(self._rows)


def _view(model: str, symbol: str, row: _Row) -> dict[str, Any]:
    mean = row.total / row.count
    return {"model": model, "symbol": symbol, "rewards": row.count, "total_reward": row.total, "mean_reward": mean}
