"""Registers the strategy engine's server."""

from __future__ import annotations

from typing import Any

from aitrader.api import AsgiApp, EngineServer, EngineTools, Registry, hookimpl
from plugins.strategy_engine.options import StrategyOptions


class Strategies(EngineServer):
    """Weighted evidence over HTTP: what ``aitrader up`` has built in, for other programs and for ``remote``."""

    name = "strategy"
    title = "Strategy engine: signals in, decisions out"
    default_port = 8082
    path = ""
    options_type = StrategyOptions

    def app(self, options: Any, tools: EngineTools) -> AsgiApp:
        """Return the engine."""
        from plugins.strategy_engine.app import make_app

        return make_app(options)


@hookimpl
def aitrader_register_engines(registry: Registry[EngineServer]) -> None:
    """Offer the strategy engine."""
    registry.add(Strategies.name, Strategies())
