"""``/strategies`` and ``/decisions``: who decides on signals, and what they decided."""

from __future__ import annotations

from typing import Any

from quart import Blueprint, Response, request

from adapters.http import decision_schemas as schemas
from adapters.http import order_schemas, requests
from adapters.http.identity import principal
from adapters.http.openapi import Operation, documented
from adapters.http.order_routes import if_match
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from adapters.http.trading_requests import TradingFields, read_body
from domain.common.errors import FieldError, Invalid
from domain.common.ids import parse_id
from domain.decisions.evidence import EVIDENCE
from domain.decisions.model import (
    Action,
    DecisionFilter,
    DecisionStatus,
    TradingStrategy,
    decision_view,
    strategy_view,
)
from domain.decisions.scoring import score_view
from domain.identity.model import Scope
from domain.market.model import parse_symbol

_FILTERS = ("symbol", "strategy", "action", "status", "signal", "since", "limit", "cursor")
_ETAG = {200: schemas.StrategyHeaders}


def decision_routes(state: HttpState) -> Blueprint:
    """Return the routes of strategies and decisions."""
    routes = Blueprint("decisions", __name__)
    _add_strategies(routes, state)
    _add_scores(routes, state)
    _add_changing(routes, state)
    _add_decisions(routes, state)
    return routes


def _answer(strategy: TradingStrategy, status: int = 200) -> Response:
    headers = {"ETag": f'"{strategy.version}"'}
    if status == 201:
        headers["Location"] = f"/strategies/{strategy.id}"
    return json_response(strategy_view(strategy), status, headers)


class _StrategyFields(TradingFields):
    def symbols(self) -> list[str] | None:
        return None if self._left_out("symbols") else self.texts("symbols")

    def params(self) -> dict[str, Any] | None:
        return None if self._left_out("params") else self.mapping("params")


def _add_strategies(routes: Blueprint, state: HttpState) -> None:
    read = state.services.decisions.read

    @routes.get("/strategies")
    @documented(
        Operation(
            tag="decisions",
            access=Scope.SIGNALS_READ,
            responses={200: schemas.Strategies},
            problems=(400, 422, 503),
        )
    )
    async def list_strategies() -> Response:
        """List your strategies, by name."""
        requests.no_query(request.args)
        found = await state.offload(read.strategies, principal().user_id)
        return json_response({"items": [strategy_view(item) for item in found]})

    @routes.get("/strategies/<strategy_id>")
    @documented(
        Operation(
            tag="decisions",
            access=Scope.SIGNALS_READ,
            responses={200: schemas.Strategy},
            response_headers=_ETAG,
            problems=(400, 404, 422, 503),
        )
    )
    async def get_strategy(strategy_id: str) -> Response:
        """Read a strategy, by id or name."""
        requests.no_query(request.args)
        return _answer(await state.offload(read.strategy, strategy_id, principal().user_id))


def _add_scores(routes: Blueprint, state: HttpState) -> None:
    scores = state.services.decisions.scores

    @routes.get("/strategies/<strategy_id>/performance")
    @documented(
        Operation(
            tag="decisions",
            access=Scope.ORDERS_READ,
            responses={200: schemas.Score},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_performance(strategy_id: str) -> Response:
        """Read how a strategy did in the account that it trades in, by id or name; whole, and for each symbol."""
        requests.no_query(request.args)
        return json_response(score_view(await state.offload(scores.score, strategy_id, principal().user_id)))

    @routes.get("/leaderboard")
    @documented(
        Operation(
            tag="decisions",
            access=Scope.ORDERS_READ,
            responses={200: schemas.Leaderboard},
            problems=(400, 422, 503),
        )
    )
    async def get_leaderboard() -> Response:
        """Compare your strategies: live ones before those on paper, in each the one that gained most first."""
        requests.no_query(request.args)
        found = await state.offload(scores.leaderboard, principal().user_id)
        return json_response({"items": [score_view(score) for score in found]})


def _add_changing(routes: Blueprint, state: HttpState) -> None:
    decisions = state.services.decisions

    @routes.post("/strategies")
    @documented(
        Operation(
            tag="decisions",
            access=Scope.ORDERS_WRITE,
            request=schemas.StrategyRequest,
            responses={201: schemas.Strategy},
            response_headers={201: schemas.NewStrategyHeaders},
            problems=(400, 409, 413, 415, 422, 503),
        )
    )
    async def create_strategy() -> Response:
        """Make a strategy. It only observes until it is enabled for an account."""
        who, fields = principal(), _StrategyFields(await read_body())
        name, engine = fields.line("name", 64), fields.optional_text("engine", 64) or EVIDENCE
        symbols, params = fields.symbols(), fields.params()
        fields.done()
        made = await state.offload(
            decisions.create,
            who.user_id,
            name,
            actor=who.username,
            engine=engine,
            symbols=symbols or (),
            params=params,
        )
        return _answer(made, 201)

    @routes.patch("/strategies/<strategy_id>")
    @documented(
        Operation(
            tag="decisions",
            access=Scope.ORDERS_WRITE,
            request=schemas.StrategyChangeRequest,
            headers=order_schemas.IfMatchHeaders,
            responses={200: schemas.Strategy},
            response_headers=_ETAG,
            problems=(400, 404, 409, 413, 415, 422, 428, 503),
        )
    )
    async def change_strategy(strategy_id: str) -> Response:
        """Change a strategy, or turn it on and off.

        Once enabled for an account, its decisions become orders there, through the risk gate and, where the account
        asks for it, a person's approval. Parameters that are left out stay as they are.
        """
        version, who, fields = if_match(), principal(), _StrategyFields(await read_body())
        enabled, account = fields.optional_boolean("enabled"), fields.optional_line("account", 64)
        symbols, params = fields.symbols(), fields.params()
        fields.done()
        given = {"enabled": enabled, "account": account, "symbols": symbols, "params": params}
        if all(value is None for value in given.values()):
            errors = [FieldError(name, "is required when the others are left out") for name in given]
            raise Invalid("nothing is to be changed", code="invalid_strategy", errors=errors)
        changed = await state.offload(
            decisions.change,
            strategy_id,
            who.user_id,
            actor=who.username,
            enabled=enabled,
            account=account,
            symbols=symbols,
            params=params,
            version=version,
        )
        return _answer(changed)


def _add_decisions(routes: Blueprint, state: HttpState) -> None:
    read = state.services.decisions.read

    @routes.get("/decisions")
    @documented(
        Operation(
            tag="decisions",
            access=Scope.SIGNALS_READ,
            query=schemas.DecisionQuery,
            responses={200: schemas.DecisionPage},
            problems=(400, 422, 503),
        )
    )
    async def list_decisions() -> Response:
        """List decisions, the newest first."""
        query = requests.Query(request.args, *_FILTERS)
        symbol, signal = query.text("symbol", 45), query.text("signal", 36)
        action = query.one_of("action", *Action)
        status = query.one_of("status", *DecisionStatus)
        strategy, since = query.text("strategy"), query.time("since")
        limit, before_id = query.limit(), query.before_id()
        query.done()
        wanted = DecisionFilter(
            user_id=principal().user_id,
            strategy=strategy,
            symbol=None if symbol is None else parse_symbol(symbol),
            action=None if action is None else Action(action),
            status=None if status is None else DecisionStatus(status),
            signal=None if signal is None else parse_id(signal),
            since_ms=since,
        )
        found, following = await state.offload(read.page, wanted, before_id=before_id, limit=limit)
        cursor = None if following is None else requests.write_cursor(following)
        return json_response({"items": [decision_view(item) for item in found], "next_cursor": cursor})

    @routes.get("/decisions/<decision_id>")
    @documented(
        Operation(
            tag="decisions",
            access=Scope.SIGNALS_READ,
            responses={200: schemas.DecisionDetail},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_decision(decision_id: str) -> Response:
        """Read a decision with all that it was made of."""
        requests.no_query(request.args)
        found = await state.offload(read.get, parse_id(decision_id), principal().user_id)
        return json_response({**decision_view(found), "inputs": found.inputs})
