"""What each credential may do: scopes on every route, and nothing of anybody else's anywhere."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from quart.testing.client import QuartClient

from adapters.http.access import Access, allows, is_open, rule_of
from adapters.http.app import openapi_document
from aitrader.testing.intelligence_work import item, scored, suggestion
from aitrader.testing.signal_work import NOW, signal
from domain.common.ids import new_id
from domain.decisions.model import DecisionFilter
from domain.identity.model import Principal, Role, Scope
from tests.integration.http.browser import NOBODY, Browser, code_of
from tests.integration.http.test_http_jobs import ECHO, _finished, with_client
from tests.integration.http.trading import place
from tests.integration.http.world import World

PUBLIC = {
    "/",
    "/health",
    "/health/db",
    "/health/redis",
    "/health/feed",
    "/health/signals",
    "/health/services",
    "/health/trading",
    "/health/live",
    "/health/ready",
    "/auth/login",
    "/auth/link",
    "/webhooks/tradingview",
}
UNKNOWN = "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0000"
ADMINS = {
    "patch /accounts/{account}",
    "put /accounts/{account}/limits",
    "post /accounts/{account}/arm",
    "post /models/{model_id}/activate",
}
# Models are the installation's: whoever may read signals may read them.
SHARED = {"/models/{model_id}", "/models/{model_id}/scorecard"}


def document_of(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(openapi_document(world.app()))
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_route_says_who_may_use_it(world: World) -> None:
    app = world.app()
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static":
            assert rule_of(app.view_functions[rule.endpoint]) is not None, rule


def test_route_that_says_nothing_lets_nobody_in(world: World) -> None:
    app = world.app()

    @app.get("/forgotten")
    async def forgotten() -> str:
        return "secret"

    async def main() -> None:
        async with app.test_app() as running:
            assert (await running.test_client().get("/forgotten")).status_code == 403
            assert (await running.test_client().get("/forgotten", headers=NOBODY)).status_code == 401

    asyncio.run(main())


def test_document_says_what_is_enforced(world: World) -> None:
    document = document_of(world)
    app = world.app()
    rules = {
        (re.sub(r"<([^>]+)>", r"{\1}", rule.rule), method.lower()): rule_of(app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    for path, method, operation in operations(document):
        security = operation["security"]
        rule = rules[path, method]
        assert (security == []) == (path in PUBLIC) == is_open(rule), path
        assert "429" in operation["responses"]
        if security:
            assert {"401", "403"} <= set(operation["responses"])
            others = {Access.OWN: ["admin"], Access.LOCAL_METRICS: ["metrics:read"]}
            scope = [rule.value] if isinstance(rule, Scope) else others.get(rule, [])
            assert security[0] == {"bearer": scope}
            assert ("csrf" in security[1]) == (method != "get")


@pytest.mark.parametrize("scope", [*Scope, None])
def test_scopes_matrix(world: World, scope: Scope | None) -> None:
    """A token with one scope (or all) gets past the gate exactly where that scope is asked for."""
    document = document_of(world)
    token = world.issue(world.owner, *([scope] if scope else []))
    held = frozenset([scope]) if scope else frozenset(Scope)
    holder = Principal("", "", Role.ADMIN, held, "token", "", 0)

    async def scenario(client: QuartClient) -> None:
        for path, method, _ in operations(document):
            address = re.sub(r"\{name\}", "x.csv", re.sub(r"\{\w+_id\}|\{account\}", UNKNOWN, path))
            answer = await client.open(address, method=method.upper(), headers={"Authorization": f"Bearer {token}"})
            rule = rule_of(client.app.view_functions[_endpoint(client, path, method)])
            refused = await code_of(answer) if answer.status_code == 403 else (0, "")
            expected = not is_open(rule) and not allows(rule, holder)
            assert (refused == (403, "insufficient_scope")) == expected, (path, method)
            assert answer.status_code < 500 or path == "/health"

    with_client(world, scenario)


def _endpoint(client: QuartClient, path: str, method: str) -> str:
    for rule in client.app.url_map.iter_rules():
        if re.sub(r"<([^>]+)>", r"{\1}", rule.rule) == path and method.upper() in (rule.methods or ()):
            return str(rule.endpoint)
    raise AssertionError(path)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.TRADER])
def test_roles_bound_what_sessions_and_tokens_may_do(world: World, role: Role) -> None:
    user = world.add_user("ann", role)

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client, "ann")
        submitted = await browser.post("/jobs", ECHO)
        assert submitted.status_code == (202 if role is Role.TRADER else 403)
        assert await code_of(await browser.get("/users")) == (403, "insufficient_scope")
        beyond = {"name": "x", "scopes": ["jobs:read", "admin"]}
        assert await code_of(await browser.post("/tokens", beyond)) == (403, "scope_not_allowed")
        assert (await browser.post(f"/users/{user.id}/role", {"role": "admin"})).status_code == 403

    with_client(world, scenario)


def _take_signal(world: World) -> str:
    return world.services.signals.take(signal(user_id=world.owner.id, received_at=NOW)).signal.id


def _decision(world: World) -> str:
    found, _ = world.services.decisions.read.page(DecisionFilter(world.owner.id), before_id=None, limit=1)
    return found[0].id


def _news(world: World) -> str:
    made = item(user_id=world.owner.id)
    world.services.intelligence.import_news([made])
    with world.work() as work:
        work.sentiments.put(scored(user_id=world.owner.id))
        work.commit()
    return made.id


def _suggestion(world: World) -> str:
    made = suggestion(user_id=world.owner.id)
    with world.work() as work:
        work.suggestions.add(made)
        work.commit()
    return made.id


def test_walk_of_every_route_with_ids_of_somebody_else(world: World) -> None:
    """Everything of another user's is 404, with the same body as what does not exist; lists leave it out."""
    document = document_of(world)
    job = _finished(world, b"secret,1\n")
    world.submit()
    world.issue(world.owner)
    theirs = {
        "job_id": job.id,
        "name": job.artifacts[0].name.replace(" ", "%20"),
        "token_id": world.identity.list_tokens(world.owner.id)[0].id,
        "user_id": world.owner.id,
        "order_id": place(world).id,
        "account": "paper",
        "strategy_id": world.services.decisions.create(world.owner.id, "theirs", actor="test").id,
        "signal_id": _take_signal(world),
        "decision_id": _decision(world),
        "news_id": _news(world),
        "model_id": new_id(),
        "suggestion_id": _suggestion(world),
    }
    world.add_user("ann", Role.TRADER)

    async def scenario(client: QuartClient) -> None:
        browser = await Browser.logged_in(client, "ann")
        walked = 0
        for path, method, operation in operations(document):
            if not operation["security"] or path in ("/auth/logout", "/auth/session", "/job-types"):
                continue
            if method == "get" and "{" not in path:
                await check_list(browser, path)
                continue
            if "{" not in path or path in SHARED:
                continue  # creates something of one's own, or is everybody's
            walked += 1
            bodies = []
            for ids in (theirs, dict.fromkeys(theirs, UNKNOWN)):
                address = re.sub(r"\{(\w+)\}", lambda match, ids=ids: ids[match[1]], path)
                body = body_for(document, operation)
                answer = await browser.send(method.upper(), address, body, **{"If-Match": '"1"'})
                text = await answer.get_json(force=True)
                bodies.append((answer.status_code, text["code"], text["detail"]))
            assert bodies[0] == bodies[1], path
            expected = 403 if f"{method} {path}" in ADMINS or path.startswith("/users") else 404
            assert bodies[0][0] == expected, (path, method, bodies)
        assert walked >= 12

    with_client(world, scenario)


async def check_list(browser: Browser, path: str) -> None:
    answer = await browser.get(path)
    if path in ("/users", "/metrics"):
        assert answer.status_code == 403
    elif path == "/sentiment/history":
        times = "from=2023-11-14T00:00:00Z&to=2023-11-16T00:00:00Z"
        points = await (await browser.get(f"{path}?symbol=NSE:INFY&{times}")).get_json()
        assert {point["score"] for point in points["items"]} == {None}
    elif path.startswith("/mcp/"):
        assert await code_of(answer) == (404, "account_not_found"), path
    else:
        items = (await answer.get_json())["items"]
        assert [item for item in items if item.get("scope") != "global"] == [], path


def body_for(document: dict[str, Any], operation: dict[str, Any]) -> Any:
    if "requestBody" not in operation:
        return None
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    properties = document["components"]["schemas"][name]["properties"]
    return {key: value["examples"][0] for key, value in properties.items() if "examples" in value}
