"""Registers the pattern engine."""

from __future__ import annotations

from typing import Any

from aitrader.api import AsgiApp, EngineServer, EngineTools, Registry, hookimpl
from plugins.pattern_engine.options import PatternOptions


class Patterns(EngineServer):
    """Reads ticks from a Redis stream, finds patterns as they come, and writes signals to Redis streams."""

    name = "pattern"
    title = "Pattern engine: ticks in, signals out, over Redis"
    default_port = 8083
    path = "/health"
    options_type = PatternOptions

    def app(self, options: Any, tools: EngineTools) -> AsgiApp:
        """Return the engine with its health page."""
        from plugins.pattern_engine.app import make_app

        return make_app(options)


@hookimpl
def aitrader_register_engines(registry: Registry[EngineServer]) -> None:
    """Offer the pattern engine."""
    registry.add(Patterns.name, Patterns())
