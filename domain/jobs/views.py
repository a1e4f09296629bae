"""A job as clients see it, over REST and on the command line alike: no lease, no idempotency key."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from domain.common.time import rfc3339
from domain.jobs.model import Artifact, Job


def job_view(job: Job) -> dict[str, Any]:
    """Return a job as JSON types; times are RFC 3339 UTC."""
    return {
        "id": job.id,
        "job_type": job.job_type,
        "user_id": job.user_id,
        "status": job.status.value,
        "priority": job.priority,
        "payload": job.payload,
        "run_at": rfc3339(job.run_at),
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "progress": job.progress,
        "progress_message": job.progress_message,
        "cancel_requested": job.cancel_requested_at is not None,
        "parent_id": job.parent_id,
        "result": job.result,
        "error_code": job.error_code,
        "error": job.error,
        "artifacts": [_artifact(job.id, artifact) for artifact in job.artifacts],
        "created_at": rfc3339(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
    }


def job_path(job_id: str) -> str:
    """Return the path of a job in the API."""
    return f"/jobs/{job_id}"


def _artifact(job_id: str, artifact: Artifact) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "media_type": artifact.media_type,
        "size_bytes": artifact.size_bytes,
        "sha256": artifact.sha256,
        "url": f"{job_path(job_id)}/artifacts/{quote(artifact.name, safe='')}",
    }


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
