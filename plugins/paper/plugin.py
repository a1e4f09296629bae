"""Registers the paper broker."""

from __future__ import annotations

from typing import Any

from aitrader.api import Account, Broker, BrokerContext, BrokerType, Mode, Registry, hookimpl
from plugins.paper.options import PaperOptions


class Paper(BrokerType):
    """Trades against the last known prices, with fees, slippage, margin and partial fills. No money is at stake."""

    name = "paper"
    title = "Paper trading"
    modes = (Mode.PAPER,)
    options_type = PaperOptions

    def open(self, account: Account, options: Any, context: BrokerContext) -> Broker:
        """Return the account as its journal left it."""
        from plugins.paper.broker import PaperBroker

        return PaperBroker(account, options, context)


@hookimpl
def aitrader_register_brokers(registry: Registry[BrokerType]) -> None:
    """Offer the paper broker."""
    registry.add(Paper.name, Paper())
