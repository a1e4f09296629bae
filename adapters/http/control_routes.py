"""The kill switch, arming, and whether trading is safe."""

from __future__ import annotations

from quart import Blueprint, Response, request

from adapters.http import requests
from adapters.http import trading_schemas as schemas
from adapters.http.access import Access, insufficient
from adapters.http.account_routes import mine
from adapters.http.bodies import no_body
from adapters.http.identity import principal, sees_details, visitor
from adapters.http.openapi import Operation, documented
from adapters.http.persons import require_password
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from adapters.http.trading_requests import TradingFields, read_body
from domain.common.time import rfc3339
from domain.identity.model import Scope
from domain.trading.controls import Killed
from domain.trading.queries import TradingHealth
from domain.trading.records import GLOBAL
from domain.trading.views import switch_view

_HOUR_MS = 3_600_000


def control_routes(state: HttpState) -> Blueprint:
    """Return the routes that stop and allow trading."""
    routes = Blueprint("controls", __name__)
    _add_switches(routes, state)
    _add_arming(routes, state)
    _add_health(routes, state)
    return routes


def _killed(result: Killed) -> Response:
    body = {
        "switch": switch_view(result.switch),
        "effective": result.effective,
        "in_flight": list(result.in_flight),
        "flattening": list(result.flattening),
        "problems": list(result.problems),
    }
    return json_response(body, 200 if result.effective else 202)


def _add_switches(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.get("/switches")
    @documented(
        Operation(
            tag="controls", access=Scope.ORDERS_READ, responses={200: schemas.Switches}, problems=(400, 422, 503)
        )
    )
    async def list_switches() -> Response:
        """List the global kill switch and those of your accounts."""
        requests.no_query(request.args)
        who = principal()
        accounts = await state.offload(trading.read.accounts, mine(who))
        scopes = {GLOBAL, *(item.account.id for item in accounts)}
        found = [switch for switch in await state.offload(trading.switches) if switch.scope in scopes]
        return json_response({"items": [switch_view(switch) for switch in found]})

    @routes.post("/kill")
    @documented(
        Operation(
            tag="controls",
            access=Scope.ORDERS_WRITE,
            request=schemas.KillRequest,
            responses={200: schemas.Killed, 202: schemas.Killed},
            notes={
                200: "Effective: no submit call starts any more.",
                202: "Engaged, but a sender has not said yet that it obeys; orders may be in flight.",
            },
            problems=(400, 404, 413, 415, 422, 503),
        )
    )
    async def kill() -> Response:
        """Stop trading: everywhere (administrators), or in an account of yours.

        Works without Redis. `aitrader kill` does the same without this API.
        """
        fields = TradingFields(await read_body())
        scope = fields.optional_line("scope", 64) or GLOBAL
        reason, flatten = fields.line("reason", 200), fields.boolean("flatten", False)
        fields.done()
        who = principal()
        if scope == GLOBAL and Scope.ADMIN not in who.scopes:
            raise insufficient(Scope.ADMIN)

        def engage() -> Killed:
            if scope != GLOBAL:
                trading.read.account(scope, mine(who))
            return trading.kill(scope, actor=who.username, reason=reason, flatten=flatten)

        return _killed(await state.offload(engage))

    @routes.post("/release")
    @documented(
        Operation(
            tag="controls",
            access=Scope.ADMIN,
            request=schemas.ReleaseRequest,
            responses={200: schemas.Switch},
            problems=(400, 404, 409, 413, 415, 422, 503),
        )
    )
    async def release() -> Response:
        """Let trading go on. An administrator must do this in person, with their password; no token may."""
        fields = TradingFields(await read_body())
        scope, reason = fields.optional_line("scope", 64) or GLOBAL, fields.line("reason", 200)
        password = fields.text("password", 128)
        fields.done()
        who = await require_password(state, password)
        switch = await state.offload(trading.release, scope, actor=who.username, reason=reason)
        return json_response(switch_view(switch))


def _add_arming(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.post("/accounts/<account>/arm")
    @documented(
        Operation(
            tag="controls",
            access=Scope.ADMIN,
            request=schemas.ArmRequest,
            responses={200: schemas.Arming},
            problems=(400, 404, 409, 413, 415, 422, 503),
        )
    )
    async def arm(account: str) -> Response:
        """Allow live trading for some hours, with the configuration as it is.

        An administrator must do this in person, with their password; no token may.
        """
        fields = TradingFields(await read_body())
        hours, password = fields.integer("hours", 8), fields.text("password", 128)
        fields.done()
        who = await require_password(state, password)
        arming = await state.offload(trading.arm, account, actor=who.username, duration_ms=hours * _HOUR_MS)
        return json_response({"account": account, "expires_at": rfc3339(arming.expires_at)})

    @routes.post("/accounts/<account>/disarm")
    @documented(
        Operation(
            tag="controls",
            access=Scope.ORDERS_WRITE,
            responses={200: schemas.Disarmed},
            problems=(400, 404, 422, 503),
        )
    )
    async def disarm(account: str) -> Response:
        """End the permission to trade live: in an account of yours, or as an administrator in any."""
        await no_body()
        who = principal()

        def end() -> bool:
            trading.read.account(account, mine(who))
            return trading.disarm(account, actor=who.username)

        return json_response({"account": account, "was_armed": await state.offload(end)})


def _add_health(routes: Blueprint, state: HttpState) -> None:
    read = state.services.trading.read

    @routes.get("/health/trading")
    @documented(
        Operation(tag="health", access=Access.PUBLIC, responses={200: schemas.TradingHealth}, problems=(422, 503))
    )
    async def trading_health() -> Response:
        """Say whether accounts may open positions, and why not.

        Always 200: read `status`, which is that of all accounts together. Each account is shown to programs of this
        machine, and to those who have the scope `metrics:read`; your own with `orders:read`.
        """
        requests.no_query(request.args)
        found = await state.offload(read.health)
        status = "off" if not found else "ready" if all(item.ready for item in found) else "blocked"
        who = visitor()
        if sees_details():
            return json_response({"status": status, "accounts": [_health(item) for item in found]})
        if who is None or Scope.ORDERS_READ not in who.scopes:
            return json_response({"status": status})
        own = await state.offload(read.health, who.user_id)
        return json_response({"status": status, "accounts": [_health(item) for item in own]})


def _health(item: TradingHealth) -> dict[str, object]:
    return {
        "account": item.account,
        "mode": item.mode.value,
        "status": "ready" if item.ready else "blocked",
        "reasons": list(item.reasons),
        "details": list(item.details),
    }
