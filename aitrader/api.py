"""The stable module for plugins. Everything a plugin needs is here or in ``aitrader.testing``.

Semantic versioning covers exactly the names in ``__all__`` and those of ``aitrader.testing``.
"""

from aitrader.fields import BarsRequest, MomentField, StrictModel, SymbolField
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
from domain.engines.ports import AsgiApp, EngineServer
from domain.jobs.model import Isolation, JobCanceled, JobLeaseLost
from domain.jobs.ports import JobContext, JobType
from domain.market.model import Bars, Dataset, FloatColumn, Session, TimeColumn, Timeframe, parse_symbol
from domain.market.ports import BarStore
from domain.research.metrics import Activity, Metrics, drawdowns, measure
from domain.research.model import BacktestResult
from domain.research.ports import Strategy
from domain.signals.patterns import PatternEngine, PatternHit, PatternRules
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
from domain.trading.fees import Charges, FeeModel, parse_fee_options
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

API_VERSION = "0.2"

__all__ = [
    "API_VERSION",
    "AITraderError",
    "Account",
    "Ack",
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
    "Capabilities",
    "CapabilityMissing",
    "Charges",
    "Clock",
    "Conflict",
    "Dataset",
    "Denied",
    "Ended",
    "EngineServer",
    "Executed",
    "FeeModel",
    "FieldError",
    "FillRules",
    "FloatColumn",
    "Holding",
    "Instrument",
    "Invalid",
    "Isolation",
    "JobCanceled",
    "JobContext",
    "JobLeaseLost",
    "JobType",
    "Journal",
    "Malformed",
    "MatchEvent",
    "MatchingEngine",
    "Metrics",
    "Mode",
    "MomentField",
    "NotFound",
    "NotSent",
    "Order",
    "OrderState",
    "OrderType",
    "OutcomeUnknown",
    "PatternEngine",
    "PatternHit",
    "PatternRules",
    "PluginError",
    "Product",
    "Quote",
    "Quotes",
    "Registry",
    "Session",
    "SessionState",
    "Side",
    "Strategy",
    "StrictModel",
    "SymbolField",
    "TimeColumn",
    "TimeInForce",
    "Timeframe",
    "TooLarge",
    "Triggered",
    "Unavailable",
    "Vault",
    "Working",
    "drawdowns",
    "from_ms",
    "hookimpl",
    "measure",
    "new_id",
    "parse_fee_options",
    "parse_symbol",
    "rfc3339",
    "to_ms",
]
