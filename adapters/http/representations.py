"""What clients get: entities as JSON objects, and responses made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quart import Response

from adapters.http.json_body import dump_json
from domain.jobs.model import JobTypeInfo


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response that no cache keeps."""
    response = Response(dump_json(value), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    if headers:
        response.headers.update(headers)
    return response


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
