from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from domain.common.errors import Unavailable
from domain.intelligence.inference import Array, Inference, Signature
from plugins.onnx_runner.app import make_app
from plugins.onnx_runner.options import RunnerOptions

QUESTION = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [2]}]}


class FakeEngine:
    """Doubles; ``waits``, ``fails`` and ``breaks`` are models that do so."""

    name = "fake"

    def __init__(self) -> None:
        self.release = threading.Event()

    def models(self) -> Sequence[str]:
        return ["doubles"]

    def signature(self, model: str) -> Signature:
        return Signature()

    def infer(self, model: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Inference:
        if model == "waits":
            assert self.release.wait(20)
        if model == "fails":
            raise Unavailable("the disk is away")
        if model == "breaks":
            raise RuntimeError("secret detail")
        return Inference("fake", model, {"y": np.asarray(inputs["x"] * 2)}, 0.0)


def asked(*models: str) -> list[tuple[int, Any]]:
    async def scenario() -> list[tuple[int, Any]]:
        app = make_app(RunnerOptions(), FakeEngine())
        async with app.test_app() as running:
            answers = [await running.test_client().post(f"/v2/models/{name}/infer", json=QUESTION) for name in models]
            return [(answer.status_code, await answer.get_json()) for answer in answers]

    return asyncio.run(scenario())


def test_failures_are_said_and_nothing_of_our_inside() -> None:
    well, failed, broken = asked("doubles", "fails", "breaks")
    assert well[1]["outputs"] == [{"name": "y", "shape": [1], "datatype": "FP64", "data": [4.0]}]
    assert failed == (503, {"error": "the disk is away"})
    assert broken == (500, {"error": "the server failed; its log says why"})


def test_too_many_questions_at_once_are_refused_and_health_still_answers() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        app = make_app(RunnerOptions(threads=1, waiting=1), engine)
        async with app.test_app() as running:
            client = running.test_client()
            tasks = [asyncio.create_task(client.post("/v2/models/waits/infer", json=QUESTION)) for _ in range(3)]
            (first,), others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            answer = first.result()
            assert answer.status_code == 503
            assert "Too many" in (await answer.get_json())["error"]
            assert (await client.get("/v2/health/live")).status_code == 200
            engine.release.set()
            assert [(await task).status_code for task in others] == [200, 200]

    asyncio.run(asyncio.wait_for(scenario(), 30))
