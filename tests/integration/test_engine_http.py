"""A strategy engine that hangs, lies, dies and comes back, over real HTTP."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from functools import partial

import pytest

from adapters.engines.http import EngineHttp
from adapters.engines.strategy import RemoteStrategyEngine
from adapters.security.urls import GuardedUrls
from aitrader.testing.strategy_engine import evidence, request
from domain.common.errors import Unavailable
from domain.decisions.model import Action
from domain.engines.calls import CallCounter
from tests.scripted_engine import LATE_S, Answer, Engine, breaks_off, says

GOOD = [{"symbol": "NSE:INFY", "action": "buy", "confidence": 0.5, "rationale": "so"}]


@pytest.fixture
def server() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


def client(server: Engine, timeout_s: float = LATE_S) -> RemoteStrategyEngine:
    return RemoteStrategyEngine(EngineHttp("strategy engine", server.url, timeout_s))


def test_what_is_asked_and_answered(server: Engine) -> None:
    more = [{"symbol": "OTHER", "action": "sell", "confidence": 1}, {**GOOD[0], "symbol": "INFY", "stop": 1450.5}]
    server.answers = [says([{**item, "quantity": "2.5"} for item in more])]
    opinion = client(server).decide(request(evidence(0.5), evidence(0.25, "sentiment")))
    assert (opinion.action, opinion.confidence, opinion.rationale) == (Action.BUY, 0.5, "so")
    assert (str(opinion.quantity), opinion.stop) == ("2.5", 1450.5)
    (body,) = server.bodies
    assert [(item["score"], item["source"]) for item in body["signals"]] == [(0.5, "pattern")]
    assert body["sentiment"] == [{"symbol": "NSE:INFY", "sentiment_score": 0.25, "authenticity_score": 1.0}]
    assert body["strategy_weights"] == {"pattern": 0.6, "sentiment": 0.3, "strategy": 0.1}
    assert body["context"]["NSE:INFY"]["price"] == 1500.0
    assert {"decision_id", "as_of", "expires_at"} <= set(body)


def test_an_engine_that_says_nothing_of_the_symbol_means_hold(server: Engine) -> None:
    server.answers = [says([])]
    assert client(server).decide(request()).action is Action.HOLD


@pytest.mark.parametrize(
    "answer",
    [
        says(b"{"),
        says({"symbol": "INFY"}),
        says(["buy"]),
        says([{**GOOD[0], "action": "panic"}]),
        says([{**GOOD[0], "confidence": 1.5}]),
        says([{**GOOD[0], "confidence": "high"}]),
        says([{**GOOD[0], "confidence": None}]),
        says([{**GOOD[0], "quantity": -1}]),
        says([{**GOOD[0], "quantity": "many"}]),
        says([{**GOOD[0], "quantity": True, "stop": True}]),
        says([{**GOOD[0], "stop": 0}]),
        says([{**GOOD[0], "rationale": "x" * 2_000_000}]),
        says(GOOD, 500),
        says(GOOD, 302),
        breaks_off,
    ],
)
def test_an_answer_that_cannot_be_used_is_unavailable(server: Engine, answer: Answer) -> None:
    server.answers = [answer]
    with pytest.raises(Unavailable):
        client(server).decide(request())


def test_one_failure_is_tried_again(server: Engine) -> None:
    server.answers = [breaks_off, says(GOOD)]
    assert client(server).decide(request()).action is Action.BUY
    assert len(server.bodies) == 2


def test_a_hanging_engine_is_left_within_the_deadline(server: Engine) -> None:
    server.answers = [server.hang]
    started = time.monotonic()
    with pytest.raises(Unavailable):
        client(server, 0.3).decide(request())
    # Far below what the server would take: it says that there is a deadline, not how fast we are.
    assert time.monotonic() - started < LATE_S * 2


def test_after_five_failures_it_is_left_alone(server: Engine) -> None:
    server.answers = [says(GOOD, 500)]
    remote = client(server)
    for _ in range(5):
        with pytest.raises(Unavailable):
            remote.decide(request())
    asked = len(server.bodies)
    with pytest.raises(Unavailable, match="left alone"):
        remote.decide(request())
    assert len(server.bodies) == asked == 10


def test_only_so_many_calls_wait_at_once(server: Engine) -> None:
    server.answers = [server.hang]
    remote = client(server, 1.0)
    failures: list[str] = []

    def ask() -> None:
        try:
            remote.decide(request())
        except Unavailable as error:
            failures.append(error.detail)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(failures) == 12
    assert len(server.bodies) <= 4 * 2


def test_a_reward_is_sent_as_the_dialect_has_it(server: Engine) -> None:
    from domain.decisions.ports import Reward

    server.answers = [says({})]
    client(server).reward(Reward("NSE:INFY", "evidence", -0.0125))
    assert server.paths == ["/submit_reward?symbol=NSE%3AINFY&model=evidence&reward=-0.0125"]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
    ],
)
def test_an_engine_that_answers_slowly_is_left_within_the_deadline(server: Engine, head: bytes) -> None:
    server.answers = [server.drips(head)]
    started = time.monotonic()
    with pytest.raises(Unavailable):
        client(server, 0.5).decide(request())
    assert time.monotonic() - started < LATE_S * 2


def test_an_address_where_clouds_keep_credentials_is_not_asked() -> None:
    urls = GuardedUrls()
    http = EngineHttp(
        "strategy engine", "http://169.254.169.254", LATE_S, find_host=partial(urls.check_host, operator=True)
    )
    with pytest.raises(Unavailable, match="link-local"):
        RemoteStrategyEngine(http).decide(request())


def test_credentials_of_the_address_and_its_path_are_used(server: Engine) -> None:
    server.answers = [says(GOOD)]
    address = server.url.replace("http://", "http://me:p%40ss@") + "/engines/one/"
    http = EngineHttp("strategy engine", address, LATE_S, headers={"X-Team": "blue"})
    RemoteStrategyEngine(http).decide(request())
    assert server.paths == ["/engines/one/decide"]
    assert server.headers[0]["Authorization"] == f"Basic {b64encode(b'me:p@ss').decode()}"
    assert server.headers[0]["X-Team"] == "blue"
    assert http.host == server.url.removeprefix("http://")


def test_calls_are_counted_by_how_they_ended(server: Engine) -> None:
    calls = CallCounter()
    remote = RemoteStrategyEngine(EngineHttp("strategy engine", server.url, LATE_S, meter=calls))
    server.answers = [says(GOOD), says({}, 422), says({}, 500)]
    remote.decide(request())
    for _ in range(7):
        with pytest.raises(Unavailable):
            remote.decide(request())
    found = {(item.engine, item.outcome): sum(item.counts) for item in calls.calls()}
    assert found == {
        ("strategy_engine", "ok"): 1,
        ("strategy_engine", "refused"): 1,
        ("strategy_engine", "failed"): 5,
        ("strategy_engine", "open"): 1,
    }
