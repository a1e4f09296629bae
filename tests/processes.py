"""Child processes for tests: started, watched, signalled, and never left behind.

Everything started here is registered with a *guard*: a small helper process which notices that the test
process has gone away, however it went (also by SIGKILL), and then ends what that process had started.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")

_GUARD_GRACE = 8.0


class Closable(Protocol):
    """Something that is to be closed before the test process exits."""

    def close(self) -> None:
        """Release everything; may be called more than once."""


def eventually(predicate: Callable[[], T], timeout: float = 10.0, interval: float = 0.05, message: str = "") -> T:
    """Poll `predicate` until it gives something true, and return that.

    An AssertionError or any other exception raised by the predicate counts as "not yet". When the time is up
    an AssertionError tells the last value or the last exception.
    """
    deadline = time.monotonic() + timeout
    while True:
        cause: Exception | None = None
        try:
            value = predicate()
            if value:
                return value
            last = f"last value: {value!r}"
        except Exception as error:  # the predicate may look at something that is not there yet
            cause, last = error, f"last error: {error!r}"
        left = deadline - time.monotonic()
        if left <= 0:
            raise AssertionError(f"{message or 'condition'} not met within {timeout:g} s; {last}") from cause
        time.sleep(min(interval, left))


def signal_group(pgid: int, signum: int) -> bool:
    """Send a signal to a process group; False when nothing of the group is left."""
    try:
        os.killpg(pgid, signum)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers EPERM for a group that has only zombies left.
        return False
    return True


class Guard:
    """The helper process that ends our children and removes our directories if we die without doing so.

    A parent-death signal (prctl) would be tied to the thread that forked and is lost on a change of the uid;
    a pipe that closes with this process has neither weakness and works on every platform.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._entries: dict[str, str] = {}

    def add_group(self, pgid: int, first_signal: int = signal.SIGKILL) -> None:
        """Have the process group ended with us: by `first_signal`, and by SIGKILL if that is not enough."""
        self._put(f"group {pgid}", str(int(first_signal)))

    def remove_group(self, pgid: int) -> None:
        """Forget a process group (it has ended)."""
        self._drop(f"group {pgid}")

    def add_directory(self, path: Path) -> None:
        """Have a directory removed with us."""
        self._put(f"dir {path}", "")

    def remove_directory(self, path: Path) -> None:
        """Forget a directory (it has been removed)."""
        self._drop(f"dir {path}")

    def close(self) -> None:
        """Let the helper end what is still registered, and wait for it."""
        with self._lock:
            process, self._process = self._process, None
            if process is None or process.stdin is None:
                return
            with contextlib.suppress(OSError):
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GUARD_GRACE + 2)

    def _put(self, key: str, value: str) -> None:
        with self._lock:
            self._entries[key] = value
            self._send(f"+\t{key}\t{value}\n")

    def _drop(self, key: str) -> None:
        with self._lock:
            if self._entries.pop(key, None) is not None:
                self._send(f"-\t{key}\t\n")

    def _send(self, line: str) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = self._spawn()
            line = "".join(f"+\t{key}\t{value}\n" for key, value in self._entries.items())
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has just been killed; the next call starts another
            process.stdin.write(line.encode())

    @staticmethod
    def _spawn() -> subprocess.Popen[bytes]:
        # A session of its own, so that Ctrl-C at the terminal does not end the guard before its work is done.
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(os.getpid())],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )


guard = Guard()
_open: dict[int, Closable] = {}
_owner = os.getpid()


def close_at_exit(thing: Closable) -> None:
    """Have `thing` closed when the interpreter exits, unless it was closed before."""
    _open[id(thing)] = thing


def closed(thing: Closable) -> None:
    """Tell that `thing` has been closed."""
    _open.pop(id(thing), None)


def _close_all() -> None:
    if os.getpid() != _owner:  # a forked copy of the test process owns none of this
        return
    for thing in reversed(list(_open.values())):
        with contextlib.suppress(Exception):
            thing.close()
    guard.close()


atexit.register(_close_all)


class Process:
    """A child process in a group of its own, whose stdout and stderr are collected line by line.

    `env` is added to the environment of the test process (a value of None removes the variable), or stands
    alone with `inherit_env=False`. Use it as a context manager, or through the `start_process` fixture.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        env: Mapping[str, str | None] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        *,
        inherit_env: bool = True,
        log_file: Path | None = None,
    ) -> None:
        self.argv = [os.fspath(part) for part in argv]
        self._log_file = log_file
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._at_end = False
        self._closed = False
        self._process = subprocess.Popen(
            self.argv,
            env=_environment(env, inherit_env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        guard.add_group(self.pid)
        close_at_exit(self)
        self._pump_thread = threading.Thread(target=self._pump, name=f"pump-{self.pid}", daemon=True)
        self._pump_thread.start()

    @property
    def pid(self) -> int:
        """The process id, which is also the id of the process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status (negative: the signal that ended it), or None while it runs."""
        return self._process.poll()

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self.returncode is None

    @property
    def lines(self) -> list[str]:
        """A copy of the lines written so far, without their line ends."""
        with self._changed:
            return list(self._lines)

    @property
    def output(self) -> str:
        """Everything written so far."""
        return "\n".join(self.lines)

    def wait_for_line(self, regex: str | re.Pattern[str], timeout: float = 10.0, since: int = 0) -> re.Match[str]:
        """Wait until a line matches (`re.search`) and return the match.

        Lines already written count too; pass `since=len(process.lines)` to look only at what comes next.
        An AssertionError with the end of the output is raised at the deadline, or as soon as the output ends.
        """
        pattern = re.compile(regex)
        deadline = time.monotonic() + timeout
        seen = since
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if match := pattern.search(line):
                        return match
                seen = max(seen, len(self._lines))
                left = deadline - time.monotonic()
                if self._at_end or left <= 0:
                    break
                self._changed.wait(left)
        reason = "the output ended" if self._at_end else f"nothing within {timeout:g} s"
        raise AssertionError(f"no line matching {pattern.pattern!r}: {reason}\n{self.describe()}")

    def wait(self, timeout: float = 10.0) -> int:
        """Wait for the end of the process and of its output; return the exit status."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s\n{self.describe()}") from None
        self._pump_thread.join(1.0)  # bounded: a grandchild may hold the pipe open
        return code

    def send_signal(self, signum: int, *, group: bool = False) -> None:
        """Send a signal to the process, or to its whole group; nothing happens when it has ended."""
        if group:
            signal_group(self.pid, signum)
        else:
            self._process.send_signal(signum)

    def terminate(self, *, group: bool = False) -> None:
        """Ask the process to end (SIGTERM); does not wait."""
        self.send_signal(signal.SIGTERM, group=group)

    def kill(self, *, group: bool = True, timeout: float = 10.0) -> int:
        """SIGKILL the process (by default its whole group) and wait; return the exit status."""
        self.send_signal(signal.SIGKILL, group=group)
        return self.wait(timeout)

    def stop(self, *, group: bool = True) -> None:
        """Freeze the process (by default its whole group) with SIGSTOP."""
        self.send_signal(signal.SIGSTOP, group=group)

    def cont(self, *, group: bool = True) -> None:
        """Let a frozen process go on (SIGCONT)."""
        self.send_signal(signal.SIGCONT, group=group)

    def describe(self, tail: int = 40) -> str:
        """Command line, state and the last lines of the output, for messages."""
        state = "running" if self.returncode is None else f"exit status {self.returncode}"
        head = f"$ {' '.join(self.argv)}  [pid {self.pid}, {state}]"
        return "\n".join([head, *self.lines[-tail:]])

    def close(self) -> None:
        """Kill the whole group and release everything; may be called more than once."""
        if self._closed:
            return
        self._closed = True
        signal_group(self.pid, signal.SIGKILL)
        self._process.wait(10)
        self._pump_thread.join(2.0)
        guard.remove_group(self.pid)
        closed(self)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _pump(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                assert self._process.stdout is not None
                stdout = stack.enter_context(self._process.stdout)
                sink = stack.enter_context(open(self._log_file, "ab", buffering=0)) if self._log_file else None
                for raw in stdout:
                    if sink is not None:
                        sink.write(raw)
                    with self._changed:
                        self._lines.append(raw.decode("utf-8", "replace").rstrip("\r\n"))
                        self._changed.notify_all()
        finally:
            with self._changed:
                self._at_end = True
                self._changed.notify_all()


def _environment(extra: Mapping[str, str | None] | None, inherit: bool) -> dict[str, str]:
    merged: dict[str, str | None] = dict(os.environ) if inherit else {}
    merged.setdefault("PYTHONUNBUFFERED", "1")  # a Python child shows its lines at once, not at its exit
    merged.update(extra or {})
    return {key: value for key, value in merged.items() if value is not None}


def _read_entries(parent: int) -> dict[str, str]:
    """Read registrations until the test process is gone; returns what was still registered then."""
    entries: dict[str, str] = {}
    for line in _lines_until_orphaned(parent):
        action, key, value = line.split("\t")
        if action == "+":
            entries[key] = value
        else:
            entries.pop(key, None)
    return entries


def _lines_until_orphaned(parent: int) -> Iterator[str]:
    buffer = b""
    while True:
        # A forked copy of the test process may keep the pipe open, so the parent is looked at as well.
        if not select.select([0], [], [], 1.0)[0]:
            if os.getppid() != parent:
                return
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            return
        *complete, buffer = (buffer + chunk).split(b"\n")
        yield from (line.decode() for line in complete)


def _group_alive(pgid: int) -> bool:
    return signal_group(pgid, 0)


def _end_groups(groups: Mapping[int, int]) -> None:
    for pgid, signum in groups.items():
        signal_group(pgid, signum)
        signal_group(pgid, signal.SIGCONT)  # a frozen process acts on no signal but SIGKILL
    deadline = time.monotonic() + _GUARD_GRACE
    while any(map(_group_alive, groups)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pgid in groups:
        signal_group(pgid, signal.SIGKILL)


def _guard_main(parent: int) -> None:
    # Any signal that reaches the group of the tests must not keep the guard from its work.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    entries = [[*key.split(" ", 1), value] for key, value in _read_entries(parent).items()]
    _end_groups({int(name): int(value) for kind, name, value in entries if kind == "group"})
    for kind, name, _ in entries:
        if kind == "dir":
            shutil.rmtree(name, ignore_errors=True)


if __name__ == "__main__":
    _guard_main(int(sys.argv[1]))
