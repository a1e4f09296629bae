"""The registered job types with their schemas: the one place that validates payloads and results."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from aitrader.registry import PluginError, Registry
from domain.common.errors import FieldError, Invalid
from domain.jobs.model import JobTypeInfo
from domain.jobs.ports import JobType

_MOST_ERRORS = 20


class RegisteredJobTypes:
    """``JobTypes`` over the plugin registry. Schemas are built once per type, when first needed."""

    def __init__(self, registry: Registry[JobType]) -> None:
        self._registry = registry
        self._names = list(registry)
        self._adapters: dict[tuple[str, str], TypeAdapter[Any]] = {}
        self._infos: dict[str, JobTypeInfo] = {}

    def names(self) -> Sequence[str]:
        """Return the names, sorted."""
        return self._names

    def get(self, name: str) -> JobType:
        """Return the job type itself."""
        return self._registry.get(name)

    def info(self, name: str) -> JobTypeInfo:
        """Return what is published about a job type."""
        if name not in self._infos:
            self._infos[name] = self._describe(name)
        return self._infos[name]

    def validate(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the payload in its canonical JSON form, defaults filled in."""
        if name not in self._registry:
            known = ", ".join(self._names) or "none"
            raise Invalid(
                f"there is no job type {name[:64]!r}; known: {known}",
                code="unknown_job_type",
                errors=[FieldError("job_type", f"expected one of: {known}")],
            )
        problems = json_problems(dict(payload), "payload")  # pydantic would turn NaN into null where types are open
        if not problems:
            dumped = _as_object(self._adapter(name, "payload"), self.parse(name, payload))
            problems = json_problems(dumped, "payload")
        if problems:
            raise _invalid_payload(name, problems)
        return dumped

    def parse(self, name: str, payload: Mapping[str, Any]) -> Any:
        """Return the payload as the job type's own ``payload_type``.

        Raises:
            Invalid: it is off schema.
        """
        try:
            return self._adapter(name, "payload").validate_python(dict(payload))
        except ValidationError as error:
            raise _off_schema(name, error) from None

    def dump_result(self, name: str, result: Any) -> dict[str, Any]:
        """Return a job's result as JSON types.

        Raises:
            PluginError: the job returned something off its own schema.
        """
        adapter = self._adapter(name, "result")
        try:
            dumped = _as_object(adapter, adapter.validate_python(result))
        except (ValidationError, PydanticSerializationError) as error:
            raise PluginError(f"job type {name!r} returned a result off its schema: {error}") from None
        problems = json_problems(dumped, "result")
        if problems:
            first = f"{problems[0].field} {problems[0].message}"
            raise PluginError(f"job type {name!r} returned a result that JSON cannot hold: {first}")
        return dumped

    def _adapter(self, name: str, part: str) -> TypeAdapter[Any]:
        key = (name, part)
        if key not in self._adapters:
            self._adapters[key] = TypeAdapter(getattr(self._registry.get(name), f"{part}_type"))
        return self._adapters[key]

    def _describe(self, name: str) -> JobTypeInfo:
        job_type = self._registry.get(name)
        return JobTypeInfo(
            name=name,
            title=job_type.title,
            description=inspect.getdoc(type(job_type)) or job_type.title,
            isolation=job_type.isolation,
            max_attempts=job_type.max_attempts,
            deadline_s=job_type.deadline_s,
            payload_schema=self._adapter(name, "payload").json_schema(),
            result_schema=self._adapter(name, "result").json_schema(mode="serialization"),
            example=dict(job_type.example),
            plugin=self._registry.owner(name),
        )


def json_problems(value: Any, path: str) -> list[FieldError]:
    """Return what in ``value`` JSON or a database cannot hold: NaN, infinity, 65-bit numbers, NUL, broken text."""
    if isinstance(value, dict):
        found = [problem for name in value for problem in json_problems(name, f"{path}.{name!r}")]
        found += [problem for name, item in value.items() for problem in json_problems(item, f"{path}.{name}")]
        return found[:_MOST_ERRORS]
    if isinstance(value, list | tuple):
        return [found for place, item in enumerate(value) for found in json_problems(item, f"{path}.{place}")]
    problem = _problem(value)
    return [FieldError(path, problem)] if problem else []


def _problem(value: Any) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "must fit 64 bits"
    if isinstance(value, str) and ("\x00" in value or not _is_unicode(value)):
        return "must be text without NUL and lone surrogates"
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_object(adapter: TypeAdapter[Any], value: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = adapter.dump_python(value, mode="json", warnings="error")
    return dumped


def _off_schema(name: str, error: ValidationError) -> Invalid:
    errors = [
        FieldError(
            ".".join(["payload", *(str(step) for step in item["loc"])]), item["msg"].removeprefix("Value error, ")
        )
        for item in error.errors(include_url=False, include_input=False)[:_MOST_ERRORS]
    ]
    return _invalid_payload(name, errors)


def _invalid_payload(name: str, errors: list[FieldError]) -> Invalid:
    return Invalid(
        f"the payload does not fit job type {name!r}: {errors[0].field}: {errors[0].message}",
        code="invalid_payload",
        errors=errors,
    )
