from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.jobs.support import World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A migrated SQLite file with use cases on top."""
    made = open_world(tmp_path)
    yield made
    made.engine.dispose()
