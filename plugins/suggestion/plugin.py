"""What the suggestion plugin registers. Nothing heavy is imported here."""

from __future__ import annotations

from aitrader.api import JobType, Registry, hookimpl
from plugins.suggestion.job import SuggestionJob


@hookimpl
def aitrader_register_job_types(registry: Registry[JobType]) -> None:
    """Offer ``suggestion``."""
    job_type = SuggestionJob()
    registry.add(job_type.name, job_type)
