"""Job types and plugins for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from pydantic import BaseModel, Field

from aitrader.hookspecs import hookimpl
from aitrader.plugin_host import Candidate
from aitrader.registry import Registry
from domain.jobs.model import Isolation
from domain.jobs.ports import JobContext, JobType


class Leg(BaseModel):
    size: float


class Payload(BaseModel):
    model_config = {"extra": "forbid"}

    count: int = Field(1, ge=1)
    text: str = ""
    ratio: float = 0.5
    legs: list[Leg] = []
    extra: dict[str, Any] = {}


class Report(BaseModel):
    total: float
    note: str = ""


class CountJob(JobType):
    """Count.

    More about counting.
    """

    name = "count"
    title = "Count things"
    payload_type = Payload
    result_type = Report
    isolation = Isolation.THREAD
    max_attempts = 2
    deadline_s = 10.0
    example: Mapping[str, Any] = {"count": 3}

    def __init__(self, do: Callable[[JobContext, Payload], Any] | None = None) -> None:
        self.do = do or (lambda context, payload: Report(total=payload.count))

    def run(self, context: JobContext, payload: Payload) -> Any:
        """Do it."""
        return self.do(context, payload)


class HalfStrategy:
    """Always half in."""

    name = "half"
    title = "Half"
    params_type = Payload

    def targets(self, bars: Any, params: Any) -> Any:
        return None


def job_types_hook(*names: str, then: Exception | None = None) -> Callable[..., None]:
    """Return a hook that registers job types, then raises."""

    @hookimpl
    def aitrader_register_job_types(registry: Registry[JobType]) -> None:
        for name in names:
            registry.add(name, CountJob())
        if then is not None:
            raise then

    return aitrader_register_job_types


def strategies_hook(*names: str) -> Callable[..., None]:
    @hookimpl
    def aitrader_register_strategies(registry: Registry[Any]) -> None:
        for name in names:
            registry.add(name, HalfStrategy())

    return aitrader_register_strategies


def candidate(name: str, *hooks: Callable[..., None], distribution: str = "dist") -> Candidate:
    """Return a plugin with these hooks, by the names of the functions."""
    module = ModuleType(f"plugin_{name}")
    for hook in hooks:
        setattr(module, hook.__name__, hook)
    return Candidate(name, distribution, "1.0", lambda: module)
