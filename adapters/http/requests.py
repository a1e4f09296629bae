"""What clients send, read by hand: each thing wrong is named, and the hot path builds no models."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from werkzeug.datastructures import Headers, MultiDict
from werkzeug.exceptions import UnsupportedMediaType

from adapters.http.json_body import field_path
from domain.common.errors import FieldError, Invalid, Malformed
from domain.common.time import to_ms
from domain.jobs.model import JobFilter, JobState, NewJob

MAX_LIMIT = 200
DEFAULT_LIMIT = 50

_JOB_FIELDS = frozenset({"job_type", "payload", "priority", "run_at", "max_attempts"})
_LIST_FIELDS = frozenset({"status", "job_type", "created_after", "created_before", "limit", "cursor"})
_PAGE = frozenset({"limit", "cursor"})
_JOB_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]")
_SHARE = re.compile(r"0(\.\d{1,6})?|1(\.0{1,6})?", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_LIMIT = re.compile(r"[0-9]{1,3}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII)
_INT32 = 2**31 - 1


def require_json(headers: Headers) -> None:
    """Refuse a body that does not say it is plain JSON."""
    kind, _, parameters = headers.get("Content-Type", "").partition(";")
    if kind.strip().lower() != "application/json":
        raise UnsupportedMediaType("the body must be application/json")
    charset = parameters.strip().lower().replace('"', "")
    if charset not in ("", "charset=utf-8"):
        raise UnsupportedMediaType("the body must be UTF-8")
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("the body must not be compressed")


def idempotency_key(headers: Headers) -> str | None:
    """Return the Idempotency-Key, if there is one.

    Raises:
        Malformed: it is not 1 to 255 visible ASCII characters, or there are several.
    """
    keys = headers.getlist("Idempotency-Key")
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise Malformed(
            "Idempotency-Key must be one value of 1 to 255 visible ASCII characters",
            code="invalid_idempotency_key",
        )
    key: str = keys[0]
    return key


def new_job(body: Mapping[str, Any], *, user_id: str, key: str | None, trace: str) -> NewJob:
    """Return the request that the body of ``POST /jobs`` makes.

    Raises:
        Invalid: unknown or missing fields, or wrong types. Ranges and the payload are the use case's to judge.
    """
    problems = [FieldError(field_path((name,)), "is not a known field") for name in body if name not in _JOB_FIELDS]
    job_type, payload = body.get("job_type"), body.get("payload")
    if not isinstance(job_type, str):
        problems.append(_wrong("job_type", body, "must be a string"))
    if not isinstance(payload, dict):
        problems.append(_wrong("payload", body, "must be an object"))
    priority = _integer("priority", body, problems)
    run_at = _time("run_at", body.get("run_at"), problems)
    max_attempts = _integer("max_attempts", body, problems)
    if problems or not isinstance(job_type, str) or not isinstance(payload, dict):
        raise Invalid("the job is not valid", code="invalid_job", errors=problems)
    return NewJob(
        user_id=user_id,
        job_type=job_type,
        payload=payload,
        priority=priority or 0,
        run_at=run_at,
        max_attempts=max_attempts,
        idempotency_key=key,
        trace=trace,
    )


def _wrong(name: str, body: Mapping[str, Any], message: str) -> FieldError:
    return FieldError(name, message if name in body else "is required")


def _integer(name: str, body: Mapping[str, Any], problems: list[FieldError]) -> int | None:
    value = body.get(name)
    if name not in body or (value is None and name == "max_attempts"):
        return None
    if type(value) is not int or abs(value) > _INT32:
        problems.append(FieldError(name, "must be an integer"))
        return None
    return value


def _time(name: str, value: object, problems: list[FieldError]) -> int | None:
    if value is None:
        return None
    try:
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            raise ValueError
        return to_ms(datetime.fromisoformat(value.upper()))
    except (ValueError, OverflowError):
        problems.append(FieldError(name, "must be an RFC 3339 time with a zone, such as 2026-01-31T09:30:00Z"))
        return None


def moment(value: object) -> int | None:
    """Return an RFC 3339 time as milliseconds UTC; None for null.

    Raises:
        Invalid: it is none.
    """
    problems: list[FieldError] = []
    found = _time("time", value, problems)
    if problems:
        raise Invalid("the request is not valid", code="invalid_request", errors=problems)
    return found


def list_query(query: MultiDict[str, str], user_id: str) -> tuple[JobFilter, str | None, int]:
    """Return filter, the id to continue before, and the limit of ``GET /jobs``.

    Raises:
        Malformed: the cursor is not one of ours.
        Invalid: an unknown or repeated parameter, or a bad value.
    """
    problems = [
        FieldError(field_path((name,)), "is not a known parameter") for name in query if name not in _LIST_FIELDS
    ]
    problems += [
        FieldError(name, "must be given once") for name in sorted(_LIST_FIELDS) if len(query.getlist(name)) > 1
    ]
    found = JobFilter(
        user_id=user_id,
        status=_status(query.get("status"), problems),
        job_type=_job_type(query.get("job_type"), problems),
        created_after=_time("created_after", query.get("created_after"), problems),
        created_before=_time("created_before", query.get("created_before"), problems),
    )
    limit = _limit(query.get("limit"), problems)
    refuse_query(problems)
    cursor = query.get("cursor")
    return found, None if cursor is None else read_cursor(cursor), limit


def page_query(query: MultiDict[str, str]) -> tuple[str | None, int]:
    """Return the id to continue before, and the limit, of a list that has no filters.

    Raises:
        Malformed: the cursor is not one of ours.
        Invalid: an unknown or repeated parameter, or a bad value.
    """
    problems = [FieldError(field_path((name,)), "is not a known parameter") for name in query if name not in _PAGE]
    problems += [FieldError(name, "must be given once") for name in sorted(_PAGE) if len(query.getlist(name)) > 1]
    limit = _limit(query.get("limit"), problems)
    refuse_query(problems)
    cursor = query.get("cursor")
    return None if cursor is None else read_cursor(cursor), limit


def no_query(query: MultiDict[str, str]) -> None:
    """Refuse any query parameter.

    Raises:
        Invalid: there is one.
    """
    refuse_query([FieldError(field_path((name,)), "is not a known parameter") for name in query])


def refuse_query(problems: Sequence[FieldError]) -> None:
    """Raise Invalid if there are problems with query parameters."""
    if problems:
        raise Invalid("the query is not valid", code="invalid_query", errors=problems)


def _status(value: str | None, problems: list[FieldError]) -> JobState | None:
    if value is None:
        return None
    try:
        return JobState(value)
    except ValueError:
        problems.append(FieldError("status", f"must be one of: {', '.join(JobState)}"))
        return None


def _job_type(value: str | None, problems: list[FieldError]) -> str | None:
    if value is not None and not _JOB_TYPE.fullmatch(value):
        problems.append(FieldError("job_type", "must be a job type's name: a-z, 0-9 and _"))
        return None
    return value


def _limit(value: str | None, problems: list[FieldError]) -> int:
    if value is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(value) or not 1 <= int(value) <= MAX_LIMIT:
        problems.append(FieldError("limit", f"must be between 1 and {MAX_LIMIT}"))
        return DEFAULT_LIMIT
    return int(value)


def write_cursor(before_id: str) -> str:
    """Return the opaque cursor that continues before an id."""
    return base64.urlsafe_b64encode(uuid.UUID(before_id).bytes).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    """Return the id of a cursor.

    Raises:
        Malformed: it is not one of ours.
    """
    if not _CURSOR.fullmatch(cursor):
        raise Malformed("the cursor is not one of ours; start again without it", code="invalid_cursor")
    return str(uuid.UUID(bytes=base64.urlsafe_b64decode(cursor + "==")))


class Query:
    """The parameters of a query, each given once. ``done`` raises for everything wrong at once."""

    def __init__(self, query: MultiDict[str, str], *known: str) -> None:
        self._query = query
        self._problems = [
            FieldError(field_path((name,)), "is not a known parameter") for name in query if name not in known
        ]
        self._problems += [FieldError(name, "must be given once") for name in known if len(query.getlist(name)) > 1]

    def text(self, name: str, most: int = 64) -> str | None:
        """Return a parameter; None when it is left out."""
        value = self._query.get(name)
        if value is not None and not (0 < len(value) <= most and value.isprintable()):
            self._problems.append(FieldError(name, f"must be 1 to {most} printable characters"))
        return value

    def required(self, name: str, most: int = 64) -> str:
        """Return a parameter that must be there."""
        value = self.text(name, most)
        if value is None:
            self._problems.append(FieldError(name, "is required"))
        return value or ""

    def one_of(self, name: str, *words: str) -> str | None:
        """Return one of some words; None when it is left out."""
        value = self._query.get(name)
        if value is not None and value not in words:
            self._problems.append(FieldError(name, f"must be one of: {', '.join(words)}"))
        return value

    def flag(self, name: str) -> bool:
        """Return whether a parameter is ``true``; false when it is left out."""
        return self.one_of(name, "true", "false") == "true"

    def time(self, name: str) -> int | None:
        """Return an RFC 3339 time as milliseconds UTC; None when it is left out."""
        return _time(name, self._query.get(name), self._problems)

    def share(self, name: str) -> float | None:
        """Return a number from 0 to 1; None when it is left out."""
        value = self._query.get(name)
        if value is None:
            return None
        if not _SHARE.fullmatch(value):
            self._problems.append(FieldError(name, "must be a number from 0 to 1, such as 0.25"))
            return None
        return float(value)

    def number(self, name: str, default: float) -> float:
        """Return a number above 0; the default when it is left out."""
        value = self._query.get(name)
        if value is None:
            return default
        if not _NUMBER.fullmatch(value) or float(value) <= 0:
            self._problems.append(FieldError(name, "must be a number above 0, such as 12 or 0.5"))
            return default
        return float(value)

    def past(self, name: str, now_ms: int) -> int | None:
        """Return an RFC 3339 time from 1970 until now as milliseconds UTC; None when it is left out."""
        value = self.time(name)
        if value is not None and not 0 <= value <= now_ms:
            self._problems.append(FieldError(name, "must be between 1970 and now"))
        return value

    def limit(self) -> int:
        """Return how many are wanted."""
        return _limit(self._query.get("limit"), self._problems)

    def before_id(self) -> str | None:
        """Return the id that ``cursor`` continues before.

        Raises:
            Malformed: it is not one of ours.
        """
        cursor = self._query.get("cursor")
        return None if cursor is None else read_cursor(cursor)

    def done(self) -> None:
        """Finish.

        Raises:
            Invalid: a parameter was wrong, unknown or repeated.
        """
        refuse_query(self._problems)
