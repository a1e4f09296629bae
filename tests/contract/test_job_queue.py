from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.queue.dramatiq_queue import DramatiqConsumer, DramatiqQueue
from adapters.queue.in_process import InProcessQueue
from adapters.redis.client import connect
from aitrader.testing.job_queue import JobQueueContract
from domain.jobs.ports import JobConsumer, JobQueue

pytestmark = pytest.mark.once


class TestInProcessQueue(JobQueueContract):
    @pytest.fixture
    def queue(self) -> Iterator[JobQueue]:
        queue = InProcessQueue()
        yield queue
        queue.stop(10)

    @pytest.fixture
    def consumer(self, queue: InProcessQueue) -> JobConsumer:
        return queue


class TestDramatiqQueue(JobQueueContract):
    @pytest.fixture
    def queue(self, redis_url: str) -> Iterator[JobQueue]:
        with connect(redis_url) as client:
            queue = DramatiqQueue(client)
            yield queue
            queue.close()

    @pytest.fixture
    def consumer(self, redis_url: str) -> Iterator[JobConsumer]:
        with connect(redis_url) as client:
            consumer = DramatiqConsumer(client)
            yield consumer
            consumer.stop(10)
