"""WebSocket frames: what clients may send, and how ours are written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from adapters.http.json_body import dump_json, field_path, read_object
from adapters.http.topics import Topic
from domain.common.errors import AITraderError, FieldError, Invalid
from domain.common.events import PublishedEvent
from domain.common.time import rfc3339

_Name = Annotated[str, Field(min_length=1, max_length=64)]
_Names = Annotated[list[_Name], Field(min_length=1, max_length=16)]
_Values = Annotated[list[_Name], Field(min_length=1, max_length=100)]


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Subscribe(_Frame):
    """Watch topics. ``resume`` holds the last seq seen, by topic."""

    action: Literal["subscribe"]
    topics: _Names
    filters: dict[_Name, dict[_Name, _Values]] = {}
    resume: dict[_Name, Annotated[int, Field(ge=0, le=2**53)]] = {}


class Unsubscribe(_Frame):
    """Stop watching topics."""

    action: Literal["unsubscribe"]
    topics: _Names


class Ping(_Frame):
    """Ask for a pong."""

    action: Literal["ping"]


ClientFrame = Subscribe | Unsubscribe | Ping

_adapter: TypeAdapter[ClientFrame] = TypeAdapter(Annotated[ClientFrame, Field(discriminator="action")])


def read_frame(text: str, topics: Mapping[str, Topic]) -> ClientFrame:
    """Return a client's frame.

    Raises:
        Malformed: it is not JSON.
        Invalid: it is no frame of ours, or names an unknown topic or filter.
    """
    try:
        frame = _adapter.validate_python(read_object(text))
    except ValidationError as error:
        raise _invalid([FieldError(field_path(item["loc"][1:]), item["msg"]) for item in error.errors()]) from None
    if not isinstance(frame, Ping):
        _check_topics(frame, topics)
    return frame


def _check_topics(frame: Subscribe | Unsubscribe, topics: Mapping[str, Topic]) -> None:
    unknown = [name for name in frame.topics if name not in topics]
    if unknown:
        known = ", ".join(sorted(topics))
        raise Invalid(
            f"there is no topic {unknown[0]!r}; known: {known}",
            code="unknown_topic",
            errors=[FieldError("topics", f"expected: {known}")],
        )
    if not isinstance(frame, Subscribe):
        return
    wrong = [FieldError(f"resume.{name}", "is not in topics") for name in frame.resume if name not in frame.topics]
    for name, wanted in frame.filters.items():
        if name not in frame.topics:
            wrong.append(FieldError(f"filters.{name}", "is not in topics"))
            continue
        allowed = topics[name].filters
        wrong += [FieldError(f"filters.{name}.{key}", "is no filter") for key in wanted if key not in allowed]
    if wrong:
        raise _invalid(wrong)


def _invalid(errors: list[FieldError]) -> Invalid:
    return Invalid("the frame is not valid", code="invalid_frame", errors=errors[:20])


def event_frame(event: PublishedEvent) -> str:
    """Return the frame of an event."""
    return _text({"event": event.topic, "seq": event.seq, "time": rfc3339(event.time_ms), "data": event.data})


def subscribed_frame(topic: str, seq: int) -> str:
    """Return the frame that says: events with a higher seq follow."""
    return _control("subscribed", topic=topic, seq=seq)


def unsubscribed_frame(topic: str) -> str:
    """Return the frame that says: no more events of this topic."""
    return _control("unsubscribed", topic=topic)


def snapshot_frame(topic: str, seq: int, items: list[dict[str, Any]]) -> str:
    """Return the frame of the state that all events up to ``seq`` have led to."""
    return _control("snapshot", topic=topic, seq=seq, data={"items": items})


def gap_frame(topic: str, first: int, last: int) -> str:
    """Return the frame that says which events cannot be replayed."""
    return _control("gap", topic=topic, **{"from": first, "to": last})


def pong_frame() -> str:
    """Return the answer to a ping."""
    return _control("pong")


def error_frame(error: AITraderError, topic: str | None = None) -> str:
    """Return the frame of a refusal."""
    about = {} if topic is None else {"topic": topic}
    errors = [{"field": item.field, "message": item.message} for item in error.errors]
    return _control("error", **about, code=error.code, detail=error.detail, errors=errors)


def _control(event: str, **content: Any) -> str:
    now = rfc3339(time.time_ns() // 1_000_000)
    return _text({"event": event, **content, "time": now})


def _text(frame: dict[str, Any]) -> str:
    return dump_json(frame).decode()
