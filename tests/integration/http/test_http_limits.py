"""Limits on every request: rates, sizes, where from, other origins, and the headers of every response.

Rates here are per day: their window must not end in the middle of a test.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from quart.testing.client import QuartClient

from tests.integration.http.browser import NOBODY, code_of, log_in
from tests.integration.http.test_http_jobs import ECHO, with_client
from tests.integration.http.world import ME, STRANGER, World

OTHER: dict[str, Any] = {"client": ("203.0.113.8", 50000)}
PROXY: dict[str, Any] = {"client": ("10.0.0.2", 50000)}


def test_every_response_says_what_is_left(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        left = []
        for path in ("/jobs", "/tokens", "/jobs?x=1"):
            answer = await client.get(path)
            assert answer.headers["RateLimit-Limit"] == "50"
            assert 0 <= int(answer.headers["RateLimit-Reset"]) <= 2 * 86_400
            left.append(int(answer.headers["RateLimit-Remaining"]))
        assert left == [49, 48, 47]
        for path in ("/", "/nowhere", "/jobs"):
            answer = await client.get(path, headers=NOBODY, scope_base=STRANGER)
            assert answer.headers["RateLimit-Limit"] == "120"
        for path in ("/health/live", "/static/login.js"):
            assert "RateLimit-Limit" in (await client.get(path)).headers

    with_client(world, scenario, rate_limit="50/day")


def test_too_many_requests_of_a_credential_are_429_and_others_go_on(world: World) -> None:
    other = world.issue(world.owner)

    async def scenario(client: QuartClient) -> None:
        statuses = [(await client.get("/jobs")).status_code for _ in range(6)]
        assert statuses == [200, 200, 200, 200, 429, 429]
        refused = await client.post("/jobs", json=ECHO)
        assert await code_of(refused) == (429, "rate_limited")
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.headers["RateLimit-Remaining"] == "0"
        assert (await client.get("/jobs", headers={"Authorization": f"Bearer {other}"})).status_code == 200

    with_client(world, scenario, rate_limit="4/day")
    assert world.count_jobs() == 0


def test_guessing_is_limited_by_address_and_good_credentials_are_not(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        statuses = [
            (await client.get("/jobs", headers={"Authorization": f"Bearer x{n}"}, scope_base=STRANGER)).status_code
            for n in range(5)
        ]
        assert statuses == [401, 401, 401, 429, 429]
        assert (await log_in(client, "local", scope_base=STRANGER)).status_code == 429
        assert (await client.get("/", headers=NOBODY, scope_base=STRANGER)).status_code == 429
        assert (await client.get("/nowhere", headers=NOBODY, scope_base=STRANGER)).status_code == 429
        # Neither whoever holds a credential, nor another address, nor a probe suffers from it.
        assert (await client.get("/jobs", scope_base=STRANGER)).status_code == 200
        assert (await client.get("/", headers=NOBODY, scope_base=OTHER)).status_code == 200
        assert (await client.get("/health/live", scope_base=STRANGER)).status_code == 200

    with_client(world, scenario, anonymous_rate_limit="3/day")


def test_addresses_of_one_ipv6_network_count_as_one(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        async def status(address: str) -> int:
            where = {"client": (address, 1)}
            return int((await client.get("/", headers=NOBODY, scope_base=where)).status_code)

        assert [await status(f"2001:db8:0:1::{n}") for n in range(1, 4)] == [200, 200, 429]
        assert await status("2001:db8:0:2::1") == 200

    with_client(world, scenario, anonymous_rate_limit="2/day")


def test_redis_that_is_away_neither_fails_nor_holds_up_requests(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"

        async def scenario(client: QuartClient) -> None:
            statuses = [(await client.get("/jobs")).status_code for _ in range(4)]
            assert statuses == [200, 200, 200, 429]

        with_client(world, scenario, rate_limit="3/day", rate_store_url=url)


def test_processes_share_counts_through_redis(world: World, redis_url: str) -> None:
    async def main() -> None:
        options: dict[str, Any] = {"rate_limit": "4/day", "rate_store_url": redis_url}
        async with world.app(**options).test_app() as one, world.app(**options).test_app() as two:
            statuses = []
            for app in (one, two, one, two, one):
                statuses.append((await app.test_client().get("/jobs")).status_code)
            assert statuses == [200, 200, 200, 200, 429]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("peer", "headers", "trusted", "seen"),
    [
        ("203.0.113.7", {"X-Forwarded-For": "1.1.1.1"}, ("10.0.0.0/8",), "203.0.113.7"),
        ("10.0.0.2", {"X-Forwarded-For": "1.1.1.1"}, (), "10.0.0.2"),
        ("10.0.0.2", {"X-Forwarded-For": "1.1.1.1"}, ("10.0.0.0/8",), "1.1.1.1"),
        ("10.0.0.2", {"X-Forwarded-For": "9.9.9.9, 1.1.1.1"}, ("10.0.0.0/8",), "1.1.1.1"),
        ("10.0.0.2", {"X-Forwarded-For": "9.9.9.9, 1.1.1.1, 10.0.0.3"}, ("10.0.0.0/8",), "1.1.1.1"),
        ("10.0.0.2", {"X-Forwarded-For": "9.9.9.9, junk, 10.0.0.3"}, ("10.0.0.0/8",), "10.0.0.3"),
        ("10.0.0.2", {}, ("10.0.0.2",), "10.0.0.2"),
        ("::ffff:10.0.0.2", {"X-Forwarded-For": "[2001:db8::1]:443"}, ("10.0.0.2",), "2001:db8::/64"),
    ],
)
def test_address_is_the_right_most_that_is_not_a_trusted_proxy(
    world: World, peer: str, headers: dict[str, str], trusted: tuple[str, ...], seen: str
) -> None:
    async def scenario(client: QuartClient) -> None:
        body = {"username": "nobody", "password": "wrong"}
        where = {"client": (peer, 1)}
        await client.post("/auth/login", json=body, headers={**NOBODY, **headers}, scope_base=where)

    with_client(world, scenario, trusted_proxies=trusted)
    with world.read() as work:
        assert [event.actor for event in work.audit.read() if event.action == "login.failed"] == [seen]


def test_scheme_and_host_are_taken_from_a_trusted_proxy_only(world: World) -> None:
    forwarded = {"X-Forwarded-For": "1.1.1.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "trade.example"}

    async def scenario(client: QuartClient) -> None:
        async def look(where: dict[str, Any]) -> tuple[bool, int]:
            body = {"username": "local", "password": "correct horse battery"}
            headers = {**NOBODY, **forwarded, "Origin": "https://trade.example"}
            answer = await client.post("/auth/login", json=body, headers=headers, scope_base=where)
            return "Strict-Transport-Security" in answer.headers, answer.status_code

        assert await look(PROXY) == (True, 200)
        assert await look(STRANGER) == (False, 403)

    with_client(world, scenario, trusted_proxies=("10.0.0.0/8",))


def test_security_headers_are_on_every_response(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        for method, path in (
            ("GET", "/"),
            ("GET", "/jobs"),
            ("GET", "/docs"),
            ("GET", "/auth/login"),
            ("GET", "/static/login.js"),
            ("GET", "/nowhere"),
            ("PUT", "/jobs"),
            ("GET", "/jobs?token=x"),
            ("HEAD", "/health/live"),
        ):
            for scheme in ("http", "https"):
                answer = await client.open(path, method=method, scope_base={"scheme": scheme})
                assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
                assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
                assert answer.headers.getlist("Cross-Origin-Resource-Policy") == ["same-origin"]
                assert ("Strict-Transport-Security" in answer.headers) == (scheme == "https")
                assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]
                if answer.headers.get("Content-Type", "").startswith("text/html"):
                    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]

    with_client(world, scenario)


def test_cors_is_off_until_an_origin_is_listed(world: World) -> None:
    asks = {**NOBODY, "Origin": "https://ui.example", "Access-Control-Request-Method": "POST"}

    async def off(client: QuartClient) -> None:
        for answer in (
            await client.options("/jobs", headers=asks),
            await client.get("/jobs", headers={"Origin": "https://ui.example"}),
        ):
            assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]

    async def on(client: QuartClient) -> None:
        preflight = await client.options("/jobs", headers=asks)
        assert preflight.status_code == 204
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
        answer = await client.post("/jobs", json=ECHO, headers={"Origin": "https://ui.example"})
        assert answer.status_code == 202
        for response in (preflight, answer):
            assert response.headers.getlist("Access-Control-Allow-Origin") == ["https://ui.example"]
            assert "Access-Control-Allow-Credentials" not in response.headers
            assert "Origin" in response.headers["Vary"]
        other = await client.options("/jobs", headers={**asks, "Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in other.headers

    with_client(world, off)
    with_client(world, on, allowed_origins=("https://ui.example",))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity", "GZIP"])
@pytest.mark.parametrize("path", ["/jobs", "/auth/login", "/tokens", "/jobs/x/cancel"])
def test_compressed_bodies_are_refused_unread(world: World, encoding: str, path: str) -> None:
    async def scenario(client: QuartClient) -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
        answer = await client.post(path, data=b"\x1f\x8b", headers=headers)
        assert await code_of(answer) == (415, "unsupported_media_type")

    with_client(world, scenario)


def test_long_urls_and_headers_are_refused(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        assert await code_of(await client.get("/jobs?x=" + "y" * 9000)) == (414, "url_too_long")
        assert await code_of(await client.get("/" + "y" * 9000)) == (414, "url_too_long")
        many = "&".join(f"x{n}=" for n in range(200))
        assert await code_of(await client.get(f"/jobs?{many}")) == (400, "too_many_parameters")
        assert await code_of(await client.get("/jobs", headers={"X-Big": "y" * 17_000})) == (431, "headers_too_large")
        crowd = {f"X-{n}": "y" for n in range(120)}
        assert await code_of(await client.get("/jobs", headers=crowd)) == (431, "headers_too_large")

    with_client(world, scenario)


def test_options_and_head_need_credentials_too(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        for method in ("HEAD", "OPTIONS"):
            answer = await client.open("/jobs", method=method, headers=NOBODY, scope_base=ME)
            assert answer.status_code == 401

    with_client(world, scenario)
