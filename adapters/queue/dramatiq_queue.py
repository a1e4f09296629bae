"""The queue of a scaled installation: Dramatiq over Redis. Messages are hints that carry a job id."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

import dramatiq
import redis

from adapters.queue.doorbell import DoorbellBroker
from domain.common.errors import Unavailable

log = logging.getLogger(__name__)

ACTOR = "run_job"
_AT_ONCE = 100


class DramatiqQueue:
    """The sending side."""

    def __init__(self, client: redis.Redis) -> None:
        self._broker = DoorbellBroker(client)

    def hint(self, queue: str, job_ids: Sequence[str]) -> None:
        """Send one message per id."""
        try:
            for start in range(0, len(job_ids), _AT_ONCE):
                messages = [_message(queue, job_id) for job_id in job_ids[start : start + _AT_ONCE]]
                self._broker.enqueue_many(queue, messages)
        except redis.RedisError as error:
            raise Unavailable(f"Redis did not answer: {error}", code="redis_unavailable") from error

    def pending(self, queue: str) -> int:
        """Return how many messages nobody has fetched."""
        try:
            return int(self._broker.client.llen(f"{self._broker.namespace}:{queue}"))
        except redis.RedisError as error:
            raise Unavailable(f"Redis did not answer: {error}", code="redis_unavailable") from error

    def close(self) -> None:
        """Release the broker; the client belongs to whoever made it."""
        self._broker.close()


class DramatiqConsumer:
    """The receiving side: one Dramatiq worker per queue, each with its own threads."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._workers: list[dramatiq.Worker] = []

    def start(self, slots: Mapping[str, int], work: Callable[[str], object]) -> None:
        """Begin with so many threads per queue."""
        for queue, count in slots.items():
            broker = DoorbellBroker(self._client)
            _declare_actor(broker, queue, work)
            worker = dramatiq.Worker(broker, worker_threads=count, worker_timeout=1000)
            worker.queue_prefetch = count  # more would only hide hints from idle workers
            worker.start()
            self._workers.append(worker)

    def stop(self, timeout_s: float) -> bool:
        """Take no more hints; wait for running calls."""
        deadline = time.monotonic() + timeout_s
        for worker in self._workers:
            for thread in worker.workers:
                thread.stop()
        for worker in self._workers:
            for thread in worker.workers:
                thread.join(max(0.0, deadline - time.monotonic()))
        done = not any(thread.is_alive() for worker in self._workers for thread in worker.workers)
        if done:
            consumers = [consumer for worker in self._workers for consumer in worker.consumers.values()]
            for consumer in consumers:  # all at once: each may take a second to notice
                consumer.stop()
            for worker in self._workers:
                worker.stop(timeout=3000)
            self._workers.clear()
        return done


def _message(queue: str, job_id: str) -> dramatiq.Message[None]:
    return dramatiq.Message(queue_name=queue, actor_name=ACTOR, args=(job_id,), kwargs={}, options={})


def _declare_actor(broker: DoorbellBroker, queue: str, work: Callable[[str], object]) -> None:
    def run_job(_job_id: str) -> None:
        try:
            work(queue)
        except BaseException:  # also SystemExit: a job that calls sys.exit() must not cost a slot
            log.exception("a worker could not run a job; the sweeper will ask again")

    dramatiq.actor(broker=broker, actor_name=ACTOR, queue_name=queue)(run_job)
