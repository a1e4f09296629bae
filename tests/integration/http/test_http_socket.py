"""The WebSocket over a real server: nothing lost, nothing doubled, nobody else's."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from adapters.http import frames
from adapters.http.app import state_of
from domain.common.errors import Unavailable
from domain.common.events import EVERYONE, Event, PublishedEvent
from tests.integration.http.live import Server, live
from tests.integration.http.world import LOCAL, World

NEVER = 3600.0


def add_events(world: World, count: int, audience: str = LOCAL, **data: Any) -> list[PublishedEvent]:
    with world.work() as work:
        work.outbox.add([Event("job_updates", audience, {"n": n, **data}) for n in range(count)])
        work.commit()
    return world.publish()


def test_snapshot_then_every_event_in_the_envelope(world: World) -> None:
    first = world.submit()
    world.publish()

    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            snapshot = await socket.subscribe()
            assert [item["job_id"] for item in snapshot["data"]["items"]] == [first.id]
            second = world.submit()
            world.publish()
            event = await socket.expect("job_updates")
            assert set(event) == {"event", "seq", "time", "data"}
            assert event["seq"] == snapshot["seq"] + 1
            assert event["time"].endswith("Z")
            assert event["data"]["job_id"] == second.id

    live(world.app(), scenario)


def test_job_submitted_over_rest_is_seen(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            await socket.subscribe()
            client = server.app.test_client()
            job = await (await client.post("/jobs", json={"job_type": "free", "payload": {}})).get_json()
            world.publish()
            assert (await socket.expect("job_updates"))["data"]["job_id"] == job["id"]

    live(world.app(), scenario)


def test_resume_replays_exactly_what_was_missed(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            start = (await socket.subscribe())["seq"]
            add_events(world, 3)
            seen = (await socket.events(3))[-1]["seq"]
        add_events(world, 700)  # more than one page and more than a client's queue
        async with server.socket() as socket:
            await socket.send(action="subscribe", topics=["job_updates"], resume={"job_updates": seen})
            assert (await socket.expect("subscribed"))["seq"] == seen == start + 3
            missed = await socket.events(700)
            assert [event["seq"] for event in missed] == list(range(seen + 1, seen + 701))
            add_events(world, 1)
            assert (await socket.expect("job_updates"))["seq"] == seen + 701

    live(world.app(heal_interval=NEVER), scenario)


def test_resume_at_the_newest_replays_nothing(world: World) -> None:
    add_events(world, 5)

    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            await socket.send(action="subscribe", topics=["job_updates"], resume={"job_updates": 5})
            assert (await socket.expect("subscribed"))["seq"] == 5
            add_events(world, 1)
            assert (await socket.expect("job_updates"))["seq"] == 6

    live(world.app(heal_interval=NEVER), scenario)


@pytest.mark.parametrize(("resume", "missing"), [(3, (4, 20)), (0, (1, 20)), (500, (21, 500))])
def test_resume_that_is_impossible_says_gap_and_sends_a_snapshot(
    world: World, resume: int, missing: tuple[int, int]
) -> None:
    add_events(world, 20)
    with world.work() as work:
        work._connection.exec_driver_sql("DELETE FROM outbox WHERE seq <= 10")
        work.commit()

    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            await socket.send(action="subscribe", topics=["job_updates"], resume={"job_updates": resume})
            await socket.expect("subscribed")
            gap = await socket.expect("gap")
            assert (gap["topic"], gap["from"], gap["to"]) == ("job_updates", *missing)
            assert (await socket.expect("snapshot"))["seq"] == 20
            add_events(world, 1)
            assert (await socket.expect("job_updates"))["seq"] == 21

    live(world.app(heal_interval=NEVER), scenario)


def test_lost_last_event_arrives_late_but_arrives(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            await socket.subscribe()
            world.bus.lose = True
            add_events(world, 3)
            assert [event["seq"] for event in await socket.events(3)] == [1, 2, 3]

    live(world.app(heal_interval=0.05), scenario)


def test_lost_doubled_and_reordered_hints_change_nothing(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            await socket.subscribe()
            world.bus.lose = True
            events = add_events(world, 50)
            world.bus.lose = False
            shuffled = [event for event in events if event.seq % 3] * 2 + [events[-1]]
            random.Random(7).shuffle(shuffled)
            world.bus.publish(shuffled)
            received = await socket.events(50)
            assert [event["seq"] for event in received] == list(range(1, 51))
            assert [event["data"]["n"] for event in received] == list(range(50))
            await socket.send(action="ping")
            await socket.expect("pong")

    live(world.app(heal_interval=NEVER), scenario)


def test_subscribing_while_events_flow_loses_and_doubles_none(world: World) -> None:
    async def scenario(server: Server) -> None:
        stopped = False

        def flow() -> None:
            while not stopped:
                add_events(world, 2)

        flowing = asyncio.create_task(asyncio.to_thread(flow))
        try:
            for attempt in range(12):
                async with server.socket() as socket:
                    resume = {"resume": {"job_updates": attempt}} if attempt % 2 else {}
                    await socket.send(action="subscribe", topics=["job_updates"], **resume)
                    seq = (await socket.expect("subscribed"))["seq"]
                    if not resume:
                        assert (await socket.expect("snapshot"))["seq"] == seq
                    for event in await socket.events(20 + attempt):
                        assert event["seq"] == seq + 1
                        seq = event["seq"]
        finally:
            stopped = True
            await flowing

    live(world.app(heal_interval=0.05), scenario)


def test_users_see_only_their_own(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as mine:
            await mine.subscribe()
            async with server.socket(world.issue(other)) as theirs:
                await theirs.subscribe()
                for n in range(5):
                    world.submit(user_id=other.id if n % 2 else LOCAL)
                    world.publish()
                assert [event["seq"] for event in await mine.events(3)] == [1, 2, 3]
                assert [event["seq"] for event in await theirs.events(2)] == [1, 2]
                for socket in (mine, theirs):
                    await socket.send(action="ping")
                    await socket.expect("pong")
                snapshot = await theirs.subscribe()
                assert len(snapshot["data"]["items"]) == 2

    other = world.add_user("other")
    live(world.app(), scenario)


def test_system_status_reaches_everyone(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as one, server.socket() as two:
            for socket in (one, two):
                snapshot = await socket.subscribe("system_status")
                assert {item["name"] for item in snapshot["data"]["items"]} == {
                    "db",
                    "redis",
                    "workers",
                    "feed",
                    "signals",
                }
            with world.work() as work:
                work.outbox.add([Event("system_status", EVERYONE, {"name": "redis", "status": "down"})])
                work.commit()
            world.publish()
            for socket in (one, two):
                assert (await socket.expect("system_status"))["data"]["status"] == "down"

    live(world.app(), scenario)


def test_filters_leave_out_the_rest(world: World) -> None:
    world.submit(job_type="echo")
    wanted = world.submit(job_type="free")
    world.publish()

    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            filters = {"job_updates": {"job_type": ["free"], "status": ["queued"]}}
            snapshot = await socket.subscribe(filters=filters)
            assert [item["job_id"] for item in snapshot["data"]["items"]] == [wanted.id]
            for job_type in ("echo", "free", "echo", "free"):
                world.submit(job_type=job_type)
            world.publish()
            assert [event["seq"] for event in await socket.events(2)] == [4, 6]

    live(world.app(), scenario)


def test_unsubscribed_means_silence(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            await socket.subscribe()
            await socket.send(action="unsubscribe", topics=["job_updates"])
            assert (await socket.expect("unsubscribed"))["topic"] == "job_updates"
            add_events(world, 3)
            await socket.send(action="ping")
            await socket.expect("pong")

    live(world.app(heal_interval=0.05), scenario)


def test_slow_client_is_closed_and_the_others_are_not(world: World) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket(max_queue=1) as slow, server.socket() as quick:
            await slow.subscribe()
            await quick.subscribe()
            received = 0
            async with asyncio.timeout(60):
                while len(state_of(server.app).hub._clients) == 2:
                    add_events(world, 20, filler="x" * 20_000)
                    received += len(await quick.events(20))
            assert await slow.close_code() == 4408
            add_events(world, 1)
            assert (await quick.expect("job_updates"))["seq"] == received + 1

    live(world.app(heal_interval=NEVER), scenario)


def test_defect_closes_with_1011(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(server: Server) -> None:
        async def broken(*_args: object) -> None:
            raise RuntimeError("a defect")

        state_of(server.app).hub.subscribe = broken  # type: ignore[method-assign,assignment]
        async with server.socket() as socket:
            await socket.send(action="subscribe", topics=["job_updates"])
            assert await socket.close_code() == 1011

    live(world.app(), scenario)
    assert "a defect" in caplog.text


def test_database_that_is_away_is_an_error_frame_and_healing_goes_on(world: World) -> None:
    away = False

    def events() -> Any:
        if away:
            raise Unavailable("the database did not answer", code="database_unavailable")
        return world.read()

    async def scenario(server: Server) -> None:
        nonlocal away
        async with server.socket() as watching, server.socket() as late:
            await watching.subscribe()
            away = True
            await late.send(action="subscribe", topics=["job_updates"])
            error = await late.expect("error")
            assert (error["code"], error["topic"]) == ("database_unavailable", "job_updates")
            world.bus.lose = True
            add_events(world, 2)
            away = False
            assert [event["seq"] for event in await watching.events(2)] == [1, 2]
            await late.subscribe()

    live(world.app(services={"events": events}, heal_interval=0.05), scenario)


@pytest.mark.parametrize("statement", ["DELETE FROM outbox", "UPDATE event_streams SET last_seq = 2"])
def test_log_that_was_cut_or_set_back_resyncs_watchers(world: World, statement: str) -> None:
    async def scenario(server: Server) -> None:
        async with server.socket() as socket:
            await socket.subscribe()
            add_events(world, 5)
            await socket.events(5)
            world.bus.lose = True
            if statement.startswith("DELETE"):
                add_events(world, 4)
            with world.work() as work:
                work._connection.exec_driver_sql("DELETE FROM outbox")
                work._connection.exec_driver_sql(statement)
                work.commit()
            await socket.expect("subscribed")
            gap = await socket.expect("gap")
            assert (gap["from"], gap["to"]) == ((6, 9) if statement.startswith("DELETE") else (3, 5))
            snapshot = await socket.expect("snapshot")
            world.bus.lose = False
            add_events(world, 1)
            assert (await socket.expect("job_updates"))["seq"] == snapshot["seq"] + 1

    live(world.app(heal_interval=0.05), scenario)


def test_frame_is_encoded_once_for_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    real = frames.event_frame

    def counting(event: PublishedEvent) -> str:
        encoded.append(event.seq)
        return real(event)

    monkeypatch.setattr(frames, "event_frame", counting)

    async def scenario(server: Server) -> None:
        async with server.socket() as one, server.socket() as two, server.socket() as three:
            sockets: Sequence[Any] = (one, two, three)
            for socket in sockets:
                await socket.subscribe()
            add_events(world, 4)
            for socket in sockets:
                await socket.events(4)

    live(world.app(heal_interval=NEVER), scenario)
    assert encoded == [1, 2, 3, 4]
