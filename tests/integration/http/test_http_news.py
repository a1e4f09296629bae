"""``/news`` and ``/sentiment``: kept once, owned, checked; what was known when."""

from __future__ import annotations

from typing import Any

import pytest
from quart.testing.client import QuartClient

from aitrader.testing.intelligence_work import item, scored
from domain.common.ids import new_id
from domain.common.time import rfc3339
from domain.identity.model import Scope
from tests.integration.http.browser import code_of
from tests.integration.http.test_http_jobs import with_client
from tests.integration.http.world import LOCAL, World

HOUR = 3_600_000
NEWS = {"title": "INFY wins", "symbols": ["nse:infy"], "published_at": "2024-03-01T10:00:00Z", "source": "wire"}
UNKNOWN = "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13"


async def get(client: QuartClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, await answer.get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"
    return await answer.get_json()


def put(world: World, at: int, score: float, **changes: Any) -> None:
    with world.work() as work:
        made = {"user_id": LOCAL, "key": new_id(), "available_at": at, "score": score, "weight": 1.0, **changes}
        work.sentiments.put(scored(**made))
        work.commit()


class TestNews:
    def test_news_is_kept_once_and_shown(self, world: World) -> None:
        async def scenario(client: QuartClient) -> None:
            sent = {"items": [NEWS, {"text": "long " * 200, "url": "https://x.org/2"}]}
            first = await client.post("/news", json=sent)
            assert (first.status_code, await first.get_json()) == (201, {"new": 2, "known": 0})
            again = await client.post("/news", json={"items": [NEWS, {"text": "x", "url": "https://x.org/2"}]})
            assert (again.status_code, await again.get_json()) == (200, {"new": 0, "known": 2})
            page = await get(client, "/news")
            long, short = page["items"]
            assert page["next_cursor"] is None
            assert (short["title"], short["symbols"], short["source"]) == ("INFY wins", ["NSE:INFY"], "wire")
            assert short["published_at"] == short["available_at"] == "2024-03-01T10:00:00.000Z"
            assert (len(long["text"]), long["text_length"], long["source"]) == (500, 999, "local")
            whole = await get(client, f"/news/{long['id']}")
            assert len(whole["text"]) == 999
            assert "text_length" not in whole

        with_client(world, scenario)

    def test_what_says_no_time_is_known_now(self, world: World) -> None:
        async def scenario(client: QuartClient) -> None:
            before = world.clock.now_ms()
            later = {**NEWS, "title": "b", "available_at": "2024-03-01T11:00:00Z"}
            await client.post("/news", json={"items": [{"title": "a"}, later]})
            second, first = (await get(client, "/news"))["items"]
            assert first["available_at"] >= rfc3339(before)
            assert first["published_at"] == first["available_at"]
            assert (second["published_at"], second["available_at"]) == (
                "2024-03-01T10:00:00.000Z",
                "2024-03-01T11:00:00.000Z",
            )

        with_client(world, scenario)

    def test_filters_and_pages(self, world: World) -> None:
        async def scenario(client: QuartClient) -> None:
            for number in range(5):
                sent = {**NEWS, "title": f"n{number}", "published_at": f"2024-03-0{number + 1}T10:00:00Z"}
                sent["symbols"] = [f"NSE:S{number % 2}"]
                assert (await client.post("/news", json={"items": [sent]})).status_code == 201

            async def titles(query: str) -> list[str]:
                return [one["title"] for one in (await get(client, f"/news?{query}"))["items"]]

            assert await titles("") == ["n4", "n3", "n2", "n1", "n0"]
            assert await titles("symbol=nse:s1") == ["n3", "n1"]
            assert await titles("source=other") == []
            assert await titles("since=2024-03-02T10:00:00Z&until=2024-03-04T10:00:00Z") == ["n2", "n1"]
            page = await get(client, "/news?limit=2")
            assert await titles(f"limit=2&cursor={page['next_cursor']}") == ["n2", "n1"]
            for query in ("limit=0", "color=red", "symbol=??", "since=noon", "symbol=A&symbol=B"):
                assert (await client.get(f"/news?{query}")).status_code == 422, query
            assert (await client.get("/news?cursor=x")).status_code == 400

        with_client(world, scenario)

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({}, "items"),
            ({"items": []}, "items"),
            ({"items": [NEWS] * 501}, "items"),
            ({"items": NEWS}, "items"),
            ({"items": [NEWS], "x": 1}, "items"),
            ({"items": [NEWS, "x"]}, "items.1"),
            ({"items": [NEWS, {"symbols": ["A"]}]}, "items.1.title"),
            ({"items": [{**NEWS, "x": 1}]}, "items.0.x"),
            ({"items": [{**NEWS, "title": 5}]}, "items.0.title"),
            ({"items": [{**NEWS, "url": "javascript:x"}]}, "items.0.url"),
            ({"items": [{**NEWS, "symbols": ["??"]}]}, "items.0.symbols"),
            ({"items": [{**NEWS, "symbols": None}]}, "items.0.symbols"),
            ({"items": [{**NEWS, "published_at": "2024-03-01"}]}, "items.0.published_at"),
            ({"items": [{**NEWS, "published_at": 5}]}, "items.0.published_at"),
            ({"items": [{**NEWS, "published_at": "2999-03-01T00:00:00Z"}]}, "items.0.published_at"),
            ({"items": [{**NEWS, "available_at": "2024-02-01T00:00:00Z"}]}, "items.0.available_at"),
        ],
    )
    def test_one_wrong_item_keeps_all_out(self, world: World, wrong: Any, field: str) -> None:
        async def scenario(client: QuartClient) -> None:
            answer = await client.post("/news", json=wrong)
            assert answer.status_code == 422
            assert field in [error["field"] for error in (await answer.get_json())["errors"]]
            assert (await get(client, "/news"))["items"] == []

        with_client(world, scenario)

    def test_it_belongs_to_who_sent_it(self, world: World) -> None:
        ann = world.add_user("ann")
        theirs = {"Authorization": f"Bearer {world.issue(ann, Scope.SIGNALS_READ, Scope.DATA_WRITE)}"}
        reader = {"Authorization": f"Bearer {world.issue(world.owner, Scope.SIGNALS_READ, Scope.SIGNALS_WRITE)}"}

        async def scenario(client: QuartClient) -> None:
            await client.post("/news", json={"items": [NEWS]})
            (mine,) = (await get(client, "/news"))["items"]
            assert await code_of(await client.get(f"/news/{mine['id']}", headers=theirs)) == (404, "news_not_found")
            assert await code_of(await client.get(f"/news/{UNKNOWN}")) == (404, "news_not_found")
            assert (await client.get("/news/x")).status_code == 400
            assert (await client.post("/news", json={"items": [NEWS]}, headers=theirs)).status_code == 201
            assert (await client.post("/news", json={"items": [NEWS]}, headers=reader)).status_code == 403
            plain = await client.post("/news", data="{}", headers={"Content-Type": "text/plain"})
            assert plain.status_code == 415

        with_client(world, scenario)


class TestSentiment:
    def test_what_texts_add_up_to_now_and_then(self, world: World) -> None:
        now = world.clock.now_ms()
        put(world, now - 48 * HOUR, -0.5)
        put(world, now - 1000, 1.0)
        put(world, now - 1000, 0.3, symbol="NSE:TCS")
        put(world, now + 60_000, -1.0)

        async def scenario(client: QuartClient) -> None:
            found = await get(client, "/sentiment")
            assert [one["symbol"] for one in found["items"]] == ["NSE:INFY", "NSE:TCS"]
            assert (found["half_life_hours"], found["window_hours"]) == (48, 336)
            infy = found["items"][0]
            assert infy["score"] == pytest.approx((1 - 0.25) / 1.5, abs=1e-3)
            assert (infy["label"], infy["count"], infy["weight"]) == ("positive", 2, pytest.approx(1.5, abs=1e-3))
            assert infy["newest_at"] == rfc3339(now - 1000)
            assert infy["change"] == pytest.approx(infy["score"] + 0.5)
            (tcs,) = (await get(client, "/sentiment?symbol=nse:tcs"))["items"]
            assert (tcs["score"], tcs["dispersion"], tcs["change"]) == (pytest.approx(0.3), None, None)
            then = await get(client, f"/sentiment?symbol=NSE:INFY&as_of={rfc3339(now - 48 * HOUR)}")
            assert (then["as_of"], then["items"][0]["score"]) == (rfc3339(now - 48 * HOUR), -0.5)
            (before,) = (await get(client, f"/sentiment?symbol=NSE:INFY&as_of={rfc3339(now - 48 * HOUR - 1)}"))[
                "items"
            ]
            assert (before["score"], before["label"], before["count"], before["weight"]) == (None, None, 0, 0)
            (short,) = (await get(client, "/sentiment?symbol=NSE:INFY&half_life_hours=0.5&window_hours=1"))["items"]
            assert short["count"] == 1

        with_client(world, scenario)

    def test_a_symbol_without_texts_is_not_unknown(self, world: World) -> None:
        async def scenario(client: QuartClient) -> None:
            assert (await get(client, "/sentiment"))["items"] == []
            (found,) = (await get(client, "/sentiment?symbol=NSE:NONE"))["items"]
            assert (found["symbol"], found["score"], found["newest_at"]) == ("NSE:NONE", None, None)

        with_client(world, scenario)

    def test_history_is_what_was_known_at_each_time(self, world: World) -> None:
        end = world.clock.now_ms() // HOUR * HOUR
        put(world, end - 10 * HOUR, 0.5)
        put(world, end - 4 * HOUR, -0.5)

        async def scenario(client: QuartClient) -> None:
            times = f"from={rfc3339(end - 12 * HOUR)}&to={rfc3339(end)}&step_hours=2"
            found = await get(client, f"/sentiment/history?symbol=nse:infy&{times}")
            assert found["symbol"] == "NSE:INFY"
            scores = [point["score"] for point in found["items"]]
            assert scores[:4] == [None, 0.5, 0.5, 0.5]
            assert len(scores) == 7
            assert scores[4] == pytest.approx((0.5 * 2 ** (-6 / 48) - 0.5) / (2 ** (-6 / 48) + 1))
            assert found["items"][-1]["time"] == rfc3339(end)
            for point in found["items"]:
                then = await get(client, f"/sentiment?symbol=NSE:INFY&as_of={point['time']}")
                assert then["items"][0]["score"] == (point["score"] and pytest.approx(point["score"]))
                assert then["items"][0]["count"] == point["count"]
            put(world, end - 3 * HOUR + 1, 1.0)
            again = await get(client, f"/sentiment/history?symbol=nse:infy&{times}")
            assert again["items"][:5] == found["items"][:5]
            assert again["items"][5:] != found["items"][5:]
            whole = await get(client, "/sentiment/history?symbol=NSE:INFY")
            assert len(whole["items"]) == 121

        with_client(world, scenario)

    def test_texts_are_listed_and_paged(self, world: World) -> None:
        now = world.clock.now_ms()
        for number in range(5):
            put(world, now - (number // 2) * HOUR, number / 10, source=f"s{number % 2}", text=f"t{number}")

        async def scenario(client: QuartClient) -> None:
            async def texts(query: str) -> list[str]:
                return [one["text"] for one in (await get(client, f"/sentiment/items?{query}"))["items"]]

            whole = await texts("")
            assert whole == ["t1", "t0", "t3", "t2", "t4"]
            page = await get(client, "/sentiment/items?limit=3")
            assert await texts(f"limit=3&cursor={page['next_cursor']}") == whole[3:]
            assert await texts("source=s1&symbol=nse:infy") == ["t1", "t3"]
            assert await texts(f"since={rfc3339(now)}") == ["t1", "t0"]
            assert await texts(f"until={rfc3339(now - HOUR)}") == ["t4"]
            one = page["items"][0]
            assert (one["words"], one["engine"], one["weight"]) == ([["wins", 0.5]], "built_in", 1.0)

        with_client(world, scenario)

    @pytest.mark.parametrize(
        "path",
        [
            "/sentiment?symbol=??",
            "/sentiment?as_of=noon",
            "/sentiment?as_of=2999-01-01T00:00:00Z",
            "/sentiment?as_of=0001-01-01T00:00:00%2B14:00",
            "/sentiment?half_life_hours=0",
            "/sentiment?half_life_hours=-1",
            "/sentiment?half_life_hours=nan",
            "/sentiment?half_life_hours=1&window_hours=513",
            "/sentiment?window_hours=999999999",
            "/sentiment?half_life_hours=0.0000000001",
            "/sentiment?limit=5",
            "/sentiment/history",
            "/sentiment/history?symbol=??",
            "/sentiment/history?symbol=A&step_hours=0.001",
            "/sentiment/history?symbol=A&step_hours=0.1",
            "/sentiment/history?symbol=A&from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z",
            "/sentiment/history?symbol=A&to=2999-01-01T00:00:00Z",
            "/sentiment/items?limit=201",
            "/sentiment/items?as_of=2024-01-01T00:00:00Z",
        ],
    )
    def test_wrong_questions_are_named(self, world: World, path: str) -> None:
        async def scenario(client: QuartClient) -> None:
            answer = await client.get(path)
            assert answer.status_code == 422
            assert (await answer.get_json())["code"] in ("invalid_query", "invalid_decay", "invalid_symbol")

        with_client(world, scenario)

    @pytest.mark.parametrize("cursor", ["x", "A" * 31, "A" * 31 + "=", "%00"])
    def test_cursors_of_others_are_refused(self, world: World, cursor: str) -> None:
        async def scenario(client: QuartClient) -> None:
            assert await code_of(await client.get(f"/sentiment/items?cursor={cursor}")) == (400, "invalid_cursor")

        with_client(world, scenario)

    def test_nobody_sees_the_texts_of_others(self, world: World) -> None:
        ann = world.add_user("ann")
        theirs = {"Authorization": f"Bearer {world.issue(ann, Scope.SIGNALS_READ)}"}
        without = {"Authorization": f"Bearer {world.issue(ann, Scope.JOBS_READ)}"}
        put(world, world.clock.now_ms() - HOUR, 0.5)
        world.services.intelligence.import_news([item(user_id=LOCAL)])

        async def scenario(client: QuartClient) -> None:
            for path in ("/sentiment", "/sentiment/items", "/news"):
                assert (await (await client.get(path, headers=theirs)).get_json())["items"] == []
                assert (await client.get(path, headers=without)).status_code == 403
            (found,) = (await (await client.get("/sentiment?symbol=NSE:INFY", headers=theirs)).get_json())["items"]
            assert found["score"] is None

        with_client(world, scenario)
