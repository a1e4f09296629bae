"""What every `Notifier` does. Subclass `NotifierContract` and override its fixtures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aitrader.testing.waiting import together, until
from domain.common.notify import Notifier


class NotifierContract:
    """Tests for any `Notifier`."""

    @pytest.fixture
    def notifier(self) -> Notifier:
        """Return a notifier whose target works."""
        raise NotImplementedError("override the notifier fixture")

    @pytest.fixture
    def delivered(self) -> Callable[[], list[str]]:
        """Return a function that returns the texts delivered so far, subject and body in one, in any format."""
        raise NotImplementedError("override the delivered fixture")

    def test_delivers_subject_and_body(self, notifier: Notifier, delivered: Callable[[], list[str]]) -> None:
        notifier.send("AITrader: job is dead", "Job 42 killed its worker 3 times")
        texts = until(delivered)
        assert len(texts) == 1
        assert "AITrader: job is dead" in texts[0]
        assert "Job 42 killed its worker 3 times" in texts[0]

    def test_sends_from_many_threads(self, notifier: Notifier, delivered: Callable[[], list[str]]) -> None:
        def send(number: int) -> Callable[[], None]:
            return lambda: notifier.send(f"subject {number}.", f"body {number}.")

        together([send(number) for number in range(4)])
        texts = until(lambda: delivered() if len(delivered()) >= 4 else [])
        for number in range(4):
            assert any(f"subject {number}." in text and f"body {number}." in text for text in texts)

    def test_takes_any_text(self, notifier: Notifier, delivered: Callable[[], list[str]]) -> None:
        notifier.send('quote " and \\', "line one\nline two with {braces} and %s")
        text = until(delivered)[0]
        assert "line one" in text
        assert "{braces} and %s" in text
