"""The WebSocket topics. A new one is one entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.http.live import Latest
from adapters.http.services import HttpServices
from domain.common.events import EVERYONE, PublishedEvent
from domain.common.health import component_view
from domain.decisions.model import TOPIC as DECISIONS
from domain.decisions.model import DecisionFilter, decision_view
from domain.identity.model import Principal, Scope
from domain.jobs.events import TOPIC as JOB_UPDATES
from domain.jobs.events import job_summary
from domain.jobs.model import JobFilter
from domain.signals.model import TOPIC as TRADING_SIGNALS
from domain.signals.model import SignalFilter, signal_view
from domain.trading.records import OrderFilter
from domain.trading.views import MARKET_DATA, order_updated, quote_of, quote_view
from domain.trading.views import TOPIC as ORDER_UPDATES

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
        latest: makes what clients see of an event where only the newest word on each key counts; such events are
            not logged and have no place in a stream.
    """

    name: str
    audience: Callable[[str], str]
    snapshot: Callable[[str], Items]
    filters: frozenset[str] = field(default_factory=frozenset)
    scope: Scope | None = None
    latest: Callable[[PublishedEvent], Latest] | None = None

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

    def newest_decisions(user_id: str) -> Items:
        found, _ = services.decisions.read.page(DecisionFilter(user_id), before_id=None, limit=SNAPSHOT_SIZE)
        return [decision_view(decision) for decision in found]

    def newest_quotes(_user_id: str) -> Items:
        return [quote_view(quote) for quote in services.trading.newest_quotes(SNAPSHOT_SIZE)]

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
        Topic(
            DECISIONS,
            audience=lambda user_id: user_id,
            snapshot=newest_decisions,
            filters=frozenset({"symbol", "strategy", "action", "status"}),
            scope=Scope.SIGNALS_READ,
        ),
        Topic(
            MARKET_DATA,
            audience=lambda _user_id: EVERYONE,
            snapshot=newest_quotes,
            filters=frozenset({"symbol"}),
            scope=Scope.ORDERS_READ,
            latest=lambda event: Latest.of(event.data["symbol"], event.time_ms, quote_view(quote_of(event.data))),
        ),
        Topic(SYSTEM_STATUS, audience=lambda _user_id: EVERYONE, snapshot=components),
    ]
    return {topic.name: topic for topic in topics}
