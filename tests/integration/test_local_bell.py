"""The bell between programs of one machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.queue.local_bell import BellRinger, LocalBell
from tests.processes import eventually


@pytest.fixture
def path() -> Iterator[Path]:
    """A short path: a Unix socket's has about a hundred bytes at most."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory) / "bell.sock"


def test_rings_are_passed_on(path: Path) -> None:
    rung: list[tuple[str, int]] = []
    bell = LocalBell(path, lambda queue, count: rung.append((queue, count)))
    bell.start()
    BellRinger(path).hint("cpu", ["a", "b"])
    eventually(lambda: rung == [("cpu", 2)])
    assert path.stat().st_mode & 0o777 == 0o600
    bell.stop()
    assert not path.exists()


def test_nobody_there_is_no_error(path: Path) -> None:
    BellRinger(path).hint("cpu", ["a"])
    path.touch()
    BellRinger(path).hint("cpu", ["a"])


def test_a_bell_left_by_a_killed_process_is_replaced(path: Path) -> None:
    LocalBell(path, lambda *_: None).start()
    rung: list[str] = []
    second = LocalBell(path, lambda queue, _count: rung.append(queue))
    second.start()
    BellRinger(path).hint("default", ["a"])
    eventually(lambda: rung == ["default"])
    second.stop()


def test_noise_does_not_silence_the_bell(path: Path) -> None:
    import socket

    rung: list[int] = []
    bell = LocalBell(path, lambda _queue, count: rung.append(count))
    bell.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as noise:
        for text in (b"\xff\xfe", b"default", b"default -1", b"default 99999999"):
            noise.sendto(text, str(path))
    eventually(lambda: rung == [1000])
    bell.stop()


def test_a_path_too_long_for_a_socket_is_done_without(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120) / "bell.sock"
    bell = LocalBell(path, lambda *_: None)
    bell.start()
    BellRinger(path).hint("default", ["a"])
    bell.stop()
