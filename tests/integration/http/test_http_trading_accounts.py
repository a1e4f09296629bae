"""``/accounts``: made, versioned, logged in, and what they are worth without anything invented."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

from quart.testing.client import QuartClient

from domain.identity.model import Role, Scope
from domain.trading.brokerage import Balance, BrokerSession, Quote, SessionState
from domain.trading.queries import AskDesk
from domain.trading.views import session_view
from tests.integration.http.browser import NOBODY, Browser, code_of
from tests.integration.http.test_http_jobs import with_client
from tests.integration.http.trading import connect, place, quote
from tests.integration.http.world import PASSWORD, STRANGER, World

KITE = {"id": "kite", "broker": "mcp", "currency": "INR"}


def answering(world: World, session: BrokerSession | None, error: str = "") -> Any:
    """Return services whose desk answers the moment it is woken."""

    def wake(account: str) -> None:
        with world.work() as work:
            for request in work.desk.asked([account]):
                result = None if session is None else session_view(session)
                work.desk.answer(request.id, result=result, error=error or None, now_ms=world.clock.now_ms())
            work.commit()

    ask = AskDesk(world.work, world.read, world.clock, wake, timeout_s=5.0)
    return {"trading": replace(world.services.trading, ask=ask)}


def over(world: World, services: Any, test: Callable[[QuartClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with world.app(services=services).test_app() as app:
            await test(cast("QuartClient", app.test_client()))

    asyncio.run(main())


def test_no_money_is_invented_for_an_account_with_a_broker(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        assert (await client.post("/accounts", json=KITE)).status_code == 201
        before = await (await client.get("/accounts/kite/equity")).get_json()
        assert (before["now"]["cash"], before["now"]["equity"]) == ("0", "0")
        connect(world, "kite", balance=Balance("INR", Decimal("2500.50")))
        after = await (await client.get("/accounts/kite/equity")).get_json()
        assert (after["now"]["cash"], after["now"]["equity"]) == ("2500.50", "2500.50")
        made = await client.post("/accounts", json={"id": "play", "broker": "paper"})
        assert made.headers["Location"] == "/accounts/play"
        play = await (await client.get("/accounts/play/equity")).get_json()
        assert play["now"]["cash"] == "100000"
        rich = {"id": "rich", "broker": "paper", "starting_cash": "0.01"}
        assert (await client.post("/accounts", json=rich)).status_code == 201
        assert (await (await client.get("/accounts/rich/equity")).get_json())["now"]["cash"] == "0.01"

    with_client(world, scenario)


def test_what_an_account_cannot_be_is_refused(world: World) -> None:
    rows: list[tuple[dict[str, Any], int, str]] = [
        ({"id": "Kite"}, 422, "invalid_account"),
        ({"id": "global"}, 409, "account_exists"),
        ({"currency": "rupees"}, 422, "invalid_request"),
        ({"currency": "inr"}, 422, "invalid_account"),
        ({"mode": "demo"}, 422, "invalid_request"),
        ({"broker": "paper", "mode": "live"}, 422, "invalid_account"),
        ({"broker": "nobody"}, 404, "unknown_broker"),
        ({"starting_cash": "-1"}, 422, "invalid_request"),
        ({"starting_cash": 5}, 422, "invalid_request"),
        ({"options": []}, 422, "invalid_request"),
        ({"user_id": "ann"}, 400, "invalid_id"),
        ({"user_id": "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0000"}, 404, "user_not_found"),
        ({"armed": True}, 422, "invalid_request"),
    ]

    async def scenario(client: QuartClient) -> None:
        for change, status, code in rows:
            answer = await client.post("/accounts", json={**KITE, **change})
            assert await code_of(answer) == (status, code), change
        assert await (await client.get("/accounts")).get_json() == {"items": []}
        big = {**KITE, "options": {"note": "x" * 5000}}
        assert (await client.post("/accounts", json=big)).status_code == 201
        assert await code_of(await client.post("/accounts", json=KITE)) == (409, "account_exists")

    with_client(world, scenario)


def test_approval_is_changed_for_the_version_that_was_read(world: World) -> None:
    place(world)

    async def scenario(client: QuartClient) -> None:
        etag = (await client.get("/accounts/paper")).headers["ETag"]
        change = {"approval_required": True, "approval_strategies": ["b", "a"], "approval_minutes": None}
        assert await code_of(await client.patch("/accounts/paper", json=change)) == (428, "precondition_required")
        done = await client.patch("/accounts/paper", json=change, headers={"If-Match": etag})
        body = await done.get_json()
        assert (body["approval_required"], sorted(body["approval_strategies"])) == (True, ["a", "b"])
        assert body["approval_minutes"] == 15
        assert done.headers["ETag"] == f'"{body["version"]}"' != etag
        late = await client.patch("/accounts/paper", json=change, headers={"If-Match": etag})
        assert await code_of(late) == (409, "account_changed")
        now = {"If-Match": done.headers["ETag"]}
        for wrong in (
            {},
            {"approval_minutes": 0},
            {"approval_minutes": 1441},
            {"approval_minutes": "5"},
            {"approval_required": "yes"},
            {"approval_strategies": ["a\nb"]},
            {"approval_strategies": ["a" * 65]},
            {"approval_strategies": ["a"] * 33},
            {"mode": "live"},
        ):
            assert (await client.patch("/accounts/paper", json=wrong, headers=now)).status_code == 422, wrong
        assert (await client.get("/accounts/paper")).headers["ETag"] == now["If-Match"]

    with_client(world, scenario)


def test_lists_of_symbols_may_be_long_and_are_upper_case(world: World) -> None:
    place(world)
    names = [f"nse:sym{number}" for number in range(200)]

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client)
        body = {"limits": {"symbols": names, "max_notional": "25000.5"}, "strategy": "", "password": PASSWORD}
        answer = await browser.send("PUT", "/accounts/paper/limits", body)
        limits = (await answer.get_json())["limits"][""]
        assert limits["symbols"] == sorted(name.upper() for name in names)
        assert limits["max_notional"] == "25000.5"
        assert limits["max_open_orders"] == 1000  # what is not named stays
        own = {"limits": {"max_quantity": "5", "max_notional": None}, "strategy": "trend", "password": PASSWORD}
        changed = await browser.send("PUT", "/accounts/paper/limits", own)
        assert sorted((await changed.get_json())["limits"]) == ["", "trend"]
        nowhere = await browser.send("PUT", "/accounts/nobody/limits", own)
        assert await code_of(nowhere) == (404, "account_not_found")

    with_client(world, scenario)


def test_login_links_are_for_the_owner(world: World) -> None:
    place(world)
    world.add_user("ann", Role.TRADER)
    connect(world, "paper")
    link = BrokerSession(SessionState.NEEDS_LOGIN, login_url="https://broker.example/login", warning="check the name")

    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/accounts/paper/login")
        assert await answer.get_json() == {
            "account": "paper",
            "status": "login_required",
            "login_url": "https://broker.example/login",
            "warning": "check the name",
            "user": None,
            "expires_at": None,
        }
        browser = await Browser.logged_in(client, "ann")
        assert await code_of(await browser.post("/accounts/paper/login")) == (404, "account_not_found")
        reader = {"Authorization": f"Bearer {world.issue(world.owner, Scope.ORDERS_READ)}"}
        assert (await client.post("/accounts/paper/login", headers=reader)).status_code == 403

    over(world, answering(world, link), scenario)


def test_logins_that_are_not_needed_or_not_possible(world: World) -> None:
    async def made(client: QuartClient) -> None:
        assert (await client.post("/accounts", json=KITE)).status_code == 201
        connect(world, "kite")

    async def expect(status: str, client: QuartClient) -> None:
        for answer in (await client.get("/mcp/login"), await client.post("/accounts/kite/login")):
            body = await answer.get_json()
            assert (answer.status_code, body["status"], body["user"]) == (200, status, "AB1234")

    async def down(client: QuartClient) -> None:
        for answer in (await client.get("/mcp/login"), await client.post("/accounts/kite/login")):
            body = await answer.get_json(force=True)
            assert (answer.status_code, body["code"], body["detail"]) == (503, "broker_unavailable", "no route")

    over(world, {}, made)
    connected = BrokerSession(SessionState.CONNECTED, user="AB1234")
    over(world, answering(world, connected), lambda client: expect("logged_in", client))
    over(world, answering(world, BrokerSession(SessionState.DOWN, "no route")), down)
    over(world, answering(world, None, "no route"), down)


def test_refreshing_asks_the_desk(world: World) -> None:
    place(world)
    connect(world, "paper")

    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/accounts/paper/refresh")
        body = await answer.get_json()
        assert (answer.status_code, body["id"], body["session"]["state"]) == (200, "paper", "connected")

    async def nobody_answers(client: QuartClient) -> None:
        assert await code_of(await client.post("/accounts/paper/refresh")) == (503, "broker_unavailable")

    over(world, answering(world, BrokerSession(SessionState.CONNECTED)), scenario)
    over(world, {}, nobody_answers)


def test_prices_are_read_by_name_or_for_what_is_held(world: World) -> None:
    quote(world)
    world.quotes.save([Quote("NSE:TCS", Decimal("3500.5"), world.clock.now_ms(), Decimal(3500), volume=Decimal(7))])

    async def scenario(client: QuartClient) -> None:
        found = await (await client.get("/quotes?symbols=nse:tcs,NSE:NOBODY,NSE:INFY,NSE:TCS")).get_json()
        assert [(item["symbol"], item["price"]) for item in found["items"]] == [
            ("NSE:TCS", "3500.5"),
            ("NSE:INFY", "1500.50"),
        ]
        assert (found["items"][0]["bid"], found["items"][0]["ask"], found["items"][0]["volume"]) == (
            "3500",
            None,
            "7",
        )
        assert await (await client.get("/quotes")).get_json() == {"items": []}
        for query in ("symbols=", "symbols=a%20b", "symbols=A,,B", "symbols=A&symbols=B", "names=A"):
            assert (await client.get(f"/quotes?{query}")).status_code == 422, query
        many = ",".join(f"S{number}" for number in range(101))
        assert (await client.get(f"/quotes?symbols={many}")).status_code == 422
        writer = {"Authorization": f"Bearer {world.issue(world.owner, Scope.DATA_WRITE)}"}
        assert (await client.get("/quotes?symbols=A", headers=writer)).status_code == 403
        reader = {"Authorization": f"Bearer {world.issue(world.owner, Scope.ORDERS_READ)}"}
        pushed = {"items": [{"symbol": "A", "price": "1"}]}
        assert (await client.post("/quotes", json=pushed, headers=reader)).status_code == 403

    with_client(world, scenario)


def test_health_shows_strangers_a_word_and_owners_their_own(world: World) -> None:
    place(world)
    ann = world.add_user("ann", Role.TRADER)
    theirs = place(world, ann.id).account
    connect(world, theirs)

    async def scenario(client: QuartClient) -> None:
        async def health(headers: dict[str, str], **options: Any) -> tuple[str, Any]:
            answer = await client.get("/health/trading", headers=headers, **options)
            body = await answer.get_json()
            assert answer.status_code == 200
            shown = body.get("accounts")
            return body["status"], shown and [(item["account"], item["status"]) for item in shown]

        both = [("paper", "blocked"), (theirs, "ready")]
        token = {"Authorization": f"Bearer {world.issue(ann)}"}
        jobs = {"Authorization": f"Bearer {world.issue(ann, Scope.JOBS_READ)}"}
        assert await health(NOBODY, scope_base=STRANGER) == ("blocked", None)
        assert await health(jobs, scope_base=STRANGER) == ("blocked", None)
        assert await health(token, scope_base=STRANGER) == ("blocked", [(theirs, "ready")])
        assert await health({}, scope_base=STRANGER) == ("blocked", both)
        connect(world, "paper")
        assert await health({}, scope_base=STRANGER) == ("ready", [("paper", "ready"), (theirs, "ready")])

    with_client(world, scenario)


def test_without_accounts_nothing_is_blocked(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.get("/health/trading", headers=NOBODY, scope_base=STRANGER)
        assert await answer.get_json() == {"status": "off"}

    with_client(world, scenario)


def test_accounts_of_others_are_not_there(world: World) -> None:
    place(world)
    world.add_user("ann", Role.TRADER)

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client, "ann")
        for path in ("", "/equity", "/limits"):
            for name in ("paper", "nobody"):
                answer = await browser.get(f"/accounts/{name}{path}")
                assert await code_of(answer) == (404, "account_not_found"), (name, path)
        for path in ("/positions", "/holdings"):
            assert await code_of(await browser.get(f"{path}?account=paper")) == (404, "account_not_found"), path
        for path in ("/orders", "/fills"):
            assert (await (await browser.get(f"{path}?account=paper")).get_json())["items"] == [], path
        assert (await client.get("/accounts/paper")).status_code == 200

    with_client(world, scenario)
