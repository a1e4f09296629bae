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
from domain.jobs.model import Isolation, JobCanceled, JobLeaseLost
from domain.jobs.ports import JobContext, JobType
from domain.market.model import Bars, Dataset, FloatColumn, Session, TimeColumn, Timeframe, parse_symbol
from domain.market.ports import BarStore
from domain.research.metrics import Activity, Metrics, drawdowns, measure
from domain.research.model import BacktestResult
from domain.research.ports import Strategy

API_VERSION = "0.1"

__all__ = [
    "API_VERSION",
    "AITraderError",
    "Activity",
    "BacktestResult",
    "BarStore",
    "Bars",
    "BarsRequest",
    "Clock",
    "Conflict",
    "Dataset",
    "Denied",
    "FieldError",
    "FloatColumn",
    "Invalid",
    "Isolation",
    "JobCanceled",
    "JobContext",
    "JobLeaseLost",
    "JobType",
    "Malformed",
    "Metrics",
    "MomentField",
    "NotFound",
    "PluginError",
    "Registry",
    "Session",
    "Strategy",
    "StrictModel",
    "SymbolField",
    "TimeColumn",
    "Timeframe",
    "TooLarge",
    "Unavailable",
    "drawdowns",
    "from_ms",
    "hookimpl",
    "measure",
    "new_id",
    "parse_symbol",
    "rfc3339",
    "to_ms",
]
