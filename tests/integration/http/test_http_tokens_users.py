"""``/tokens`` and ``/users``."""

from __future__ import annotations

from typing import Any

import pytest
from quart.testing.client import QuartClient

from domain.identity.model import Role, Scope
from tests.integration.http.browser import Browser, code_of, log_in
from tests.integration.http.test_http_jobs import ECHO, with_client
from tests.integration.http.world import PASSWORD, World

WANTED = {"name": "laptop", "scopes": ["jobs:read", "jobs:write"], "expires_in_days": 7}
ANN = {"username": "ann", "role": "trader", "password": PASSWORD}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_token_is_made_shown_once_and_works(world: World) -> None:
    world.add_user("ann")

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client, "ann")
        answer = await browser.post("/tokens", WANTED)
        made = await answer.get_json()
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"/tokens/{made['id']}"
        text = made.pop("token")
        assert text.startswith(made["prefix"])
        assert (await client.post("/jobs", json=ECHO, headers=bearer(text))).status_code == 202
        seen = []
        for path in ("/tokens", f"/tokens/{made['id']}", "/auth/session", "/jobs", "/"):
            seen.append(await (await browser.get(path)).get_data(as_text=True))
        seen.append(await (await browser.post(f"/tokens/{made['id']}/rotate")).get_data(as_text=True))
        seen.append(await (await browser.send("DELETE", f"/tokens/{made['id']}")).get_data(as_text=True))
        assert all(text not in one and text.rpartition("_")[2] not in one for one in seen)
        assert (await client.get("/jobs", headers=bearer(text))).status_code == 401

    with_client(world, scenario)
    with world.read() as work:
        actions = [event.action for event in work.audit.read()]
    assert actions[-3:] == ["token.created", "token.rotated", "token.revoked"]


def test_rotated_token_overlaps_with_the_old_one_for_a_day(world: World) -> None:
    old = world.issue(world.owner, days=30)
    found = world.identity.list_tokens(world.owner.id)[0]

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client)
        answer = await browser.post(f"/tokens/{found.id}/rotate")
        made = await answer.get_json()
        assert answer.status_code == 201
        assert (made["rotated_from"], made["scopes"]) == (found.id, sorted(found.scopes))
        for token in (old, made["token"]):
            assert (await client.get("/jobs", headers=bearer(token))).status_code == 200
        world.clock.advance(minutes=24 * 60 + 1)
        assert (await client.get("/jobs", headers=bearer(old))).status_code == 401
        assert (await client.get("/jobs", headers=bearer(made["token"]))).status_code == 200
        await Browser.logged_in(client)
        again = await client.post(f"/tokens/{found.id}/rotate")
        assert await code_of(again) == (409, "token_ended")

    with_client(world, scenario)


def test_making_and_rotating_needs_a_recent_login(world: World) -> None:
    world.issue(world.owner)
    found = world.identity.list_tokens(world.owner.id)[0]

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client)
        assert (await browser.post("/tokens", WANTED)).status_code == 201
        world.clock.advance(minutes=16)
        refused = (403, "recent_login_required")
        assert await code_of(await browser.post("/tokens", WANTED)) == refused
        assert await code_of(await browser.post(f"/tokens/{found.id}/rotate")) == refused
        assert (await browser.get("/tokens")).status_code == 200
        assert (await browser.send("DELETE", f"/tokens/{found.id}")).status_code == 200
        again = await Browser.logged_in(client)
        assert (await again.post("/tokens", WANTED)).status_code == 201

    with_client(world, scenario)


def test_token_makes_tokens_only_as_admin_and_never_beyond_itself(world: World) -> None:
    plain = world.issue(world.owner, Scope.JOBS_READ, Scope.JOBS_WRITE)
    admin = world.issue(world.owner, Scope.ADMIN, Scope.JOBS_READ)
    full = world.identity.list_tokens(world.owner.id)[-1]

    async def scenario(client: QuartClient) -> None:
        async def make(token: str, *scopes: str) -> tuple[int, str]:
            body = {"name": "x", "scopes": list(scopes)}
            return await code_of(await client.post("/tokens", json=body, headers=bearer(token)))

        assert await make(plain, "jobs:read") == (403, "insufficient_scope")
        assert await make(admin, "jobs:read") == (201, "")
        assert await make(admin, "jobs:write") == (403, "scope_not_allowed")
        stronger = await client.post(f"/tokens/{full.id}/rotate", headers=bearer(admin))
        assert await code_of(stronger) == (403, "scope_not_allowed")

    with_client(world, scenario)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({**WANTED, "name": ""}, "invalid_request"),
        ({**WANTED, "name": "   "}, "invalid_token_request"),
        ({**WANTED, "name": "x" * 65}, "invalid_request"),
        ({**WANTED, "scopes": []}, "invalid_token_request"),
        ({**WANTED, "scopes": "jobs:read"}, "invalid_request"),
        ({**WANTED, "scopes": ["jobs:*"]}, "unknown_scope"),
        ({**WANTED, "expires_in_days": 0}, "invalid_token_request"),
        ({**WANTED, "expires_in_days": 91}, "invalid_token_request"),
        ({**WANTED, "expires_in_days": "7"}, "invalid_request"),
        ({**WANTED, "expires_in_days": True}, "invalid_request"),
        ({**WANTED, "user_id": "x"}, "invalid_request"),
    ],
)
def test_bad_token_request(world: World, body: dict[str, Any], code: str) -> None:
    async def scenario(client: QuartClient) -> None:
        before = len(world.identity.list_tokens(None))
        assert await code_of(await client.post("/tokens", json=body)) == (422, code)
        assert len(world.identity.list_tokens(None)) == before

    with_client(world, scenario)


def test_lists_are_paged(world: World) -> None:
    for _ in range(4):
        world.issue(world.owner)
    for name in ("ann", "bob"):
        world.issue(world.add_user(name))

    async def scenario(client: QuartClient) -> None:
        for path, count in (("/tokens", 5), ("/users", 3)):
            seen: list[str] = []
            cursor = ""
            while True:
                page = await (await client.get(f"{path}?limit=2{cursor}")).get_json()
                seen += [item["id"] for item in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={page['next_cursor']}"
            assert len(set(seen)) == len(seen) == count
            assert seen == sorted(seen, reverse=True)
            for bad in ("limit=0", "limit=201", "limit=1&limit=2", "x=1"):
                assert (await client.get(f"{path}?{bad}")).status_code == 422
            assert (await client.get(f"{path}?cursor=x")).status_code == 400

    with_client(world, scenario)


def test_creating_twice_with_one_key_makes_one(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        for path, body, other in (
            ("/tokens", WANTED, {**WANTED, "name": "other"}),
            ("/users", ANN, {**ANN, "username": "bob"}),
        ):
            headers = {"Idempotency-Key": f"key-{path}"}
            first = await client.post(path, json=body, headers=headers)
            again = await client.post(path, json=body, headers=headers)
            assert (first.status_code, again.status_code) == (201, 200)
            made, found = await first.get_json(), await again.get_json()
            made.pop("token", None)
            assert found == made
            reused = await client.post(path, json=other, headers=headers)
            assert await code_of(reused) == (422, "idempotency_key_reused")
            bad = await client.post(path, json=body, headers={"Idempotency-Key": "with space"})
            assert await code_of(bad) == (400, "invalid_idempotency_key")
        rotated = [
            await client.post(f"/tokens/{made_id}/rotate", headers={"Idempotency-Key": "r"})
            for made_id in [world.identity.list_tokens(None)[0].id] * 2
        ]
        assert [answer.status_code for answer in rotated] == [201, 200]
        assert "token" not in await rotated[1].get_json()

    with_client(world, scenario)
    assert len(world.identity.list_tokens(None)) == 3
    assert [user.username for user in world.identity.users.all()] == ["ann", "local"]


def test_one_key_of_two_users_is_two_keys(world: World) -> None:
    ann = world.add_user("ann", Role.ADMIN)

    async def scenario(client: QuartClient) -> None:
        for token in (world.token, world.issue(ann)):
            headers = {**bearer(token), "Idempotency-Key": "same"}
            assert (await client.post("/tokens", json=WANTED, headers=headers)).status_code == 201

    with_client(world, scenario)


def test_password_is_in_no_response_and_its_hash_in_no_key(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/users", json=ANN, headers={"Idempotency-Key": "k"})
        text = await answer.get_data(as_text=True)
        assert PASSWORD not in text
        assert "hash" not in text
        # The password is no part of what the key stands for: not even its digest is stored.
        other = await client.post("/users", json={**ANN, "password": "x" * 12}, headers={"Idempotency-Key": "k"})
        assert other.status_code == 200
        assert (await log_in(client, "ann", "x" * 12)).status_code == 401
        assert (await log_in(client, "ann")).status_code == 200

    with_client(world, scenario)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({**ANN, "username": "Ann Lee"}, (422, "invalid_username")),
        ({**ANN, "role": "root"}, (422, "invalid_request")),
        ({**ANN, "password": "short"}, (422, "bad_password")),
        ({**ANN, "username": "local"}, (409, "user_exists")),
        ({"username": "ann"}, (422, "invalid_request")),
    ],
)
def test_bad_user_request(world: World, body: dict[str, Any], code: tuple[int, str]) -> None:
    async def scenario(client: QuartClient) -> None:
        assert await code_of(await client.post("/users", json=body)) == code

    with_client(world, scenario)
    assert len(world.identity.users.all()) == 1


@pytest.mark.parametrize(
    ("change", "body"),
    [("disable", None), ("password", {"password": "y" * 12}), ("role", {"role": "viewer"})],
)
def test_every_change_of_a_user_ends_sessions_and_tokens(world: World, change: str, body: Any) -> None:
    ann = world.add_user("ann")
    token = world.issue(ann)

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client, "ann")
        assert (await client.get("/jobs", headers=bearer(token))).status_code == 200
        options = {} if body is None else {"json": body}
        answer = await client.post(f"/users/{ann.id}/{change}", **options)
        assert answer.status_code == 200, await answer.get_data(as_text=True)
        assert (await browser.get("/jobs")).status_code == 401
        assert (await client.get("/jobs", headers=bearer(token))).status_code == 401

    with_client(world, scenario)


def test_nobody_changes_their_own_role_and_the_last_administrator_stays(world: World) -> None:
    ann = world.add_user("ann", Role.ADMIN)

    async def scenario(client: QuartClient) -> None:
        own = await client.post(f"/users/{world.owner.id}/role", json={"role": "admin"})
        assert await code_of(own) == (403, "own_role")
        assert (await client.post(f"/users/{ann.id}/role", json={"role": "trader"})).status_code == 200
        last = await client.post(f"/users/{world.owner.id}/disable")
        assert await code_of(last) == (409, "last_administrator")
        assert (await client.get("/users")).status_code == 200  # refused, so nothing was revoked either
        unknown = await client.get("/users/019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0000")
        assert await code_of(unknown) == (404, "user_not_found")

    with_client(world, scenario)
