from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from aitrader.job_types import RegisteredJobTypes
from aitrader.registry import PluginError, Registry
from domain.common.errors import Invalid, NotFound
from domain.jobs.model import Isolation
from tests.unit.aitrader.kinds import CountJob, Payload, Report


def registered(*job_types: Any) -> RegisteredJobTypes:
    registry: Registry[Any] = Registry("job type")
    registry.owned_by("acme")
    for job_type in job_types or (CountJob(),):
        registry.add(job_type.name, job_type)
    return RegisteredJobTypes(registry)


def refusal(payload: dict[str, Any]) -> Invalid:
    with pytest.raises(Invalid) as caught:
        registered().validate("count", payload)
    assert caught.value.code == "invalid_payload"
    return caught.value


def test_says_what_is_published() -> None:
    info = registered().info("count")
    assert (info.name, info.title, info.plugin) == ("count", "Count things", "acme")
    assert info.description == "Count.\n\nMore about counting."
    assert (info.isolation, info.max_attempts, info.deadline_s) == (Isolation.THREAD, 2, 10.0)
    assert info.payload_schema["properties"]["count"]["minimum"] == 1
    assert info.result_schema["required"] == ["total"]
    assert info.example == {"count": 3}


def test_names_and_what_is_unknown() -> None:
    job_types = registered()
    assert job_types.names() == ["count"]
    with pytest.raises(NotFound):
        job_types.info("nothing")
    with pytest.raises(Invalid, match="there is no job type 'nothing'; known: count") as caught:
        job_types.validate("nothing", {})
    assert caught.value.code == "unknown_job_type"
    assert caught.value.errors[0].field == "job_type"


def test_a_payload_gets_its_defaults() -> None:
    full = registered().validate("count", {"legs": [{"size": 1}]})
    assert full == {"count": 1, "text": "", "ratio": 0.5, "legs": [{"size": 1.0}], "extra": {}}


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"count": 0}, "payload.count"),
        ({"count": "many"}, "payload.count"),
        ({"legs": [{"size": 1}, {"size": "x"}]}, "payload.legs.1.size"),
        ({"legs": [{}]}, "payload.legs.0.size"),
        ({"unknown": 1}, "payload.unknown"),
    ],
)
def test_what_is_off_schema_is_told_by_its_path(payload: dict[str, Any], field: str) -> None:
    error = refusal(payload)
    assert [item.field for item in error.errors] == [field]
    assert field in error.detail


def test_all_that_is_wrong_is_told_but_no_more_than_twenty() -> None:
    assert len(refusal({"count": 0, "text": 1, "unknown": 1}).errors) == 3
    assert len(refusal({"legs": [{}] * 100}).errors) == 20


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (lambda value: {"ratio": value}, "payload.ratio"),
        (lambda value: {"legs": [{"size": 1}, {"size": value}]}, "payload.legs.1.size"),
        (lambda value: {"extra": {"deep": [1, {"x": value}]}}, "payload.extra.deep.1.x"),
    ],
)
def test_numbers_must_be_finite(payload: Any, field: str, value: float) -> None:
    error = refusal(payload(value))
    assert [item.field for item in error.errors] == [field]
    assert "finite" in error.detail


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", 2**63, -(2**63) - 1])
def test_what_a_database_cannot_hold_is_refused(value: Any) -> None:
    assert refusal({"extra": {"x": value}}).errors[0].field == "payload.extra.x"


@pytest.mark.parametrize("key", ["a\x00b", "\ud800"])
def test_names_inside_a_payload_are_text_too(key: str) -> None:
    error = refusal({"extra": {key: 1}})
    assert error.errors[0].field.isprintable()


@pytest.mark.parametrize("value", [0, 2**63 - 1, -(2**63), 1e308, 5e-324, "", "ä€😀", None, True, [], {}])
def test_what_is_unusual_but_fine(value: Any) -> None:
    assert registered().validate("count", {"extra": {"x": value}})["extra"] == {"x": value}


def test_parse_returns_the_type_of_the_job() -> None:
    assert registered().parse("count", {"count": 2}) == Payload(count=2)


def test_a_result_is_dumped_as_json_types() -> None:
    job_types = registered()
    assert job_types.dump_result("count", Report(total=1, note="x")) == {"total": 1.0, "note": "x"}
    assert job_types.dump_result("count", {"total": 1}) == {"total": 1.0, "note": ""}


@pytest.mark.parametrize("result", [None, {}, {"total": "x"}, [1], Report.model_construct(total="x")])
def test_a_result_off_schema_is_an_error_of_the_plugin(result: Any) -> None:
    with pytest.raises(PluginError, match="job type 'count' returned a result off its schema"):
        registered().dump_result("count", result)


def test_a_result_must_be_finite() -> None:
    with pytest.raises(PluginError, match=r"result\.total must be a finite number"):
        registered().dump_result("count", Report(total=float("nan")))


@dataclass
class Plain:
    """A dataclass does as well."""

    n: int = 1


def test_dataclasses_are_types_too() -> None:
    class PlainJob(CountJob):
        """Plain."""

        name = "plain"
        payload_type = Plain
        result_type = Plain

    job_types = registered(PlainJob())
    assert job_types.validate("plain", {}) == {"n": 1}
    assert job_types.parse("plain", {"n": 2}) == Plain(2)
    assert job_types.dump_result("plain", Plain(3)) == {"n": 3}
    assert job_types.info("plain").payload_schema["type"] == "object"
