"""What the backtest plugin registers. Nothing heavy is imported here."""

from __future__ import annotations

from aitrader.api import JobType, Registry, Strategy, hookimpl
from plugins.backtest.job import BacktestJob
from plugins.backtest.strategies import STRATEGIES


@hookimpl
def aitrader_register_job_types(registry: Registry[JobType]) -> None:
    """Offer ``backtest``."""
    job_type = BacktestJob()
    registry.add(job_type.name, job_type)


@hookimpl
def aitrader_register_strategies(registry: Registry[Strategy]) -> None:
    """Offer the strategies of `plugins.backtest.strategies`."""
    for strategy in STRATEGIES:
        registry.add(strategy.name, strategy)
