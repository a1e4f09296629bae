"""Calls to an engine over HTTP that end in time: deadline, one retry, circuit breaker, and a bound on how many wait.

Every call here may be repeated: engines are asked, never told to do something. After five calls that failed, calls
fail at once for a while, so that a dead engine does not hold up the work behind it. An answer of 4xx is no failure of
the engine: what was asked was wrong, and asking again would not help.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import stamina
from purgatory import SyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from adapters.engines.connection import FAILURES, Connections, FindHost, TooMuch
from domain.common.errors import AITraderError, Unavailable
from domain.engines.ports import EngineMeter, NoMeter

# How many calls of one engine run at once.
AT_ONCE = 4

_MOST_BYTES = 1 << 20
_FAILURES = 5
_REST_S = 10.0
_BUSY = 429
_MOST_WORDS = 300


class EngineRefused(Unavailable):
    """The engine answered that it will not answer this. ``status`` is its HTTP status, ``said`` its own words."""

    code = "engine_refused"
    retryable = False

    def __init__(self, name: str, status: int, said: str) -> None:
        super().__init__(f"the {name} answered HTTP {status}" + (f": {said}" if said else ""))
        self.status = status
        self.said = said


class _Failed(Exception):
    """The engine did not answer, or answered that it could not."""


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    path: str
    content: bytes | None = None
    params: Mapping[str, str] | None = None
    is_json: bool = True


class EngineHttp:
    """A client of one engine. Safe for threads.

    Args:
        name: for messages and, with its spaces as underscores, metrics.
        url: the engine's address.
        timeout_s: how long one call may take, waiting for its turn and retry included.
        headers: sent with each call, such as what proves who we are.
        most_bytes: how long an answer may be.
        find_host: says which addresses a host has, or refuses; None asks the system.
    """

    def __init__(
        self,
        name: str,
        url: str,
        timeout_s: float,
        *,
        headers: Mapping[str, str] | None = None,
        most_bytes: int = _MOST_BYTES,
        meter: EngineMeter | None = None,
        find_host: FindHost | None = None,
    ) -> None:
        self._name = name
        self._label = name.replace(" ", "_")
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._meter = meter or NoMeter()
        self._connections = Connections(url, AT_ONCE, headers or {}, find_host)
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._breakers = SyncCircuitBreakerFactory(default_threshold=_FAILURES, default_ttl=_REST_S)
        self._breakers.initialize()

    @property
    def host(self) -> str:
        """The engine's host and port, without what is secret about its address."""
        return self._connections.host

    def post(self, path: str, body: Any = None, params: Mapping[str, str] | None = None) -> Any:
        """Return the JSON that the engine answers.

        Raises:
            EngineRefused: it answered 4xx.
            Unavailable: no usable answer in time; or the engine failed so often that it is left alone for a while.
        """
        content = None if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        return self._call(_Question("POST", path, content, params))

    def get(self, path: str) -> Any:
        """Return the JSON that the engine answers; None for an empty body.

        Raises:
            EngineRefused, Unavailable: as for ``post``.
        """
        return self._call(_Question("GET", path))

    def accepts(self, path: str) -> bool:
        """Return whether the engine answers a GET with success rather than 4xx; what it says is not looked at.

        Raises:
            Unavailable: as for ``post``.
        """
        try:
            self._call(_Question("GET", path, is_json=False))
        except EngineRefused:
            return False
        return True

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _call(self, question: _Question) -> Any:
        started = time.monotonic()
        outcome = "failed"
        try:
            answer = self._in_turn(question, started + self._timeout_s)
            outcome = "ok"
            return answer
        except EngineRefused:
            outcome = "refused"
            raise
        except _Busy:
            outcome = "busy"
            raise self._unavailable("too many calls wait for it") from None
        except OpenedState:
            outcome = "open"
            raise self._unavailable(f"it failed {_FAILURES} times in a row and is left alone for a moment") from None
        except _Failed as error:
            raise self._unavailable(str(error)) from error
        finally:
            self._meter.observe(self._label, outcome, time.monotonic() - started)

    def _in_turn(self, question: _Question, ends_at: float) -> Any:
        if not self._turns.acquire(timeout=self._timeout_s):
            raise _Busy
        try:
            with self._breakers.get_breaker(self._name):
                answer = self._retried(question, ends_at)
        finally:
            self._turns.release()
        if isinstance(answer, EngineRefused):  # not raised inside the breaker: the engine is well
            raise answer
        return answer

    def _retried(self, question: _Question, ends_at: float) -> Any:
        retries = stamina.retry_context(
            on=_Failed, attempts=2, timeout=self._timeout_s, wait_initial=0.02, wait_max=0.1, wait_jitter=0.05
        )
        for attempt in retries:
            with attempt:
                return self._once(question, ends_at)
        raise AssertionError("unreachable")

    def _once(self, question: _Question, ends_at: float) -> Any:
        try:
            status, answer = self._connections.ask(
                question.method, question.path, question.content, question.params, ends_at, self._most_bytes
            )
        except TooMuch:
            raise _Failed(f"its answer is larger than {self._most_bytes} bytes") from None
        except FAILURES as error:
            raise _Failed(f"{type(error).__name__}: {error}") from error
        except AITraderError as error:
            raise _Failed(error.detail) from error
        if 400 <= status < 500 and status != _BUSY:
            return EngineRefused(self._name, status, _words(answer))
        if status >= 300:
            raise _Failed(f"it answered HTTP {status}")
        if not question.is_json or (not answer and question.method == "GET"):
            return None
        try:
            return orjson.loads(answer)
        except ValueError:
            raise _Failed("its answer is not JSON") from None

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable(f"the {self._name} did not answer: {reason}", code="engine_unavailable")


class _Busy(Exception):
    """Nobody's turn came in time."""


def _words(answer: bytes) -> str:
    """Return what an engine says is wrong; servers say it under different names, or as plain text."""
    try:
        told = orjson.loads(answer)
    except ValueError:
        told = answer.decode("utf-8", "replace")
    if isinstance(told, dict):
        told = next((told[name] for name in ("error", "detail", "message") if told.get(name)), told)
    text = told if isinstance(told, str) else orjson.dumps(told).decode()
    return " ".join(text.split())[:_MOST_WORDS]
