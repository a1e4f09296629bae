"""What the topic ``job_updates`` says."""

from __future__ import annotations

from typing import Any

from domain.common.events import Event
from domain.common.time import rfc3339
from domain.jobs.model import Job

TOPIC = "job_updates"


def job_summary(job: Job) -> dict[str, Any]:
    """Return what a watcher needs to know of a job, without payload and result."""
    return {
        "job_id": job.id,
        "job_type": job.job_type,
        "status": job.status.value,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "progress": job.progress,
        "progress_message": job.progress_message,
        "progress_seq": job.progress_seq,
        "cancel_requested": job.cancel_requested_at is not None,
        "error_code": job.error_code,
        "error": job.error,
        "created_at": rfc3339(job.created_at),
        "finished_at": None if job.finished_at is None else rfc3339(job.finished_at),
    }


def job_updated(job: Job) -> Event:
    """Return the event of a job's new state, for its owner."""
    return Event(TOPIC, job.user_id, job_summary(job))
