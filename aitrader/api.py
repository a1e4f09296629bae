"""The stable module for plugins. Everything a plugin needs is here or in ``aitrader.testing``.

Semantic versioning covers exactly the names in ``__all__`` and those of ``aitrader.testing``.
"""

from aitrader.fields import BarsRequest, MomentField, StrictModel, SymbolField, file_stems
from aitrader.hookspecs import hookimpl
from aitrader.registry import PluginError, Registry
from domain.common.errors import (
    AITraderError,
    Conflict,
    Denied,
    FieldError,
    Invalid,
    Malformed,
    NotFound,
    TooLarge,
    Unavailable,
)
from domain.common.ids import new_id
from domain.common.time import Clock, from_ms, rfc3339, to_ms
from domain.decisions.evidence import weigh
from domain.decisions.params import StrategyParams, parse_params
from domain.decisions.ports import Evidence, Opinion
from domain.engines.ports import AsgiApp, EngineServer, EngineTools
from domain.intelligence.aggregating import (
    SentimentAggregate,
    joined_sentiment,
    sentiment_as_of,
    sentiment_at_times,
    sentiment_since_ms,
)
from domain.intelligence.asking import said_by
from domain.intelligence.barriers import UNKNOWN, Touches, barrier_of, touches
from domain.intelligence.calibration import calibrated
from domain.intelligence.features import FEATURE_VERSION, FeatureTable, average_range, feature_table
from domain.intelligence.importing import text_key
from domain.intelligence.inference import Inference, InferenceEngine, Signature, TensorSpec
from domain.intelligence.judging import (
    action_score,
    action_view,
    block_interval,
    brier,
    interval_view,
    log_loss,
    reliability,
    skill,
)
from domain.intelligence.models import Label, Manifest, Model
from domain.intelligence.news import NO_SENTIMENT, NewsItem, ScoredText, SentimentColumns, StoredSentiment
from domain.intelligence.ports import AccountWorth, AccountWorths, ModelShelf
from domain.intelligence.sentiment import Polarity, Sentiment, SentimentEngine
from domain.intelligence.suggesting import (
    BUY,
    HOLD,
    SELL,
    ActionRule,
    SizeRule,
    actions,
    expected_r,
    hoped_for,
    quantity,
)
from domain.intelligence.suggestions import CLASSES, Outcome, Suggestion
from domain.intelligence.tensors import read_tensors, spec_json, tensor_json
from domain.intelligence.walk_forward import Fold, uniqueness, walk_forward
from domain.jobs.context import JobContext
from domain.jobs.model import Isolation, JobCanceled, JobLeaseLost
from domain.jobs.ports import JobType
from domain.market.building import LiveBars
from domain.market.model import Bars, Dataset, FloatColumn, Session, TimeColumn, Timeframe, parse_symbol
from domain.market.ports import BarStore
from domain.market.ticks import Tick, read_tick
from domain.pipeline.records import RunRecord
from domain.pipeline.replay import ReplayResult, ReplaySpec
from domain.research.metrics import Activity, Metrics, drawdowns, measure
from domain.research.model import BacktestResult
from domain.research.ports import SentimentStrategy, Strategy, needs_sentiment
from domain.research.sentiment import Decay, SentimentAtBars, decay_of
from domain.signals.candlestick_stream import CandlestickStream
from domain.signals.candlesticks import CANDLESTICKS, NEUTRAL_CANDLESTICKS
from domain.signals.chart_patterns.finding import find_chart_patterns
from domain.signals.chart_patterns.model import CHART_PATTERNS, ChartHits, ChartRules
from domain.signals.detecting import LIVE_CANDLESTICKS, Detector, signal_data
from domain.signals.patterns import PatternHit, PatternRules
from domain.signals.scanning.history import PatternHistory, pattern_history
from domain.signals.scanning.scan import PatternHits, scan_patterns
from domain.signals.scanning.stretches import LEAST_OCCURRENCES
from domain.trading.brokerage import (
    Ack,
    Balance,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerSession,
    BrokerUpdate,
    Capabilities,
    Holding,
    Instrument,
    Quote,
    SessionState,
)
from domain.trading.charges import Charges, FeeModel
from domain.trading.fees import parse_fee_options
from domain.trading.matching import Ended, Executed, FillRules, MatchEvent, MatchingEngine, Triggered, Working
from domain.trading.model import Account, Mode, Order, OrderState, OrderType, Product, Side, TimeInForce
from domain.trading.ports import (
    Broker,
    BrokerContext,
    BrokerRejected,
    BrokerType,
    CapabilityMissing,
    Journal,
    NotSent,
    OutcomeUnknown,
    Quotes,
    Vault,
)

API_VERSION = "0.4"

__all__ = [
    "API_VERSION",
    "BUY",
    "CANDLESTICKS",
    "CHART_PATTERNS",
    "CLASSES",
    "FEATURE_VERSION",
    "HOLD",
    "LEAST_OCCURRENCES",
    "LIVE_CANDLESTICKS",
    "NEUTRAL_CANDLESTICKS",
    "NO_SENTIMENT",
    "SELL",
    "UNKNOWN",
    "AITraderError",
    "Account",
    "AccountWorth",
    "AccountWorths",
    "Ack",
    "ActionRule",
    "Activity",
    "AsgiApp",
    "BacktestResult",
    "Balance",
    "BarStore",
    "Bars",
    "BarsRequest",
    "Broker",
    "BrokerContext",
    "BrokerFill",
    "BrokerOrder",
    "BrokerPosition",
    "BrokerRejected",
    "BrokerSession",
    "BrokerType",
    "BrokerUpdate",
    "CandlestickStream",
    "Capabilities",
    "CapabilityMissing",
    "Charges",
    "ChartHits",
    "ChartRules",
    "Clock",
    "Conflict",
    "Dataset",
    "Decay",
    "Denied",
    "Detector",
    "Ended",
    "EngineServer",
    "EngineTools",
    "Evidence",
    "Executed",
    "FeatureTable",
    "FeeModel",
    "FieldError",
    "FillRules",
    "FloatColumn",
    "Fold",
    "Holding",
    "Inference",
    "InferenceEngine",
    "Instrument",
    "Invalid",
    "Isolation",
    "JobCanceled",
    "JobContext",
    "JobLeaseLost",
    "JobType",
    "Journal",
    "Label",
    "LiveBars",
    "Malformed",
    "Manifest",
    "MatchEvent",
    "MatchingEngine",
    "Metrics",
    "Mode",
    "Model",
    "ModelShelf",
    "MomentField",
    "NewsItem",
    "NotFound",
    "NotSent",
    "Opinion",
    "Order",
    "OrderState",
    "OrderType",
    "Outcome",
    "OutcomeUnknown",
    "PatternHistory",
    "PatternHit",
    "PatternHits",
    "PatternRules",
    "PluginError",
    "Polarity",
    "Product",
    "Quote",
    "Quotes",
    "Registry",
    "ReplayResult",
    "ReplaySpec",
    "RunRecord",
    "ScoredText",
    "Sentiment",
    "SentimentAggregate",
    "SentimentAtBars",
    "SentimentColumns",
    "SentimentEngine",
    "SentimentStrategy",
    "Session",
    "SessionState",
    "Side",
    "Signature",
    "SizeRule",
    "StoredSentiment",
    "Strategy",
    "StrategyParams",
    "StrictModel",
    "Suggestion",
    "SymbolField",
    "TensorSpec",
    "Tick",
    "TimeColumn",
    "TimeInForce",
    "Timeframe",
    "TooLarge",
    "Touches",
    "Triggered",
    "Unavailable",
    "Vault",
    "Working",
    "action_score",
    "action_view",
    "actions",
    "average_range",
    "barrier_of",
    "block_interval",
    "brier",
    "calibrated",
    "decay_of",
    "drawdowns",
    "expected_r",
    "feature_table",
    "file_stems",
    "find_chart_patterns",
    "from_ms",
    "hookimpl",
    "hoped_for",
    "interval_view",
    "joined_sentiment",
    "log_loss",
    "measure",
    "needs_sentiment",
    "new_id",
    "parse_fee_options",
    "parse_params",
    "parse_symbol",
    "pattern_history",
    "quantity",
    "read_tensors",
    "read_tick",
    "reliability",
    "rfc3339",
    "said_by",
    "scan_patterns",
    "sentiment_as_of",
    "sentiment_at_times",
    "sentiment_since_ms",
    "signal_data",
    "skill",
    "spec_json",
    "tensor_json",
    "text_key",
    "to_ms",
    "touches",
    "uniqueness",
    "walk_forward",
    "weigh",
]
