"""A model server that hangs, lies, dies and comes back, over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np
import pytest

from adapters.engines.http import EngineHttp
from adapters.engines.inference import RemoteInference
from domain.common.errors import Invalid, NotFound, Unavailable
from domain.engines.calls import CallCounter
from domain.intelligence.inference import Signature, TensorSpec
from tests.scripted_engine import LATE_S, Answer, Engine, breaks_off, says, stops_short

pytestmark = pytest.mark.once

ROW = np.array([[1.0, 2.0]], np.float32)
MODEL = {
    "name": "m",
    "versions": ["1"],
    "platform": "x",
    "inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, 2]}],
    "outputs": [{"name": "p", "datatype": "FP32", "shape": [-1, 3]}],
}
GOOD = {"name": "p", "datatype": "FP32", "shape": [1, 3], "data": [0.5, 0.25, 0.25]}


def answers(output: Any = GOOD, **changes: Any) -> Answer:
    """Return an answer that echoes the id of what is asked."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = handler.server.asked()  # type: ignore[attr-defined]
        body = {"model_name": "m", "id": asked["id"], "outputs": [output], **changes}
        says({name: value for name, value in body.items() if value != "left out"})(handler)

    return answer


@pytest.fixture
def server() -> Iterator[Engine]:
    engine = Engine()
    engine.pages["/v2/models/m"] = says(MODEL)
    engine.server.asked = lambda: engine.bodies[-1]  # type: ignore[attr-defined]
    yield engine
    engine.close()


def client(server: Engine, timeout_s: float = LATE_S, **options: Any) -> RemoteInference:
    return RemoteInference(EngineHttp("onnx runner", server.url, timeout_s, **options))


def ask(remote: RemoteInference, *outputs: str, rows: Any = ROW) -> Any:
    return remote.infer("m", {"features": rows}, outputs).outputs["p"].tolist()


def test_what_is_asked_and_answered(server: Engine) -> None:
    server.answers = [answers()]
    remote = client(server)
    assert ask(remote, "p") == ask(remote) == [[0.5, 0.25, 0.25]]
    first, second = server.bodies
    tensor = {"name": "features", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0]}
    assert (first["inputs"], first["outputs"]) == ([tensor], [{"name": "p"}])
    assert "outputs" not in second
    assert first["id"] != second["id"]
    # What the model takes is asked once.
    assert server.paths == ["/v2/models/m", "/v2/models/m/infer", "/v2/models/m/infer"]


@pytest.mark.parametrize(
    "answer",
    [
        answers(parameters=None, model_version=None),
        answers(parameters={}, model_version="3"),
        answers(id="left out"),
        answers(id=None),
        answers({**GOOD, "data": [[0.5, 0.25, 0.25]], "parameters": None}),
        answers({**GOOD, "datatype": "FP64"}),
        answers(outputs=[{"name": "label", "datatype": "INT64", "shape": [1], "data": [0]}, GOOD]),
    ],
)
def test_what_servers_differ_in_is_tolerated(server: Engine, answer: Answer) -> None:
    server.answers = [answer]
    assert ask(client(server)) == [[0.5, 0.25, 0.25]]


def test_half_precision_and_small_integers_are_widened(server: Engine) -> None:
    server.pages["/v2/models/m"] = says(
        {**MODEL, "inputs": [{"name": "features", "datatype": "UINT8", "shape": [-1, 2]}]}
    )
    server.answers = [answers({**GOOD, "datatype": "FP16"})]
    remote = client(server)
    assert remote.signature("m").inputs == (TensorSpec("features", "INT32", (-1, 2)),)
    found = remote.infer("m", {"features": np.array([[0, 255]], np.int32)}).outputs["p"]
    assert found.dtype == np.float32
    assert server.bodies[0]["inputs"][0]["datatype"] == "UINT8"
    with pytest.raises(Invalid, match="no UINT8"):
        remote.infer("m", {"features": np.array([[0, 256]], np.int32)})


def test_a_server_that_says_nothing_of_its_model(server: Engine) -> None:
    server.pages["/v2/models/m"] = says({"name": "m", "inputs": [], "outputs": None})
    server.answers = [answers()]
    remote = client(server)
    assert remote.signature("m") == Signature()
    assert ask(remote) == [[0.5, 0.25, 0.25]]
    with pytest.raises(Invalid, match="must be finite"):
        ask(remote, rows=np.array([[np.nan, 1]], np.float32))
    with pytest.raises(Invalid, match="no such output; it has: p"):
        ask(remote, "q")


@pytest.mark.parametrize(
    "answer",
    [
        says(b""),
        says(b"{"),
        says([]),
        says({"outputs": []}),
        says({"outputs": {}}),
        answers(outputs=[]),
        answers(outputs=None),
        answers(outputs=["p"]),
        answers(id="another"),
        answers(id=7),
        answers({**GOOD, "name": "q"}),
        answers({**GOOD, "name": None}),
        answers({**GOOD, "shape": [3, 3]}),
        answers({**GOOD, "shape": "1,3"}),
        answers({**GOOD, "data": [0.5, 0.25]}),
        answers({**GOOD, "data": [[0.5], [0.25], [0.25]]}),
        answers({**GOOD, "data": [0.5, None, 0.25]}),
        answers({**GOOD, "data": ["0.5", "0.25", "0.25"]}),
        answers({**GOOD, "data": [0.5, 1e300, 0.25]}),
        answers({**GOOD, "data": "AAAA"}),
        answers({**GOOD, "datatype": "FLOAT"}),
        says(b'{"outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"data":[NaN,1,1]}]}'),
        says({"outputs": [GOOD]}, 302),
        says({"error": "no"}, 500),
        says(b"Internal Server Error", 503),
        says(b" " * 100_000),
        breaks_off,
        stops_short,
    ],
)
def test_an_answer_that_cannot_be_used_is_unavailable(server: Engine, answer: Answer) -> None:
    server.answers = [answer]
    with pytest.raises(Unavailable):
        ask(client(server, most_bytes=50_000))


@pytest.mark.parametrize(
    "page",
    [
        says(b""),
        says([]),
        says({"inputs": {"features": 1}}),
        says({**MODEL, "inputs": [{"name": "features"}]}),
        says({**MODEL, "inputs": [{"name": "features", "datatype": "FP32", "shape": [-2]}]}),
        says({**MODEL, "outputs": ["p"]}),
        says({}, 500),
        breaks_off,
    ],
)
def test_what_a_server_says_of_its_model_may_be_unusable_too(server: Engine, page: Answer) -> None:
    server.pages["/v2/models/m"] = page
    with pytest.raises(Unavailable):
        client(server).signature("m")


@pytest.mark.parametrize("said", [{"error": "bad shape"}, {"detail": "bad shape"}, b"bad shape"])
@pytest.mark.parametrize("status", [400, 422])
def test_what_the_server_refuses_is_invalid(server: Engine, status: int, said: Any) -> None:
    server.answers = [says(said, status)]
    with pytest.raises(Invalid, match="bad shape"):
        ask(client(server))


@pytest.mark.parametrize("status", [400, 404])
def test_a_model_that_is_not_there(server: Engine, status: int) -> None:
    server.pages["/v2/models/m"] = says({"error": "unknown"}, status)
    with pytest.raises(NotFound):
        ask(client(server))


def test_a_model_that_went_and_came_back_changed(server: Engine) -> None:
    server.answers = [answers(), says({"error": "gone"}, 404), answers({**GOOD, "shape": [1, 1], "data": [1]})]
    remote = client(server)
    ask(remote)
    with pytest.raises(NotFound):
        ask(remote)
    server.pages["/v2/models/m"] = says({**MODEL, "inputs": [{**MODEL["inputs"][0], "shape": [-1, 4]}]})
    assert ask(remote, rows=np.ones((1, 4), np.float32)) == [[1.0]]


def test_what_does_not_fit_is_looked_at_again_before_it_is_refused(server: Engine) -> None:
    server.answers = [answers()]
    remote = client(server)
    ask(remote)
    with pytest.raises(Invalid, match="shape"):
        ask(remote, rows=np.ones((1, 4), np.float32))
    server.pages["/v2/models/m"] = says({**MODEL, "inputs": [{**MODEL["inputs"][0], "shape": [-1, 4]}]})
    assert ask(remote, rows=np.ones((1, 4), np.float32)) == [[0.5, 0.25, 0.25]]
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    "bad", [breaks_off, stops_short, says({}, 500), says({}, 503), says({}, 429), says(b"<html>")]
)
def test_one_failure_is_tried_again(server: Engine, bad: Answer) -> None:
    server.answers = [bad, answers()]
    assert ask(client(server)) == [[0.5, 0.25, 0.25]]
    assert len(server.bodies) == 2
    assert server.bodies[0] == server.bodies[1]


def test_a_hanging_server_is_left_within_the_deadline(server: Engine) -> None:
    server.answers = [server.hang]
    started = time.monotonic()
    with pytest.raises(Unavailable):
        ask(client(server, 0.3))
    assert time.monotonic() - started < LATE_S * 2


def test_a_body_that_drips_is_left_within_the_deadline(server: Engine) -> None:
    server.answers = [server.drips(b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"outputs": [')]
    started = time.monotonic()
    with pytest.raises(Unavailable):
        ask(client(server, 0.5))
    assert time.monotonic() - started < LATE_S * 2


def test_after_five_failures_it_is_left_alone(server: Engine) -> None:
    server.answers = [says({}, 500)]
    remote = client(server)
    for _ in range(5):
        with pytest.raises(Unavailable):
            ask(remote)
    asked = len(server.bodies)
    with pytest.raises(Unavailable, match="left alone"):
        ask(remote)
    assert len(server.bodies) == asked == 10


def test_questions_that_are_refused_never_open_the_breaker(server: Engine) -> None:
    server.answers = [says({"error": "no"}, 422)]
    remote = client(server)
    for _ in range(12):
        with pytest.raises(Invalid, match="cannot take this: no"):
            ask(remote)
    assert len(server.bodies) == 12  # and none is tried twice


def test_only_so_many_calls_wait_at_once(server: Engine) -> None:
    server.answers = [server.hang]
    calls = CallCounter()
    remote = client(server, 1.0, meter=calls)
    remote.signature("m")
    failures: list[str] = []

    def call() -> None:
        try:
            ask(remote)
        except Unavailable as error:
            failures.append(error.detail)

    threads = [threading.Thread(target=call) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(failures) == 12
    assert len(server.bodies) <= 8
    assert {item.outcome for item in calls.calls()} >= {"failed", "busy"}


def test_readiness_is_told_by_the_status_alone(server: Engine) -> None:
    server.pages |= {
        "/v2/health/ready": says(b""),
        "/v2/models/m/ready": says(b"yes"),
        "/v2/models/n/ready": says(b"", 400),
    }
    remote = client(server)
    assert (remote.ready(), remote.ready("m"), remote.ready("n"), remote.ready("o")) == (True, True, False, False)
    server.pages["/v2/health/ready"] = says(b"", 503)
    with pytest.raises(Unavailable):
        remote.ready()


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (says([{"name": "a", "state": "READY"}, {"name": "b", "state": "UNAVAILABLE"}, {"name": "c"}]), ["a", "c"]),
        (says([{"name": "a", "version": "1"}, {"name": "a", "version": "2"}]), ["a"]),
        (says([]), []),
    ],
)
def test_models_are_listed_where_the_server_tells(server: Engine, answer: Answer, names: list[str]) -> None:
    server.answers = [answer]
    assert list(client(server).models()) == names
    assert server.paths == ["/v2/repository/index"]


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize(
    ("page", "names"),
    [(says({"models": ["a", "b"]}), ["a", "b"]), (says([]), []), (says({"models": None}), []), (says({}, 404), [])],
)
def test_a_server_without_a_repository_may_list_them_elsewhere(
    server: Engine, status: int, page: Answer, names: list[str]
) -> None:
    server.answers = [says({"error": "off"}, status)]
    server.pages["/v2/models"] = page
    assert list(client(server).models()) == names


def test_a_list_of_models_that_is_none(server: Engine) -> None:
    server.answers = [says({"models": []})]
    with pytest.raises(Unavailable):
        client(server).models()


def test_names_are_never_paths(server: Engine) -> None:
    with pytest.raises(NotFound):
        client(server).signature("../../admin?x=1#")
    assert server.paths == ["/v2/models/..%2F..%2Fadmin%3Fx%3D1%23"]


def test_large_arrays_are_sent_in_rows(server: Engine) -> None:
    server.answers = [answers()]
    rows = np.asfortranarray(np.arange(20_000, dtype=np.float32).reshape(10_000, 2) / 3)
    ask(client(server), rows=rows)
    (body,) = server.bodies
    assert np.array_equal(np.array(body["inputs"][0]["data"], np.float32), rows.reshape(-1))
    assert json.dumps(body["inputs"][0]["shape"]) == "[10000, 2]"
