"""What the sentiment plugin registers. Nothing heavy is imported here."""

from __future__ import annotations

from aitrader.api import JobType, Registry, hookimpl
from plugins.sentiment.job import SentimentJob


@hookimpl
def aitrader_register_job_types(registry: Registry[JobType]) -> None:
    """Offer ``sentiment_analysis``."""
    job_type = SentimentJob()
    registry.add(job_type.name, job_type)
