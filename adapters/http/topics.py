"""The WebSocket topics. A new one is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.http.services import HttpServices
from domain.common.events import EVERYONE
from domain.common.health import component_view
from domain.identity.model import Principal, Scope
from domain.jobs.events import TOPIC as JOB_UPDATES
from domain.jobs.events import job_summary
from domain.jobs.model import JobFilter
from domain.signals.model import TOPIC as TRADING_SIGNALS
from domain.signals.model import SignalFilter, signal_view
from domain.trading.records import OrderFilter
from domain.trading.views import TOPIC as ORDER_UPDATES
from domain.trading.views import order_updated

SYSTEM_STATUS = "system_status"
SNAPSHOT_SIZE = 100

Items = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Topic:
    """Something to watch.

    Args:
        audience: the audience of events that a user sees.
        snapshot: the state now, as items shaped like the data of events; may block.
        filters: names of data fields that clients may filter by.
        scope: what one must be allowed to do; None lets everyone who is known watch.
    """

    name: str
    audience: Callable[[str], str]
    snapshot: Callable[[str], Items]
    filters: frozenset[str] = field(default_factory=frozenset)
    scope: Scope | None = None

    def allows(self, principal: Principal) -> bool:
        """Return whether someone may watch."""
        return self.scope is None or self.scope in principal.scopes


def topics_of(services: HttpServices) -> Mapping[str, Topic]:
    """Return the topics by name."""

    def newest_jobs(user_id: str) -> Items:
        jobs, _ = services.list_jobs(JobFilter(user_id=user_id), before_id=None, limit=SNAPSHOT_SIZE)
        return [job_summary(job) for job in jobs]

    def orders_now(user_id: str) -> Items:
        """Open orders first: an old one that still works must not be missing."""
        wanted = (OrderFilter(user_id=user_id, open_only=True), OrderFilter(user_id=user_id))
        pages = [services.trading.read.orders(one, before_id=None, limit=SNAPSHOT_SIZE)[0] for one in wanted]
        found = {order.id: order for page in pages for order in page}  # what was read last counts
        return [order_updated(order).data for order in list(found.values())[:SNAPSHOT_SIZE]]

    def newest_signals(user_id: str) -> Items:
        found, _ = services.signals.read.page(SignalFilter(user_id), before_id=None, limit=SNAPSHOT_SIZE)
        return [signal_view(signal) for signal in found]

    def components(_user_id: str) -> Items:
        return [component_view(component) for component in services.health.all()]

    topics = [
        Topic(
            JOB_UPDATES,
            audience=lambda user_id: user_id,
            snapshot=newest_jobs,
            filters=frozenset({"job_id", "job_type", "status"}),
            scope=Scope.JOBS_READ,
        ),
        Topic(
            ORDER_UPDATES,
            audience=lambda user_id: user_id,
            snapshot=orders_now,
            filters=frozenset({"order_id", "account", "symbol", "status"}),
            scope=Scope.ORDERS_READ,
        ),
        Topic(
            TRADING_SIGNALS,
            audience=lambda user_id: user_id,
            snapshot=newest_signals,
            filters=frozenset({"symbol", "source", "pattern", "status"}),
            scope=Scope.SIGNALS_READ,
        ),
        Topic(SYSTEM_STATUS, audience=lambda _user_id: EVERYONE, snapshot=components),
    ]
    return {topic.name: topic for topic in topics}
