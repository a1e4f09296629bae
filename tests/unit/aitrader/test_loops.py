from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from aitrader import loops
from aitrader.loops import Loop
from aitrader.testing.clock import FakeClock
from domain.common.errors import Unavailable
from tests.processes import eventually


@contextmanager
def running(action: Callable[[], float | None], interval_s: float = 3600.0) -> Iterator[Loop]:
    loop = Loop("test", interval_s, action)
    loop.start()
    try:
        yield loop
    finally:
        loop.stop()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    made = FakeClock()
    monkeypatch.setattr(loops, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


def test_acts_at_once_then_when_woken() -> None:
    acted = threading.Semaphore(0)
    with running(acted.release) as loop:
        assert acted.acquire(timeout=10)
        for _ in range(3):
            loop.wake()
            assert acted.acquire(timeout=10)


def test_acts_again_after_the_interval() -> None:
    acted = threading.Semaphore(0)
    with running(acted.release, interval_s=0.001):
        for _ in range(5):
            assert acted.acquire(timeout=10)


def test_many_wakes_are_one() -> None:
    acted = []
    go = threading.Event()

    def action() -> None:
        acted.append(1)
        go.wait(10)

    with running(action) as loop:
        eventually(lambda: acted)
        for _ in range(100):
            loop.wake()
        go.set()
        eventually(lambda: len(acted) == 2)
    assert len(acted) == 2


def test_stops_from_inside_and_before_it_began() -> None:
    loop = Loop("test", 3600, lambda: None)
    loop.stop()
    inner = Loop("test", 0.001, lambda: inner.stop())
    inner.start()
    inner._thread.join(10)
    assert not inner._thread.is_alive()


@pytest.mark.parametrize(
    ("answer", "wait"), [(None, 10.0), (3.0, 3.0), (10.0, 10.0), (60.0, 10.0), (0.0, 0.0), (-5.0, 0.0)]
)
def test_the_action_may_ask_to_be_called_sooner(answer: float | None, wait: float) -> None:
    assert Loop("test", 10.0, lambda: answer)._call() == wait


def test_an_error_is_logged_once_per_spell_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    plan = [Unavailable("down"), Unavailable("down"), None, ValueError("odd"), ValueError("odd"), None]
    steps = list(plan)

    def action() -> None:
        error = steps.pop(0)
        if error is not None:
            raise error

    loop = Loop("test", 10.0, action)
    with caplog.at_level(logging.ERROR):
        assert [loop._call() for _ in plan] == [10.0] * 6
    assert [record.__dict__["reason"] for record in caplog.records] == ["down", "odd"]
    expected, unexpected = caplog.records
    assert expected.exc_info is None
    assert unexpected.exc_info is not None


def test_a_failing_loop_goes_on_in_its_thread() -> None:
    acted = threading.Semaphore(0)

    def action() -> None:
        acted.release()
        raise ValueError("odd")

    with running(action, interval_s=0.001):
        for _ in range(3):
            assert acted.acquire(timeout=10)


def test_late_is_three_turns_and_five_seconds(clock: FakeClock) -> None:
    loop = Loop("test", 2.0, lambda: None)
    clock.advance(11.0)
    assert not loop.late()
    clock.advance(0.1)
    assert loop.late()
    loop._call()
    assert not loop.late()


def test_a_loop_that_keeps_failing_becomes_late(clock: FakeClock) -> None:
    def action() -> None:
        raise Unavailable("down")

    loop = Loop("test", 2.0, action)
    for _ in range(6):
        clock.advance(2.0)
        loop._call()
    assert loop.late()
