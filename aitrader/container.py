"""The composition root: what there is and what it is made of. It lists; it does not think."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dependency_injector import containers, providers
from sqlalchemy import Engine

import migrations
from adapters.bus.in_process import InProcessBus
from adapters.bus.redis_bus import RedisBus
from adapters.db.audit import CLEAN as AUDIT_CLEAN
from adapters.db.engine import open_engine, parse_database_url
from adapters.db.journal import SqlJournal
from adapters.db.migrations import Migrations
from adapters.db.unit_of_work import SqlUnitOfWork
from adapters.db.vault import SqlVault
from adapters.marketdata.hours import MarketHours
from adapters.marketdata.parquet_store import ParquetBarStore
from adapters.notify.apprise import AppriseNotifier
from adapters.notify.log import LogNotifier
from adapters.queue.dramatiq_queue import DramatiqConsumer, DramatiqQueue
from adapters.queue.in_process import InProcessQueue
from adapters.queue.local_bell import BellRinger
from adapters.redis.client import connect
from adapters.redis.signal_stream import backlog
from adapters.security.passwords import Argon2Hasher
from adapters.security.urls import GuardedUrls
from adapters.security.vault_cipher import VaultCipher, load_or_create_key
from aitrader._version import __version__
from aitrader.alerts import GuardedNotifier
from aitrader.attempts import Toolbox
from aitrader.brokers import RegisteredBrokers
from aitrader.desk import Desk, DeskBell
from aitrader.desk_parts import make_desk
from aitrader.dispatch import BackgroundHints, DispatchEvents
from aitrader.engine_parts import EngineAddresses, strategy_engines
from aitrader.health import Health
from aitrader.intelligence import Intelligence
from aitrader.job_types import RegisteredJobTypes
from aitrader.plugin_host import PluginHost, installed_candidates
from aitrader.quotes import QuoteBoard
from aitrader.redaction import redact, secret_path
from aitrader.running import Running
from aitrader.settings import Settings
from aitrader.user_ids import UserIds
from domain.common.notify import Notifier
from domain.common.time import Clock, SystemClock
from domain.decisions.deciding import ActOnSignal
from domain.decisions.evidence import EVIDENCE
from domain.decisions.market import StoredMarket
from domain.decisions.ports import StrategyEngine
from domain.decisions.scoring import ReadScores, SendRewards
from domain.decisions.strategies import ChangeStrategy, CreateStrategy, EnsureStrategy, ReadDecisions
from domain.engines.calls import CallCounter
from domain.engines.ports import REMOTE
from domain.identity.authentication import Authenticate, LogIn, LoginByLink, LogOut, Reauthenticate
from domain.identity.tokens import IssueToken, ListTokens, RevokeToken, RotateToken
from domain.identity.users import ChangeUser, CreateUser, EnsureOwner, FindUser
from domain.jobs.services import CancelJob, GetJob, ListJobs, PrepareJob, RetryJob, SubmitJob, SubmitJobs
from domain.market.building import LiveBars
from domain.market.model import Timeframe
from domain.signals.taking import ReadSignals, TakeSignal
from domain.trading.accounts import ChangeAccount, CreateAccount, FindAccount, GetLimits, SetLimits
from domain.trading.changing import CancelOrder, ChangeOrder, DecideApproval, ExpireApprovals, ResolveOrder
from domain.trading.controls import Arm, Disarm, EngageKill, ListSwitches, ReleaseKill
from domain.trading.gate import RiskGate
from domain.trading.placing import PlaceOrder
from domain.trading.queries import AskDesk, ReadTrading
from domain.trading.reconciling import AcceptPositions


def _plugin_host(settings: Settings) -> PluginHost:
    return PluginHost(
        installed_candidates(),
        blocked=settings.plugins_blocked,
        only=settings.plugins_only,
        strict=settings.plugins_strict,
    )


def _engine(settings: Settings) -> Engine:
    engine = open_engine(parse_database_url(settings.database), pool_size=settings.api_threads + settings.threads)
    engine.update_execution_options(**{AUDIT_CLEAN: redact})
    return engine


def _notifier(settings: Settings, urls: GuardedUrls) -> Notifier:
    if not settings.notify_urls:
        return LogNotifier()
    return GuardedNotifier(AppriseNotifier(settings.notify_urls), settings.notify_urls, urls)


def _bars(settings: Settings, clock: Clock) -> ParquetBarStore:
    return ParquetBarStore(settings.bars_dir, clock)


def _cipher(settings: Settings) -> VaultCipher:
    return VaultCipher([load_or_create_key(settings.vault_key_path)])


def _desk_idle_s(transport: str, engine: Engine) -> float:
    # Nothing tells of an order that another process stored where there is neither Redis nor a file to watch.
    return 5.0 if transport == "redis" or engine.dialect.name == "sqlite" else 1.0


def _toolbox(
    settings: Settings, job_types: RegisteredJobTypes, host: PluginHost, open_bars: Any, run_replay: Any, tools: Any
) -> Toolbox:
    return Toolbox(job_types, host.strategies, open_bars, settings.artifacts_dir, run_replay, tools)


def _metrics(engine_calls: CallCounter) -> Callable[[], bytes]:
    from adapters.metrics.prometheus import PrometheusText

    return PrometheusText(__version__, engine_calls.calls)


def _transport(settings: Settings, works: bool) -> str:
    if settings.redis_url:
        return "redis"
    return "in_process" if works else "bell"


class Container(containers.DeclarativeContainer):
    """Providers are synchronous; singletons are thread-safe.

    ``transport`` is ``redis``, ``in_process`` where jobs run in this process, or ``bell`` where they run elsewhere.
    """

    settings: providers.Provider[Settings] = providers.Dependency()
    owner: providers.Provider[str] = providers.Dependency()
    works: providers.Provider[bool] = providers.Dependency()
    run_replay: providers.Provider[Any] = providers.Dependency()
    transport: providers.Provider[str] = providers.Callable(_transport, settings, works)

    clock: providers.Provider[SystemClock] = providers.ThreadSafeSingleton(SystemClock)
    engine: providers.Provider[Any] = providers.ThreadSafeSingleton(_engine, settings)
    migrations: providers.Provider[Migrations] = providers.ThreadSafeSingleton(
        Migrations, engine, Path(migrations.__file__).parent
    )
    redis: providers.Provider[Any] = providers.ThreadSafeSingleton(
        lambda settings: connect(settings.redis_url), settings
    )
    in_process_queue: providers.Provider[InProcessQueue] = providers.ThreadSafeSingleton(InProcessQueue)
    queue: providers.Provider[Any] = providers.Selector(
        transport,
        redis=providers.ThreadSafeSingleton(DramatiqQueue, redis),
        in_process=in_process_queue,
        bell=providers.ThreadSafeSingleton(BellRinger, settings.provided.bell_path),
    )
    consumer: providers.Provider[Any] = providers.Selector(
        transport,
        redis=providers.ThreadSafeSingleton(DramatiqConsumer, redis),
        in_process=in_process_queue,
        bell=in_process_queue,
    )
    bus: providers.Provider[Any] = providers.Selector(
        transport,
        redis=providers.ThreadSafeSingleton(RedisBus, redis),
        in_process=providers.ThreadSafeSingleton(InProcessBus),
        bell=providers.ThreadSafeSingleton(InProcessBus),
    )
    hints: providers.Provider[BackgroundHints] = providers.ThreadSafeSingleton(BackgroundHints, queue)

    plugin_host: providers.Provider[PluginHost] = providers.ThreadSafeSingleton(_plugin_host, settings)
    job_types: providers.Provider[RegisteredJobTypes] = providers.ThreadSafeSingleton(
        lambda host: RegisteredJobTypes(host.job_types), plugin_host
    )
    urls: providers.Provider[GuardedUrls] = providers.ThreadSafeSingleton(
        GuardedUrls, settings.provided.allowed_private_hosts
    )
    notifier: providers.Provider[Any] = providers.ThreadSafeSingleton(_notifier, settings, urls)
    engine_calls: providers.Provider[CallCounter] = providers.ThreadSafeSingleton(CallCounter)
    metrics: providers.Provider[Callable[[], bytes]] = providers.ThreadSafeSingleton(_metrics, engine_calls)
    engine_addresses: providers.Provider[EngineAddresses] = providers.ThreadSafeSingleton(
        EngineAddresses, settings, engine_calls, urls
    )
    bars: providers.Provider[ParquetBarStore] = providers.ThreadSafeSingleton(_bars, settings, clock)
    dispatch: providers.Provider[DispatchEvents] = providers.ThreadSafeSingleton(
        DispatchEvents, unit_of_work=providers.Factory(SqlUnitOfWork, engine).provider, bus=bus
    )
    unit_of_work: providers.Provider[SqlUnitOfWork] = providers.Factory(
        SqlUnitOfWork, engine, on_events=dispatch.provided.wake
    )
    prompt_work: providers.Provider[SqlUnitOfWork] = providers.Factory(
        SqlUnitOfWork, engine, on_events=dispatch.provided.wake, publish=dispatch.provided.publish
    )
    relaxed_work: providers.Provider[SqlUnitOfWork] = providers.Factory(
        SqlUnitOfWork, engine, relaxed=True, on_events=dispatch.provided.wake
    )
    read_work: providers.Provider[SqlUnitOfWork] = providers.Factory(SqlUnitOfWork, engine, read_only=True)

    hasher: providers.Provider[Argon2Hasher] = providers.ThreadSafeSingleton(Argon2Hasher)
    # These two remember: whom they believed a moment ago, and how many passwords are being hashed.
    authenticate: providers.Provider[Authenticate] = providers.ThreadSafeSingleton(
        Authenticate, unit_of_work.provider, clock, read_work.provider
    )
    log_in: providers.Provider[LogIn] = providers.ThreadSafeSingleton(LogIn, unit_of_work.provider, hasher, clock)
    login_by_link: providers.Provider[LoginByLink] = providers.Factory(LoginByLink, unit_of_work.provider, clock)
    log_out: providers.Provider[LogOut] = providers.Factory(LogOut, unit_of_work.provider, clock)
    issue_token: providers.Provider[IssueToken] = providers.Factory(IssueToken, unit_of_work.provider, clock)
    rotate_token: providers.Provider[RotateToken] = providers.Factory(RotateToken, unit_of_work.provider, clock)
    revoke_token: providers.Provider[RevokeToken] = providers.Factory(RevokeToken, unit_of_work.provider, clock)
    list_tokens: providers.Provider[ListTokens] = providers.Factory(ListTokens, read_work.provider)
    find_user: providers.Provider[FindUser] = providers.Factory(FindUser, read_work.provider)
    create_user: providers.Provider[CreateUser] = providers.Factory(CreateUser, unit_of_work.provider, hasher, clock)
    change_user: providers.Provider[ChangeUser] = providers.Factory(ChangeUser, unit_of_work.provider, hasher, clock)
    ensure_owner: providers.Provider[EnsureOwner] = providers.Factory(EnsureOwner, unit_of_work.provider, clock)
    user_ids: providers.Provider[UserIds] = providers.ThreadSafeSingleton(
        UserIds, find_user.provider, ensure_owner.provider, clock
    )

    prepare_job: providers.Provider[PrepareJob] = providers.Factory(
        PrepareJob, job_types=job_types, clock=clock, secret_in=providers.Object(secret_path)
    )
    submit_jobs: providers.Provider[SubmitJobs] = providers.Factory(
        SubmitJobs, unit_of_work=unit_of_work.provider, queue=hints
    )
    submit_job: providers.Provider[SubmitJob] = providers.Factory(SubmitJob, prepare=prepare_job, submit=submit_jobs)
    get_job: providers.Provider[GetJob] = providers.Factory(GetJob, unit_of_work=read_work.provider)
    list_jobs: providers.Provider[ListJobs] = providers.Factory(ListJobs, unit_of_work=read_work.provider)
    cancel_job: providers.Provider[CancelJob] = providers.Factory(CancelJob, unit_of_work=unit_of_work.provider)
    retry_job: providers.Provider[RetryJob] = providers.Factory(
        RetryJob, unit_of_work=unit_of_work.provider, queue=hints
    )

    take_signal: providers.Provider[TakeSignal] = providers.Factory(
        TakeSignal, unit_of_work.provider, providers.Object(secret_path)
    )
    read_signals: providers.Provider[ReadSignals] = providers.Factory(ReadSignals, read_work.provider)

    quotes: providers.Provider[QuoteBoard] = providers.ThreadSafeSingleton(
        QuoteBoard, unit_of_work.provider, read_work.provider, bars, bus, clock
    )
    save_quotes: providers.Provider[Any] = providers.Callable(lambda board: board.save, quotes)
    hours: providers.Provider[MarketHours] = providers.ThreadSafeSingleton(MarketHours)
    cipher: providers.Provider[VaultCipher] = providers.ThreadSafeSingleton(_cipher, settings)
    brokers: providers.Provider[RegisteredBrokers] = providers.ThreadSafeSingleton(
        RegisteredBrokers,
        plugin_host,
        clock=clock,
        quotes=quotes,
        bars=bars,
        journal=providers.Factory(SqlJournal, unit_of_work.provider).provider,
        vault=providers.Factory(SqlVault, unit_of_work.provider, cipher=cipher).provider,
        mcp_url=settings.provided.mcp_address,
    )
    desk_bell: providers.Provider[DeskBell] = providers.ThreadSafeSingleton(DeskBell)
    gate: providers.Provider[RiskGate] = providers.Factory(
        RiskGate, clock, quotes, hours, brokers.provided.fingerprint
    )
    find_account: providers.Provider[FindAccount] = providers.Factory(
        FindAccount, unit_of_work.provider, read_work.provider, clock
    )
    create_account: providers.Provider[CreateAccount] = providers.Factory(
        CreateAccount, unit_of_work.provider, brokers, clock
    )
    change_account: providers.Provider[ChangeAccount] = providers.Factory(ChangeAccount, unit_of_work.provider, clock)
    set_limits: providers.Provider[SetLimits] = providers.Factory(SetLimits, unit_of_work.provider, clock)
    get_limits: providers.Provider[GetLimits] = providers.Factory(GetLimits, read_work.provider)
    place_order: providers.Provider[PlaceOrder] = providers.Factory(
        PlaceOrder, unit_of_work.provider, find_account, gate, clock, desk_bell
    )
    cancel_order: providers.Provider[CancelOrder] = providers.Factory(
        CancelOrder, unit_of_work.provider, clock, desk_bell
    )
    change_order: providers.Provider[ChangeOrder] = providers.Factory(
        ChangeOrder, unit_of_work.provider, gate, clock, desk_bell
    )
    decide_approval: providers.Provider[DecideApproval] = providers.Factory(
        DecideApproval, unit_of_work.provider, clock, desk_bell
    )
    expire_approvals: providers.Provider[ExpireApprovals] = providers.Factory(
        ExpireApprovals, unit_of_work.provider, read_work.provider, clock
    )
    resolve_order: providers.Provider[ResolveOrder] = providers.Factory(ResolveOrder, unit_of_work.provider, clock)
    accept_positions: providers.Provider[AcceptPositions] = providers.Factory(
        AcceptPositions, unit_of_work.provider, clock
    )
    read_trading: providers.Provider[ReadTrading] = providers.Factory(
        ReadTrading, read_work.provider, clock, quotes, brokers.provided.fingerprint
    )
    intelligence: Any = providers.Container(
        Intelligence,
        settings=settings,
        unit_of_work=unit_of_work,
        read_work=read_work,
        read_trading=read_trading,
        clock=clock,
        bars=bars,
        meter=engine_calls,
        addresses=engine_addresses,
    )
    toolbox: providers.Provider[Toolbox] = providers.ThreadSafeSingleton(
        _toolbox, settings, job_types, plugin_host, bars.provider, run_replay, intelligence.tools
    )
    running: Any = providers.Container(
        Running,
        settings=settings,
        owner=owner,
        clock=clock,
        unit_of_work=unit_of_work,
        relaxed_work=relaxed_work,
        job_types=job_types,
        toolbox=toolbox,
        prepare_job=prepare_job,
        queue=queue,
        hints=hints,
        notifier=notifier,
        engine_calls=engine_calls,
    )
    ask_desk: providers.Provider[AskDesk] = providers.ThreadSafeSingleton(
        AskDesk, unit_of_work.provider, read_work.provider, clock, desk_bell
    )
    strategy_engines: providers.Provider[dict[str, StrategyEngine]] = providers.ThreadSafeSingleton(
        strategy_engines, settings, engine_addresses
    )
    live_bars: providers.Provider[LiveBars] = providers.ThreadSafeSingleton(
        lambda settings, hours: LiveBars(Timeframe(settings.live_bars), hours.session), settings, hours
    )
    market: providers.Provider[StoredMarket] = providers.ThreadSafeSingleton(
        StoredMarket, bars, quotes, clock, live_bars
    )
    act_on_signal: providers.Provider[ActOnSignal] = providers.Factory(
        ActOnSignal,
        unit_of_work=prompt_work.provider,
        read_work=read_work.provider,
        take=take_signal,
        place=place_order,
        engines=strategy_engines,
        market=market,
        quotes=quotes,
        clock=clock,
    )
    create_strategy: providers.Provider[CreateStrategy] = providers.Factory(
        CreateStrategy, unit_of_work.provider, (EVIDENCE, REMOTE), clock
    )
    ensure_strategy: providers.Provider[EnsureStrategy] = providers.Factory(
        EnsureStrategy, unit_of_work.provider, create_strategy
    )
    change_strategy: providers.Provider[ChangeStrategy] = providers.Factory(
        ChangeStrategy, unit_of_work.provider, clock
    )
    read_decisions: providers.Provider[ReadDecisions] = providers.Factory(ReadDecisions, read_work.provider)

    read_scores: providers.Provider[ReadScores] = providers.Factory(ReadScores, read_work.provider, quotes, clock)
    send_rewards: providers.Provider[SendRewards] = providers.Factory(
        SendRewards, unit_of_work.provider, read_work.provider, strategy_engines
    )

    engage_kill: providers.Provider[EngageKill] = providers.Factory(
        EngageKill, unit_of_work.provider, clock, place_order, desk_bell
    )
    release_kill: providers.Provider[ReleaseKill] = providers.Factory(
        ReleaseKill, unit_of_work.provider, clock, desk_bell
    )
    list_switches: providers.Provider[ListSwitches] = providers.Factory(ListSwitches, read_work.provider)
    arm: providers.Provider[Arm] = providers.Factory(
        Arm, unit_of_work.provider, clock, brokers.provided.fingerprint, desk_bell
    )
    disarm: providers.Provider[Disarm] = providers.Factory(Disarm, unit_of_work.provider, clock)
    reauthenticate: providers.Provider[Reauthenticate] = providers.Factory(Reauthenticate, log_in, read_work.provider)
    desk: providers.ThreadSafeSingleton[Desk] = providers.ThreadSafeSingleton(
        make_desk,
        unit_of_work=unit_of_work.provider,
        read_work=read_work.provider,
        lease_work=relaxed_work.provider,
        clock=clock,
        gate=gate,
        quotes=quotes,
        open_broker=brokers.provided.open,
        notifier=notifier,
        owner=owner,
        idle_s=providers.Callable(_desk_idle_s, transport, engine),
        lease_s=settings.provided.lease_seconds,
    )

    signals_waiting: providers.Provider[Any] = providers.Callable(
        lambda redis, settings: lambda: backlog(redis(), settings.signals_stream), redis.provider, settings
    )
    health: providers.Provider[Health] = providers.ThreadSafeSingleton(
        Health,
        settings=settings,
        read_work=read_work.provider,
        bus=bus,
        migrations=migrations,
        urls=urls,
        newest_quotes=quotes.provided.newest,
        is_open=hours.provided.is_open,
        signals_waiting=signals_waiting,
    )
