"""The registered brokers: their options checked, and accounts with them opened."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from aitrader._version import __version__
from aitrader.plugin_host import PluginHost
from domain.common.errors import FieldError, Invalid
from domain.common.time import Clock
from domain.market.ports import BarStore
from domain.trading.model import Account, Mode
from domain.trading.ports import Broker, Journal, Quotes, Vault
from domain.trading.records import BrokerState

_MOST_ERRORS = 20


@dataclass(frozen=True, slots=True)
class OpenContext:
    """``BrokerContext``: what one account's broker may use."""

    clock: Clock
    logger: logging.LoggerAdapter[logging.Logger]
    quotes: Quotes
    bars: BarStore
    journal: Journal
    vault: Vault
    mcp_url: str | None


class RegisteredBrokers:
    """``Brokers`` over what the plugins registered.

    Args:
        host: the plugins.
        journal, vault: make those of an account, by its id.
        mcp_url: the MCP server of the settings.
    """

    def __init__(
        self,
        host: PluginHost,
        *,
        clock: Clock,
        quotes: Quotes,
        bars: BarStore,
        journal: Callable[[str], Journal],
        vault: Callable[[str], Vault],
        mcp_url: str | None,
    ) -> None:
        self._host = host
        self._clock = clock
        self._quotes = quotes
        self._bars = bars
        self._journal = journal
        self._vault = vault
        self._mcp_url = mcp_url

    def names(self) -> list[str]:
        """Return the registered brokers, sorted."""
        return list(self._host.brokers)

    def describe(self, broker: str) -> dict[str, Any]:
        """Return title, modes and the JSON Schema of the options of a broker.

        Raises:
            NotFound: no plugin registered it.
        """
        kind = self._host.brokers.get(broker)
        return {
            "name": broker,
            "title": kind.title,
            "modes": [mode.value for mode in kind.modes],
            "options_schema": TypeAdapter(kind.options_type).json_schema(),
            "plugin": self._host.brokers.owner(broker),
        }

    def modes(self, broker: str) -> tuple[Mode, ...]:
        """Return what an account with a broker may be; the first is the default."""
        return self._host.brokers.get(broker).modes

    def validate(self, broker: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return an account's options in canonical form, defaults left out."""
        adapter, parsed = self._parse(broker, options)
        dumped: dict[str, Any] = adapter.dump_python(parsed, mode="json", exclude_unset=True)
        return dumped

    def open(self, account: Account) -> Broker:
        """Return the open account; connects nothing yet.

        Raises:
            NotFound: no plugin registered the account's broker.
            Invalid: its options lack something.
        """
        kind = self._host.brokers.get(account.broker)
        _, options = self._parse(account.broker, account.options)
        log = logging.LoggerAdapter(logging.getLogger(f"aitrader.broker.{account.broker}"), {"account": account.id})
        context = OpenContext(
            self._clock,
            log,
            self._quotes,
            self._bars,
            self._journal(account.id),
            self._vault(account.id),
            self._mcp_url,
        )
        return kind.open(account, options, context)

    def fingerprint(self, account: Account, state: BrokerState | None) -> str:
        """Return what an arming is bound to: the account, its options, the code and the broker's interface."""
        able = None if state is None else state.capabilities
        plugin = self._host.brokers.owner(account.broker) if account.broker in self._host.brokers else ""
        version = next((info.version for info in self._host.plugins if info.name == plugin), "")
        parts = [account.id, account.broker, account.mode.value, account.currency, account.options]
        known = [plugin, version, __version__, self._mcp_url, "" if able is None else able.schema_hash]
        text = json.dumps([*parts, *known], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _parse(self, broker: str, options: Mapping[str, Any]) -> tuple[TypeAdapter[Any], Any]:
        adapter = TypeAdapter(self._host.brokers.get(broker).options_type)
        try:
            return adapter, adapter.validate_python(dict(options))
        except ValidationError as error:
            raise _off_schema(broker, error) from None


def _off_schema(broker: str, error: ValidationError) -> Invalid:
    errors = [
        FieldError(
            ".".join(["options", *(str(step) for step in item["loc"])]), item["msg"].removeprefix("Value error, ")
        )
        for item in error.errors(include_url=False, include_input=False)[:_MOST_ERRORS]
    ]
    first = f"{errors[0].field}: {errors[0].message}"
    return Invalid(f"the options do not fit the broker {broker!r}: {first}", code="invalid_options", errors=errors)
