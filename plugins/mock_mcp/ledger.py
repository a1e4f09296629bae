"""What happened to the practice broker, one JSON object a line, each on the disk before it is true."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Ledger:
    """A list that only grows, in a file when it has one. Not safe for threads.

    Args:
        path: the file; None keeps everything in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.entries: list[dict[str, Any]] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.entries += _read(path)

    def append(self, entry: dict[str, Any]) -> None:
        """Store an entry, durably."""
        line = json.dumps(entry)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        self.entries.append(json.loads(line))

    def of(self, op: str) -> Iterator[dict[str, Any]]:
        """Yield the entries of one kind."""
        return (entry for entry in self.entries if entry["op"] == op)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines; one that was cut short by a crash never became true."""
    if not path.exists():
        return
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    yield from map(json.loads, whole.splitlines())
