"""The hooks. They run once per process at start-up and only register; nothing on a hot path is a hook."""

from __future__ import annotations

import pluggy

from aitrader.registry import Registry
from domain.engines.ports import EngineServer
from domain.jobs.ports import JobType
from domain.research.ports import Strategy
from domain.trading.ports import BrokerType

PROJECT = "aitrader"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def aitrader_register_job_types(registry: Registry[JobType]) -> None:
    """Offer job types by name.

    When: once per process, at start-up, before any request or job. Main thread.
    Do: call ``registry.add(job_type.name, job_type)``; import heavy libraries inside ``run``.
    If you raise: your plugin is left out, whole, and ``aitrader plugins list`` says why.
    Since: 0.1
    """


@hookspec
def aitrader_register_strategies(registry: Registry[Strategy]) -> None:
    """Offer strategies for backtests by name.

    When: once per process, at start-up, before any request or job. Main thread.
    Do: call ``registry.add(strategy.name, strategy)``; import heavy libraries inside ``targets``.
    If you raise: your plugin is left out, whole, and ``aitrader plugins list`` says why.
    Since: 0.1
    """


@hookspec
def aitrader_register_brokers(registry: Registry[BrokerType]) -> None:
    """Offer kinds of broker by name.

    When: once per process, at start-up, before any request or job. Main thread.
    Do: call ``registry.add(broker.name, broker)``; connect nothing, import heavy libraries inside ``open``.
    If you raise: your plugin is left out, whole, and ``aitrader plugins list`` says why.
    Since: 0.2
    """


@hookspec
def aitrader_register_engines(registry: Registry[EngineServer]) -> None:
    """Offer servers by name, for ``aitrader engine serve``.

    When: once per process, at start-up, before any request or job. Main thread.
    Do: call ``registry.add(server.name, server)``; import heavy libraries inside ``app``.
    If you raise: your plugin is left out, whole, and ``aitrader plugins list`` says why.
    Since: 0.2
    """
