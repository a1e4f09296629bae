"""The bridge from async to sync: one bounded pool of threads, one whole use case per hop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from domain.common.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


def overloaded() -> Unavailable:
    """Return the refusal of work beyond our bounds."""
    return Unavailable("the server is busy; try again shortly", code="overloaded")


class Offload:
    """Runs sync functions in threads, with the caller's context variables.

    Args:
        threads: how many run at once.
        max_in_flight: how many may run or wait.
    """

    def __init__(self, threads: int, max_in_flight: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="http")
        self._max = max_in_flight
        self._count = 0
        self._lock = threading.Lock()

    async def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``function`` returns.

        Raises:
            Unavailable: too much is in flight already.
        """
        with self._lock:
            if self._count >= self._max:
                raise overloaded()
            self._count += 1
        try:
            context = contextvars.copy_context()
            future = self._pool.submit(lambda: context.run(function, *args, **kwargs))
        except RuntimeError:
            self._left(None)
            raise Unavailable("the server is stopping", code="stopping") from None
        # Counted until the thread is done, not until the caller is: a client that hung up frees no thread.
        future.add_done_callback(self._left)
        return await asyncio.wrap_future(future)

    def _left(self, _future: Future[T] | None) -> None:
        with self._lock:
            self._count -= 1

    def close(self) -> None:
        """Take no more work; what waits is dropped, what runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
