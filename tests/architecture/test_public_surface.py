"""What others rely on changes only on purpose."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import aitrader.api
import aitrader.testing
import domain
from aitrader import hookspecs

ROOT = Path(__file__).parents[2]

# Adding a name is a minor release, removing or renaming one a major.
# fmt: off
API = [
    "API_VERSION", "AITraderError", "Account", "Ack", "Activity", "AsgiApp", "BacktestResult", "Balance", "BarStore",
    "Bars", "BarsRequest", "Broker", "BrokerContext", "BrokerFill", "BrokerOrder", "BrokerPosition",
    "BrokerRejected", "BrokerSession", "BrokerType", "BrokerUpdate", "Capabilities", "CapabilityMissing",
    "Charges", "Clock", "Conflict", "Dataset", "Denied", "Ended", "EngineServer", "Executed", "FeeModel",
    "FieldError", "FillRules", "FloatColumn", "Holding", "Instrument", "Invalid", "Isolation", "JobCanceled",
    "JobContext", "JobLeaseLost", "JobType", "Journal", "Malformed", "MatchEvent", "MatchingEngine", "Metrics",
    "Mode", "MomentField", "NotFound", "NotSent", "Order", "OrderState", "OrderType", "OutcomeUnknown",
    "PatternEngine", "PatternHit", "PatternRules",
    "PluginError", "Product", "Quote", "Quotes", "Registry", "Session", "SessionState", "Side", "Strategy",
    "StrictModel", "SymbolField", "TimeColumn", "TimeInForce", "Timeframe", "TooLarge", "Triggered",
    "Unavailable", "Vault", "Working", "drawdowns", "from_ms", "hookimpl", "measure", "new_id",
    "parse_fee_options", "parse_symbol", "rfc3339", "to_ms",
]
# fmt: on

# Which contract suite of aitrader.testing says what a port means.
CONTRACTS = {
    "AuditLog": "AuditContract",
    "BacktestResults": "RecordsContract",
    "BarStore": "BarStoreContract",
    "Clock": "ClockContract",
    "EventBus": "EventBusContract",
    "Executor": "ExecutorContract",
    "IdempotencyKeys": "IdentityWorkContract",
    "IdentityWork": "IdentityWorkContract",
    "JobConsumer": "JobQueueContract",
    "JobQueue": "JobQueueContract",
    "JobRepository": "RepositoryContract",
    "JobsWork": "JobsWorkContract",
    "LoginFailures": "IdentityWorkContract",
    "LoginLinks": "IdentityWorkContract",
    "Notifier": "NotifierContract",
    "Outbox": "OutboxContract",
    "PasswordHasher": "PasswordHasherContract",
    "SessionRepository": "IdentityWorkContract",
    "TokenRepository": "IdentityWorkContract",
    "UnitOfWork": "JobsWorkContract",
    "UserRepository": "IdentityWorkContract",
    "WorkerBeats": "JobsWorkContract",
    "AccountRepository": "TradingWorkContract",
    "Broker": "BrokerContract",
    "DeskRepository": "TradingWorkContract",
    "EquityRepository": "TradingWorkContract",
    "FillRepository": "TradingWorkContract",
    "Journal": "JournalContract",
    "LimitRepository": "TradingWorkContract",
    "OrderRepository": "TradingWorkContract",
    "PositionRepository": "TradingWorkContract",
    "QuoteRepository": "TradingWorkContract",
    "SwitchRepository": "TradingWorkContract",
    "TradingWork": "TradingWorkContract",
    "SignalRepository": "SignalWorkContract",
    "SignalWork": "SignalWorkContract",
    "Vault": "VaultContract",
}

# Ports without a suite, and why.
NO_CONTRACT = {
    "EngineServer": "only makes an ASGI application",
    "BrokerContext": "made by us alone; brokers use it; `aitrader.testing.broker_context` has one for tests",
    "BrokerType": "only opens a `Broker`, which has a contract",
    "Brokers": "made by us alone; see tests/unit/aitrader/test_brokers.py",
    "FeeModel": "pure functions; see tests/unit/trading/test_fees.py",
    "MarketHours": "made by us alone; see tests/unit/market/test_hours.py",
    "Quotes": "made by us alone; see tests/unit/aitrader/test_quotes.py",
    "HealthReport": "made by us alone, of other ports; see tests/unit/aitrader/test_health.py",
    "JobContext": "made by us alone; plugins use it; see tests/unit/aitrader/test_attempts.py",
    "JobType": "what it does is its author's; `aitrader plugins check` tests its schemas and example",
    "JobTypes": "made by us alone; see tests/unit/aitrader/test_job_types.py",
    "Lease": "made by us alone; see tests/unit/jobs/test_leases.py",
    "Strategy": "what it does is its author's; the backtest engine checks what it returns",
}


def test_the_names_of_the_api_are_those_on_the_list() -> None:
    assert sorted(aitrader.api.__all__) == sorted(API)
    missing = [name for name in API if not hasattr(aitrader.api, name)]
    assert missing == []


def hooks() -> list[str]:
    found = inspect.getmembers(hookspecs, lambda item: hasattr(item, "aitrader_spec"))
    return [f"{name}({', '.join(inspect.signature(hook).parameters)})" for name, hook in found]


def test_every_hook_is_described() -> None:
    text = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    described = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert len(hooks()) > 1
    assert sorted(described) == sorted(hooks())
    for section in text.split("\n## ")[1:]:
        assert re.findall(r"^- \*\*(.+?):\*\*", section, re.MULTILINE) == ["When", "Do", "If you raise", "Since"]


@pytest.mark.parametrize("hook", [name.split("(")[0] for name in hooks()])
def test_every_hook_answers_the_same_questions(hook: str) -> None:
    text = inspect.getdoc(getattr(hookspecs, hook)) or ""
    assert re.findall(r"^(When|Do|If you raise|Since):", text, re.MULTILINE) == [
        "When",
        "Do",
        "If you raise",
        "Since",
    ]


def modules(package: object) -> Iterator[object]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):  # type: ignore[attr-defined]
        yield importlib.import_module(found.name)


def ports() -> set[str]:
    """Return the Protocols that are defined in ``domain``."""
    return {
        name
        for module in modules(domain)
        for name, item in inspect.getmembers(module, inspect.isclass)
        if getattr(item, "_is_protocol", False) and item.__module__.startswith("domain.")
    }


def test_every_port_has_a_contract_or_a_reason() -> None:
    assert {*CONTRACTS, *NO_CONTRACT} == ports()
    assert not set(CONTRACTS) & set(NO_CONTRACT)


def test_the_contracts_are_there() -> None:
    there = {
        name
        for module in modules(aitrader.testing)
        for name, item in inspect.getmembers(module, inspect.isclass)
        if name.endswith("Contract") and any(member.startswith("test_") for member in dir(item))
    }
    assert set(CONTRACTS.values()) <= there
