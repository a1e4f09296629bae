"""Runs attempts in child processes: cancel and deadline really stop them, and a crash takes no worker down."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection

from adapters.process.wire import job_to_json, outcome_from_json, receive, send
from domain.engines.calls import EngineCalls, read_calls
from domain.jobs.model import Canceled, Crashed, Failed, JobTypeInfo, LeaseLost, Outcome, Released
from domain.jobs.ports import Lease

log = logging.getLogger(__name__)

TakeCalls = Callable[[Sequence[EngineCalls]], None]

_TURN_S = 0.2
_JOBS_PER_CHILD = 200


class Child:
    """One child process, reused from job to job until it is killed or worn out.

    Args:
        argv: the command; the number of its socket's file descriptor is appended.
        env: its environment.
        take_calls: is told the calls to engines that it has counted.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], take_calls: TakeCalls) -> None:
        self._take_calls = take_calls
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*argv, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._connection = Connection(ours.detach())
        self.jobs_left = _JOBS_PER_CHILD

    def run(self, lease: Lease, deadline_s: float, grace_s: float) -> Outcome:
        """Run one job and return how it ended; the child is dead afterwards unless it ended by itself."""
        self.jobs_left -= 1
        ends_at = time.monotonic() + deadline_s
        try:
            send(self._connection, {"job": job_to_json(lease.job)})
            return self._watch(lease, ends_at, grace_s)
        except (EOFError, OSError):
            return Crashed(f"the child process died ({self._how_it_died()})")

    def kill(self) -> None:
        """End the process and everything it started. Only for the thread that runs the child's job, if one does."""
        self.end_process()
        self._connection.close()

    def end_process(self) -> None:
        """End the process and everything it started; a thread that waits for the job hears of it. Any thread."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, 9)
        self._process.wait()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def _watch(self, lease: Lease, ends_at: float, grace_s: float) -> Outcome:
        kill_at = None
        verdict = None
        while True:
            if self._connection.poll(_TURN_S):
                outcome = self._hear(lease)
                if outcome is not None:
                    return outcome
            elif not self.alive:  # its own children may hold the socket open
                raise EOFError
            now = time.monotonic()
            if verdict is None and (verdict := lease.verdict()) is not None:
                kill_at = now + (grace_s if isinstance(verdict, Canceled) else 0.0)
                send(self._connection, {"stop": _word(verdict)})
            if kill_at is not None and now >= kill_at and verdict is not None:
                self.kill()
                return verdict
            if now >= ends_at + 1.0:  # the child raises at the deadline by itself if it can
                self.kill()
                return Failed("deadline_exceeded", "the job ran longer than its deadline", retryable=False)

    def _hear(self, lease: Lease) -> Outcome | None:
        message = receive(self._connection)
        if "progress" in message:
            fraction, text = message["progress"]
            lease.report(fraction, text)
        if "engine_calls" in message:
            self._take_calls(read_calls(message["engine_calls"]))
        if "outcome" in message:
            return outcome_from_json(message["outcome"])
        return None

    def _how_it_died(self) -> str:
        code = self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _word(verdict: Canceled | Released | LeaseLost) -> str:
    return {Canceled: "canceled", Released: "released", LeaseLost: "lease_lost"}[type(verdict)]


class ProcessExecutor:
    """The executor of ``Isolation.PROCESS``.

    Args:
        argv: the command that starts a child.
        env: its environment.
        grace_s: how long a canceled job may take to stop by itself before it is killed, seconds.
        take_calls: is told the calls to engines that a child has counted when its job ends. Those of a child that is
            killed are lost.
    """

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], grace_s: float, take_calls: TakeCalls = lambda calls: None
    ) -> None:
        self._argv = argv
        self._env = env
        self._grace_s = grace_s
        self._take_calls = take_calls
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._lock = threading.Lock()
        self._closed = False

    def run(self, lease: Lease, info: JobTypeInfo) -> Outcome:
        """Run the attempt in a child of its own for the time being."""
        child = self._take()
        try:
            outcome = child.run(lease, info.deadline_s, self._grace_s)
        finally:
            self._give_back(child)
        # A child killed by close() did not die by the job's fault.
        return Released() if self._closed and isinstance(outcome, Crashed) else outcome

    def close(self) -> None:
        """Kill every child."""
        with self._lock:
            self._closed = True
            idle, busy = list(self._idle), list(self._busy)
            self._idle.clear()
        for child in busy:
            child.end_process()
        for child in idle:
            child.kill()

    def _take(self) -> Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    self._busy.add(child)
                    return child
        child = Child(self._argv, self._env, self._take_calls)
        with self._lock:
            self._busy.add(child)
            closed = self._closed
        if closed:
            child.kill()
        return child

    def _give_back(self, child: Child) -> None:
        with self._lock:
            self._busy.discard(child)
            reusable = child.alive and child.jobs_left > 0 and not self._closed
            if reusable:
                self._idle.append(child)
        if not reusable:
            child.kill()
