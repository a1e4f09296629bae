from __future__ import annotations

import signal

import pytest

from aitrader.shutdown import Shutdown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_sets_it_and_tells_everyone(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    timers: list[float] = []

    class Timer:
        daemon = False

        def __init__(self, seconds: float, _action: object) -> None:
            timers.append(seconds)

        def start(self) -> None:
            assert self.daemon

    monkeypatch.setattr("aitrader.shutdown.threading.Timer", Timer)
    shutdown = Shutdown()
    called: list[int] = []
    shutdown.then(lambda: called.append(1))
    shutdown.then(lambda: called.append(2))
    assert not shutdown.is_set()
    shutdown._handle(number, None)
    shutdown.wait()
    assert shutdown.is_set()
    assert (called, shutdown.exit_code, len(timers)) == ([1, 2], code, 1)


def test_a_second_interrupt_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []

    def end(code: int) -> None:
        ended.append(code)
        raise SystemExit

    monkeypatch.setattr("aitrader.shutdown.os._exit", end)
    monkeypatch.setattr("aitrader.shutdown.LIMIT_S", 3600.0)
    shutdown = Shutdown()
    shutdown._handle(signal.SIGTERM, None)
    shutdown._handle(signal.SIGTERM, None)
    assert ended == []
    with pytest.raises(SystemExit):
        shutdown._handle(signal.SIGINT, None)
    assert ended == [130]
