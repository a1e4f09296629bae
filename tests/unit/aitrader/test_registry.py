from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import pytest

from aitrader.registry import PluginError, Registry, port_problems
from domain.common.errors import NotFound
from domain.jobs.ports import JobType
from domain.research.ports import Strategy
from tests.unit.aitrader.kinds import CountJob, HalfStrategy


def test_keeps_things_by_name_sorted() -> None:
    registry: Registry[int] = Registry("number")
    registry.owned_by("p")
    for name, value in (("two", 2), ("one", 1)):
        registry.add(name, value)
    assert list(registry) == ["one", "two"]
    assert registry.items() == {"one": 1, "two": 2}
    assert (registry.get("two"), registry.owner("two"), len(registry)) == (2, "p", 2)
    assert "one" in registry
    assert "three" not in registry
    assert 3 not in registry


def test_what_is_missing_lists_what_there_is() -> None:
    registry: Registry[int] = Registry("job type")
    with pytest.raises(NotFound, match="there is no job type 'x'; known: none") as caught:
        registry.get("x")
    assert caught.value.code == "unknown_job_type"
    registry.add("b", 1)
    registry.add("a", 1)
    with pytest.raises(NotFound, match="known: a, b"):
        registry.get("x" * 1000)


@pytest.mark.parametrize("name", ["a", "a1", "a_b", "x" * 64])
def test_good_names(name: str) -> None:
    Registry[int]("thing").add(name, 1)


@pytest.mark.parametrize("name", ["", "A", "1a", "_a", "a-b", "a.b", "a b", "ä", "x" * 65, "a\n", "../a"])
def test_bad_names(name: str) -> None:
    with pytest.raises(PluginError, match="is not a thing name"):
        Registry[int]("thing").add(name, 1)


def test_a_name_is_given_once_and_the_message_says_to_whom() -> None:
    registry: Registry[int] = Registry("thing")
    registry.owned_by("first")
    registry.add("x", 1)
    registry.owned_by("second")
    with pytest.raises(PluginError, match="the thing 'x' is already registered by plugin 'first'"):
        registry.add("x", 2)
    assert registry.get("x") == 1


def test_drop_forgets_one_plugin() -> None:
    registry: Registry[int] = Registry("thing")
    for owner, name in (("p", "a"), ("q", "b"), ("p", "c")):
        registry.owned_by(owner)
        registry.add(name, 1)
    registry.drop("p")
    assert list(registry) == ["b"]
    registry.drop("nobody")
    registry.add("a", 2)


class Port(Protocol):
    name: str
    size: int

    def go(self, far: int, *, fast: bool = False) -> None: ...

    def stop(self) -> None: ...


class Fits:
    name = "x"
    size = 1

    def go(self, far: int, *, fast: bool = False) -> None: ...

    def stop(self) -> None: ...


class Lacks:
    name = "x"

    def go(self, far: int, *, fast: bool = False) -> None: ...


class Renamed(Fits):
    def go(self, distance: int, *, fast: bool = False) -> None: ...  # type: ignore[override]


class Fewer(Fits):
    def go(self, far: int) -> None: ...  # type: ignore[override]


class Coroutine(Fits):
    async def stop(self) -> None: ...  # type: ignore[override]


class NotCallable(Fits):
    stop = "no"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("item", "problems"),
    [
        (Fits(), []),
        (Lacks(), ["it has no 'size'", "it has no method 'stop'"]),
        (Renamed(), ["'go' takes (distance, fast), expected (far, fast)"]),
        (Fewer(), ["'go' takes (far), expected (far, fast)"]),
        (Coroutine(), ["'stop' is a coroutine; ports are synchronous"]),
        (NotCallable(), ["it has no method 'stop'"]),
        (Fits, ["'go' takes (self, far, fast), expected (far, fast)", "'stop' takes (self), expected ()"]),
        (None, ["it has no 'name'", "it has no 'size'", "it has no method 'go'", "it has no method 'stop'"]),
    ],
)
def test_why_something_does_not_fit_a_port(item: Any, problems: list[str]) -> None:
    assert port_problems(item, Port) == problems


def test_our_ports_are_checked_when_something_is_added() -> None:
    with pytest.raises(PluginError, match=r"the job type 'x' does not fit: .*'title'.*'run'"):
        Registry[Any]("job type", JobType).add("x", object())
    Registry[Any]("job type", JobType).add("count", CountJob())
    Registry[Any]("strategy", Strategy).add("half", HalfStrategy())
    with pytest.raises(PluginError, match="does not fit"):
        Registry[Any]("strategy", Strategy).add("half", partial(HalfStrategy))
