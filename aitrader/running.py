"""The part of the composition root that makes what runs jobs."""

from __future__ import annotations

import os
import sys
from typing import Any

from dependency_injector import containers, providers

from adapters.process.executor import ProcessExecutor
from aitrader.settings import Settings
from aitrader.thread_executor import ThreadExecutor
from domain.engines.calls import CallCounter
from domain.jobs.leases import LeaseKeeper
from domain.jobs.model import Isolation
from domain.jobs.running import EndJob, RunNextJob, SweepJobs

CHILD = (sys.executable, "-m", "aitrader.child")


def _process_executor(settings: Settings, engine_calls: CallCounter) -> ProcessExecutor:
    environment = {**os.environ, **settings.as_env()}
    return ProcessExecutor(CHILD, environment, settings.cancel_grace_seconds, engine_calls.add)


class Running(containers.DeclarativeContainer):
    """Providers are synchronous; singletons are thread-safe."""

    settings: providers.Provider[Settings] = providers.Dependency()
    owner: providers.Provider[str] = providers.Dependency()
    clock: providers.Provider[Any] = providers.Dependency()
    unit_of_work: providers.Provider[Any] = providers.Dependency()
    relaxed_work: providers.Provider[Any] = providers.Dependency()
    job_types: providers.Provider[Any] = providers.Dependency()
    toolbox: providers.Provider[Any] = providers.Dependency()
    prepare_job: providers.Provider[Any] = providers.Dependency()
    queue: providers.Provider[Any] = providers.Dependency()
    hints: providers.Provider[Any] = providers.Dependency()
    notifier: providers.Provider[Any] = providers.Dependency()
    engine_calls: providers.Provider[Any] = providers.Dependency()

    leases: providers.Provider[LeaseKeeper] = providers.ThreadSafeSingleton(
        LeaseKeeper, relaxed_work.provider, clock, settings.provided.lease_seconds
    )
    executors: providers.Provider[dict[Isolation, Any]] = providers.ThreadSafeSingleton(
        lambda thread, process: {Isolation.THREAD: thread, Isolation.PROCESS: process},
        providers.Factory(ThreadExecutor, toolbox),
        providers.Factory(_process_executor, settings, engine_calls),
    )
    end_job: providers.Provider[EndJob] = providers.Factory(
        EndJob, unit_of_work=unit_of_work.provider, queue=hints, notifier=notifier, prepare=prepare_job
    )
    run_next_job: providers.Provider[RunNextJob] = providers.Factory(
        RunNextJob,
        unit_of_work=relaxed_work.provider,
        job_types=job_types,
        leases=leases,
        executors=executors,
        end=end_job,
        owner=owner,
    )
    sweep_jobs: providers.Provider[SweepJobs] = providers.Factory(
        SweepJobs, unit_of_work=unit_of_work.provider, queue=queue, job_types=job_types, notifier=notifier
    )
