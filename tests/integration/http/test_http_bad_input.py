"""Bad input: each kind its own 4xx problem, nothing stored, never a 500."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from quart.testing.client import QuartClient

from tests.integration.http.test_http_jobs import ECHO, with_client
from tests.integration.http.world import World

DEEP = b'{"job_type":"free","payload":' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}"
VERY_DEEP = b"[" * 100_000


def free(text: str) -> bytes:
    return b'{"job_type":"free","payload":' + text.encode() + b"}"


def echo(rest: str) -> bytes:
    return b'{"job_type":"echo","payload":{"text":"x"},' + rest.encode() + b"}"


BODIES: list[tuple[str, bytes, int, str, str | None]] = [
    ("empty", b"", 400, "malformed_json", None),
    ("not JSON", b"{job_type:1}", 400, "malformed_json", None),
    ("cut off", b'{"job_type":"echo"', 400, "malformed_json", None),
    ("two values", b"{} {}", 400, "malformed_json", None),
    ("byte order mark", b"\xef\xbb\xbf{}", 400, "malformed_json", None),
    ("broken UTF-8", b'{"job_type":"\xff"}', 400, "malformed_json", None),
    ("UTF-16", "{}".encode("utf-16"), 400, "malformed_json", None),
    ("same key twice", b'{"job_type":"echo","job_type":"echo","payload":{}}', 400, "malformed_json", None),
    ("same key twice inside", free('{"a":{"b":1,"b":2}}'), 400, "malformed_json", None),
    ("NaN", free('{"a":NaN}'), 400, "malformed_json", None),
    ("Infinity", free('{"a":-Infinity}'), 400, "malformed_json", None),
    ("endless digits", free('{"a":' + "9" * 5000 + "}"), 400, "malformed_json", None),
    ("too deep", DEEP, 400, "too_deep", None),
    ("very deep", VERY_DEEP, 400, "too_deep", None),
    ("1e400", free('{"a":[1,1e400]}'), 422, "number_out_of_range", "payload.a.1"),
    ("2**70", free('{"a":1180591620717411303424}'), 422, "number_out_of_range", "payload.a"),
    ("NUL", free('{"a":{"b":"x\\u0000"}}'), 422, "invalid_text", "payload.a.b"),
    ("NUL in a key", free('{"a\\u0000":1}'), 422, "invalid_text", "payload.a?"),
    ("lone surrogate", free('{"a":"\\ud800"}'), 422, "invalid_text", "payload.a"),
    ("lone surrogate in a key", free('{"\\udfff":1}'), 422, "invalid_text", "payload.?"),
    ("array", b"[]", 422, "not_an_object", None),
    ("null", b"null", 422, "not_an_object", None),
    ("string", b'"x"', 422, "not_an_object", None),
    ("nothing", b"{}", 422, "invalid_job", "job_type"),
    ("unknown field", echo('"colour":1'), 422, "invalid_job", "colour"),
    ("job_type is a number", b'{"job_type":1,"payload":{}}', 422, "invalid_job", "job_type"),
    ("payload is a list", b'{"job_type":"echo","payload":[]}', 422, "invalid_job", "payload"),
    ("payload is null", b'{"job_type":"echo","payload":null}', 422, "invalid_job", "payload"),
    ("priority is text", echo('"priority":"10"'), 422, "invalid_job", "priority"),
    ("priority is a boolean", echo('"priority":true'), 422, "invalid_job", "priority"),
    ("priority is null", echo('"priority":null'), 422, "invalid_job", "priority"),
    ("priority is a float", echo('"priority":1.0'), 422, "invalid_job", "priority"),
    ("priority is too high", echo('"priority":101'), 422, "invalid_job", "priority"),
    ("priority is huge", echo('"priority":9223372036854775807'), 422, "invalid_job", "priority"),
    ("max_attempts is 0", echo('"max_attempts":0'), 422, "invalid_job", "max_attempts"),
    ("run_at without zone", echo('"run_at":"2026-01-01T00:00:00"'), 422, "invalid_job", "run_at"),
    ("run_at is a date", echo('"run_at":"2026-01-01"'), 422, "invalid_job", "run_at"),
    ("run_at is a number", echo('"run_at":1700000000'), 422, "invalid_job", "run_at"),
    ("run_at is impossible", echo('"run_at":"2026-02-30T00:00:00Z"'), 422, "invalid_job", "run_at"),
    ("run_at before time began", echo('"run_at":"0001-01-01T00:00:00+14:00"'), 422, "invalid_job", "run_at"),
    ("run_at too late", echo('"run_at":"9999-12-31T23:59:59Z"'), 422, "invalid_job", "run_at"),
    ("unknown type", b'{"job_type":"nope","payload":{}}', 422, "unknown_job_type", "job_type"),
    (
        "off schema",
        b'{"job_type":"echo","payload":{"text":"x","times":"10"}}',
        422,
        "invalid_payload",
        "payload.times",
    ),
    (
        "boolean for a number",
        b'{"job_type":"echo","payload":{"text":"x","times":true}}',
        422,
        "invalid_payload",
        "payload.times",
    ),
    ("unknown in payload", b'{"job_type":"echo","payload":{"text":"x","y":1}}', 422, "invalid_payload", "payload.y"),
    ("payload too large", free('{"a":"' + "x" * 70_000 + '"}'), 422, "payload_too_large", "payload"),
    ("body too large", free('{"a":"' + "x" * 1_000_000 + '"}'), 413, "too_large", None),
]


async def problem_of(answer: Any) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = await answer.get_json(force=True)
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["type"] == f"/problems/{body['code']}"
    assert set(body) == {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"}
    return body


@pytest.mark.parametrize(
    ("body", "status", "code", "field"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_bad_body(world: World, body: bytes, status: int, code: str, field: str | None) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/jobs", data=body, headers={"Content-Type": "application/json"})
        problem = await problem_of(answer)
        assert (answer.status_code, problem["code"]) == (status, code)
        if field is not None:
            assert field in [error["field"] for error in problem["errors"]]

    with_client(world, scenario)
    assert world.count_jobs() == 0
    assert world.queue.hints == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ],
)
def test_other_content_is_415(world: World, headers: dict[str, str]) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/jobs", data=b'{"job_type":"echo","payload":{"text":"x"}}', headers=headers)
        assert answer.status_code == 415
        assert (await problem_of(answer))["code"] == "unsupported_media_type"

    with_client(world, scenario)


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "käse", "tab\there"])
def test_bad_idempotency_key(world: World, key: str) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/jobs", json=ECHO, headers={"Idempotency-Key": key})
        assert answer.status_code == 400
        assert (await problem_of(answer))["code"] == "invalid_idempotency_key"

    with_client(world, scenario)
    assert world.count_jobs() == 0


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("limit=0", 422, "limit"),
        ("limit=201", 422, "limit"),
        ("limit=-1", 422, "limit"),
        ("limit=1e1", 422, "limit"),
        ("limit=%D9%A1", 422, "limit"),
        ("limit=", 422, "limit"),
        ("limit=1&limit=2", 422, "limit"),
        ("status=done", 422, "status"),
        ("status=", 422, "status"),
        ("job_type=a%00b", 422, "job_type"),
        ("job_type=';DROP", 422, "job_type"),
        ("created_after=yesterday", 422, "created_after"),
        ("created_before=2026-01-01T00:00:00", 422, "created_before"),
        ("colour=red", 422, "colour"),
        ("cursor=abc", 400, None),
        ("cursor=", 400, None),
        ("cursor=AAAAAAAAAAAAAAAAAAAAAB", 400, None),
        ("cursor=%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00", 400, None),
    ],
)
def test_bad_query(world: World, query: str, status: int, field: str | None) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.get(f"/jobs?{query}")
        problem = await problem_of(answer)
        assert answer.status_code == status
        assert problem["code"] == ("invalid_cursor" if status == 400 else "invalid_query")
        assert field is None or field in [error["field"] for error in problem["errors"]]

    with_client(world, scenario)


@pytest.mark.parametrize("job_id", ["1", "x" * 500, "%00", "..", "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f1g"])
def test_bad_id(world: World, job_id: str) -> None:
    async def scenario(client: QuartClient) -> None:
        for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry"), ("GET", "/artifacts/a")):
            answer = await client.open(f"/jobs/{job_id}{path}", method=method)
            assert answer.status_code == 400
            assert (await problem_of(answer))["code"] == "invalid_id"

    with_client(world, scenario)


def test_unknown_addresses_and_methods(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        for path in ("/nope", "/jobs/", "/static/../app.py", "/static/nope.js", "/health/nope"):
            answer = await client.get(path)
            assert answer.status_code == 404
            assert (await problem_of(answer))["code"] == "not_found"
        answer = await client.delete("/jobs")
        assert answer.status_code == 405
        assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
        await problem_of(answer)

    with_client(world, scenario)


def test_unexpected_error_is_logged_with_the_request_id_and_tells_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("the password is swordfish")

    async def main() -> None:
        async with world.app(services={"get_job": broken}).test_app() as app:
            answer = await app.test_client().get(f"/jobs/{world.submit().id}", headers={"X-Request-ID": "abc-1"})
            assert answer.status_code == 500
            assert "swordfish" not in await answer.get_data(as_text=True)
            assert (await problem_of(answer))["code"] == "internal_error"

    asyncio.run(main())
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.__dict__["request_id"] == "abc-1"
    assert record.exc_info is not None


def test_request_id_is_taken_only_when_harmless(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        good = await client.get("/health/live", headers={"X-Request-ID": "Run_7.a-b"})
        assert good.headers["X-Request-ID"] == "Run_7.a-b"
        for bad in ("", "a b", "x" * 65, "a;b", "ä"):
            answer = await client.get("/health/live", headers={"X-Request-ID": bad})
            assert answer.headers["X-Request-ID"] != bad
            assert len(answer.headers["X-Request-ID"]) == 32

    with_client(world, scenario)


def test_busy_server_answers_503(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        answers = await asyncio.gather(*(client.get("/jobs") for _ in range(20)))
        refused = [answer for answer in answers if answer.status_code == 503]
        assert refused
        assert (await problem_of(refused[0]))["code"] == "overloaded"
        assert refused[0].headers["Retry-After"] == "1"

    with_client(world, scenario, threads=1, max_in_flight=1)


def test_other_sites_may_not_write(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        foreign = {"Origin": "https://evil.example"}
        refused = await client.post("/jobs", json=ECHO, headers=foreign)
        assert refused.status_code == 403
        assert (await problem_of(refused))["code"] == "origin_not_allowed"
        assert (await client.get("/jobs", headers=foreign)).status_code == 200
        own = await client.post("/jobs", json=ECHO, headers={"Origin": "http://localhost"})
        listed = await client.post("/jobs", json=ECHO, headers={"Origin": "https://ui.example"})
        assert (own.status_code, listed.status_code) == (202, 202)

    with_client(world, scenario, allowed_origins=("https://ui.example",))


def test_only_allowed_hosts(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        assert (await client.get("/health/live", headers={"Host": "localhost:8000"})).status_code == 200
        answer = await client.get("/health/live", headers={"Host": "evil.example"})
        assert (await problem_of(answer))["code"] == "unknown_host"

    with_client(world, scenario, allowed_hosts=("localhost",))
