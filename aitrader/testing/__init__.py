"""The kit for testing plugins and adapters: contract suites and fakes. Import it only from tests."""

from __future__ import annotations
