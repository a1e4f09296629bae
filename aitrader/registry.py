"""Named, typed registries that plugins fill at start-up."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from domain.common.errors import NotFound

T = TypeVar("T")

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class PluginError(Exception):
    """A plugin broke a rule; the text says which."""


class Registry(Generic[T]):
    """Things of one kind by name. ``kind`` is what one of them is called in messages."""

    def __init__(self, kind: str, port: type[object] | None = None) -> None:
        self.kind = kind
        self._port = port
        self._items: dict[str, T] = {}
        self._owners: dict[str, str] = {}
        self._owner = ""

    def add(self, name: str, item: T) -> None:
        """Register ``item`` under ``name``.

        Raises:
            PluginError: the name is not ``[a-z][a-z0-9_]*``, is taken, or the item does not fit the port.
        """
        if not NAME.fullmatch(name):
            raise PluginError(f"{name!r} is not a {self.kind} name: use a-z, 0-9 and _, starting with a letter")
        if name in self._items:
            raise PluginError(f"the {self.kind} {name!r} is already registered by plugin {self._owners[name]!r}")
        problems = port_problems(item, self._port) if self._port is not None else []
        if problems:
            raise PluginError(f"the {self.kind} {name!r} does not fit: {'; '.join(problems)}")
        self._items[name] = item
        self._owners[name] = self._owner

    def owned_by(self, plugin: str) -> None:
        """Attribute what is added from now on to ``plugin``."""
        self._owner = plugin

    def drop(self, plugin: str) -> None:
        """Forget everything that ``plugin`` added."""
        for name in [name for name, owner in self._owners.items() if owner == plugin]:
            del self._items[name], self._owners[name]

    def get(self, name: str) -> T:
        """Return the item.

        Raises:
            NotFound: nothing has this name; the message lists what there is.
        """
        if name not in self._items:
            known = ", ".join(self) or "none"
            raise NotFound(
                f"there is no {self.kind} {name[:64]!r}; known: {known}", code=f"unknown_{_code(self.kind)}"
            )
        return self._items[name]

    def owner(self, name: str) -> str:
        """Return the plugin that registered ``name``."""
        return self._owners[name]

    def items(self) -> Mapping[str, T]:
        """Return a copy, sorted by name."""
        return {name: self._items[name] for name in self}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._items))

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __len__(self) -> int:
        return len(self._items)


def _code(kind: str) -> str:
    return kind.replace(" ", "_")


def port_problems(item: object, port: type[object]) -> list[str]:
    """Return why ``item`` does not fit the Protocol ``port``: missing members, wrong parameters, coroutines."""
    problems = [f"it has no {name!r}" for name in _attributes(port) if not hasattr(item, name)]
    for name, method in inspect.getmembers(port, inspect.isfunction):
        if name.startswith("_"):
            continue
        problems += _method_problems(item, name, method)
    return problems


def _attributes(port: type[object]) -> list[str]:
    return [name for name in getattr(port, "__annotations__", {}) if not name.startswith("_")]


def _method_problems(item: object, name: str, method: object) -> list[str]:
    own = getattr(item, name, None)
    if not callable(own):
        return [f"it has no method {name!r}"]
    if inspect.iscoroutinefunction(own):
        return [f"{name!r} is a coroutine; ports are synchronous"]
    wanted = list(inspect.signature(method).parameters)[1:]  # type: ignore[arg-type]
    given = list(inspect.signature(own).parameters)
    if given != wanted:
        return [f"{name!r} takes ({', '.join(given)}), expected ({', '.join(wanted)})"]
    return []
