"""What the pattern scan plugin registers. Nothing heavy is imported here."""

from __future__ import annotations

from aitrader.api import JobType, Registry, hookimpl
from plugins.pattern_scan.job import PatternScanJob


@hookimpl
def aitrader_register_job_types(registry: Registry[JobType]) -> None:
    """Offer ``pattern_scan``."""
    job_type = PatternScanJob()
    registry.add(job_type.name, job_type)
