"""The API of an application: its use cases handed to the HTTP adapter."""

from __future__ import annotations

from quart import Quart

from adapters.http.app import create_app
from adapters.http.services import (
    DecisionServices,
    HttpOptions,
    HttpServices,
    IdentityServices,
    IntelligenceServices,
    SignalServices,
    TradingServices,
)
from aitrader._version import __version__
from aitrader.bootstrap import Application
from aitrader.container import Container
from aitrader.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def http_services(application: Application) -> HttpServices:
    """Return what the HTTP adapter needs."""
    parts = application.container
    artifacts_dir = application.settings.artifacts_dir.resolve()

    parts.health().attach(application.late_loops, lambda: application.draining)
    return HttpServices(
        prepare_job=parts.prepare_job(),
        submit_jobs=parts.submit_jobs(),
        get_job=parts.get_job(),
        list_jobs=parts.list_jobs(),
        cancel_job=parts.cancel_job(),
        retry_job=parts.retry_job(),
        job_types=parts.job_types(),
        artifact_path=lambda artifact: artifacts_dir / artifact.path,
        events=parts.read_work,
        bus=parts.bus(),
        health=parts.health(),
        metrics=parts.metrics(),
        version=__version__,
        identity=_identity(parts),
        trading=_trading(parts),
        signals=_signals(parts),
        decisions=DecisionServices(
            parts.create_strategy(), parts.change_strategy(), parts.read_decisions(), parts.read_scores()
        ),
        intelligence=_intelligence(parts),
    )


def _identity(parts: Container) -> IdentityServices:
    return IdentityServices(
        authenticate=parts.authenticate(),
        log_in=parts.log_in(),
        login_by_link=parts.login_by_link(),
        log_out=parts.log_out(),
        issue_token=parts.issue_token(),
        rotate_token=parts.rotate_token(),
        revoke_token=parts.revoke_token(),
        list_tokens=parts.list_tokens(),
        users=parts.find_user(),
        create_user=parts.create_user(),
        change_user=parts.change_user(),
    )


def _trading(parts: Container) -> TradingServices:
    return TradingServices(
        place=parts.place_order(),
        cancel=parts.cancel_order(),
        change=parts.change_order(),
        decide=parts.decide_approval(),
        resolve=parts.resolve_order(),
        read=parts.read_trading(),
        ask=parts.ask_desk(),
        find_account=parts.find_account(),
        create_account=parts.create_account(),
        change_account=parts.change_account(),
        set_limits=parts.set_limits(),
        get_limits=parts.get_limits(),
        accept_positions=parts.accept_positions(),
        kill=parts.engage_kill(),
        release=parts.release_kill(),
        switches=parts.list_switches(),
        arm=parts.arm(),
        disarm=parts.disarm(),
        save_quotes=parts.save_quotes(),
        newest_quotes=parts.quotes().newest,
        reauthenticate=parts.reauthenticate(),
    )


def _signals(parts: Container) -> SignalServices:
    return SignalServices(parts.act_on_signal(), parts.read_signals(), parts.clock())


def _intelligence(parts: Container) -> IntelligenceServices:
    intelligence = parts.intelligence
    return IntelligenceServices(
        models=intelligence.read_models(),
        activate=intelligence.activate_model(),
        scorecard=intelligence.read_scorecard(),
        suggestions=intelligence.read_suggestions(),
        import_news=intelligence.import_news(),
        read_news=intelligence.read_news(),
        read_sentiment=intelligence.read_sentiment(),
        clock=parts.clock(),
    )


def http_app(application: Application) -> Quart:
    """Return the ASGI app."""
    settings = application.settings
    options = HttpOptions(
        threads=settings.api_threads,
        docs=settings.docs,
        allowed_hosts=_hosts(settings),
        allowed_origins=settings.allowed_origins,
        trusted_proxies=settings.trusted_proxies,
        rate_limit=settings.rate_limit,
        rate_store_url=settings.redis_url if settings.rate_limit_shared else None,
    )
    return create_app(http_services(application), options)


def _hosts(settings: Settings) -> tuple[str, ...]:
    """Return the Host names to answer to; any, when listening on more than this machine and none are named.

    A web page whose name is made to resolve to 127.0.0.1 (DNS rebinding) must not reach the API.
    """
    if settings.host in _LOOPBACK:
        return (*_LOOPBACK, *settings.allowed_hosts)
    return (settings.host, *settings.allowed_hosts) if settings.allowed_hosts else ()
