"""Registers the broker behind an MCP server."""

from __future__ import annotations

from typing import Any

from aitrader.api import Account, Broker, BrokerContext, BrokerType, Mode, Registry, hookimpl
from plugins.mcp_broker.options import McpOptions


class Mcp(BrokerType):
    """A broker behind an MCP server: Zerodha's Kite MCP server, Alpaca's, or one with their tools."""

    name = "mcp"
    title = "Broker behind an MCP server (Kite, Alpaca)"
    modes = (Mode.LIVE, Mode.PAPER)
    options_type = McpOptions

    def open(self, account: Account, options: Any, context: BrokerContext) -> Broker:
        """Return the account; connects when it is first asked."""
        from plugins.mcp_broker.broker import open_broker

        return open_broker(account, options, context)


@hookimpl
def aitrader_register_brokers(registry: Registry[BrokerType]) -> None:
    """Offer the broker behind an MCP server."""
    registry.add(Mcp.name, Mcp())
