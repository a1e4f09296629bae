"""The account behind ``MCP_URL``."""

from __future__ import annotations

import logging

from aitrader.container import Container
from aitrader.user_ids import owner_of
from domain.common.errors import AITraderError, Conflict
from domain.trading.accounts import NewAccount

log = logging.getLogger(__name__)

BROKER = "mcp"


def ensure_mcp_account(container: Container) -> None:
    """Make the owner's account with the MCP server of the settings, if there is a server and no such account.

    It is live, since nobody can tell from outside whether a server plays; so it does nothing until it is armed.
    """
    if container.settings().mcp_url is None or BROKER not in container.plugin_host().brokers:
        return
    with container.read_work() as work:
        if any(account.broker == BROKER for account in work.accounts.list()):
            return
    owner = owner_of(container.find_user(), container.ensure_owner())
    try:
        container.create_account()(NewAccount(BROKER, owner.id, BROKER, currency="INR"), actor="start")
    except Conflict:
        return  # another process was faster
    except AITraderError as error:
        log.warning("no account made for MCP_URL", extra={"reason": error.detail})
