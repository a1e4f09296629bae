"""The status page, health, docs and the OpenAPI document."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from quart.testing.client import QuartClient

from adapters.http.app import openapi_document, state_of
from tests.integration.http.test_http_jobs import ECHO, with_client
from tests.integration.http.world import ME, ROOT, World


def test_root_answers_programs_with_json_and_browsers_with_a_page(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        for accept in ("*/*", "application/json", ""):
            answer = await client.get("/", headers={"Accept": accept})
            body = await answer.get_json()
            assert (body["name"], body["version"], body["status"]) == ("AITrader", "1.2.3", "running")
            for name, path in body["links"].items():
                assert name == "websocket" or (await client.get(path)).status_code == 200
        browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        page = await client.get("/", headers={"Accept": browser})
        assert page.headers["Content-Type"].startswith("text/html")
        assert page.headers["Vary"] == "Accept"
        await _check_page(client, page)

    with_client(world, scenario)


async def _check_page(client: QuartClient, page: Any) -> None:
    html = await page.get_data(as_text=True)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy or "script-src 'self';" in policy
    assert not re.search(r"<script(?![^>]*src=)|<style| on\w+=|https?://", html)
    for path in re.findall(r'(?:src|href)="([^"]+)"', html):
        assert (await client.get(path)).status_code == 200


def test_docs_need_nothing_from_outside(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        await _check_page(client, await client.get("/docs"))
        script = await (await client.get("/static/docs.js")).get_data(as_text=True)
        assert "validatorUrl: null" in script
        for name in ("LICENSE", "NOTICE"):
            assert (await client.get(f"/static/swagger/{name}")).status_code == 200

    with_client(world, scenario)


def test_docs_can_be_turned_off(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        assert (await client.get("/docs")).status_code == 404
        assert (await client.get("/openapi.json")).status_code == 404
        assert "docs" not in (await (await client.get("/")).get_json())["links"]

    with_client(world, scenario, docs=False)


def test_health(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        async def look(path: str) -> tuple[int, Any]:
            answer = await client.get(path)
            return answer.status_code, (await answer.get_json())["status"]

        assert await look("/health") == (200, "ok")
        assert await look("/health/db") == (200, "ok")
        assert await look("/health/redis") == (200, "off")
        assert await look("/health/live") == (200, "live")
        assert await look("/health/ready") == (200, "ready")
        services = await (await client.get("/health/services")).get_json()
        assert services["services"][0]["status"] == "off"
        world.health.statuses["redis"] = "down"
        assert await look("/health") == (200, "degraded")
        assert await look("/health/redis") == (503, "down")
        world.health.statuses["db"] = "down"
        assert await look("/health") == (503, "down")
        world.health.reasons.append("the database does not answer")
        answer = await client.get("/health/ready", scope_base=ME)
        assert answer.status_code == 503
        assert (await answer.get_json())["reasons"] == ["the database does not answer"]
        assert await look("/health/live") == (200, "live")

    with_client(world, scenario)


def test_not_ready_while_draining_but_still_answering(world: World) -> None:
    async def main() -> None:
        app = world.app()
        async with app.test_app() as running:
            await state_of(app).drain()
            client = running.test_client()
            assert (await client.get("/health/ready")).status_code == 503
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.post("/jobs", json=ECHO)).status_code == 202

    asyncio.run(main())


# --- the OpenAPI document ------------------------------------------------------------------------------------


@pytest.fixture
def document(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(openapi_document(world.app()))
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_document_is_valid_and_complete(world: World, document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")
    app = world.app()
    hidden = {"/docs", "/openapi.json", "/static/<path:filename>"}
    routes = {rule.rule for rule in app.url_map.iter_rules() if not rule.websocket} - hidden
    assert {re.sub(r"<([^>]+)>", r"{\1}", route) for route in routes} == set(document["paths"])


def test_every_operation_is_named_explained_and_has_problem_responses(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for _, _, operation in operations(document):
        assert operation["summary"]
        assert operation["tags"]
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
        assert all(isinstance(status, str) for status in operation["responses"])


def test_bodies_are_named_components(document: dict[str, Any]) -> None:
    submit = document["paths"]["/jobs"]["post"]
    assert submit["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/NewJobRequest"
    }
    assert submit["requestBody"]["content"]["application/json"]["example"] == ECHO
    accepted = submit["responses"]["202"]
    assert accepted["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Job"}
    assert accepted["headers"]["Location"]["required"]
    assert [parameter["name"] for parameter in submit["parameters"]] == ["Idempotency-Key"]


def test_document_is_the_same_bytes_for_every_hash_seed(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from tests.integration.http.world import World; "
        "from adapters.http.app import openapi_document; "
        "sys.stdout.buffer.write(openapi_document(World(pathlib.Path(sys.argv[1])).app()))"
    )
    outputs = set()
    for seed in ("0", "1", "424242"):
        folder = tmp_path / seed
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", program, str(folder)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_answers_fit_the_document(world: World, document: dict[str, Any]) -> None:
    from openapi_schema_validator import OAS31Validator

    job = world.submit()

    async def scenario(client: QuartClient) -> None:
        async def check(method: str, path: str, template: str, **options: Any) -> None:
            answer = await client.open(path, method=method, **options)
            spec = document["paths"][template][method.lower()]["responses"]
            response = spec.get(str(answer.status_code), spec["default"])
            if "$ref" in response:
                response = document["components"]["responses"]["Problem"]
            schema = response["content"][answer.headers["Content-Type"]]["schema"]
            validator = OAS31Validator({**schema, "components": document["components"]})
            validator.validate(await answer.get_json(force=True))

        await check("GET", "/", "/")
        await check("POST", "/jobs", "/jobs", json=ECHO)
        await check("POST", "/jobs", "/jobs", json={})
        await check("GET", "/jobs", "/jobs")
        await check("GET", "/jobs?x=1", "/jobs")
        await check("GET", f"/jobs/{job.id}", "/jobs/{job_id}")
        await check("POST", f"/jobs/{job.id}/retry", "/jobs/{job_id}/retry")
        await check("POST", f"/jobs/{job.id}/cancel", "/jobs/{job_id}/cancel")
        await check("GET", "/job-types", "/job-types")
        for name in ("", "/db", "/redis", "/services", "/live", "/ready"):
            await check("GET", f"/health{name}", f"/health{name}")

    with_client(world, scenario)
