"""Group commit: jobs that arrive while a transaction is being written share the next one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters.http.offload import Offload, overloaded
from domain.common.errors import AITraderError
from domain.jobs.model import Job, NewJob
from domain.jobs.services import Submitted

log = logging.getLogger(__name__)

Result = Submitted | Exception
Submit = Callable[[Sequence[Job]], Sequence[Submitted | AITraderError]]


@dataclass(slots=True)
class _Waiting:
    new: NewJob
    answer: asyncio.Future[Submitted]


class GroupCommit:
    """Submits jobs in batches without adding delay: a lone request is written at once.

    Args:
        prepare: validates one request; touches no database.
        submit: stores prepared jobs in one transaction.
    """

    def __init__(
        self,
        offload: Offload,
        prepare: Callable[[NewJob], Job],
        submit: Submit,
        *,
        max_batch: int,
        max_waiting: int,
    ) -> None:
        self._offload = offload
        self._prepare = prepare
        self._submit = submit
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: deque[_Waiting] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def __call__(self, new: NewJob) -> Submitted:
        """Return the stored job.

        Raises:
            AITraderError: this request was refused, or its transaction failed.
        """
        if len(self._waiting) >= self._max_waiting:
            raise overloaded()
        answer: asyncio.Future[Submitted] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(new, answer))
        if self._writer is None:
            # A task of its own: a client that hangs up cancels its wait, never the batch it is in.
            self._writer = asyncio.create_task(self._write_all())
        return await answer

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._write_batch()
        finally:
            self._writer = None

    async def _write_batch(self) -> None:
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._max_batch:
            one = self._waiting.popleft()
            if not one.answer.done():
                batch.append(one)
        if not batch:
            return
        try:
            results = await self._offload(self._run, [one.new for one in batch])
        except AITraderError as error:
            results = [error] * len(batch)
        for one, result in zip(batch, results, strict=True):
            if one.answer.done():
                continue
            if isinstance(result, Submitted):
                one.answer.set_result(result)
            else:
                one.answer.set_exception(result)

    def _run(self, batch: Sequence[NewJob]) -> list[Result]:
        """Validate and store a batch; runs in a thread and never raises."""
        results: list[Result] = []
        prepared: list[Job] = []
        places: list[int] = []
        for place, new in enumerate(batch):
            try:
                job = self._prepare(new)
            except Exception as error:
                results.append(error)
                continue
            results.append(RuntimeError("not written"))
            prepared.append(job)
            places.append(place)
        for place, result in zip(places, self._store(prepared), strict=True):
            results[place] = result
        return results

    def _store(self, prepared: list[Job]) -> Sequence[Result]:
        if not prepared:
            return []
        try:
            return self._submit(prepared)
        except AITraderError as error:
            return [error] * len(prepared)
        except Exception as error:
            if len(prepared) == 1:
                return [error]
            # A defect that one job triggers must not refuse the others.
            log.exception("a batch of jobs could not be written; trying one by one")
            return [self._store([job])[0] for job in prepared]
