"""``/models`` and ``/suggestions``: what was learnt, what it says, and what became of it."""

from __future__ import annotations

from quart import Blueprint, Response, request

from adapters.http import model_schemas as schemas
from adapters.http import requests
from adapters.http.bodies import no_body
from adapters.http.identity import principal
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from domain.common.ids import parse_id
from domain.decisions.model import Action
from domain.identity.model import Scope
from domain.intelligence.models import ModelFilter, ModelStatus, model_detail, model_view
from domain.intelligence.scorecards import scorecard_view
from domain.intelligence.suggestions import SuggestionFilter, suggestion_view
from domain.market.model import Timeframe, parse_symbol

_MODEL_FILTERS = ("name", "timeframe", "status", "limit", "cursor")
_SUGGESTION_FILTERS = ("symbol", "model", "action", "since", "resolved", "limit", "cursor")


def model_routes(state: HttpState) -> Blueprint:
    """Return the routes of models and suggestions."""
    routes = Blueprint("models", __name__)
    _add_models(routes, state)
    _add_scorecards(routes, state)
    _add_suggestions(routes, state)
    return routes


def _cursor(following: str | None) -> str | None:
    return None if following is None else requests.write_cursor(following)


def _add_models(routes: Blueprint, state: HttpState) -> None:
    services = state.services.intelligence

    @routes.get("/models")
    @documented(
        Operation(
            tag="models",
            access=Scope.SIGNALS_READ,
            query=schemas.ModelQuery,
            responses={200: schemas.ModelPage},
            problems=(400, 422, 503),
        )
    )
    async def list_models() -> Response:
        """List models, the newest first. A job of type `model_train` makes them."""
        query = requests.Query(request.args, *_MODEL_FILTERS)
        timeframe, status = query.one_of("timeframe", *Timeframe), query.one_of("status", *ModelStatus)
        wanted = ModelFilter(query.text("name"), timeframe, status)
        limit, before_id = query.limit(), query.before_id()
        query.done()
        found, following = await state.offload(services.models.page, wanted, before_id=before_id, limit=limit)
        return json_response({"items": [model_view(item) for item in found], "next_cursor": _cursor(following)})

    @routes.get("/models/<model_id>")
    @documented(
        Operation(
            tag="models",
            access=Scope.SIGNALS_READ,
            responses={200: schemas.ModelDetail},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_model(model_id: str) -> Response:
        """Read a model with its manifest, by id or name; of a name the active one, else the newest."""
        requests.no_query(request.args)
        return json_response(model_detail(await state.offload(services.models.get, model_id)))

    @routes.post("/models/<model_id>/activate")
    @documented(
        Operation(
            tag="models",
            access=Scope.ADMIN,
            responses={200: schemas.TrainedModel},
            problems=(400, 404, 409, 422, 503),
        )
    )
    async def activate_model(model_id: str) -> Response:
        """Have suggestions use a model from now on; the one of its name that they used is retired."""
        await no_body()
        found = await state.offload(services.activate, model_id, actor=principal().username)
        return json_response(model_view(found))


def _add_scorecards(routes: Blueprint, state: HttpState) -> None:
    services = state.services.intelligence

    @routes.get("/models/<model_id>/scorecard")
    @documented(
        Operation(
            tag="models",
            access=Scope.SIGNALS_READ,
            responses={200: schemas.Scorecard},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_scorecard(model_id: str) -> Response:
        """Read what came of your suggestions of a model, against the base rates of its training."""
        requests.no_query(request.args)
        card = await state.offload(services.scorecard, model_id, principal().user_id)
        return json_response(scorecard_view(card))


def _add_suggestions(routes: Blueprint, state: HttpState) -> None:
    read = state.services.intelligence.suggestions

    @routes.get("/suggestions")
    @documented(
        Operation(
            tag="models",
            access=Scope.SIGNALS_READ,
            query=schemas.SuggestionQuery,
            responses={200: schemas.SuggestionPage},
            problems=(400, 422, 503),
        )
    )
    async def list_suggestions() -> Response:
        """List your suggestions, the newest first. A job of type `suggestion` makes them."""
        query = requests.Query(request.args, *_SUGGESTION_FILTERS)
        symbol, model = query.text("symbol", 45), query.text("model", 36)
        action, resolved = query.one_of("action", *Action), query.one_of("resolved", "true", "false")
        since, limit, before_id = query.time("since"), query.limit(), query.before_id()
        query.done()
        wanted = SuggestionFilter(
            principal().user_id,
            symbol=None if symbol is None else parse_symbol(symbol),
            model_id=None if model is None else parse_id(model),
            action=action,
            since_ms=since,
            resolved=None if resolved is None else resolved == "true",
        )
        found, following = await state.offload(read.page, wanted, before_id=before_id, limit=limit)
        return json_response({"items": [suggestion_view(item) for item in found], "next_cursor": _cursor(following)})

    @routes.get("/suggestions/<suggestion_id>")
    @documented(
        Operation(
            tag="models",
            access=Scope.SIGNALS_READ,
            responses={200: schemas.SuggestionShape},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_suggestion(suggestion_id: str) -> Response:
        """Read a suggestion with its evidence and, once it is known, its outcome."""
        requests.no_query(request.args)
        found = await state.offload(read.get, parse_id(suggestion_id), principal().user_id)
        return json_response(suggestion_view(found))
