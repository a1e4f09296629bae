"""The job type ``suggestion``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aitrader.api import (
    AccountWorth,
    ActionRule,
    Bars,
    Dataset,
    Invalid,
    Isolation,
    JobContext,
    JobType,
    Manifest,
    Model,
    NotFound,
    SizeRule,
    Suggestion,
    new_id,
    rfc3339,
    to_ms,
)
from plugins.suggestion.payload import SuggestionOut, SuggestionPayload, SuggestionReport

if TYPE_CHECKING:
    from plugins.suggestion.asking import Asked

_WORDS = {1: "buy", 0: "hold", -1: "sell"}
_STALE_BARS = 5


class SuggestionJob(JobType):
    """Say what a model makes of each symbol now: action, calibrated probability, prices, size and the evidence."""

    name = "suggestion"
    title = "Suggestion"
    payload_type = SuggestionPayload
    result_type = SuggestionReport
    isolation = Isolation.PROCESS
    max_attempts = 3
    deadline_s = 600.0
    needs = ("bars", "models", "inference", "sentiment", "accounts")
    example: Mapping[str, Any] = {"symbols": ["NASDAQ:AAPL"], "timeframe": "1d"}

    def run(self, context: JobContext, payload: SuggestionPayload) -> SuggestionReport:
        """Ask about each symbol and record what is said.

        Raises:
            NotFound: no bars are stored for a symbol, or no model is active for it.
            Invalid: there are too few bars, or the model is outdated.
            Unavailable: the inference engine did not answer: nothing is suggested in its place.
            JobCanceled: cancel was requested.
        """
        active = context.models.active(payload.timeframe.value) if payload.model is None else ()
        worth = context.accounts.worth(payload.account)
        made = []
        for number, symbol in enumerate(payload.symbols):
            context.progress(number / len(payload.symbols), symbol)
            suggestion = _suggest(context, payload, symbol, _model(context, payload, symbol, active), worth)
            context.record(suggestion)
            made.append(suggestion)
        context.progress(1.0, "done")
        return SuggestionReport(results=[_out(item) for item in made])


def _model(context: JobContext, payload: SuggestionPayload, symbol: str, active: Sequence[Model]) -> Manifest:
    if payload.model is not None:
        found = context.models.get(payload.model).parsed
        if found.timeframe is not payload.timeframe:
            raise Invalid(
                f"the model {found.name} looks at {found.timeframe} bars, not at {payload.timeframe}",
                code="other_timeframe",
            )
        return found
    for model in active:
        if symbol in model.universe:
            return model.parsed
    raise NotFound(
        f"no active model was trained on {payload.timeframe} bars of {symbol}; train one with: aitrader model train "
        f"--symbols {symbol} --timeframe {payload.timeframe} --activate, or name a model",
        code="no_model",
    )


def _suggest(
    context: JobContext, payload: SuggestionPayload, symbol: str, manifest: Manifest, worth: AccountWorth | None
) -> Suggestion:
    from plugins.suggestion.asking import ask
    from plugins.suggestion.evidence import evidence_of

    dataset, bars, later = _bars(context, payload, symbol)
    until = int(bars.time[-1]) + payload.timeframe.ms
    asked = ask(
        context.inference, manifest, dataset, bars, context.sentiment.columns(dataset.symbol, until_ms=until + 1)
    )
    evidence = evidence_of(context, dataset, bars, payload.timeframe, manifest.label.horizon)
    return _made(payload, dataset, manifest, asked, worth, evidence, backfilled=later, now_ms=context.now_ms)


def _bars(context: JobContext, payload: SuggestionPayload, symbol: str) -> tuple[Dataset, Bars, bool]:
    """Return the dataset, the bars that had closed at the time asked about, and whether there are later ones."""
    dataset = context.bars.describe(symbol, payload.timeframe)
    as_of = context.now_ms if payload.as_of is None else to_ms(payload.as_of)
    bars = context.bars.read(symbol, payload.timeframe, end_ms=as_of - payload.timeframe.ms + 1)
    if not len(bars):
        raise Invalid(
            f"no {payload.timeframe} bar of {symbol} had closed by {rfc3339(as_of)}; the first opens at "
            f"{rfc3339(dataset.first_ms)}",
            code="no_bars",
        )
    return dataset, bars, dataset.last_ms > int(bars.time[-1])


def _made(
    payload: SuggestionPayload,
    dataset: Dataset,
    manifest: Manifest,
    asked: Asked,
    worth: AccountWorth | None,
    evidence: dict[str, Any],
    *,
    backfilled: bool,
    now_ms: int,
) -> Suggestion:
    import numpy as np

    from aitrader.api import CLASSES, actions, expected_r, hoped_for
    from plugins.suggestion.asking import by_class, contributions

    rule = ActionRule(payload.cost_bps, payload.least_edge, payload.allow_short)
    price, barrier = np.array([asked.price]), np.array([asked.barrier])
    action = int(actions(asked.probabilities[None, :], price, barrier, rule)[0]) if asked.barrier > 0 else 0
    hoped = hoped_for(action)
    return Suggestion(
        id=new_id(),
        symbol=dataset.symbol,
        timeframe=payload.timeframe.value,
        model_id=manifest.id,
        model=manifest.name,
        as_of=asked.as_of,
        action=_WORDS[action],
        probability=round(float(asked.probabilities[hoped]), 6),
        probabilities=by_class(asked.probabilities),
        base_rates={name: round(float(manifest.base_rates[name]), 6) for name in CLASSES},
        horizon=manifest.label.horizon,
        barrier=asked.barrier,
        entry=asked.price,
        stop=asked.price - action * asked.barrier if action else None,
        target=asked.price + action * asked.barrier if action else None,
        quantity=_quantity(payload, asked, worth) if action else None,
        account=None if worth is None else worth.account,
        currency=dataset.currency,
        expected_r=expected_r(asked.probabilities, action),
        in_sample=asked.as_of <= manifest.trained_until,
        backfilled=backfilled,
        beats_baselines=manifest.beats_baselines,
        note=_note(payload, dataset, manifest, asked, worth, backfilled=backfilled, now_ms=now_ms),
        contributions=contributions(asked, manifest, hoped),
        evidence=evidence,
    )


def _quantity(payload: SuggestionPayload, asked: Asked, worth: AccountWorth | None) -> str | None:
    from aitrader.api import quantity

    if worth is None or worth.equity is None or worth.equity <= 0:
        return None
    rule = SizeRule(payload.risk_fraction, payload.max_position, payload.fractional)
    return format(quantity(worth.equity, asked.price, asked.barrier, rule), "f")


def _note(
    payload: SuggestionPayload,
    dataset: Dataset,
    manifest: Manifest,
    asked: Asked,
    worth: AccountWorth | None,
    *,
    backfilled: bool,
    now_ms: int,
) -> str:
    """Return what to make of the suggestion, the most important first."""
    words = [str(manifest.verdict["text"])]
    if asked.as_of <= manifest.trained_until:
        words.append("The model was trained on this time: this is no test of it.")
    if backfilled:
        words.append("Later bars were there already: this was no forecast.")
    elif now_ms - asked.as_of > _STALE_BARS * payload.timeframe.ms:
        words.append(f"The newest bar closed at {rfc3339(asked.as_of)}; import newer ones for a suggestion of today.")
    if dataset.symbol not in manifest.universe:
        words.append("The model was not trained on this symbol.")
    if worth is None:
        words.append("No size: name an account.")
    elif worth.equity is None:
        words.append(f"No size: something in account {worth.account} has no price.")
    elif worth.currency != dataset.currency:
        words.append(f"The size takes {worth.currency} for {dataset.currency}: convert it yourself.")
    return " ".join(words)


def _out(item: Suggestion) -> SuggestionOut:
    same = {name: getattr(item, name) for name in SuggestionOut.model_fields if name not in ("as_of", "model")}
    model = {"id": item.model_id, "name": item.model}
    return SuggestionOut.model_validate({**same, "as_of": rfc3339(item.as_of), "model": model})
