"""Remote inference against model servers that we did not write."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import numpy as np
import pytest

from adapters.engines.http import EngineHttp
from adapters.engines.inference import MOST_ANSWER_BYTES, RemoteInference
from aitrader.testing.inference_engine import ROWS, InferenceEngineContract
from aitrader.testing.model_samples import BIAS, WEIGHTS, linear_onnx, words_onnx
from domain.common.errors import Invalid, Unavailable
from domain.intelligence.inference import Signature
from tests.foreign.kserve import kserve
from tests.foreign.mlserver import mlserver
from tests.processes import Process

# Making their environments takes a while the first time.
pytestmark = [pytest.mark.once, pytest.mark.timeout(900)]


def told(inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    both = {"inputs": inputs, "outputs": outputs}
    return {
        side: [{"name": name, "datatype": datatype, "shape": shape} for name, (datatype, shape) in specs.items()]
        for side, specs in both.items()
    }


LINEAR = told({"features": ("FP32", [-1, 3])}, {"probabilities": ("FP32", [-1, 2]), "label": ("INT64", [-1, 1])})
WORDS = told({"words": ("BYTES", [-1, 1])}, {"same": ("BYTES", [-1, 1]), "code": ("INT64", [-1, 1])})


def models() -> dict[str, tuple[bytes, dict[str, Any]]]:
    return {"linear": (linear_onnx(), LINEAR), "words": (words_onnx(), WORDS), "silent": (linear_onnx(), {})}


def starter(stack: ExitStack) -> Callable[..., Process]:
    def start(*arguments: Any, **options: Any) -> Process:
        return stack.enter_context(Process(*arguments, **options))

    return start


@pytest.fixture(scope="module")
def mlserver_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ExitStack() as stack:
        yield mlserver(starter(stack), tmp_path_factory.mktemp("mlserver"), models())


@pytest.fixture(scope="module")
def kserve_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ExitStack() as stack:
        yield kserve(starter(stack), tmp_path_factory.mktemp("kserve"), models())


class _Foreign(InferenceEngineContract):
    @pytest.fixture
    def engine(self, served: str) -> Iterator[RemoteInference]:
        http = EngineHttp("onnx runner", served, 30.0, most_bytes=MOST_ANSWER_BYTES)
        yield RemoteInference(http)
        http.close()

    @pytest.fixture
    def linear(self) -> str:
        return "linear"

    @pytest.fixture
    def words(self) -> str:
        return "words"

    def test_server_and_models_are_ready(self, engine: RemoteInference) -> None:
        assert (engine.ready(), engine.ready("linear"), engine.ready("nobody")) == (True, True, False)

    def test_a_model_of_which_it_says_nothing(self, engine: RemoteInference) -> None:
        assert engine.signature("silent") == Signature()
        found = engine.infer("silent", {"features": ROWS}).outputs
        np.testing.assert_allclose(found["probabilities"], ROWS @ WEIGHTS + BIAS, rtol=1e-6)
        with pytest.raises(Invalid, match="must be finite"):
            engine.infer("silent", {"features": np.full((1, 3), np.nan, np.float32)})
        # The server itself says 500 to a wrong shape: that is why it is checked here where the shape is known.
        with pytest.raises(Unavailable):
            engine.infer("silent", {"features": ROWS[:, :2]})


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="MLServer 1.7.1 installs on Python 3.12 at most")
class TestMLServer(_Foreign):
    @pytest.fixture
    def served(self, mlserver_url: str) -> str:
        return mlserver_url

    def test_a_model_that_was_unloaded_and_loaded_again(self, engine: RemoteInference, served: str) -> None:
        assert engine.infer("silent", {"features": ROWS})
        assert httpx2.post(f"{served}/v2/repository/models/silent/unload").status_code == 200
        assert not engine.ready("silent")
        assert "silent" not in engine.models()
        assert httpx2.post(f"{served}/v2/repository/models/silent/load", timeout=30).status_code == 200
        assert engine.infer("silent", {"features": ROWS})


class TestKServe(_Foreign):
    @pytest.fixture
    def served(self, kserve_url: str) -> str:
        return kserve_url
