"""``/health`` and below, and ``/metrics``."""

from __future__ import annotations

from collections.abc import Sequence

from quart import Blueprint, Response

from adapters.http import schemas
from adapters.http.access import Access
from adapters.http.context import remote
from adapters.http.identity import sees_details
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from domain.common.health import ComponentHealth, component_view

# https://prometheus.io/docs/instrumenting/exposition_formats/
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_DOWN = "The same body; it does not work."


def health_routes(state: HttpState) -> Blueprint:
    """Return the routes of health."""
    routes = Blueprint("health", __name__)
    _add_whole(routes, state)
    _add_components(routes, state)
    _add_probes(routes, state)
    _add_metrics(routes, state)
    return routes


def overall(components: Sequence[ComponentHealth]) -> str:
    """Return how the whole is: nothing works without the database, the rest only degrades."""
    if any(component.name == "db" and component.status == "down" for component in components):
        return "down"
    if any(component.status in ("down", "degraded") for component in components):
        return "degraded"
    return "ok"


def _add_whole(routes: Blueprint, state: HttpState) -> None:
    report = state.services.health

    @routes.get("/health")
    @documented(
        Operation(
            tag="health",
            access=Access.PUBLIC,
            responses={200: schemas.Health, 503: schemas.Health},
            notes={200: "It works, perhaps degraded.", 503: _DOWN},
        )
    )
    async def health() -> Response:
        """Say how the whole is.

        Each part is shown to programs of this machine, and to those who have the scope `metrics:read`.
        """
        components = await state.offload(report.all)
        status = overall(components)
        body: dict[str, object] = {"status": status}
        if sees_details():
            body["version"] = state.services.version
            body["components"] = [component_view(component) for component in components]
        return json_response(body, 503 if status == "down" else 200)

    @routes.get("/health/services")
    @documented(Operation(tag="health", access=Access.PUBLIC, responses={200: schemas.ServicesHealth}))
    async def health_services() -> Response:
        """Say how the outside services are; `off` when not configured."""
        services = await state.offload(report.services)
        body: dict[str, object] = {"status": overall(services)}
        if sees_details():
            body["services"] = [component_view(service) for service in services]
        return json_response(body)


def _add_components(routes: Blueprint, state: HttpState) -> None:
    operation = Operation(
        tag="health",
        access=Access.PUBLIC,
        responses={200: schemas.Component, 503: schemas.Component},
        notes={200: "It works, or is not configured.", 503: _DOWN},
    )

    async def answer(name: str) -> Response:
        component = await state.offload(state.services.health.check, name)
        body = component_view(component) if sees_details() else {"status": component.status}
        return json_response(body, 503 if component.status == "down" else 200)

    @routes.get("/health/db")
    @documented(operation)
    async def health_db() -> Response:
        """Say how the database is."""
        return await answer("db")

    @routes.get("/health/redis")
    @documented(operation)
    async def health_redis() -> Response:
        """Say how Redis is; `off` when not configured."""
        return await answer("redis")

    @routes.get("/health/feed")
    @documented(operation)
    async def health_feed() -> Response:
        """Say whether the market feed tells prices; `off` when not configured."""
        return await answer("feed")

    @routes.get("/health/signals")
    @documented(operation)
    async def health_signals() -> Response:
        """Say whether signals of the Redis stream are taken in as they come; `off` without Redis."""
        return await answer("signals")


def _add_probes(routes: Blueprint, state: HttpState) -> None:
    @routes.get("/health/live")
    @documented(Operation(tag="health", access=Access.PROBE, responses={200: schemas.Liveness}))
    async def live() -> Response:
        """Say that the process answers.

        Asks nothing else; restart the process when this fails.
        """
        return json_response({"status": "live"})

    @routes.get("/health/ready")
    @documented(
        Operation(
            tag="health",
            access=Access.PROBE,
            responses={200: schemas.Readiness, 503: schemas.Readiness},
            notes={200: "Send requests here.", 503: "Send no requests here now."},
        )
    )
    async def ready() -> Response:
        """Say whether requests and jobs are safe here.

        Not ready while the process is stopping. Programs of this machine are told the reasons.
        """
        if state.draining:
            is_ready, reasons = False, ["stopping"]
        else:
            is_ready, reasons = await state.offload(state.services.health.ready)
        body: dict[str, object] = {"status": "ready" if is_ready else "not_ready"}
        if remote.get().loopback:
            body["reasons"] = reasons
        return json_response(body, 200 if is_ready else 503)


def _add_metrics(routes: Blueprint, state: HttpState) -> None:
    @routes.get("/metrics")
    @documented(
        Operation(
            tag="health",
            access=Access.LOCAL_METRICS,
            media={200: {"text/plain": {"type": "string"}}},
            notes={200: "Text as Prometheus reads it, version 0.0.4."},
        )
    )
    async def metrics() -> Response:
        """Tell the metrics of this process.

        Programs of this machine need no token, others one with the scope `metrics:read`.
        """
        return Response(await state.offload(state.services.metrics), content_type=_PROMETHEUS)
