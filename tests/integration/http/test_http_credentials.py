"""Who is asking: bearer tokens, session cookies, CSRF, and secrets in URLs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from quart.testing.client import QuartClient

from domain.common.errors import Unavailable
from domain.identity.authentication import Authenticate
from tests.integration.http.browser import NOBODY, Browser, code_of
from tests.integration.http.test_http_jobs import ECHO, with_client
from tests.integration.http.world import ME, STRANGER, World

RECHECKED = 5  # seconds after which a revoked credential is certainly refused


def test_without_credentials_there_is_a_challenge(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        for method, path in (("GET", "/jobs"), ("POST", "/jobs"), ("GET", "/tokens"), ("GET", "/users")):
            answer = await client.open(path, method=method, headers=NOBODY)
            assert await code_of(answer) == (401, "not_authenticated")
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    with_client(world, scenario)


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic bG9jYWw6eA==",
        "Bearer ait_aaaaaaaa_" + "a" * 49,
        "Bearer \xe4",
        "x" * 9000,
    ],
)
def test_bad_credentials_are_refused(world: World, authorization: str) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.get("/jobs", headers={"Authorization": authorization})
        assert await code_of(answer) == (401, "not_authenticated")

    with_client(world, scenario)


def test_changed_token_is_refused(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        other = "y" if world.token[20] == "x" else "x"
        for changed in (world.token[:-1], world.token + "x", world.token[:20] + other + world.token[21:]):
            answer = await client.get("/jobs", headers={"Authorization": f"Bearer {changed}"})
            assert answer.status_code == 401
        upper = await client.get("/jobs", headers={"Authorization": f"bearer {world.token}"})
        assert upper.status_code == 200

    with_client(world, scenario)


def test_expired_token_is_refused(world: World) -> None:
    token = world.issue(world.owner, days=1)

    async def scenario(client: QuartClient) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/jobs", headers=headers)).status_code == 200
        world.clock.advance(minutes=24 * 60)
        assert await code_of(await client.get("/jobs", headers=headers)) == (401, "token_ended")

    with_client(world, scenario)


def test_token_revoked_by_another_process_is_refused_within_5_seconds(world: World) -> None:
    token = world.issue(world.owner)

    async def scenario(client: QuartClient) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/jobs", headers=headers)).status_code == 200
        found = world.identity.list_tokens(world.owner.id)[0]
        world.identity.revoke_token(found.id, None, actor="test")
        world.clock.advance(seconds=RECHECKED)
        assert (await client.get("/jobs", headers=headers)).status_code == 401

    with_client(world, scenario)


def test_token_revoked_here_is_refused_at_once(world: World) -> None:
    token = world.issue(world.owner)

    async def scenario(client: QuartClient) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/jobs", headers=headers)).status_code == 200
        found = world.identity.list_tokens(world.owner.id)[0]
        assert (await client.delete(f"/tokens/{found.id}")).status_code == 200
        assert (await client.get("/jobs", headers=headers)).status_code == 401

    with_client(world, scenario)


def test_disabled_user_has_no_credentials(world: World) -> None:
    ann = world.add_user("ann")
    token = world.issue(ann)

    async def scenario(client: QuartClient) -> None:
        assert (await client.post(f"/users/{ann.id}/disable")).status_code == 200
        assert (await client.get("/jobs", headers={"Authorization": f"Bearer {token}"})).status_code == 401
        assert (await client.post(f"/users/{ann.id}/enable")).status_code == 200
        assert (await client.get("/jobs", headers={"Authorization": f"Bearer {token}"})).status_code == 401

    with_client(world, scenario)


def test_known_token_asks_no_database_and_many_requests_ask_it_once(world: World) -> None:
    asked: list[str] = []

    class Counting(Authenticate):
        def token(self, text: str) -> Any:
            asked.append(text)
            return super().token(text)

    identity = replace(world.identity, authenticate=Counting(world.work, world.clock, world.read))

    async def scenario(app: Any) -> None:
        async with app.test_app() as running:
            client = running.test_client()
            answers = await asyncio.gather(*(client.post("/jobs", json=ECHO) for _ in range(20)))
            assert {answer.status_code for answer in answers} == {202}

    asyncio.run(scenario(world.app(services={"identity": identity})))
    assert len(asked) == 1


def test_bearer_requests_ignore_cookies(world: World) -> None:
    ann = world.add_user("ann")

    async def scenario(client: QuartClient) -> None:
        await Browser.logged_in(client, "local")
        headers = {"Authorization": f"Bearer {world.issue(ann)}"}
        body = await (await client.get("/auth/session", headers=headers)).get_json()
        assert (body["user"]["username"], body["kind"], body["csrf_token"]) == ("ann", "token", None)
        # No CSRF token is needed, and the cookie does not help a bad token.
        assert (await client.post("/jobs", json=ECHO, headers=headers)).status_code == 202
        assert (await client.get("/jobs", headers={"Authorization": "Bearer x"})).status_code == 401

    with_client(world, scenario)


def test_cookie_and_token_do_not_pass_for_one_another(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        await client.get("/jobs")  # the token is known now
        plain = client.app.test_client(use_cookies=False)
        as_cookie = await plain.get("/jobs", headers={**NOBODY, "Cookie": f"aitrader={world.token}"})
        assert as_cookie.status_code == 401
        opened = world.identity.log_in("local", "correct horse battery", "test")
        cookie = {**NOBODY, "Cookie": f"aitrader={opened.secret}"}
        assert (await plain.get("/jobs", headers=cookie)).status_code == 200
        as_token = await plain.get("/jobs", headers={"Authorization": f"Bearer {opened.secret}"})
        assert as_token.status_code == 401

    with_client(world, scenario)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X_CSRF_Token": None}, "csrf_failed"),
        ({"X_CSRF_Token": ""}, "csrf_failed"),
        ({"X_CSRF_Token": "wrong"}, "csrf_failed"),
        ({"X_CSRF_Token": "w\xe4"}, "csrf_failed"),
        ({"Origin": None}, "origin_required"),
        ({"Origin": None, "Referer": "http://localhost/"}, "origin_required"),
        ({"Origin": "null"}, "origin_not_allowed"),
        ({"Origin": "https://evil.example"}, "origin_not_allowed"),
        ({"Origin": "http://localhost:81"}, "origin_not_allowed"),
        ({"Origin": "http://localhost.evil.example"}, "origin_not_allowed"),
        ({"Origin": "https://listed.example"}, "origin_not_allowed"),
    ],
)
def test_change_with_a_cookie_needs_csrf_token_and_own_origin(
    world: World, headers: dict[str, str | None], code: str
) -> None:
    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client)
        assert await code_of(await browser.post("/jobs", ECHO, **headers)) == (403, code)
        assert await code_of(await browser.send("DELETE", f"/tokens/{world.owner.id}", **headers)) == (403, code)

    with_client(world, scenario, allowed_origins=("https://listed.example",))
    assert world.count_jobs() == 0


def test_change_with_cookie_csrf_token_and_origin_is_done(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client)
        assert (await browser.post("/jobs", ECHO)).status_code == 202
        told = await (await browser.get("/auth/session")).get_json()
        assert told["csrf_token"] == browser.csrf
        other = await Browser.logged_in(client.app.test_client())
        assert other.csrf != browser.csrf
        assert await code_of(await browser.post("/jobs", ECHO, X_CSRF_Token=other.csrf)) == (403, "csrf_failed")

    with_client(world, scenario)


def test_session_ends_when_idle_and_after_12_hours_whatever_happens(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client)
        for _ in range(28):
            world.clock.advance(minutes=25)
            assert (await browser.get("/jobs")).status_code == 200
        world.clock.advance(minutes=25)  # 12 h 5 min after the login
        assert await code_of(await browser.get("/jobs")) == (401, "session_ended")
        again = await Browser.logged_in(client)
        world.clock.advance(minutes=31)
        assert await code_of(await again.get("/jobs")) == (401, "session_ended")

    with_client(world, scenario)


@pytest.mark.parametrize(
    "query",
    [
        "token=x",
        "access_token=x",
        "api_key=x",
        "API_KEY=",
        "password=x",
        "x=TOKEN",
        "TOKEN=x",
        "x=ait%5Fabcdefgh_rest",
    ],
)
def test_secret_in_the_url_is_refused_even_with_good_credentials(world: World, query: str) -> None:
    async def scenario(client: QuartClient) -> None:
        for path in ("/jobs", "/health/live", "/auth/login", "/nowhere"):
            answer = await client.get(f"{path}?{query.replace('TOKEN', world.token)}")
            assert await code_of(answer) == (400, "token_in_url")
            assert world.token not in await answer.get_data(as_text=True)
        answer = await client.get(f"/jobs/{world.token}")
        assert await code_of(answer) == (400, "token_in_url")
        assert world.token not in await answer.get_data(as_text=True)

    with_client(world, scenario)


def test_health_tells_strangers_the_status_only(world: World) -> None:
    ann = world.add_user("ann")

    async def scenario(client: QuartClient) -> None:
        async def fields(path: str, headers: dict[str, str], **where: Any) -> set[str]:
            return set(await (await client.get(path, headers=headers, **where)).get_json())

        strange = {"Authorization": f"Bearer {world.issue(ann)}"}  # a trader has no metrics:read
        world.health.reasons.append("the database does not answer")
        for name in ("", "/db", "/redis", "/services", "/live", "/ready"):
            assert await fields(f"/health{name}", NOBODY, scope_base=STRANGER) == {"status"}
            assert await fields(f"/health{name}", strange, scope_base=STRANGER) == {"status"}
            behind = {**NOBODY, "X-Forwarded-For": "198.51.100.1"}
            assert await fields(f"/health{name}", behind, scope_base=ME) == {"status"}
        assert "components" in await fields("/health", NOBODY, scope_base=ME)
        assert "components" in await fields("/health", {}, scope_base=STRANGER)
        assert "version" not in await fields("/", NOBODY, scope_base=STRANGER)
        assert "version" in await fields("/", strange, scope_base=STRANGER)
        page = await client.get("/", headers={**NOBODY, "Accept": "text/html"}, scope_base=STRANGER)
        assert "1.2.3" not in await page.get_data(as_text=True)

    with_client(world, scenario)


def test_database_that_is_away_is_503_but_what_is_public_still_answers(world: World) -> None:
    def away() -> Any:
        raise Unavailable("the database did not answer", code="database_unavailable")

    identity = replace(world.identity, authenticate=Authenticate(away, world.clock))
    world.health.statuses["db"] = "down"

    async def scenario(app: Any) -> None:
        async with app.test_app() as running:
            client = running.test_client()
            answer = await client.get("/jobs")
            assert await code_of(answer) == (503, "database_unavailable")
            assert answer.headers["Retry-After"]
            assert (await client.get("/")).status_code == 200
            health = await client.get("/health", scope_base=ME)
            assert (health.status_code, (await health.get_json())["status"]) == (503, "down")

    asyncio.run(scenario(world.app(services={"identity": identity})))
