"""Logging in and out in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from quart.testing.client import QuartClient

from domain.identity.model import Role
from tests.integration.http.browser import NOBODY, Browser, code_of, log_in
from tests.integration.http.test_http_jobs import with_client
from tests.integration.http.world import ME, STRANGER, World


def cookie_of(answer: Any) -> str:
    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 1
    return str(cookies[0])


def test_login_says_who_one_is_and_sets_a_strict_cookie(world: World) -> None:
    world.add_user("ann", Role.TRADER)

    async def scenario(client: QuartClient) -> None:
        answer = await log_in(client, "Ann")
        body = await answer.get_json()
        assert (body["user"]["username"], body["user"]["role"], body["kind"]) == ("ann", "trader", "session")
        assert "jobs:write" in body["scopes"]
        assert "admin" not in body["scopes"]
        cookie = cookie_of(answer)
        assert cookie.startswith("aitrader=")
        for flag in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"):
            assert flag in cookie
        assert "Domain" not in cookie
        assert "Secure" not in cookie
        assert answer.headers["Cache-Control"] == "no-store"
        again = await client.get("/auth/session", headers=NOBODY)
        assert await again.get_json() == body

    with_client(world, scenario)


def test_cookie_over_tls_is_bound_to_the_host(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await log_in(client, "local", scope_base={"scheme": "https"})
        cookie = cookie_of(answer)
        assert cookie.startswith("__Host-aitrader=")
        for flag in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
            assert flag in cookie
        assert "Domain" not in cookie
        secret = cookie.partition("=")[2].partition(";")[0]
        # The weaker name counts for nothing over TLS: another host of the domain could have set it.
        for name, status in (("aitrader", 401), ("__Host-aitrader", 200)):
            headers = {**NOBODY, "Cookie": f"{name}={secret}"}
            other = client.app.test_client(use_cookies=False)
            answer = await other.get("/auth/session", headers=headers, scope_base={"scheme": "https"})
            assert answer.status_code == status

    with_client(world, scenario)


def test_every_failure_looks_the_same(world: World) -> None:
    ann = world.add_user("ann")
    world.add_user("bob", password=None)
    disabled = world.add_user("eve")
    world.identity.change_user.set_disabled(disabled.id, True, actor="test")

    async def scenario(client: QuartClient) -> None:
        answers = []
        for name, password in (
            ("nobody", "wrong"),
            ("ann", "wrong"),
            ("bob", "wrong"),
            ("eve", "correct horse battery"),
            (ann.id, "correct horse battery"),
        ):
            before = world.hasher.checked
            answer = await log_in(client, name, password)
            assert world.hasher.checked == before + 1  # so that it takes as long, whoever it is
            body = await answer.get_json(force=True)
            answers.append((answer.status_code, {**body, "request_id": ""}, sorted(answer.headers.keys())))
        assert answers[0][0] == 401
        assert answers[0][1]["code"] == "login_failed"
        assert all(answer == answers[0] for answer in answers)

    with_client(world, scenario)


def test_login_storm_on_one_account_leaves_others_alone(world: World) -> None:
    world.add_user("ann")
    world.add_user("bob")

    async def scenario(client: QuartClient) -> None:
        codes = [await code_of(await log_in(client, "ann", "wrong", scope_base=STRANGER)) for _ in range(12)]
        assert codes[0] == (401, "login_failed")
        assert codes[-1] == (429, "too_many_attempts")
        refused = await log_in(client, "ann", scope_base=STRANGER)  # right, but too soon
        assert refused.status_code == 429
        wait = int(refused.headers["Retry-After"])
        assert 1 <= wait <= 60
        checked = world.hasher.checked
        assert (await log_in(client, "bob", scope_base=STRANGER)).status_code == 200
        assert world.hasher.checked == checked + 1
        world.clock.advance(seconds=wait)  # never locked for good
        assert (await log_in(client, "ann", scope_base=STRANGER)).status_code == 200

    with_client(world, scenario)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"username":"ann"}', (422, "invalid_request")),
        (b'{"username":"ann","password":1}', (422, "invalid_request")),
        (b'{"username":"ann","password":"' + b"x" * 129 + b'"}', (422, "invalid_request")),
        (b'{"username":"ann","password":"x","admin":true}', (422, "invalid_request")),
        (b'{"username":"ann\\u0000","password":"x"}', (422, "invalid_text")),
        (b'{"username":"ann","password":"' + b"x" * 2000 + b'"}', (413, "too_large")),
        (b"[" * 900, (400, "malformed_json")),
    ],
)
def test_bad_login_is_refused_before_any_password_is_checked(
    world: World, body: bytes, code: tuple[int, str]
) -> None:
    async def scenario(client: QuartClient) -> None:
        headers = {**NOBODY, "Content-Type": "application/json"}
        answer = await client.post("/auth/login", data=body, headers=headers)
        assert await code_of(answer) == code

    with_client(world, scenario)
    assert world.hasher.checked == 0


def test_other_sites_cannot_log_a_browser_in(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.post(
            "/auth/login",
            json={"username": "local", "password": "correct horse battery"},
            headers={**NOBODY, "Origin": "https://evil.example"},
        )
        assert await code_of(answer) == (403, "origin_not_allowed")

    with_client(world, scenario)


def test_login_page_shows_nothing_and_uses_nothing_up(world: World) -> None:
    secret = world.identity.login_by_link.make(world.owner)

    async def scenario(client: QuartClient) -> None:
        for path in ("/auth/login", f"/auth/login?link={secret}"):
            answer = await client.get(path, headers=NOBODY)
            assert answer.headers["Content-Type"].startswith("text/html")
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert secret not in await answer.get_data(as_text=True)
            assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert (await client.get("/auth/login?next=/", headers=NOBODY)).status_code == 422
        answer = await client.post("/auth/link", json={"secret": secret}, headers=NOBODY, scope_base=ME)
        assert (await answer.get_json())["user"]["username"] == "local"
        again = await client.post("/auth/link", json={"secret": secret}, headers=NOBODY, scope_base=ME)
        assert await code_of(again) == (401, "login_link_ended")

    with_client(world, scenario)


@pytest.mark.parametrize(
    ("where", "headers", "options"),
    [
        (STRANGER, {}, {}),
        ({}, {}, {}),
        (ME, {"X-Forwarded-For": "127.0.0.1"}, {}),
        (ME, {}, {"trusted_proxies": ("127.0.0.1",)}),
        (ME, {"X-Forwarded-For": "127.0.0.1"}, {"trusted_proxies": ("127.0.0.1",)}),
    ],
)
def test_login_links_work_on_this_machine_only(
    world: World, where: dict[str, Any], headers: dict[str, str], options: dict[str, Any]
) -> None:
    secret = world.identity.login_by_link.make(world.owner)

    async def scenario(client: QuartClient) -> None:
        answer = await client.post(
            "/auth/link", json={"secret": secret}, headers={**NOBODY, **headers}, scope_base=where
        )
        assert await code_of(answer) == (403, "loopback_only")

    with_client(world, scenario, **options)


def test_login_link_expires(world: World) -> None:
    secret = world.identity.login_by_link.make(world.owner)
    world.clock.advance(minutes=16)

    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/auth/link", json={"secret": secret}, headers=NOBODY, scope_base=ME)
        assert await code_of(answer) == (401, "login_link_ended")

    with_client(world, scenario)


def test_logout_ends_the_session_for_whoever_has_its_cookie(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await log_in(client, "local")
        stolen = cookie_of(answer).partition(";")[0]
        browser = Browser(client, (await answer.get_json())["csrf_token"])
        done = await browser.post("/auth/logout")
        assert done.status_code == 204
        assert "Max-Age=0" in cookie_of(done)
        thief = client.app.test_client(use_cookies=False)
        refused = await thief.get("/auth/session", headers={**NOBODY, "Cookie": stolen})
        assert await code_of(refused) == (401, "session_ended")
        token = await client.post("/auth/logout")
        assert await code_of(token) == (403, "session_required")

    with_client(world, scenario)


def test_each_login_has_a_secret_of_its_own_and_ends_the_one_before(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        cookies = [cookie_of(await log_in(client, "local")).partition(";")[0] for _ in range(2)]
        assert cookies[0] != cookies[1]
        other = client.app.test_client(use_cookies=False)
        statuses = [
            (await other.get("/auth/session", headers={**NOBODY, "Cookie": cookie})).status_code for cookie in cookies
        ]
        assert statuses == [401, 200]

    with_client(world, scenario)
