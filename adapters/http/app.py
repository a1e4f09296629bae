"""The application: routes, errors and the hub, put together."""

from __future__ import annotations

from quart import Quart

from adapters.http import problems
from adapters.http.account_routes import account_routes
from adapters.http.auth_routes import auth_routes
from adapters.http.book_routes import book_routes
from adapters.http.control_routes import control_routes
from adapters.http.decision_routes import decision_routes
from adapters.http.edge import Edge
from adapters.http.group_commit import GroupCommit
from adapters.http.health_routes import health_routes
from adapters.http.hub import Hub
from adapters.http.identity import Guard
from adapters.http.job_routes import job_routes
from adapters.http.mcp_routes import mcp_routes
from adapters.http.model_routes import model_routes
from adapters.http.news_routes import news_routes
from adapters.http.offload import Offload
from adapters.http.order_routes import order_routes
from adapters.http.pages import document_of, pages
from adapters.http.rates import Rates
from adapters.http.recheck import Recheck
from adapters.http.sentiment_routes import sentiment_routes
from adapters.http.services import HttpOptions, HttpServices
from adapters.http.signal_routes import signal_routes
from adapters.http.socket_routes import socket_routes
from adapters.http.state import HttpState
from adapters.http.token_routes import token_routes
from adapters.http.topics import topics_of
from adapters.http.user_routes import user_routes

_STATE = "aitrader"


def create_app(services: HttpServices, options: HttpOptions | None = None) -> Quart:
    """Return the ASGI application. Nothing runs until the server starts it."""
    options = options or HttpOptions()
    app = Quart("adapters.http", static_folder="static", static_url_path="/static")
    app.config.update(
        MAX_CONTENT_LENGTH=options.max_body,
        BODY_TIMEOUT=options.body_timeout,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.url_map.merge_slashes = False
    state = _state(services, options)
    app.extensions[_STATE] = state
    problems.install(app)
    state.guard.install(app)
    for routes in (
        job_routes(state),
        order_routes(state),
        book_routes(state),
        account_routes(state),
        control_routes(state),
        mcp_routes(state),
        signal_routes(state),
        decision_routes(state),
        model_routes(state),
        news_routes(state),
        sentiment_routes(state),
        health_routes(state),
        auth_routes(state),
        token_routes(state),
        user_routes(state),
        pages(app, state),
        socket_routes(state),
    ):
        app.register_blueprint(routes)
    app.before_serving(state.start)
    app.after_serving(state.stop)
    app.asgi_app = Edge(app.asgi_app, options)  # type: ignore[method-assign]
    return app


def state_of(app: Quart) -> HttpState:
    """Return what ``create_app`` made besides the app."""
    state: HttpState = app.extensions[_STATE]
    return state


def openapi_document(app: Quart) -> bytes:
    """Return the OpenAPI document, byte for byte as ``/openapi.json`` serves it."""
    return document_of(app, state_of(app))()


def _state(services: HttpServices, options: HttpOptions) -> HttpState:
    offload = Offload(options.threads, options.max_in_flight)
    authenticate = services.identity.authenticate
    rates = Rates(options.rate_limit, options.anonymous_rate_limit, options.rate_store_url)
    hub = Hub(
        topics_of(services),
        services.events,
        services.bus,
        offload,
        max_clients=options.max_ws_clients,
        max_per_user=options.max_user_sockets,
        heal_interval=options.heal_interval,
        send_timeout=options.send_timeout,
    )
    return HttpState(
        services=services,
        options=options,
        offload=offload,
        logins=Offload(options.login_threads, options.max_logins),
        submit=GroupCommit(
            offload,
            services.prepare_job,
            services.submit_jobs,
            max_batch=options.max_batch,
            max_waiting=options.max_waiting,
        ),
        hub=hub,
        rates=rates,
        guard=Guard(authenticate, offload, rates, options.allowed_origins),
        recheck=Recheck(authenticate, offload, lambda: hub.clients, options.recheck_interval),
    )
