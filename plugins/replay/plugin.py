"""What the replay plugin registers. Nothing heavy is imported here."""

from __future__ import annotations

from aitrader.api import JobType, Registry, hookimpl
from plugins.replay.job import ReplayJob


@hookimpl
def aitrader_register_job_types(registry: Registry[JobType]) -> None:
    """Offer ``replay``."""
    job_type = ReplayJob()
    registry.add(job_type.name, job_type)
