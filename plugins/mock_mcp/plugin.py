"""Registers the practice broker's server."""

from __future__ import annotations

from typing import Any

from aitrader.api import AsgiApp, EngineServer, EngineTools, Registry, hookimpl
from plugins.mock_mcp.options import MockOptions


class MockMcp(EngineServer):
    """A broker to practise with, behind an MCP server with the manners of Kite's. No money is at stake."""

    name = "mock_mcp"
    title = "Practice broker: an MCP server like Kite's"
    default_port = 9000
    path = "/mcp"
    options_type = MockOptions

    def app(self, options: Any, tools: EngineTools) -> AsgiApp:
        """Return the server over its ledger."""
        from plugins.mock_mcp.app import MockKite

        return MockKite(options)


@hookimpl
def aitrader_register_engines(registry: Registry[EngineServer]) -> None:
    """Offer the practice broker."""
    registry.add(MockMcp.name, MockMcp())
