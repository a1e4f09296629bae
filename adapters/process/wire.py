"""Messages between a worker and its child: one JSON object per message over a socket pair."""

from __future__ import annotations

from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from typing import Any

import orjson

from domain.jobs.model import (
    Artifact,
    Canceled,
    Failed,
    Job,
    JobState,
    LeaseLost,
    NewJob,
    Outcome,
    Released,
    Succeeded,
)
from domain.jobs.records import RECORD_NAMES, RECORD_TYPES

_PLAIN: dict[str, type[Canceled | Released | LeaseLost]] = {
    "canceled": Canceled,
    "released": Released,
    "lease_lost": LeaseLost,
}


def send(connection: Connection, message: dict[str, Any]) -> None:
    """Send one message.

    Raises:
        OSError: the other side is gone.
    """
    connection.send_bytes(orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY))


def receive(connection: Connection) -> dict[str, Any]:
    """Wait for one message.

    Raises:
        EOFError: the other side is gone.
        OSError: the other side is gone.
    """
    message: dict[str, Any] = orjson.loads(connection.recv_bytes())
    return message


def job_to_json(job: Job) -> dict[str, Any]:
    """Return a job as JSON types."""
    return asdict(job)


def job_from_json(data: dict[str, Any]) -> Job:
    """Return the job that ``job_to_json`` wrote."""
    artifacts = tuple(Artifact(**item) for item in data["artifacts"])
    return Job(**{**data, "status": JobState(data["status"]), "artifacts": artifacts})


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON types."""
    if isinstance(outcome, Succeeded):
        records = [[RECORD_NAMES[type(record)], asdict(record)] for record in outcome.records]
        return {"kind": "succeeded", **asdict(replace(outcome, records=())), "records": records}
    if isinstance(outcome, Failed):
        text = outcome.error.encode("utf-8", "replace").decode()  # job code may put anything into an error
        return {"kind": "failed", **asdict(outcome), "error": text}
    for kind, plain in _PLAIN.items():
        if isinstance(outcome, plain):
            return {"kind": kind}
    raise TypeError(f"a child does not report {type(outcome).__name__}")


def outcome_from_json(data: dict[str, Any]) -> Outcome:
    """Return the outcome that ``outcome_to_json`` wrote."""
    kind = data.pop("kind")
    if kind == "succeeded":
        return Succeeded(
            result=data["result"],
            artifacts=tuple(Artifact(**item) for item in data["artifacts"]),
            records=tuple(RECORD_TYPES[name](**item) for name, item in data["records"]),
            children=tuple(NewJob(**item) for item in data["children"]),
        )
    if kind == "failed":
        return Failed(**data)
    return _PLAIN[kind]()
