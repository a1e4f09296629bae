"""What clients get: entities as JSON objects, and responses made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from quart import Response

from adapters.http.json_body import dump_json
from domain.common.health import ComponentHealth
from domain.common.time import rfc3339
from domain.jobs.model import Artifact, Job, JobTypeInfo


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response that no cache keeps."""
    response = Response(dump_json(value), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    if headers:
        response.headers.update(headers)
    return response


def job_json(job: Job) -> dict[str, Any]:
    """Return a job as clients see it: no lease, no idempotency key."""
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


def job_url(job_id: str) -> str:
    """Return the path of a job."""
    return f"/jobs/{job_id}"


def _artifact(job_id: str, artifact: Artifact) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "media_type": artifact.media_type,
        "size_bytes": artifact.size_bytes,
        "sha256": artifact.sha256,
        "url": f"{job_url(job_id)}/artifacts/{quote(artifact.name, safe='')}",
    }


def job_type_json(info: JobTypeInfo) -> dict[str, Any]:
    """Return a job type as clients see it."""
    return {
        "name": info.name,
        "title": info.title,
        "description": info.description,
        "plugin": info.plugin,
        "isolation": info.isolation.value,
        "max_attempts": info.max_attempts,
        "deadline_s": info.deadline_s,
        "payload_schema": info.payload_schema,
        "result_schema": info.result_schema,
        "example": info.example,
    }


def component_json(component: ComponentHealth) -> dict[str, Any]:
    """Return the health of a component as clients see it."""
    return {
        "name": component.name,
        "status": component.status,
        "detail": component.detail,
        "latency_ms": component.latency_ms,
        "checked_at": rfc3339(component.checked_at),
    }


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
