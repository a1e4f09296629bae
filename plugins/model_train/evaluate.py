"""The job type ``model_evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aitrader.api import (
    ActionRule,
    Invalid,
    Isolation,
    JobContext,
    JobType,
    Manifest,
    calibrated,
    rfc3339,
    said_by,
    to_ms,
)
from plugins.model_train.payload import EvaluateReport, ModelEvaluatePayload, Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from plugins.model_train.samples import Samples


class ModelEvaluateJob(JobType):
    """Judge a model on stored bars: what came after its training, and apart from that what it was trained on."""

    name = "model_evaluate"
    title = "Evaluate a model"
    payload_type = ModelEvaluatePayload
    result_type = EvaluateReport
    isolation = Isolation.PROCESS
    max_attempts = 2
    deadline_s = 1800.0
    needs = ("bars", "models", "inference", "sentiment")
    example: Mapping[str, Any] = {"model": "barriers"}

    def run(self, context: JobContext, payload: ModelEvaluatePayload) -> EvaluateReport:
        """Ask the model about each bar and compare with what came.

        Raises:
            NotFound: there is no such model, or no bars are stored for a symbol.
            Invalid: no bar is in the range.
            Unavailable: the inference engine did not answer.
            JobCanceled: cancel was requested.
        """
        manifest = context.models.get(payload.model).parsed
        symbols = payload.symbols or list(manifest.universe)
        samples = _read(context, payload, manifest, symbols)
        context.progress(0.6, "asking the model")
        raw = said_by(context.inference, manifest, samples.features)
        said, block = calibrated(raw, manifest.calibration), manifest.label.horizon * len(symbols)
        rule = ActionRule(cost_bps=payload.cost_bps)
        after = samples.known > manifest.trained_until
        context.progress(1.0, "done")
        return EvaluateReport(
            model_id=manifest.id,
            name=manifest.name,
            timeframe=manifest.timeframe,
            symbols=symbols,
            trained_until=rfc3339(manifest.trained_until),
            out_of_sample=_figures(samples, said, after, manifest, rule, block),
            in_sample=_figures(samples, said, ~after, manifest, rule, block),
            verdict=Verdict(**manifest.verdict),
        )


def _read(context: JobContext, payload: ModelEvaluatePayload, manifest: Manifest, symbols: list[str]) -> Samples:
    from plugins.model_train.samples import joined, read_samples

    start = to_ms(payload.start) if payload.start else None
    end = to_ms(payload.end) if payload.end else None
    parts = []
    for number, symbol in enumerate(symbols):
        context.progress(0.6 * number / len(symbols), f"{symbol}: features")
        _, _, found = read_samples(context, symbol, manifest.timeframe, manifest.label, start, end)
        parts.append(found)
    samples = joined(parts)
    if not len(samples):
        raise Invalid("no usable bar is in the range: its outcome must be known", code="no_bars")
    return samples


def _figures(
    samples: Samples,
    said: NDArray[np.float64],
    which: NDArray[np.bool_],
    manifest: Manifest,
    rule: ActionRule,
    block: int,
) -> dict[str, Any] | None:
    import numpy as np

    from aitrader.api import block_interval, brier, interval_view
    from plugins.model_train.judge import score

    if not which.any():
        return None
    mine, told = samples.take(which), said[which]
    base = np.tile([manifest.base_rates[name] for name in manifest.classes], (len(mine), 1))
    gain = brier(base, mine.outcome) - brier(told, mine.outcome)
    return {
        "from": rfc3339(int(mine.known[0])),
        "until": rfc3339(int(mine.known[-1])),
        "model": score(mine, told, rule, block),
        "always_hold": score(mine, base, rule, block),
        "brier_gain": interval_view(block_interval(gain, block)),
    }
