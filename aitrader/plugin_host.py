"""Finds plugins by entry point, admits each whole or not at all, and remembers why one was left out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from aitrader import hookspecs
from aitrader.registry import PluginError, Registry
from domain.engines.ports import EngineServer
from domain.jobs.ports import JobType
from domain.research.ports import Strategy
from domain.trading.ports import BrokerType

log = logging.getLogger(__name__)

GROUP = hookspecs.PROJECT


@dataclass(frozen=True, slots=True)
class PluginFault:
    """Why a plugin was left out; ``blocked`` when the settings said so."""

    plugin: str
    reason: str
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that could be loaded: its entry point's name, its distribution, and how to import it."""

    name: str
    distribution: str
    version: str
    load: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """An admitted plugin and what it registered, by hook."""

    name: str
    distribution: str
    version: str
    provides: dict[str, list[str]] = field(default_factory=dict)


def installed_candidates() -> list[Candidate]:
    """Return the plugins of all installed distributions, sorted by name."""
    found = [_candidate(entry) for entry in entry_points(group=GROUP)]
    return sorted(found, key=lambda candidate: (candidate.name, candidate.distribution))


def _candidate(entry: EntryPoint) -> Candidate:
    distribution = entry.dist.name if entry.dist else "unknown"
    version = entry.dist.version if entry.dist else "0"
    return Candidate(entry.name, distribution, version, entry.load)


class PluginHost:
    """The registries, filled. The only place that knows pluggy.

    Args:
        candidates: what to load, in this order.
        blocked: names to leave out.
        only: when given, the only names to load.
        strict: raise on the first fault.
    """

    def __init__(
        self,
        candidates: Iterable[Candidate],
        *,
        blocked: Sequence[str] = (),
        only: Sequence[str] | None = None,
        strict: bool = False,
    ) -> None:
        self.job_types: Registry[JobType] = Registry("job type", JobType)
        self.strategies: Registry[Strategy] = Registry("strategy", Strategy)
        self.brokers: Registry[BrokerType] = Registry("broker", BrokerType)
        self.engines: Registry[EngineServer] = Registry("engine", EngineServer)
        self.plugins: list[PluginInfo] = []
        self.faults: list[PluginFault] = []
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        wanted = list(candidates)
        for candidate in wanted:
            if candidate.name in blocked or (only is not None and candidate.name not in only):
                self.faults.append(PluginFault(candidate.name, "blocked by the settings", blocked=True))
            else:
                self._admit(candidate, strict)
        for name in sorted(set(only or ()) - {candidate.name for candidate in wanted}):
            self._refuse(name, PluginError("the settings ask for it, but it is not installed"), strict)

    def hooks(self) -> dict[str, Registry[Any]]:
        """Return each hook's registry."""
        return {
            "aitrader_register_job_types": self.job_types,
            "aitrader_register_strategies": self.strategies,
            "aitrader_register_brokers": self.brokers,
            "aitrader_register_engines": self.engines,
        }

    def _admit(self, candidate: Candidate, strict: bool) -> None:
        if self._manager.has_plugin(candidate.name):
            twice = f"two plugins are called {candidate.name!r}; this one is of {candidate.distribution}"
            self._refuse(candidate.name, PluginError(twice), strict)
            return
        try:
            self._register(candidate)
        except (Exception, SystemExit) as error:
            for registry in self.hooks().values():
                registry.drop(candidate.name)
            self._refuse(candidate.name, error, strict)

    def _refuse(self, name: str, error: BaseException, strict: bool) -> None:
        reason = f"{type(error).__name__}: {error}"
        self.faults.append(PluginFault(name, reason))
        log.warning("plugin left out", extra={"plugin": name, "reason": reason})
        if strict:
            raise PluginError(f"plugin {name!r}: {reason}") from error

    def _register(self, candidate: Candidate) -> None:
        plugin = candidate.load()
        try:
            self._manager.register(plugin, candidate.name)
            self._manager.check_pending()
            provides = self._ask(candidate.name, plugin)
        except BaseException:
            if self._manager.has_plugin(candidate.name):
                self._manager.unregister(name=candidate.name)
            raise
        self.plugins.append(PluginInfo(candidate.name, candidate.distribution, candidate.version, provides))

    def _ask(self, name: str, plugin: object) -> dict[str, list[str]]:
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        provides = {}
        for hook, registry in self.hooks().items():
            before = set(registry)
            registry.owned_by(name)
            self._manager.subset_hook_caller(hook, others)(registry=registry)
            provides[hook] = sorted(set(registry) - before)
        return {hook: names for hook, names in provides.items() if names}
