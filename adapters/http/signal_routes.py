"""``/signals``: taking opinions in, from programs with a token and from TradingView, and looking at them."""

from __future__ import annotations

from quart import Blueprint, Response, request

from adapters.http import access, requests
from adapters.http import signal_schemas as schemas
from adapters.http.access import Access
from adapters.http.identity import principal
from adapters.http.json_body import read_object
from adapters.http.openapi import Operation, documented
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from domain.common.errors import FieldError, Invalid, TooLarge
from domain.common.ids import parse_id
from domain.identity.model import Principal, Scope
from domain.market.model import parse_symbol
from domain.signals.model import SignalFilter, signal_view
from domain.signals.parsing import Sender, parse_signal, parse_tradingview
from domain.signals.taking import Taken

_MOST_BYTES = 4096
_TAKEN = {202: "Stored.", 200: "This producer's id was stored before; nothing changed."}
_FILTERS = ("symbol", "source", "pattern", "min_score", "since", "until", "limit", "cursor")


def signal_routes(state: HttpState) -> Blueprint:
    """Return the routes of signals."""
    routes = Blueprint("signals", __name__)
    _add_taking(routes, state)
    _add_webhook(routes, state)
    _add_reading(routes, state)
    return routes


async def _body() -> str | bytes:
    """Return a body of at most 4 KB; the request takes no query.

    Raises:
        TooLarge: it is larger.
    """
    requests.no_query(request.args)
    if (request.content_length or 0) <= _MOST_BYTES:
        body = await request.get_data(cache=False)
        if len(body) <= _MOST_BYTES:
            return body
    raise TooLarge(f"a signal has at most {_MOST_BYTES} bytes", code="signal_too_large")


def _answer(taken: Taken) -> Response:
    return json_response(signal_view(taken.signal), 202 if taken.created else 200)


def _add_taking(routes: Blueprint, state: HttpState) -> None:
    signals = state.services.signals

    @routes.post("/signals")
    @documented(
        Operation(
            tag="signals",
            access=Scope.SIGNALS_WRITE,
            request=schemas.SignalRequest,
            responses={202: schemas.Signal, 200: schemas.Signal},
            notes=_TAKEN,
            problems=(400, 413, 415, 422, 503),
        )
    )
    async def take_signal() -> Response:
        """Take a signal in.

        It is an opinion, never an order. Sending it again is harmless: the producer's id makes it one. One that comes
        after its time to live is kept, as `expired`, and never acted on.
        """
        requests.require_json(request.headers)
        data = read_object(await _body())
        sender = Sender(principal().user_id, principal().username, signals.clock.now_ms())
        return _answer(await state.offload(signals.take, parse_signal(data, sender)))


def _add_webhook(routes: Blueprint, state: HttpState) -> None:
    signals, authenticate = state.services.signals, state.services.identity.authenticate

    async def sender_of(secret: object) -> Principal:
        if not isinstance(secret, str) or not secret:
            raise Invalid(
                "the message holds no secret",
                code="invalid_signal",
                errors=[FieldError("secret", "is required: an API token with the scope signals:write")],
            )
        found = await state.offload(authenticate.token, secret)
        access.require(Scope.SIGNALS_WRITE, found)
        return found

    @routes.post("/webhooks/tradingview")
    @documented(
        Operation(
            tag="signals",
            access=Access.PUBLIC,
            request=schemas.TradingViewAlert,
            responses={202: schemas.Signal, 200: schemas.Signal},
            notes=_TAKEN,
            problems=(400, 401, 403, 413, 422, 503),
        )
    )
    async def take_alert() -> Response:
        """Take a TradingView alert in.

        TradingView sends no headers of ours, so an API token stands in the message as `secret`, which is not kept.
        Use one with the scope `signals:write` alone. The message is JSON, also when it is sent as `text/plain`.
        """
        data = read_object(await _body())
        found = await sender_of(data.pop("secret", None))
        sender = Sender(found.user_id, found.username, signals.clock.now_ms())
        return _answer(await state.offload(signals.take, parse_tradingview(data, sender)))


def _add_reading(routes: Blueprint, state: HttpState) -> None:
    read = state.services.signals.read

    @routes.get("/signals")
    @documented(
        Operation(
            tag="signals",
            access=Scope.SIGNALS_READ,
            query=schemas.SignalQuery,
            responses={200: schemas.SignalPage},
            problems=(400, 422, 503),
        )
    )
    async def list_signals() -> Response:
        """List signals, the newest first."""
        query = requests.Query(request.args, *_FILTERS)
        symbol = query.text("symbol", 45)
        wanted = SignalFilter(
            user_id=principal().user_id,
            symbol=None if symbol is None else parse_symbol(symbol),
            source=query.text("source"),
            pattern=query.text("pattern"),
            min_score=query.share("min_score"),
            since_ms=query.time("since"),
            until_ms=query.time("until"),
        )
        limit, before_id = query.limit(), query.before_id()
        query.done()
        found, following = await state.offload(read.page, wanted, before_id=before_id, limit=limit)
        cursor = None if following is None else requests.write_cursor(following)
        return json_response({"items": [signal_view(signal) for signal in found], "next_cursor": cursor})

    @routes.get("/signals/<signal_id>")
    @documented(
        Operation(
            tag="signals",
            access=Scope.SIGNALS_READ,
            responses={200: schemas.Signal},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_signal(signal_id: str) -> Response:
        """Read a signal."""
        requests.no_query(request.args)
        found = await state.offload(read.get, parse_id(signal_id), principal().user_id)
        return json_response(signal_view(found))
