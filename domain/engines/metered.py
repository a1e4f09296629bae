"""Engines in this process, with their calls counted as those of others are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.common.errors import Invalid, NotFound
from domain.engines.ports import EngineMeter
from domain.intelligence.inference import Array, Inference, InferenceEngine, Signature
from domain.intelligence.sentiment import Sentiment, SentimentEngine

_REFUSED = (Invalid, NotFound)


@dataclass(frozen=True, slots=True)
class MeteredInference:
    """``InferenceEngine`` that counts the questions to another."""

    engine: InferenceEngine
    meter: EngineMeter
    label: str

    @property
    def name(self) -> str:
        """What the engine is called."""
        return self.engine.name

    def models(self) -> Sequence[str]:
        """Return the names of its models."""
        return self.engine.models()

    def signature(self, model: str) -> Signature:
        """Return what a model takes and gives."""
        return self.engine.signature(model)

    def infer(self, model: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Inference:
        """Return the outputs of a model."""
        started, outcome = time.perf_counter(), "failed"
        try:
            found = self.engine.infer(model, inputs, outputs)
            outcome = "ok"
            return found
        except _REFUSED:
            outcome = "refused"
            raise
        finally:
            self.meter.observe(self.label, outcome, time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class MeteredSentiment:
    """``SentimentEngine`` that counts the questions to another."""

    engine: SentimentEngine
    meter: EngineMeter
    label: str

    @property
    def name(self) -> str:
        """What the engine is called."""
        return self.engine.name

    @property
    def model(self) -> str:
        """What exactly scores."""
        return self.engine.model

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        """Return what the engine says of each text."""
        started, outcome = time.perf_counter(), "failed"
        try:
            found = self.engine.score(texts)
            outcome = "ok"
            return found
        except _REFUSED:
            outcome = "refused"
            raise
        finally:
            self.meter.observe(self.label, outcome, time.perf_counter() - started)
