"""The shapes of requests and responses, for the OpenAPI document only: requests are read by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

JobStatus = Literal["queued", "running", "succeeded", "failed", "canceled", "dead"]
ComponentStatus = Literal["ok", "degraded", "down", "off"]

_JOB_ID = "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f10"


class Model(BaseModel):
    """Base of all: no unknown fields."""

    model_config = ConfigDict(extra="forbid")


class FieldProblem(Model):
    """One thing wrong with one field."""

    field: str = Field(examples=["payload.symbols.0"])
    message: str = Field(examples=["must be a string"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(json_schema_extra={"format": "uri-reference"}, examples=["/problems/invalid_job"])
    title: str = Field(examples=["Unprocessable content"])
    status: int = Field(ge=400, le=599, examples=[422])
    detail: str = Field(description="what happened, for a person", examples=["the job is not valid"])
    instance: str = Field(json_schema_extra={"format": "uri-reference"}, examples=["/jobs"])
    code: str = Field(description="a stable machine word", examples=["invalid_job"])
    request_id: str = Field(description="find it in the log", examples=["5e0c1a52f6f34f0c8e8f0f6f9d1b7a3c"])
    errors: list[FieldProblem]


class ArtifactInfo(Model):
    """A file that a job made."""

    name: str = Field(examples=["equity.csv"])
    media_type: str = Field(examples=["text/csv"])
    size_bytes: int = Field(ge=0, examples=[18231])
    sha256: str = Field(pattern="^[0-9a-f]{64}$", examples=["0" * 64])
    url: str = Field(
        json_schema_extra={"format": "uri-reference"}, examples=[f"/jobs/{_JOB_ID}/artifacts/equity.csv"]
    )


class Job(Model):
    """One run of a job type."""

    id: UUID = Field(examples=[_JOB_ID])
    job_type: str = Field(examples=["backtest"])
    user_id: str = Field(examples=["local"])
    status: JobStatus = Field(
        description="failed: ended by its own error after the last attempt. dead: its worker died each time.",
        examples=["running"],
    )
    priority: int = Field(ge=-100, le=100, description="higher runs first", examples=[0])
    payload: dict[str, JsonValue]
    run_at: datetime = Field(description="not before this time", examples=["2026-01-31T09:30:00.000Z"])
    attempt: int = Field(ge=0, examples=[1])
    max_attempts: int = Field(ge=1, examples=[3])
    progress: float = Field(ge=0, le=1, examples=[0.4])
    progress_message: str = Field(examples=["2 of 5 symbols"])
    cancel_requested: bool = Field(examples=[False])
    parent_id: UUID | None = Field(examples=[None])
    result: dict[str, JsonValue] | None = Field(examples=[None])
    error_code: str | None = Field(examples=[None])
    error: str | None = Field(examples=[None])
    artifacts: list[ArtifactInfo]
    created_at: datetime = Field(examples=["2026-01-31T09:30:00.000Z"])
    started_at: datetime | None = Field(examples=["2026-01-31T09:30:01.000Z"])
    finished_at: datetime | None = Field(examples=[None])


class JobPage(Model):
    """Jobs, newest first. ``next_cursor`` is null on the last page."""

    items: list[Job]
    next_cursor: str | None = Field(examples=[None])


class NewJobRequest(Model):
    """A job to run."""

    job_type: str = Field(description="a name from GET /job-types", min_length=1, max_length=64)
    payload: dict[str, JsonValue] = Field(
        description="fits the payload_schema of the job type; at most 65,536 bytes as JSON"
    )
    priority: int = Field(default=0, ge=-100, le=100, description="higher runs first")
    run_at: datetime | None = Field(default=None, description="not before this time; within a year; null: now")
    max_attempts: int | None = Field(default=None, ge=1, le=20, description="null: as the job type says")


class JobQuery(Model):
    """Filters of GET /jobs."""

    status: JobStatus | None = Field(default=None, description="only jobs in this state")
    job_type: str | None = Field(default=None, pattern="^[a-z][a-z0-9_]{0,63}$", description="only jobs of this type")
    created_after: datetime | None = Field(default=None, description="created at this time or later")
    created_before: datetime | None = Field(default=None, description="created before this time")
    limit: int = Field(default=50, ge=1, le=200, description="how many at most")
    cursor: str | None = Field(
        default=None, pattern="^[A-Za-z0-9_-]{21}[AQgw]$", description="next_cursor of the page before"
    )


class IdempotencyHeaders(Model):
    """Headers of requests that create something."""

    idempotency_key: str | None = Field(
        default=None,
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="makes repeating this request harmless: the same key and body give what the first one made",
    )


class LocationHeaders(Model):
    """Headers of a response that names what it made."""

    location: str = Field(json_schema_extra={"format": "uri-reference"}, description="path of what was made")


class ArtifactHeaders(Model):
    """Headers of a file."""

    etag: str = Field(description="the SHA-256 of the content, in quotes")
    content_disposition: str = Field(description="attachment, with the name of the file")


class JobType(Model):
    """A kind of job that this installation can run."""

    name: str = Field(examples=["backtest"])
    title: str = Field(examples=["Backtest"])
    description: str
    plugin: str = Field(description="the plugin that registered it", examples=["backtest"])
    isolation: Literal["process", "thread"]
    max_attempts: int = Field(ge=1, examples=[3])
    deadline_s: float = Field(description="the longest an attempt may run, seconds", examples=[3600.0])
    payload_schema: dict[str, Any] = Field(description="JSON Schema")
    result_schema: dict[str, Any] = Field(description="JSON Schema")
    example: dict[str, Any] = Field(description="a payload that validates")


class JobTypeList(Model):
    """The job types of this installation, sorted by name."""

    items: list[JobType]


class Status(Model):
    """What this server is and where to go."""

    name: Literal["AITrader"]
    version: str = Field(default="", description="only with credentials, or from this machine", examples=["0.1.0"])
    status: Literal["running", "stopping"]
    links: dict[str, str] = Field(examples=[{"docs": "/docs", "health": "/health", "jobs": "/jobs"}])


class Component(Model):
    """How one component is. ``off``: not configured. Strangers see its status only."""

    name: str = Field(default="", examples=["db"])
    status: ComponentStatus
    detail: str = Field(default="", examples=[""])
    latency_ms: float | None = Field(default=None, examples=[0.8])
    checked_at: datetime | None = Field(default=None, examples=["2026-01-31T09:30:00.000Z"])


class Health(Model):
    """How all is: ``down`` without the database, ``degraded`` when another part fails. Strangers see only that."""

    status: Literal["ok", "degraded", "down"]
    version: str = Field(default="", examples=["0.1.0"])
    components: list[Component] = []


class ServicesHealth(Model):
    """How the outside services are. Strangers see the status only."""

    status: Literal["ok", "degraded", "down"]
    services: list[Component] = []


class Liveness(Model):
    """The process answers."""

    status: Literal["live"]


class Readiness(Model):
    """Whether requests and jobs are safe here; on this machine also why not."""

    status: Literal["ready", "not_ready"]
    reasons: list[str] = Field(default=[], examples=[[]])
