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
    "AITraderError", "API_VERSION", "Account", "AccountWorth", "AccountWorths", "Ack", "ActionRule", "Activity",
    "AsgiApp", "BUY", "BacktestResult", "Balance", "BarStore", "Bars", "BarsRequest", "Broker", "BrokerContext",
    "BrokerFill", "BrokerOrder", "BrokerPosition", "BrokerRejected", "BrokerSession", "BrokerType", "BrokerUpdate",
    "CANDLESTICKS", "CHART_PATTERNS", "CLASSES", "CandlestickStream", "Capabilities", "CapabilityMissing",
    "Charges", "ChartHits", "ChartRules", "Clock", "Conflict", "Dataset", "Decay", "Denied", "Detector", "Ended",
    "EngineServer", "EngineTools", "Evidence", "Executed", "FEATURE_VERSION", "FeatureTable", "FeeModel",
    "FieldError", "FillRules", "FloatColumn", "Fold", "HOLD", "Holding", "Inference", "InferenceEngine",
    "Instrument", "Invalid", "Isolation", "JobCanceled", "JobContext", "JobLeaseLost", "JobType", "Journal",
    "LEAST_OCCURRENCES", "LIVE_CANDLESTICKS", "Label", "LiveBars", "Malformed", "Manifest", "MatchEvent",
    "MatchingEngine", "Metrics", "Mode", "Model", "ModelShelf", "MomentField", "NEUTRAL_CANDLESTICKS",
    "NO_SENTIMENT", "NewsItem", "NotFound", "NotSent", "Opinion", "Order", "OrderState", "OrderType", "Outcome",
    "OutcomeUnknown", "PatternHistory", "PatternHit", "PatternHits", "PatternRules", "PluginError", "Polarity",
    "Product", "Quote", "Quotes", "Registry", "ReplayResult", "ReplaySpec", "RunRecord", "SELL", "ScoredText",
    "Sentiment", "SentimentAggregate", "SentimentAtBars", "SentimentColumns", "SentimentEngine",
    "SentimentStrategy", "Session", "SessionState", "Side", "Signature", "SizeRule", "StoredSentiment", "Strategy",
    "StrategyParams", "StrictModel", "Suggestion", "SymbolField", "TensorSpec", "Tick", "TimeColumn", "TimeInForce",
    "Timeframe", "TooLarge", "Touches", "Triggered", "UNKNOWN", "Unavailable", "Vault", "Working", "action_score",
    "action_view", "actions", "average_range", "barrier_of", "block_interval", "brier", "calibrated", "decay_of",
    "drawdowns", "expected_r", "feature_table", "file_stems", "find_chart_patterns", "from_ms", "hookimpl",
    "hoped_for", "interval_view", "joined_sentiment", "log_loss", "measure", "needs_sentiment", "new_id",
    "parse_fee_options", "parse_params", "parse_symbol", "pattern_history", "quantity", "read_tensors", "read_tick",
    "reliability", "rfc3339", "said_by", "scan_patterns", "sentiment_as_of", "sentiment_at_times",
    "sentiment_since_ms", "signal_data", "skill", "spec_json", "tensor_json", "text_key", "to_ms", "touches",
    "uniqueness", "walk_forward", "weigh",
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
    "DecisionRepository": "DecisionWorkContract",
    "DecisionWork": "DecisionWorkContract",
    "SentimentEngine": "SentimentEngineContract",
    "StrategyEngine": "StrategyEngineContract",
    "StrategyRepository": "DecisionWorkContract",
    "SignalRepository": "SignalWorkContract",
    "SignalWork": "SignalWorkContract",
    "Vault": "VaultContract",
    "InferenceEngine": "InferenceEngineContract",
    "IntelligenceWork": "IntelligenceWorkContract",
    "ModelRepository": "IntelligenceWorkContract",
    "NewsRepository": "IntelligenceWorkContract",
    "SentimentRepository": "IntelligenceWorkContract",
    "SuggestionRepository": "IntelligenceWorkContract",
}

# Ports without a suite, and why.
NO_CONTRACT = {
    "AccountWorths": "made by us alone; see tests/unit/aitrader/test_intelligence_tools.py",
    "EngineMeter": "one way to use it; see tests/unit/aitrader/test_metrics.py",
    "EngineServer": "only makes an ASGI application",
    "EngineTools": "made by us alone, of other ports",
    "ModelFolders": "one adapter; see tests/unit/intelligence/test_model_folders.py",
    "ModelShelf": "made by us alone; see tests/unit/aitrader/test_intelligence_tools.py",
    "SentimentStrategy": "what it does is its author's; see tests/unit/plugins/test_sentiment_trend.py",
    "StoredSentiment": "made by us alone; see tests/unit/aitrader/test_intelligence_tools.py",
    "BrokerContext": "made by us alone; brokers use it; `aitrader.testing.broker_context` has one for tests",
    "BrokerType": "only opens a `Broker`, which has a contract",
    "Brokers": "made by us alone; see tests/unit/aitrader/test_brokers.py",
    "FeeModel": "pure functions; see tests/unit/trading/test_fees.py",
    "MarketFeed": "one way to use it; each adapter has tests of its own in tests/unit/market/test_feeds.py",
    "StopSignal": "`threading.Event` is the one",
    "PriceSource": "one method of a broker; see tests/integration/test_mcp_broker.py",
    "MarketView": "made by us alone; see tests/unit/decisions/test_market.py",
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
