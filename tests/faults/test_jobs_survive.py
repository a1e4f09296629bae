"""A thousand jobs over HTTP while workers are killed and Redis is wiped: all end, each effect once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.processes import Process, eventually
from tests.servers import PostgresServer, RedisServer
from tests.stack import Stack

pytestmark = pytest.mark.once

JOBS = 1000
SEED = 20261122


class Chaos(threading.Thread):
    """Does one random harm after another, at random times from a seeded generator, until told to stop."""

    def __init__(self, harms: list[Callable[[], None]], least: int) -> None:
        super().__init__(daemon=True)
        self._random = random.Random(SEED)
        self._harms = harms
        self._least = least
        self._ending = threading.Event()
        self.done = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._ending.is_set() or self.done < self._least:
                self._random.choice(self._harms)()
                self.done += 1
                self._ending.wait(self._random.uniform(0.2, 0.8))
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        self._ending.set()
        self.join(60)
        assert self.error is None, self.error


def submit_all(stack: Stack, count: int) -> list[str]:
    pauses = random.Random(SEED)
    plans = [(f"job-{number}", pauses.choice([0.0, 0.01, 0.05])) for number in range(count)]
    with httpx2.Client() as client, ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda plan: stack.post("effect", plan[0], client, pause_s=plan[1]), plans))


@pytest.mark.timeout(240)
def test_a_thousand_jobs_with_killed_workers_and_a_wiped_redis(
    tmp_path: Path,
    start_process: Callable[..., Process],
    own_postgres: PostgresServer,
    own_redis: RedisServer,
) -> None:
    stack = Stack(start_process, tmp_path, database=own_postgres.create_database(), redis=own_redis.url)
    stack.migrate()
    stack.api()
    workers = [stack.worker(), stack.worker()]
    pick = random.Random(SEED + 1)

    def kill_a_worker() -> None:
        victim = pick.randrange(len(workers))
        workers[victim].kill()
        workers[victim] = stack.worker()

    wiped = []

    def wipe_redis() -> None:
        own_redis.flush()
        wiped.append(True)

    chaos = Chaos([kill_a_worker, kill_a_worker, wipe_redis], least=8)
    chaos.start()
    ids = submit_all(stack, JOBS)
    chaos.end()

    assert wiped, "Redis was never wiped: choose another seed"
    assert len(set(ids)) == JOBS
    eventually(lambda: stack.counts() == {"succeeded": JOBS}, 90, 0.25, "all jobs succeeded")
    stack.assert_each_effect_once(JOBS)
    assert stack.query("SELECT max(attempt) FROM jobs")[0][0] > 1, "no job was interrupted: the chaos did nothing"


@pytest.mark.timeout(240)
def test_a_thousand_jobs_on_sqlite_while_everything_is_killed(
    tmp_path: Path, start_process: Callable[..., Process]
) -> None:
    stack = Stack(start_process, tmp_path, database=None, redis=None)
    running = [stack.api("up")]
    port = int(stack.url.rsplit(":", 1)[1])

    def kill_it_all() -> None:
        running[0].kill()
        running[0] = stack.api("up", port)

    chaos = Chaos([kill_it_all], least=4)
    chaos.start()
    ids = submit_all(stack, JOBS)
    chaos.end()

    assert len(set(ids)) == JOBS
    eventually(lambda: stack.counts() == {"succeeded": JOBS}, 90, 0.25, "all jobs succeeded")
    stack.assert_each_effect_once(JOBS)
