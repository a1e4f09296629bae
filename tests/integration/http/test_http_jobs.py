"""REST of jobs: the happy paths and idempotency."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest
from quart.testing.client import QuartClient

from domain.common.errors import AITraderError, Invalid, Unavailable
from domain.jobs.model import Artifact, Job, JobState, Succeeded
from domain.jobs.services import Submitted
from tests.integration.http.world import LOCAL, World

ECHO = {"job_type": "echo", "payload": {"text": "hello"}}


def with_client(world: World, test: Callable[[QuartClient], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with world.app(**options).test_app() as app:
            await test(cast("QuartClient", app.test_client()))

    asyncio.run(main())


def test_submitted_job_is_stored_named_by_location_and_hinted(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.post("/jobs", json=ECHO)
        job = await answer.get_json()
        assert answer.status_code == 202
        assert answer.headers["Location"] == f"/jobs/{job['id']}"
        assert job["status"] == "queued"
        assert job["payload"] == {"text": "hello", "times": 1}
        assert job["user_id"] == LOCAL
        assert job["created_at"].endswith("Z")
        again = await client.get(answer.headers["Location"])
        assert await again.get_json() == job
        assert world.queue.hints == [("default", [job["id"]])]

    with_client(world, scenario)


def test_all_fields_of_a_request_are_taken(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        body = {**ECHO, "priority": 7, "max_attempts": 2, "run_at": "2026-01-31T10:30:00+01:00"}
        job = await (await client.post("/jobs", json=body)).get_json()
        assert (job["priority"], job["max_attempts"], job["run_at"]) == (7, 2, "2026-01-31T09:30:00.000Z")

    with_client(world, scenario)


def test_idempotency_key_gives_the_same_job_and_refuses_another_body(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        headers = {"Idempotency-Key": "k-1"}
        first = await client.post("/jobs", json=ECHO, headers=headers)
        replay = await client.post("/jobs", json=ECHO, headers=headers)
        assert (first.status_code, replay.status_code) == (202, 200)
        assert await first.get_json() == await replay.get_json()
        other = {"job_type": "echo", "payload": {"text": "other"}}
        refused = await client.post("/jobs", json=other, headers=headers)
        assert refused.status_code == 422
        assert (await refused.get_json())["code"] == "idempotency_key_reused"
        assert world.count_jobs() == 1

    with_client(world, scenario)


def test_concurrent_requests_share_transactions_and_each_gets_its_own_answer(world: World) -> None:
    batches: list[int] = []
    submit = world.services.submit_jobs

    def counting(prepared: Sequence[Job]) -> list[Submitted | AITraderError]:
        batches.append(len(prepared))
        return submit(prepared)

    async def main() -> None:
        async with world.app(services={"submit_jobs": counting}).test_app() as app:
            client = app.test_client()
            bodies = [{"job_type": "echo", "payload": {"text": f"t{n}"}} for n in range(40)]
            bodies[7] = {"job_type": "nope", "payload": {}}
            bodies[9] = {"job_type": "echo", "payload": {"text": 5}}
            answers = await asyncio.gather(*(client.post("/jobs", json=body) for body in bodies))
            for number, answer in enumerate(answers):
                content = await answer.get_json()
                if number in (7, 9):
                    assert answer.status_code == 422
                else:
                    assert answer.status_code == 202
                    assert content["payload"]["text"] == f"t{number}"

    asyncio.run(main())
    assert sum(batches) == 38
    assert len(batches) < 38
    assert world.count_jobs() == 38


def test_one_poisonous_job_does_not_refuse_its_batch(world: World) -> None:
    submit = world.services.submit_jobs

    def explosive(prepared: Sequence[Job]) -> list[Submitted | AITraderError]:
        if any(job.payload["text"] == "bomb" for job in prepared):
            raise RuntimeError("secret detail")
        return submit(prepared)

    async def main() -> None:
        async with world.app(services={"submit_jobs": explosive}).test_app() as app:
            client = app.test_client()
            texts = ["a", "b", "bomb", "c"]
            bodies = [{"job_type": "echo", "payload": {"text": text}} for text in texts]
            answers = await asyncio.gather(*(client.post("/jobs", json=body) for body in bodies))
            assert [answer.status_code for answer in answers] == [202, 202, 500, 202]
            assert "secret" not in (await answers[2].get_data(as_text=True))

    asyncio.run(main())


def test_client_that_hangs_up_does_not_break_the_others(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        tasks = [asyncio.create_task(_post(client, f"t{n}")) for n in range(12)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        kept = [result for number, result in enumerate(results) if number % 3]
        assert kept == [202] * 8

    with_client(world, scenario)


async def _post(client: QuartClient, text: str) -> int:
    answer = await client.post("/jobs", json={"job_type": "echo", "payload": {"text": text}})
    return answer.status_code


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unavailable("gone", code="database_unavailable"), 503, "database_unavailable"),
        (Invalid("no", code="some_rule"), 422, "some_rule"),
    ],
)
def test_failed_transaction_is_each_ones_answer(world: World, error: AITraderError, status: int, code: str) -> None:
    def failing(_prepared: Sequence[Job]) -> list[Submitted | AITraderError]:
        raise error

    async def main() -> None:
        async with world.app(services={"submit_jobs": failing}).test_app() as app:
            client = app.test_client()
            for answer in await asyncio.gather(*(client.post("/jobs", json=ECHO) for _ in range(3))):
                assert answer.status_code == status
                assert (await answer.get_json())["code"] == code
                assert ("Retry-After" in answer.headers) == (status == 503)

    asyncio.run(main())


def test_too_many_waiting_are_answered_503(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        statuses = await asyncio.gather(*(_post(client, str(n)) for n in range(30)))
        assert set(statuses) == {202, 503}

    with_client(world, scenario, max_waiting=2)


def test_pages_go_from_newest_to_oldest_and_end(world: World) -> None:
    made = [world.submit().id for _ in range(5)]
    world.submit(user_id="someone-else")

    async def scenario(client: QuartClient) -> None:
        seen: list[str] = []
        cursor = ""
        while True:
            answer = await client.get(f"/jobs?limit=2{cursor}")
            page = await answer.get_json()
            seen += [job["id"] for job in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == made[::-1]

    with_client(world, scenario)


def test_filters(world: World) -> None:
    echo, free = world.submit(), world.submit(job_type="free")

    async def scenario(client: QuartClient) -> None:
        async def ids(query: str) -> list[str]:
            page = await (await client.get(f"/jobs?{query}")).get_json()
            return [job["id"] for job in page["items"]]

        assert await ids("job_type=free") == [free.id]
        assert await ids("status=succeeded") == []
        assert await ids("status=queued") == [free.id, echo.id]
        assert await ids("created_after=2100-01-01T00:00:00Z") == []
        assert await ids("created_before=2100-01-01T00:00:00%2B02:00") == [free.id, echo.id]

    with_client(world, scenario)


def test_cancel_and_retry(world: World) -> None:
    job = world.submit()

    async def scenario(client: QuartClient) -> None:
        async def status(path: str) -> tuple[int, str]:
            answer = await client.post(f"/jobs/{job.id}/{path}")
            body = await answer.get_json()
            return answer.status_code, body.get("code") or body["status"]

        assert (await status("retry"))[0] == 409
        assert await status("cancel") == (200, "canceled")
        assert await status("cancel") == (200, "canceled")
        assert await status("retry") == (200, "queued")

    with_client(world, scenario)


def test_foreign_and_unknown_jobs_look_the_same(world: World) -> None:
    foreign = world.submit(user_id="someone-else")

    async def scenario(client: QuartClient) -> None:
        unknown = foreign.id[:-4] + "0000"
        bodies = []
        for job_id in (foreign.id, unknown):
            answer = await client.get(f"/jobs/{job_id}")
            assert answer.status_code == 404
            body = await answer.get_json()
            bodies.append({key: body[key] for key in body if key not in ("instance", "request_id")})
            for path in ("cancel", "retry"):
                assert (await client.post(f"/jobs/{job_id}/{path}")).status_code == 404
        assert bodies[0] == bodies[1]
        assert (await client.get("/jobs/17")).status_code == 400

    with_client(world, scenario)


def _finished(world: World, content: bytes) -> Job:
    job = world.submit()
    digest = hashlib.sha256(content).hexdigest()
    path = f"{job.id}/equity curve.csv"
    artifact = Artifact("equity curve.csv", "text/csv", len(content), digest, path)
    (world.folder / job.id).mkdir()
    (world.folder / path).write_bytes(content)
    from domain.jobs.running import ending_of

    with world.work() as work:
        held = work.jobs.claim("default", ["echo"], owner="test", token="token", lease_ms=10_000)
        assert held is not None
        ending = ending_of(held, Succeeded({"ok": True}, (artifact,)))
        assert ending is not None
        ended = work.jobs.end(held.id, "token", ending)
        work.commit()
    assert ended is not None
    assert ended.status is JobState.SUCCEEDED
    return ended


def test_artifact_is_downloaded_with_etag_and_ranges(world: World) -> None:
    content = b"time,equity\n1,2\n"
    job = _finished(world, content)

    async def scenario(client: QuartClient) -> None:
        listed = (await (await client.get(f"/jobs/{job.id}")).get_json())["artifacts"][0]
        answer = await client.get(listed["url"])
        assert await answer.get_data(as_text=False) == content
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert answer.headers["ETag"] == f'"{listed["sha256"]}"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        unchanged = await client.get(listed["url"], headers={"If-None-Match": answer.headers["ETag"]})
        assert unchanged.status_code == 304
        part = await client.get(listed["url"], headers={"Range": "bytes=0-3"})
        assert (part.status_code, await part.get_data(as_text=False)) == (206, b"time")
        beyond = await client.get(listed["url"], headers={"Range": "bytes=99-"})
        assert beyond.status_code == 416
        for name in ("other.csv", "..%2Ftest.db", "%2e%2e"):
            missing = await client.get(f"/jobs/{job.id}/artifacts/{name}")
            assert missing.status_code == 404
        (world.folder / job.artifacts[0].path).unlink()
        gone = await client.get(listed["url"])
        assert (await gone.get_json())["code"] == "artifact_missing"

    with_client(world, scenario)


def test_job_types_are_published(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        items = (await (await client.get("/job-types")).get_json())["items"]
        assert [item["name"] for item in items] == ["echo", "free"]
        assert items[0]["payload_schema"]["properties"]["text"]["type"] == "string"
        assert items[0]["example"] == {"text": "hello"}

    with_client(world, scenario)


def test_job_with_numbers_beyond_64_bits_is_still_json(world: World) -> None:
    job = world.submit()
    with world.work() as work:
        work._connection.exec_driver_sql(
            "UPDATE jobs SET result = ? WHERE id = ?", (json.dumps({"big": 2**80}), job.id)
        )
        work.commit()

    async def scenario(client: QuartClient) -> None:
        answer = await client.get(f"/jobs/{job.id}")
        assert json.loads(await answer.get_data())["result"] == {"big": 2**80}

    with_client(world, scenario)
