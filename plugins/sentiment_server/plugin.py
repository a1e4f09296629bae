"""Registers the sentiment server."""

from __future__ import annotations

from typing import Any

from aitrader.api import AsgiApp, EngineServer, EngineTools, Registry, hookimpl
from plugins.sentiment_server.options import SentimentOptions


class SentimentServer(EngineServer):
    """The built-in sentiment engine over HTTP: ``POST /analyze``, and ``POST /predict`` as TEI has it."""

    name = "sentiment"
    title = "Sentiment server: /analyze and /predict"
    default_port = 8002
    path = ""
    options_type = SentimentOptions

    def app(self, options: Any, tools: EngineTools) -> AsgiApp:
        """Return the server."""
        from plugins.sentiment_server.app import make_app

        return make_app(options, tools.sentiment)


@hookimpl
def aitrader_register_engines(registry: Registry[EngineServer]) -> None:
    """Offer the sentiment server."""
    registry.add(SentimentServer.name, SentimentServer())
