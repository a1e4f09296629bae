"""``/accounts``: who trades where, what it is worth, and what it may do."""

from __future__ import annotations

from typing import Any

from quart import Blueprint, Response, request

from adapters.http import order_schemas, requests
from adapters.http import trading_schemas as schemas
from adapters.http.access import Access, insufficient
from adapters.http.bodies import no_body
from adapters.http.identity import principal
from adapters.http.openapi import Operation, documented
from adapters.http.order_routes import if_match
from adapters.http.persons import require_password
from adapters.http.representations import json_response
from adapters.http.state import HttpState
from adapters.http.trading_login import ask_login
from adapters.http.trading_requests import TradingFields, read_body, read_limits
from domain.common.errors import FieldError, Invalid
from domain.common.ids import parse_id
from domain.identity.model import Principal, Scope
from domain.trading.accounts import PAPER, PAPER_CASH, NewAccount
from domain.trading.model import ZERO, Mode
from domain.trading.queries import AccountNow
from domain.trading.views import account_view, equity_view

_RESPONSE = {200: schemas.Account}
_ETAG = {200: schemas.AccountHeaders}


def account_routes(state: HttpState) -> Blueprint:
    """Return the routes of accounts."""
    routes = Blueprint("accounts", __name__)
    _add_reading(routes, state)
    _add_making(routes, state)
    _add_limits(routes, state)
    _add_asking(routes, state)
    return routes


def _answer(found: AccountNow, status: int = 200) -> Response:
    headers = {"ETag": f'"{found.account.version}"'}
    if status == 201:
        headers["Location"] = f"/accounts/{found.account.id}"
    return json_response(_view(found), status, headers)


def _view(found: AccountNow) -> dict[str, Any]:
    return account_view(found.account, found.state, found.arming)


def mine(who: Principal) -> str | None:
    """Return whose accounts someone may see: an administrator everyone's."""
    return None if Scope.ADMIN in who.scopes else who.user_id


def _add_reading(routes: Blueprint, state: HttpState) -> None:
    read = state.services.trading.read

    @routes.get("/accounts")
    @documented(
        Operation(
            tag="accounts", access=Scope.ORDERS_READ, responses={200: schemas.Accounts}, problems=(400, 422, 503)
        )
    )
    async def list_accounts() -> Response:
        """List your accounts, and what is known of their brokers."""
        requests.no_query(request.args)
        found = await state.offload(read.accounts, principal().user_id)
        return json_response({"items": [_view(item) for item in found]})

    @routes.get("/accounts/<account>")
    @documented(
        Operation(
            tag="accounts",
            access=Scope.ORDERS_READ,
            responses=_RESPONSE,
            response_headers=_ETAG,
            problems=(400, 404, 422, 503),
        )
    )
    async def get_account(account: str) -> Response:
        """Read an account. An administrator may read everyone's."""
        requests.no_query(request.args)
        return _answer(await state.offload(read.account, account, mine(principal())))

    @routes.get("/accounts/<account>/equity")
    @documented(
        Operation(
            tag="accounts",
            access=Scope.ORDERS_READ,
            query=schemas.EquityQuery,
            responses={200: schemas.Equity},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_equity(account: str) -> Response:
        """Read the newest part of an equity history, and what the account is worth now."""
        query = requests.Query(request.args, "since", "until", "limit")
        since, until, limit = query.time("since"), query.time("until"), query.limit()
        query.done()
        user_id = mine(principal())
        points = await state.offload(read.equity, account, user_id, since_ms=since, until_ms=until, limit=limit)
        now = await state.offload(read.worth, account, user_id)
        return json_response({"now": equity_view(now), "items": [equity_view(point) for point in points]})


def _add_making(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.post("/accounts")
    @documented(
        Operation(
            tag="accounts",
            access=Scope.ADMIN,
            request=schemas.NewAccountRequest,
            responses={201: schemas.Account},
            response_headers={201: schemas.NewAccountHeaders},
            problems=(400, 404, 409, 413, 415, 422, 503),
        )
    )
    async def create_account() -> Response:
        """Make an account. A live one sends nothing until it is armed."""
        who, fields = principal(), TradingFields(await read_body())
        name, owner = fields.line("id", 64), fields.optional_text("user_id", 36)
        broker, mode = fields.line("broker", 64), fields.optional_one_of("mode", *Mode)
        currency = fields.optional_text("currency", 5) or "USD"
        cash, options = fields.optional_money("starting_cash", zero=True), fields.mapping("options")
        approval = fields.boolean("approval_required", False)
        fields.done()
        if cash is None:  # made-up cash would stand in for the balance that a broker tells
            cash = PAPER_CASH if broker == PAPER else ZERO
        wanted = NewAccount(
            id=name,
            user_id=who.user_id if owner is None else parse_id(owner),
            broker=broker,
            mode=None if mode is None else Mode(mode),
            currency=currency,
            starting_cash=cash,
            options=options,
            approval_required=approval,
        )

        def make() -> AccountNow:
            state.services.identity.users.one(wanted.user_id)
            made = trading.create_account(wanted, actor=who.username)
            return trading.read.account(made.id, None)

        return _answer(await state.offload(make), 201)

    @routes.patch("/accounts/<account>")
    @documented(
        Operation(
            tag="accounts",
            access=Scope.ADMIN,
            request=schemas.AccountChangeRequest,
            headers=order_schemas.IfMatchHeaders,
            responses=_RESPONSE,
            response_headers=_ETAG,
            problems=(400, 404, 409, 413, 415, 422, 428, 503),
        )
    )
    async def change_account(account: str) -> Response:
        """Change how an account's orders are approved."""
        version, who, fields = if_match(), principal(), TradingFields(await read_body())
        required = fields.optional_boolean("approval_required")
        strategies = fields.optional_strategies("approval_strategies")
        minutes = fields.optional_integer("approval_minutes")
        fields.done()
        _require_some(approval_required=required, approval_strategies=strategies, approval_minutes=minutes)

        def change() -> AccountNow:
            trading.change_account(
                account,
                actor=who.username,
                approval_required=required,
                approval_strategies=strategies,
                approval_minutes=minutes,
                version=version,
            )
            return trading.read.account(account, None)

        return _answer(await state.offload(change))


def _require_some(**given: object) -> None:
    if all(value is None for value in given.values()):
        errors = [FieldError(name, "is required when the others are left out") for name in given]
        raise Invalid("nothing is to be changed", code="invalid_account", errors=errors)


def _add_limits(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.get("/accounts/<account>/limits")
    @documented(
        Operation(
            tag="accounts",
            access=Scope.ORDERS_READ,
            responses={200: schemas.Limits},
            problems=(400, 404, 422, 503),
        )
    )
    async def get_limits(account: str) -> Response:
        """Read the risk limits of an account and its strategies."""
        requests.no_query(request.args)
        found = await state.offload(trading.get_limits, account, mine(principal()))
        limits = {strategy: item.to_json() for strategy, item in found.items()}
        return json_response({"account": account, "limits": limits})

    @routes.put("/accounts/<account>/limits")
    @documented(
        Operation(
            tag="accounts",
            access=Scope.ADMIN,
            request=schemas.LimitsRequest,
            responses={200: schemas.Limits},
            problems=(400, 404, 413, 415, 422, 503),
        )
    )
    async def set_limits(account: str) -> Response:
        """Set risk limits. A person must do this, with their password; an armed account is disarmed."""
        fields = TradingFields(await read_body())
        strategy, values = fields.optional_line("strategy", 64, least=0) or "", fields.mapping("limits")
        password = fields.text("password", 128)
        fields.done()
        values = read_limits(values)
        who = await require_password(state, password)
        await state.offload(trading.set_limits, account, strategy, values, actor=who.username)
        found = await state.offload(trading.get_limits, account)
        limits = {name: item.to_json() for name, item in found.items()}
        return json_response({"account": account, "limits": limits})


def _add_asking(routes: Blueprint, state: HttpState) -> None:
    trading = state.services.trading

    @routes.post("/accounts/<account>/login")
    @documented(
        Operation(
            tag="accounts",
            access=Scope.ORDERS_WRITE,
            responses={200: schemas.BrokerLogin},
            problems=(400, 404, 422, 503),
        )
    )
    async def log_in(account: str) -> Response:
        """Ask the broker of an account of yours for a login link, or learn that none is needed."""
        await no_body()
        user_id = principal().user_id

        def ask() -> dict[str, Any]:
            trading.read.account(account, user_id)
            return ask_login(trading, account)

        return json_response(await state.offload(ask))

    @routes.post("/accounts/<account>/refresh")
    @documented(
        Operation(tag="accounts", access=Scope.ORDERS_WRITE, responses=_RESPONSE, problems=(400, 404, 422, 503))
    )
    async def refresh(account: str) -> Response:
        """Compare the books with the broker's now."""
        await no_body()
        user_id = principal().user_id

        def ask() -> AccountNow:
            trading.read.account(account, user_id)
            trading.ask(account, "refresh")
            return trading.read.account(account, user_id)

        return _answer(await state.offload(ask))

    @routes.post("/accounts/<account>/accept-positions")
    @documented(
        Operation(
            tag="accounts",
            access=Access.OWN,
            request=schemas.PasswordAgain,
            responses=_RESPONSE,
            problems=(400, 404, 413, 415, 422, 503),
        )
    )
    async def accept_positions(account: str) -> Response:
        """Take the broker's positions as true, and end a halt.

        An administrator must do this in person, with their password; no token may.
        """
        fields = TradingFields(await read_body())
        password = fields.text("password", 128)
        fields.done()
        who = await require_password(state, password)

        def accept() -> AccountNow:
            trading.read.account(account, mine(who))
            if Scope.ADMIN not in who.scopes:
                raise insufficient(Scope.ADMIN)
            trading.accept_positions(account, actor=who.username)
            return trading.read.account(account, None)

        return _answer(await state.offload(accept))
