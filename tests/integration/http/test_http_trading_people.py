"""What only people may do, and only those who may: approving, resolving, accepting, arming, releasing, limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quart.testing.client import QuartClient

from domain.identity.model import Role, Scope
from domain.trading.model import Order, OrderState
from tests.integration.http.browser import Browser, code_of
from tests.integration.http.test_http_jobs import with_client
from tests.integration.http.trading import connect, move, place
from tests.integration.http.world import PASSWORD, World

S = OrderState


def waiting(world: World, user_id: str) -> Order:
    """Store an order that waits for a yes."""
    account = place(world, user_id).account
    world.services.trading.change_account(account, actor="test", approval_required=True)
    return place(world, user_id)


def unknown(world: World, user_id: str) -> Order:
    """Store an order that may or may not be at its broker."""
    return move(world, place(world, user_id), S.SENDING, S.UNKNOWN)


def status_of(world: World, order: Order) -> tuple[str, str]:
    with world.read() as work:
        found = work.orders.get(order.id)
    return found.status.value, found.approval.value


def test_who_may_only_look_may_not_approve(world: World) -> None:
    ann = world.add_user("ann", Role.TRADER)
    order, lost = waiting(world, ann.id), unknown(world, ann.id)
    world.identity.change_user.set_role(ann.id, Role.VIEWER, actor="test")

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client, "ann")
        for path in (f"/orders/{order.id}/approve", f"/orders/{order.id}/refuse", f"/orders/{lost.id}/resolve"):
            assert await code_of(await browser.post(path)) == (403, "insufficient_scope"), path

    with_client(world, scenario)
    assert status_of(world, order) == ("new", "pending")
    assert status_of(world, lost)[0] == "unknown"


def test_no_token_approves_or_resolves(world: World) -> None:
    ann = world.add_user("ann", Role.TRADER)
    order, lost = waiting(world, ann.id), unknown(world, ann.id)
    token = {"Authorization": f"Bearer {world.issue(ann)}"}

    async def scenario(client: QuartClient) -> None:
        for path in (f"/orders/{order.id}/approve", f"/orders/{order.id}/refuse", f"/orders/{lost.id}/resolve"):
            assert await code_of(await client.post(path, headers=token)) == (403, "person_required"), path

    with_client(world, scenario)
    assert status_of(world, order) == ("new", "pending")
    assert status_of(world, lost)[0] == "unknown"


def test_administrators_resolve_for_others_and_do_not_approve_for_them(world: World) -> None:
    ann, bob = world.add_user("ann", Role.TRADER), world.add_user("bob", Role.TRADER)
    order, lost, other = waiting(world, ann.id), unknown(world, ann.id), unknown(world, bob.id)

    async def scenario(client: QuartClient) -> None:
        admin = await Browser.logged_in(client)
        assert await code_of(await admin.post(f"/orders/{order.id}/approve")) == (404, "order_not_found")
        assert (await (await admin.post(f"/orders/{lost.id}/resolve")).get_json())["status"] == "not_placed"
        assert await code_of(await admin.post(f"/orders/{lost.id}/resolve")) == (409, "order_state")
        owner = await Browser.logged_in(client, "bob")
        assert await code_of(await owner.post(f"/orders/{order.id}/approve")) == (404, "order_not_found")
        assert (await (await owner.post(f"/orders/{other.id}/resolve")).get_json())["status"] == "not_placed"

    with_client(world, scenario)
    assert status_of(world, order) == ("new", "pending")


def test_every_act_that_needs_a_password_needs_a_session_and_the_right_one(world: World) -> None:
    place(world)
    world.services.trading.kill("global", actor="test", reason="test")
    acts: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/release", {"reason": "x"}),
        ("PUT", "/accounts/paper/limits", {"limits": {"max_notional": "5"}}),
        ("POST", "/accounts/paper/arm", {}),
        ("POST", "/accounts/paper/accept-positions", {}),
    ]

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client)
        for method, path, body in acts:
            proof = {**body, "password": PASSWORD}
            assert await code_of(await client.open(path, method=method, json=proof)) == (403, "person_required"), path
            missing = await browser.send(method, path, body)
            assert [error["field"] for error in (await missing.get_json())["errors"]] == ["password"], path
            wrong = await browser.send(method, path, {**body, "password": "wrong"})
            assert await code_of(wrong) == (403, "wrong_password"), path
        with world.read() as work:
            assert work.limits.get("paper").max_notional is None
            assert any(switch.engaged for switch in work.switches.list())

    with_client(world, scenario)


def test_guessing_a_password_again_has_to_wait(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client)
        codes = [
            await code_of(await browser.post("/release", {"reason": "x", "password": f"guess {n}"})) for n in range(6)
        ]
        assert codes == [(403, "wrong_password")] * 5 + [(429, "too_many_attempts")]
        answer = await browser.post("/release", {"reason": "x", "password": PASSWORD})
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1

    with_client(world, scenario)


def test_only_an_administrator_accepts_positions(world: World) -> None:
    ann = world.add_user("ann", Role.TRADER)
    account = place(world, ann.id).account
    connect(world, account)
    with world.work() as work:
        work.accounts.save(replace(work.accounts.get(account), halted="more was filled than ordered"))
        work.commit()

    async def scenario(client: QuartClient) -> None:
        path, proof = f"/accounts/{account}/accept-positions", {"password": PASSWORD}
        owner = await Browser.logged_in(client, "ann")
        assert await code_of(await owner.post(path, proof)) == (403, "insufficient_scope")
        seen = await (await owner.get(f"/accounts/{account}")).get_json()
        assert seen["halted"] == "more was filled than ordered"
        admin = await Browser.logged_in(client)
        accepted = await admin.post(path, proof)
        assert (accepted.status_code, (await accepted.get_json())["halted"]) == (200, None)
        nowhere = await admin.post("/accounts/nobody/accept-positions", proof)
        assert await code_of(nowhere) == (404, "account_not_found")

    with_client(world, scenario)


def test_owners_stop_their_own_account_and_do_not_let_it_go_on(world: World) -> None:
    ann = world.add_user("ann", Role.TRADER)
    order = place(world, ann.id)
    token = {"Authorization": f"Bearer {world.issue(ann)}"}
    reader = {"Authorization": f"Bearer {world.issue(ann, Scope.ORDERS_READ)}"}
    stop = {"scope": order.account, "reason": "enough"}

    async def scenario(client: QuartClient) -> None:
        assert await code_of(await client.post("/kill", json=stop, headers=reader)) == (403, "insufficient_scope")
        assert (await client.post("/kill", json=stop, headers=token)).status_code == 200
        browser = await Browser.logged_in(client, "ann")
        release = {"scope": order.account, "reason": "again", "password": PASSWORD}
        assert await code_of(await browser.post("/release", release)) == (403, "insufficient_scope")
        mine = await (await client.get("/switches", headers=reader)).get_json()
        assert [(item["scope"], item["engaged"]) for item in mine["items"]] == [
            ("global", False),
            (order.account, True),
        ]
        admin = await Browser.logged_in(client)
        assert (await admin.post("/release", release)).status_code == 200

    with_client(world, scenario)
    assert status_of(world, order)[0] == "new"
    with world.read() as work:
        said = [(line.action, line.actor, line.subject) for line in work.audit.newest(10)]
    assert ("switch.engage", "ann", order.account) in said
    assert ("switch.release", "local", order.account) in said


def test_flattening_closes_and_cancels_and_says_what_was_on_its_way(world: World) -> None:
    waits, sent = place(world), unknown(world, world.owner.id)

    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/kill", json={"scope": "paper", "reason": "out", "flatten": True})
        body = await answer.get_json()
        assert (answer.status_code, body["effective"], body["in_flight"]) == (200, True, [sent.id])
        assert (body["flattening"], body["problems"]) == ([], [])

    with_client(world, scenario)
    assert status_of(world, waits)[0] == "canceled"


def test_disarming_is_the_owners_and_the_administrators(world: World) -> None:
    ann = world.add_user("ann", Role.TRADER)
    world.add_user("bob", Role.TRADER)

    async def scenario(client: QuartClient) -> None:
        made = {"id": "kite", "broker": "mcp", "currency": "INR", "user_id": ann.id}
        assert (await client.post("/accounts", json=made)).status_code == 201
        admin, proof = await Browser.logged_in(client), {"password": PASSWORD}
        limits = {"limits": {"max_notional": "20000", "max_daily_loss": "500"}, **proof}
        assert (await admin.send("PUT", "/accounts/kite/limits", limits)).status_code == 200
        for hours in (0, 9, "1", 1.5):
            refused = await admin.post("/accounts/kite/arm", {**proof, "hours": hours})
            assert refused.status_code == 422, hours
        for name, was in (("ann", True), ("local", True), ("ann", False)):
            if was:
                admin = await Browser.logged_in(client)
                assert (await admin.post("/accounts/kite/arm", proof)).status_code == 200
            browser = await Browser.logged_in(client, name)
            ended = await browser.post("/accounts/kite/disarm")
            assert await ended.get_json() == {"account": "kite", "was_armed": was}
        bob = await Browser.logged_in(client, "bob")
        assert await code_of(await bob.post("/accounts/kite/disarm")) == (404, "account_not_found")
        trader = await Browser.logged_in(client, "ann")
        assert await code_of(await trader.post("/accounts/kite/arm", proof)) == (403, "insufficient_scope")

    with_client(world, scenario)
