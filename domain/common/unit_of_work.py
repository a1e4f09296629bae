"""The bare unit of work. Each context names, as its own Protocol, the slice it may touch."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from domain.common.events import Outbox


class UnitOfWork(Protocol):
    """One transaction. Rolls back unless ``commit`` was called; never spans I/O with an outside system."""

    @property
    def outbox(self) -> Outbox:
        """Events to publish once this transaction has committed."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def commit(self) -> None:
        """Make the changes durable, then run the after-commit callbacks.

        Raises:
            Conflict: another transaction changed the same row.
            Unavailable: the database did not answer; the outcome is unknown.
        """
        ...

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after a successful commit. It must not raise and must not block."""
        ...
