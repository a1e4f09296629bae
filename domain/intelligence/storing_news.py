"""Keeping news, each item once, and looking at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from domain.intelligence.news import NewsFilter, NewsItem
from domain.intelligence.work import IntelligenceWork

BATCH = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """How many items were new, and how many were there before."""

    new: int = 0
    known: int = 0


@dataclass(frozen=True, slots=True)
class ImportNews:
    """Store items that are not there yet. One that is there stays as it was when it came first."""

    unit_of_work: Callable[[], IntelligenceWork]

    def __call__(self, items: Iterable[NewsItem], each: Callable[[Imported], None] = lambda _: None) -> Imported:
        """Store items, 500 in a transaction.

        Args:
            items: any number.
            each: told after each transaction what it has come to.

        Raises:
            Unavailable: the database did not answer; what was stored stays, and importing again goes on from there.
        """
        done = Imported()
        for batch in _batches(items):
            with self.unit_of_work() as work:
                new = work.news.add(batch)
                work.commit()
            done = Imported(done.new + new, done.known + len(batch) - new)
            each(done)
        return done


def _batches(items: Iterable[NewsItem]) -> Iterator[list[NewsItem]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


@dataclass(frozen=True, slots=True)
class ReadNews:
    """Look at the news of a user."""

    read_work: Callable[[], IntelligenceWork]

    def get(self, item_id: str, user_id: str) -> NewsItem:
        """Return an item.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        with self.read_work() as work:
            return work.news.get(item_id, user_id)

    def page(self, wanted: NewsFilter, *, before_id: str | None, limit: int) -> tuple[Sequence[NewsItem], str | None]:
        """Return news, imported last first, and the id to go on from; None at the end."""
        with self.read_work() as work:
            found = work.news.page(wanted, before_id=before_id, limit=limit + 1)
        more = len(found) > limit
        return found[:limit], found[limit - 1].id if more else None
