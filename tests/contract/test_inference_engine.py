"""The inference engines: in this process, and over real HTTP from a server of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from adapters.engines.http import EngineHttp
from adapters.engines.inference import MOST_ANSWER_BYTES, RemoteInference
from adapters.onnx.folders import FolderModels
from adapters.onnx.local import LocalInference
from aitrader.testing.inference_engine import ROWS, InferenceEngineContract, same_array
from aitrader.testing.model_samples import linear_onnx, published, words_onnx
from domain.common.errors import Invalid, NotFound
from domain.engines.calls import CallCounter
from domain.engines.metered import MeteredInference
from domain.intelligence.inference import InferenceEngine
from tests.processes import Process


@dataclass
class Shelf:
    """A folder with the two models of the contract."""

    folders: FolderModels
    linear: str
    words: str


def shelf(directory: Path) -> Shelf:
    folders = FolderModels(directory)
    return Shelf(folders, published(folders, linear_onnx()).id, published(folders, words_onnx()).id)


class TestLocal(InferenceEngineContract):
    @pytest.fixture
    def shelf(self, tmp_path: Path) -> Shelf:
        return shelf(tmp_path / "models")

    @pytest.fixture
    def linear(self, shelf: Shelf) -> str:
        return shelf.linear

    @pytest.fixture
    def words(self, shelf: Shelf) -> str:
        return shelf.words

    @pytest.fixture
    def engine(self, shelf: Shelf) -> InferenceEngine:
        return LocalInference(shelf.folders)

    def test_only_so_many_models_stay_in_memory(self, shelf: Shelf) -> None:
        asked: list[str] = []

        class Counting(FolderModels):
            def onnx(self, model_id: str) -> bytes:
                asked.append(model_id)
                return super().onnx(model_id)

        engine = LocalInference(Counting(shelf.folders._directory), most=1)
        for model in (shelf.linear, shelf.linear, shelf.words, shelf.linear):
            engine.signature(model)
        assert asked == [shelf.linear, shelf.words, shelf.linear]

    def test_a_model_that_appears_is_served(self, shelf: Shelf, engine: InferenceEngine) -> None:
        engine.models()
        later = published(shelf.folders, linear_onnx()).id
        assert later in engine.models()
        assert engine.infer(later, {"features": ROWS}).model == later


class TestMetered(TestLocal):
    """Counting changes nothing."""

    @pytest.fixture
    def engine(self, shelf: Shelf) -> InferenceEngine:
        self.calls = CallCounter()
        return MeteredInference(LocalInference(shelf.folders), self.calls, "local")

    def test_questions_are_counted_by_how_they_ended(self, engine: InferenceEngine, linear: str) -> None:
        engine.infer(linear, {"features": ROWS})
        with pytest.raises(Invalid):
            engine.infer(linear, {})
        with pytest.raises(NotFound):
            engine.infer("nobody", {})
        found = {(item.engine, item.outcome): sum(item.counts) for item in self.calls.calls()}
        assert found == {("local", "ok"): 1, ("local", "refused"): 2}


@dataclass
class Served:
    """A server of ours in a process of its own, and its folder."""

    url: str
    shelf: Shelf


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("runner")
    made = shelf(home / "data" / "models")
    command = [sys.executable, "-m", "aitrader", "engine", "serve", "onnx", "--port", "0"]
    command += ["--set", "most_bytes=1000000"]
    process = Process(command, cwd=home, env={"AITRADER_DATA_DIR": str(home / "data")})
    try:
        yield Served(process.wait_for_line(r"^(http://\S+)$", 60).group(1), made)
    finally:
        process.close()


class TestServed(InferenceEngineContract):
    @pytest.fixture
    def engine(self, served: Served) -> Iterator[RemoteInference]:
        http = EngineHttp("onnx runner", served.url, 20.0, most_bytes=MOST_ANSWER_BYTES)
        yield RemoteInference(http)
        http.close()

    @pytest.fixture
    def linear(self, served: Served) -> str:
        return served.shelf.linear

    @pytest.fixture
    def words(self, served: Served) -> str:
        return served.shelf.words

    def test_server_and_model_are_ready(self, engine: RemoteInference, linear: str) -> None:
        assert engine.ready()
        assert engine.ready(linear)
        assert not engine.ready("nobody")

    def test_it_says_what_the_one_in_process_says(self, engine: RemoteInference, served: Served) -> None:
        rows = np.random.default_rng(2).normal(size=(50, 3)).astype(np.float32)
        local = LocalInference(served.shelf.folders).infer(served.shelf.linear, {"features": rows})
        found = engine.infer(served.shelf.linear, {"features": rows})
        for name, values in local.outputs.items():
            np.testing.assert_array_equal(found.outputs[name], values)

    def test_a_model_that_appears_is_served(self, engine: RemoteInference, served: Served) -> None:
        later = published(served.shelf.folders, linear_onnx()).id
        assert later in engine.models()
        assert engine.infer(later, {"features": ROWS}).model == later

    def test_a_question_that_is_too_long_is_said(self, engine: RemoteInference, linear: str) -> None:
        with pytest.raises(Invalid, match="Too Large"):
            engine.infer(linear, {"features": np.full((100_000, 3), 1 / 3, np.float32)})


def post(served: Served, body: Any, path: str = "infer") -> httpx2.Response:
    url = f"{served.url}/v2/models/{served.shelf.linear}/{path}"
    return httpx2.post(url, **({"content": body} if isinstance(body, bytes) else {"json": body}))


GOOD = {"name": "features", "shape": [1, 3], "datatype": "FP32", "data": [1, 2.5, -3]}


class TestProtocol:
    """What other clients of the protocol see."""

    def test_the_server_and_its_models(self, served: Served) -> None:
        assert httpx2.get(f"{served.url}/v2").json()["extensions"] == ["model_repository"]
        for path in ("live", "ready"):
            assert httpx2.get(f"{served.url}/v2/health/{path}").status_code == 200
        base = f"{served.url}/v2/models/{served.shelf.linear}"
        found = httpx2.get(base).json()
        assert (found["name"], found["versions"], found["platform"]) == (served.shelf.linear, ["1"], "onnx_onnxv1")
        assert found["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 3]}]
        assert httpx2.get(f"{base}/versions/1").json() == found
        assert httpx2.get(f"{base}/versions/1/ready").status_code == httpx2.get(f"{base}/ready").status_code == 200
        (mine,) = (
            item
            for item in httpx2.post(f"{served.url}/v2/repository/index", json={}).json()
            if item["name"] == served.shelf.words
        )
        assert (mine["version"], mine["state"]) == ("1", "READY")

    def test_the_id_comes_back_and_data_may_be_nested(self, served: Served) -> None:
        nested = {**GOOD, "data": [[1, 2.5, -3]], "parameters": {"content_type": "np"}}
        found = post(
            served, {"id": "q", "inputs": [nested], "outputs": [{"name": "label"}]}, "versions/1/infer"
        ).json()
        assert (found["id"], found["model_name"], found["model_version"]) == ("q", served.shelf.linear, "1")
        assert found["outputs"] == [{"name": "label", "shape": [1, 1], "datatype": "INT64", "data": [0]}]
        assert "id" not in post(served, {"inputs": [GOOD]}).json()

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"[" * 5000,
            {},
            {"inputs": {}},
            {"inputs": []},
            {"inputs": ["x"]},
            {"inputs": [GOOD, GOOD]},
            {"inputs": [GOOD], "id": 7},
            {"inputs": [GOOD], "outputs": "label"},
            {"inputs": [GOOD], "outputs": ["label"]},
            {"inputs": [GOOD], "outputs": [{"name": "more"}]},
            *(
                {"inputs": [{**GOOD, **wrong}]}
                for wrong in (
                    {"name": None},
                    {"name": "more"},
                    {"shape": None},
                    {"shape": [3]},
                    {"shape": [1, -3]},
                    {"shape": [1, 4]},
                    {"shape": [1, "3"]},
                    {"shape": [1, True, 3]},
                    {"shape": [1] * 40},
                    {"datatype": "FP64"},
                    {"datatype": "FP128"},
                    {"datatype": None},
                    {"data": None},
                    {"data": [1, 2]},
                    {"data": ["1", "2", "3"]},
                    {"data": [True, False, True]},
                    {"data": [1, 2, None]},
                    {"data": [1, 2, 1e39]},
                    {"data": [[1], [2], [3]]},
                    {"data": [[1, 2], [3]]},
                    {"data": [[[1, 2, 3]]]},
                )
            ),
        ],
    )
    def test_nonsense_is_refused_with_words(self, served: Served, body: Any) -> None:
        answer = post(served, body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]
        assert "Traceback" not in answer.text
        assert post(served, {"inputs": [GOOD]}).status_code == 200

    @pytest.mark.parametrize(
        "path",
        [
            "/v2/models/nobody",
            "/v2/models/nobody/ready",
            "/v2/models/{id}/versions/2",
            "/v2/models/..%2f..",
            "/v3",
            "/",
        ],
    )
    def test_what_is_not_there(self, served: Served, path: str) -> None:
        answer = httpx2.get(served.url + path.replace("{id}", served.shelf.linear))
        assert answer.status_code == 404
        assert answer.json()["error"]

    def test_too_long_a_question(self, served: Served) -> None:
        answer = post(served, b" " * 1_100_000)
        assert answer.status_code == 413
        assert answer.json()["error"]

    def test_a_folder_that_was_changed_is_not_run(self, served: Served) -> None:
        folders = served.shelf.folders
        changed = published(folders, linear_onnx()).id
        (folders._directory / changed / "model.onnx").write_bytes(words_onnx())
        answer = httpx2.get(f"{served.url}/v2/models/{changed}/ready")
        assert answer.status_code == 400
        assert "not the one of its manifest" in answer.json()["error"]


def test_narrower_kinds_of_other_servers_are_widened() -> None:
    from domain.intelligence.tensors import read_tensor, tensor_json

    for word, ours in (("FP16", np.float32), ("UINT8", np.int32), ("INT16", np.int32), ("UINT64", np.int64)):
        name, found = read_tensor({"name": "x", "shape": [2], "datatype": word, "data": [1, 2]})
        assert name == "x"
        same_array(found, np.array([1, 2], ours))
    for word, number in (("UINT64", 2**63), ("UINT8", 1.5), ("INT32", 2**40), ("BOOL", 1), ("INT64", True)):
        with pytest.raises(Invalid):
            read_tensor({"name": "x", "shape": [1], "datatype": word, "data": [number]})
    with pytest.raises(Invalid, match="no UINT8"):
        tensor_json("x", np.array([256], np.int32), "UINT8")
    assert tensor_json("x", np.array([255], np.int32), "UINT8")["datatype"] == "UINT8"
    empty = {"name": "x", "shape": [0, 3], "datatype": "INT64", "data": []}
    same_array(read_tensor(empty)[1], np.zeros((0, 3), np.int64))
