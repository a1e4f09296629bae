"""What every `InferenceEngine` does. Subclass `InferenceEngineContract` and override its fixtures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from aitrader.testing.model_samples import BIAS, CODES, UNKNOWN_CODE, WEIGHTS
from domain.common.errors import Invalid, NotFound
from domain.intelligence.inference import Array, InferenceEngine, TensorSpec

ROWS = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [-1.5, 0.25, 4.0]], np.float32)
WORDS = np.array([["buy"], ["sell"], ["काहीतरी"]], object)


class InferenceEngineContract:
    """Tests for any `InferenceEngine` that serves `linear_onnx` and `words_onnx` of `aitrader.testing.model_samples`.

    The fixtures ``linear`` and ``words`` tell the names that it serves them under.
    """

    @pytest.fixture
    def engine(self) -> InferenceEngine:
        """Return the engine."""
        raise NotImplementedError("override the engine fixture")

    @pytest.fixture
    def linear(self) -> str:
        """Return the name of the model `linear_onnx`."""
        raise NotImplementedError("override the linear fixture")

    @pytest.fixture
    def words(self) -> str:
        """Return the name of the model `words_onnx`."""
        raise NotImplementedError("override the words fixture")

    def test_it_has_a_name(self, engine: InferenceEngine) -> None:
        assert engine.name

    def test_models_are_listed(self, engine: InferenceEngine, linear: str, words: str) -> None:
        assert {linear, words} <= set(engine.models())

    def test_a_model_says_what_it_takes_and_gives(self, engine: InferenceEngine, linear: str) -> None:
        found = engine.signature(linear)
        assert found.inputs == (TensorSpec("features", "FP32", (-1, 3)),)
        assert found.outputs == (
            TensorSpec("probabilities", "FP32", (-1, 2)),
            TensorSpec("label", "INT64", (-1, 1)),
        )

    def test_known_values_for_each_row(self, engine: InferenceEngine, linear: str) -> None:
        found = engine.infer(linear, {"features": ROWS})
        assert found.engine == engine.name
        assert found.model == linear
        assert found.latency_ms >= 0
        assert set(found.outputs) == {"probabilities", "label"}
        same_array(found.outputs["probabilities"], ROWS @ WEIGHTS + BIAS)
        same_array(found.outputs["label"], np.array([[1], [0], [1]], np.int64))

    def test_a_row_has_the_same_answer_alone(self, engine: InferenceEngine, linear: str) -> None:
        together = engine.infer(linear, {"features": ROWS}).outputs["probabilities"]
        for place, row in enumerate(ROWS):
            alone = engine.infer(linear, {"features": row[None]}).outputs["probabilities"]
            same_array(alone, together[place : place + 1])

    def test_many_rows(self, engine: InferenceEngine, linear: str) -> None:
        rows = np.random.default_rng(1).normal(size=(2000, 3)).astype(np.float32)
        found = engine.infer(linear, {"features": rows}).outputs["probabilities"]
        np.testing.assert_allclose(found, rows @ WEIGHTS + BIAS, rtol=1e-5, atol=1e-6)

    def test_asking_again_has_the_same_answer(self, engine: InferenceEngine, linear: str) -> None:
        first, second = (engine.infer(linear, {"features": ROWS}).outputs for _ in range(2))
        for name, values in first.items():
            np.testing.assert_array_equal(values, second[name])

    def test_memory_in_any_order_is_read_in_rows(self, engine: InferenceEngine, linear: str) -> None:
        by_columns = np.asfortranarray(ROWS)
        found = engine.infer(linear, {"features": by_columns}).outputs["probabilities"]
        same_array(found, ROWS @ WEIGHTS + BIAS)

    def test_outputs_are_those_that_are_named(self, engine: InferenceEngine, linear: str) -> None:
        assert set(engine.infer(linear, {"features": ROWS}, ["label"]).outputs) == {"label"}
        found = engine.infer(linear, {"features": ROWS}, ["label", "probabilities"]).outputs
        assert list(found) == ["label", "probabilities"]

    def test_text_goes_in_and_comes_out(self, engine: InferenceEngine, words: str) -> None:
        found = engine.infer(words, {"words": WORDS}).outputs
        assert found["same"].tolist() == WORDS.tolist()
        same_array(found["code"], np.array([[CODES["buy"]], [CODES["sell"]], [UNKNOWN_CODE]], np.int64))

    @pytest.mark.parametrize(
        ("inputs", "says"),
        [
            ({}, "features is missing"),
            ({"features": ROWS, "more": ROWS}, "more is not an input"),
            ({"Features": ROWS}, "features is missing"),
            ({"features": ROWS.astype(np.float64)}, "must be FP32"),
            ({"features": ROWS.astype(np.int64)}, "must be FP32"),
            ({"features": ROWS.astype(object)}, "must be FP32"),
            ({"features": ROWS[:, :2]}, "must have the shape"),
            ({"features": ROWS[0]}, "must have the shape"),
            ({"features": ROWS[None]}, "must have the shape"),
            ({"features": np.where(ROWS == 0, np.nan, ROWS).astype(np.float32)}, "must be finite"),
            ({"features": np.where(ROWS == 0, np.inf, ROWS).astype(np.float32)}, "must be finite"),
            ({"features": np.where(ROWS == 0, -np.inf, ROWS).astype(np.float32)}, "must be finite"),
        ],
    )
    def test_inputs_that_do_not_fit_are_refused_with_words(
        self, engine: InferenceEngine, linear: str, inputs: dict[str, Any], says: str
    ) -> None:
        with pytest.raises(Invalid, match=says):
            engine.infer(linear, inputs)

    @pytest.mark.parametrize("word", [b"buy", 1, None, "\ud800"])
    def test_text_is_text(self, engine: InferenceEngine, words: str, word: object) -> None:
        with pytest.raises(Invalid, match="must be text"):
            engine.infer(words, {"words": np.array([[word]], object)})

    def test_an_unknown_output_is_refused(self, engine: InferenceEngine, linear: str) -> None:
        with pytest.raises(Invalid, match="no such output; it has: probabilities, label"):
            engine.infer(linear, {"features": ROWS}, ["probabilities", "more"])

    @pytest.mark.parametrize("name", ["nobody", "", ".", "..", "../x", "a/b", "a b?c#d%2e", "\ud800", "x" * 300])
    def test_an_unknown_model_is_not_found(self, engine: InferenceEngine, name: str) -> None:
        with pytest.raises(NotFound):
            engine.signature(name)
        with pytest.raises(NotFound):
            engine.infer(name, {"features": ROWS})

    def test_eight_threads_at_once_get_their_own_answers(self, engine: InferenceEngine, linear: str) -> None:
        def ask(number: int) -> bool:
            rows = ROWS + np.float32(number)
            found = engine.infer(linear, {"features": rows}).outputs["probabilities"]
            return bool(np.allclose(found, rows @ WEIGHTS + BIAS, rtol=1e-4))

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, range(40)))


def same_array(found: Array, expected: Array) -> None:
    """Check that two arrays have the same kind, shape and, but for rounding, values."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-6)
