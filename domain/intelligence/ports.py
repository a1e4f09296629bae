"""What jobs of intelligence may read and leave, besides rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from domain.intelligence.models import Manifest, Model


@dataclass(frozen=True, slots=True)
class AccountWorth:
    """What an account is worth; ``equity`` None where something that it holds has no price."""

    account: str
    equity: Decimal | None
    currency: str


class AccountWorths(Protocol):
    """What the accounts of one user are worth, at the last known prices."""

    def worth(self, account: str | None) -> AccountWorth | None:
        """Return an account of the user, or their only one on paper; None when none is named and there are several.

        Raises:
            NotFound: there is no such account, or it is someone else's.
            Unavailable: the database did not answer.
        """
        ...


class ModelShelf(Protocol):
    """The installation's models, to be read and added to by jobs."""

    def get(self, name_or_id: str) -> Model:
        """Return a model by id, or by name: the active one, else the newest.

        Raises:
            NotFound: there is none.
            Unavailable: the database did not answer.
        """
        ...

    def active(self, timeframe: str) -> Sequence[Model]:
        """Return the active models of a timeframe, the one that was activated last first.

        Raises:
            Unavailable: the database did not answer.
        """
        ...

    def publish(self, manifest: Manifest, onnx: bytes) -> None:
        """Write a model's folder; it is known once a row of it is recorded.

        Raises:
            Invalid: the file is not a model that may be loaded, or not the one of the manifest.
        """
        ...
