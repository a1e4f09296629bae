"""What the plugin registers. Nothing heavy is imported here."""

from __future__ import annotations

from aitrader.api import JobType, Registry, Strategy, hookimpl

from aitrader_acme.strategy import AfterDownDay
from aitrader_acme.up_days import UpDaysJob


@hookimpl
def aitrader_register_job_types(registry: Registry[JobType]) -> None:
    """Offer ``acme_up_days``."""
    registry.add(UpDaysJob.name, UpDaysJob())


@hookimpl
def aitrader_register_strategies(registry: Registry[Strategy]) -> None:
    """Offer ``acme_after_down_day``."""
    registry.add(AfterDownDay.name, AfterDownDay())
