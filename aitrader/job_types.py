"""The registered job types with their schemas: the one place that validates payloads and results."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from aitrader.registry import PluginError, Registry
from domain.common.errors import FieldError, Invalid
from domain.jobs.model import JobTypeInfo
from domain.jobs.ports import JobType


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
        return _as_object(self._adapter(name, "payload"), self.parse(name, payload))

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
            return _as_object(adapter, adapter.validate_python(result))
        except ValidationError as error:
            raise PluginError(f"job type {name!r} returned a result off its schema: {error}") from None

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


def _as_object(adapter: TypeAdapter[Any], value: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = adapter.dump_python(value, mode="json")
    return dumped


def _off_schema(name: str, error: ValidationError) -> Invalid:
    errors = [
        FieldError(".".join(["payload", *(str(step) for step in item["loc"])]), item["msg"])
        for item in error.errors(include_url=False, include_input=False)[:20]
    ]
    return Invalid(
        f"the payload does not fit job type {name!r}: {errors[0].field}: {errors[0].message}",
        code="invalid_payload",
        errors=errors,
    )
