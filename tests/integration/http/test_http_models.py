"""``/models`` and ``/suggestions`` over HTTP."""

from __future__ import annotations

from dataclasses import replace

from quart.testing.client import QuartClient

from aitrader.testing.intelligence_work import NOW, manifest, model, suggestion
from domain.common.ids import new_id
from domain.identity.model import Role, Scope
from domain.intelligence.models import Model
from domain.intelligence.suggestions import Resolution, Suggestion
from tests.integration.http.test_http_jobs import with_client
from tests.integration.http.world import World


def put(world: World, *rows: Model | Suggestion) -> None:
    with world.work() as work:
        for row in rows:
            if isinstance(row, Model):
                work.models.add(row)
            else:
                work.suggestions.add(row)
        work.commit()


def test_models_are_listed_read_and_activated(world: World) -> None:
    old, new = model(), model()
    put(world, old, new, model(manifest(name="other")))

    async def scenario(client: QuartClient) -> None:
        page = await (await client.get("/models?name=tiny&limit=1")).get_json()
        assert [item["id"] for item in page["items"]] == [new.id]
        rest = await (await client.get(f"/models?name=tiny&cursor={page['next_cursor']}")).get_json()
        assert [item["id"] for item in rest["items"]] == [old.id]
        assert rest["next_cursor"] is None
        for one in (new, old):
            answer = await client.post(f"/models/{one.id}/activate")
            assert answer.status_code == 200
            assert (await answer.get_json())["status"] == "active"
        again = await (await client.post(f"/models/{old.id}/activate")).get_json()
        assert again["version"] == 2
        active = await (await client.get("/models?status=active")).get_json()
        assert [item["id"] for item in active["items"]] == [old.id]
        retired = await (await client.get(f"/models/{new.id}")).get_json()
        assert (retired["status"], retired["manifest"]["features"]) == ("retired", ["return_1", "return_5"])
        by_name = await (await client.get("/models/tiny")).get_json()
        assert by_name["id"] == old.id
        assert by_name["verdict"]["beats_baselines"] is False

    with_client(world, scenario)
    with world.work() as work:
        actions = [event.action for event in work.audit.newest(10)]
    assert actions.count("model.activate") == 2


def test_only_administrators_activate(world: World) -> None:
    made = model()
    put(world, made)
    trader = world.add_user("tina", Role.TRADER)

    async def scenario(client: QuartClient) -> None:
        headers = {"Authorization": f"Bearer {world.issue(trader)}"}
        assert (await client.get(f"/models/{made.id}", headers=headers)).status_code == 200
        assert (await client.post(f"/models/{made.id}/activate", headers=headers)).status_code == 403
        jobs = {"Authorization": f"Bearer {world.issue(trader, Scope.JOBS_READ)}"}
        assert (await client.get("/models", headers=jobs)).status_code == 403
        assert (await client.get("/suggestions", headers=jobs)).status_code == 403

    with_client(world, scenario)


def test_suggestions_are_those_of_their_owner(world: World) -> None:
    mine = suggestion(user_id=world.owner.id)
    held = suggestion(user_id=world.owner.id, symbol="NSE:TCS", action="hold", stop=None, target=None, quantity=None)
    theirs = suggestion(user_id="bob")
    put(world, mine, held, theirs)

    async def scenario(client: QuartClient) -> None:
        page = await (await client.get("/suggestions")).get_json()
        assert [item["id"] for item in page["items"]] == [held.id, mine.id]
        for query, count in (
            ("symbol=nse:tcs", 1),
            ("action=buy", 1),
            ("resolved=true", 0),
            ("resolved=false", 2),
            (f"model={new_id()}", 0),
            ("since=2100-01-01T00:00:00Z", 0),
        ):
            found = await (await client.get(f"/suggestions?{query}")).get_json()
            assert len(found["items"]) == count, query
        one = await (await client.get(f"/suggestions/{mine.id}")).get_json()
        assert (one["action"], one["quantity"], one["outcome"]) == ("buy", "40", None)
        assert one["contributions"][0]["feature"] == "return_1"
        assert (await client.get(f"/suggestions/{theirs.id}")).status_code == 404
        assert (await client.get("/suggestions/nonsense")).status_code == 400

    with_client(world, scenario)


def test_a_scorecard_keeps_forecasts_apart(world: World) -> None:
    made = model()
    base = suggestion(user_id=world.owner.id, model_id=made.id)
    rows = [
        base,
        replace(base, id=new_id(), symbol="NSE:TCS", action="sell", probability=0.25),
        replace(base, id=new_id(), backfilled=True),
        replace(base, id=new_id(), in_sample=True, backfilled=True),
        replace(base, id=new_id()),
    ]
    put(world, made, *rows)
    with world.work() as work:
        work.suggestions.resolve(
            [Resolution(row.id, "up", gain) for row, gain in zip(rows, (0.02, -0.02, 0.1, 0.5), strict=False)]
        )
        work.commit()

    async def scenario(client: QuartClient) -> None:
        card = await (await client.get(f"/models/{made.id}/scorecard")).get_json()
        whole = card["forecast"][0]
        assert (whole["symbol"], whole["n"], whole["acted"], whole["hit_rate"]) == (None, 2, 2, 0.5)
        assert whole["mean_return"] == 0.0
        assert whole["brier"] == 0.375
        assert abs(whole["baseline_brier"] - 2 / 3) < 1e-12
        assert abs(whole["brier_skill"] - (1 - 0.375 / (2 / 3))) < 1e-12
        assert [row["symbol"] for row in card["forecast"]] == [None, "NSE:INFY", "NSE:TCS"]
        assert (card["backfilled"][0]["n"], card["in_sample"][0]["n"]) == (1, 1)
        empty = model(manifest(name="empty"))
        put(world, empty)
        nothing = await (await client.get(f"/models/{empty.id}/scorecard")).get_json()
        assert nothing["forecast"] == [
            {
                "symbol": None,
                "n": 0,
                "acted": 0,
                "hit_rate": None,
                "mean_return": None,
                "brier": None,
                "baseline_brier": None,
                "brier_skill": None,
                "calibration": [],
            }
        ]
        assert (await client.get(f"/models/{new_id()}/scorecard")).status_code == 404

    with_client(world, scenario)


def test_nonsense_is_refused(world: World) -> None:
    async def scenario(client: QuartClient) -> None:
        for path in (
            "/models?status=best",
            "/models?timeframe=2d",
            "/models?other=1",
            "/suggestions?resolved=maybe",
            "/suggestions?action=wait",
            "/suggestions?limit=0",
        ):
            assert (await client.get(path)).status_code == 422, path
        assert (await client.post("/models/x/activate", data=b"{}")).status_code == 422
        assert (await client.post("/models/x/activate")).status_code == 404

    with_client(world, scenario)


def test_a_suggestion_in_time(world: World) -> None:
    put(world, suggestion(user_id=world.owner.id, as_of=NOW))

    async def scenario(client: QuartClient) -> None:
        (item,) = (await (await client.get("/suggestions")).get_json())["items"]
        assert item["as_of"] == "2023-11-14T22:13:20.000Z"

    with_client(world, scenario)
