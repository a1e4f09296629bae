"""What the HTTP adapter needs from the rest of the program, and its options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.common.events import EventBus
from domain.common.health import HealthReport
from domain.common.time import Clock
from domain.common.unit_of_work import UnitOfWork
from domain.decisions.scoring import ReadScores
from domain.decisions.strategies import ChangeStrategy, CreateStrategy, ReadDecisions
from domain.identity.authentication import Authenticate, LogIn, LoginByLink, LogOut
from domain.identity.tokens import IssueToken, ListTokens, RevokeToken, RotateToken
from domain.identity.users import ChangeUser, CreateUser, FindUser
from domain.intelligence.managing import ActivateModel, ReadModels, ReadSuggestions
from domain.intelligence.reading_sentiment import ReadSentiment
from domain.intelligence.scorecards import ReadScorecard
from domain.intelligence.storing_news import ImportNews, ReadNews
from domain.jobs.model import Artifact
from domain.jobs.ports import JobTypes
from domain.jobs.services import CancelJob, GetJob, ListJobs, PrepareJob, RetryJob, SubmitJobs
from domain.signals.model import Signal
from domain.signals.taking import ReadSignals, Taken
from domain.trading.accounts import ChangeAccount, CreateAccount, FindAccount, GetLimits, SetLimits
from domain.trading.brokerage import Quote
from domain.trading.changing import CancelOrder, ChangeOrder, DecideApproval, ResolveOrder
from domain.trading.controls import Arm, Disarm, EngageKill, ListSwitches, ReleaseKill
from domain.trading.placing import PlaceOrder
from domain.trading.queries import AskDesk, ReadTrading
from domain.trading.reconciling import AcceptPositions


@dataclass(frozen=True, slots=True)
class IdentityServices:
    """Use cases of identity. ``authenticate`` and ``log_in`` must be the only ones of their kind in this process."""

    authenticate: Authenticate
    log_in: LogIn
    login_by_link: LoginByLink
    log_out: LogOut
    issue_token: IssueToken
    rotate_token: RotateToken
    revoke_token: RevokeToken
    list_tokens: ListTokens
    users: FindUser
    create_user: CreateUser
    change_user: ChangeUser


@dataclass(frozen=True, slots=True)
class TradingServices:
    """Use cases of trading.

    Args:
        save_quotes: stores prices and tells every process.
        newest_quotes: returns so many of the last quotes, the newest first.
        reauthenticate: checks a user's password; slow, so it is called through ``HttpState.logins``.
    """

    place: PlaceOrder
    cancel: CancelOrder
    change: ChangeOrder
    decide: DecideApproval
    resolve: ResolveOrder
    read: ReadTrading
    ask: AskDesk
    find_account: FindAccount
    create_account: CreateAccount
    change_account: ChangeAccount
    set_limits: SetLimits
    get_limits: GetLimits
    accept_positions: AcceptPositions
    kill: EngageKill
    release: ReleaseKill
    switches: ListSwitches
    arm: Arm
    disarm: Disarm
    save_quotes: Callable[[Sequence[Quote]], None]
    newest_quotes: Callable[[int], Sequence[Quote]]
    reauthenticate: Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class SignalServices:
    """Use cases of signals. ``take`` stores one and acts on it."""

    take: Callable[[Signal], Taken]
    read: ReadSignals
    clock: Clock


@dataclass(frozen=True, slots=True)
class DecisionServices:
    """Use cases of strategies and decisions."""

    create: CreateStrategy
    change: ChangeStrategy
    read: ReadDecisions
    scores: ReadScores


@dataclass(frozen=True, slots=True)
class IntelligenceServices:
    """Use cases of models, suggestions, news and sentiment."""

    models: ReadModels
    activate: ActivateModel
    scorecard: ReadScorecard
    suggestions: ReadSuggestions
    import_news: ImportNews
    read_news: ReadNews
    read_sentiment: ReadSentiment
    clock: Clock


@dataclass(frozen=True, slots=True)
class HttpServices:
    """Use cases and ports, made by the composition root.

    Args:
        artifact_path: the absolute path of an artifact of a job.
        events: opens a (read-only) unit of work whose outbox the WebSocket hub reads.
        metrics: returns the metrics of this process as Prometheus reads them, text 0.0.4.
    """

    prepare_job: PrepareJob
    submit_jobs: SubmitJobs
    get_job: GetJob
    list_jobs: ListJobs
    cancel_job: CancelJob
    retry_job: RetryJob
    job_types: JobTypes
    artifact_path: Callable[[Artifact], Path]
    events: Callable[[], UnitOfWork]
    bus: EventBus
    health: HealthReport
    metrics: Callable[[], bytes]
    version: str
    identity: IdentityServices
    trading: TradingServices
    signals: SignalServices
    decisions: DecisionServices
    intelligence: IntelligenceServices


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Limits and switches of the HTTP adapter. Times are seconds, sizes bytes.

    Args:
        threads: how many use cases run at once.
        max_in_flight: how many may run or wait; more are answered 503.
        max_batch: how many ``POST /jobs`` are written in one transaction at most.
        max_waiting: how many ``POST /jobs`` may wait for their transaction; more are answered 503.
        body_timeout: how long a request body may take.
        allowed_hosts: accepted ``Host`` names without port; empty accepts any.
        allowed_origins: origins besides our own whose pages may use the API and open WebSockets; none: CORS is off.
        trusted_proxies: addresses and networks of proxies whose ``X-Forwarded-*`` headers count.
        rate_limit: requests per credential, such as ``1200/minute``.
        anonymous_rate_limit: requests per address without a credential, or with a bad one.
        rate_store_url: a Redis that shares the counts between processes; None counts in this one.
        login_threads: how many passwords are checked at once.
        max_logins: how many logins may run or wait; more are answered 503.
        max_headers: bytes of all headers together.
        max_url: bytes of path and query together.
        recheck_interval: how often the credentials of open sockets are checked again.
        max_user_sockets: how many sockets one user may have.
        max_subscriptions: how many topics one socket may watch.
        max_messages: how many messages per second one socket may send.
        heal_interval: how often the hub looks for events that the bus lost.
        send_timeout: how long one WebSocket frame may take to leave.
    """

    threads: int = 8
    max_in_flight: int = 256
    max_batch: int = 64
    max_waiting: int = 1024
    max_body: int = 262_144
    body_timeout: float = 10.0
    docs: bool = True
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    rate_limit: str = "1200/minute"
    anonymous_rate_limit: str = "120/minute"
    rate_store_url: str | None = None
    login_threads: int = 2
    max_logins: int = 32
    max_headers: int = 16 * 1024
    max_url: int = 8 * 1024
    recheck_interval: float = 4.0
    max_ws_clients: int = 1000
    max_user_sockets: int = 5
    max_subscriptions: int = 100
    max_messages: int = 20
    heal_interval: float = 2.0
    send_timeout: float = 5.0
