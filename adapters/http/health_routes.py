"""``/health`` and below."""

from __future__ import annotations

from collections.abc import Sequence

from quart import Blueprint, Response

from adapters.http import schemas
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from domain.common.health import ComponentHealth, component_view

_DOWN = "The same body; it does not work."


def health_routes(state: HttpState) -> Blueprint:
    """Return the routes of health."""
    routes = Blueprint("health", __name__)
    _add_whole(routes, state)
    _add_components(routes, state)
    _add_probes(routes, state)
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
            responses={200: schemas.Health, 503: schemas.Health},
            notes={200: "It works, perhaps degraded.", 503: _DOWN},
        )
    )
    async def health() -> Response:
        """Say how the whole and each of its parts is."""
        components = await state.offload(report.all)
        status = overall(components)
        body = {
            "status": status,
            "version": state.services.version,
            "components": [component_view(component) for component in components],
        }
        return json_response(body, 503 if status == "down" else 200)

    @routes.get("/health/services")
    @documented(Operation(tag="health", responses={200: schemas.ServicesHealth}))
    async def health_services() -> Response:
        """Say how the outside services are; `off` when not configured."""
        services = await state.offload(report.services)
        return json_response({"services": [component_view(service) for service in services]})


def _add_components(routes: Blueprint, state: HttpState) -> None:
    operation = Operation(
        tag="health",
        responses={200: schemas.Component, 503: schemas.Component},
        notes={200: "It works, or is not configured.", 503: _DOWN},
    )

    async def answer(name: str) -> Response:
        component = await state.offload(state.services.health.check, name)
        return json_response(component_view(component), 503 if component.status == "down" else 200)

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


def _add_probes(routes: Blueprint, state: HttpState) -> None:
    @routes.get("/health/live")
    @documented(Operation(tag="health", responses={200: schemas.Liveness}))
    async def live() -> Response:
        """Say that the process answers.

        Asks nothing else; restart the process when this fails.
        """
        return json_response({"status": "live"})

    @routes.get("/health/ready")
    @documented(
        Operation(
            tag="health",
            responses={200: schemas.Readiness, 503: schemas.Readiness},
            notes={200: "Send requests here.", 503: "Send no requests here now."},
        )
    )
    async def ready() -> Response:
        """Say whether requests and jobs are safe here.

        Not ready while the process is stopping.
        """
        if state.draining:
            return json_response({"status": "not_ready", "reasons": ["stopping"]}, 503)
        is_ready, reasons = await state.offload(state.services.health.ready)
        status = "ready" if is_ready else "not_ready"
        return json_response({"status": status, "reasons": reasons}, 200 if is_ready else 503)
