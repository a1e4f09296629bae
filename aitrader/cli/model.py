"""``aitrader model``: train models, look at them, judge them, choose the one that suggests."""

from __future__ import annotations

from typing import Any

import click

from aitrader.cli.common import actor, client, json_option, local_user, parse_time, print_json, print_table, say

_TIMEFRAMES = click.Choice(["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"])
_STATUSES = click.Choice(["candidate", "active", "retired"])


@click.group(epilog="Example: aitrader model train --symbols INDEX:SPX,NASDAQ:MSFT --timeframe 1d --activate")
def model() -> None:
    """Train models on stored bars, judge them, and choose the one that suggests."""


@model.command(
    epilog="""\b
    Examples:
      aitrader model train --symbols FX:EURUSD --timeframe 1h --horizon 10
      aitrader model train --symbols INDEX:SPX,NASDAQ:MSFT --name us --activate --json
    """
)
@click.option("--symbols", required=True, metavar="A,B", help="What to learn from, separated by commas.")
@click.option("--timeframe", type=_TIMEFRAMES, default="1d", show_default=True)
@click.option("--name", default="barriers", show_default=True, help="What the model is called.")
@click.option("--horizon", type=click.IntRange(1, 250), help="Bars after which the question is closed. [default: 10]")
@click.option("--barrier", type=float, help="Distance of target and stop in average true ranges. [default: 2]")
@click.option("--folds", type=click.IntRange(2, 20), help="Blocks of time that are tested. [default: 5]")
@click.option("--from", "start", metavar="TIME", help="Learn from this time on.")
@click.option("--to", "end", metavar="TIME", help="Learn from what is before; test on the rest with: evaluate")
@click.option("--seed", type=click.IntRange(0), help="Seed. [default: 0]")
@click.option("--activate", "use", is_flag=True, help="Have suggestions use it from now on.")
@json_option
def train(
    symbols: str,
    timeframe: str,
    name: str,
    horizon: int | None,
    barrier: float | None,
    folds: int | None,
    start: str | None,
    end: str | None,
    seed: int | None,
    use: bool,
    as_json: bool,
) -> None:
    """Train a model and test it where it had not looked, beside its baselines.

    A running worker does it; without one, this command is one for the while.
    """
    asked = {"horizon": horizon, "barrier_atr": barrier, "folds": folds, "seed": seed}
    payload: dict[str, Any] = {"symbols": _names(symbols), "timeframe": timeframe, "name": name}
    payload |= {key: value for key, value in asked.items() if value is not None}
    payload |= _range(start, end)
    result = _run("model_train", payload)
    if use:
        client().intelligence.activate_model()(result["model_id"], actor=actor())
    if as_json:
        print_json(result)
        return
    click.echo(f"model {result['name']} {result['model_id']}")
    click.echo(f"trained on {result['samples']} samples until {result['trained_until']}")
    _print_test(result["metrics"])
    click.echo(result["verdict"]["text"])
    say("suggestions use it now" if use else f"use it with: aitrader model activate {result['model_id']}")


@model.command("list", epilog="Example: aitrader model list --status active --json")
@click.option("--name", help="Only of this name.")
@click.option("--timeframe", type=_TIMEFRAMES, help="Only of this timeframe.")
@click.option("--status", type=_STATUSES)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_models(name: str | None, timeframe: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List models, the newest first."""
    from domain.intelligence.models import ModelFilter, model_view

    wanted = ModelFilter(name, timeframe, status)
    found, _ = client().intelligence.read_models().page(wanted, before_id=None, limit=limit)
    views = [model_view(item) for item in found]
    if as_json:
        print_json({"items": views})
        return
    rows = [
        [
            view["id"],
            view["name"],
            view["status"],
            view["timeframe"],
            ",".join(view["universe"]),
            view["trained_until"][:10],
            "yes" if view["verdict"]["beats_baselines"] else "no",
        ]
        for view in views
    ]
    print_table(["id", "name", "status", "timeframe", "symbols", "trained until", "beats baselines"], rows)
    if not rows:
        say("none yet; train one with: aitrader model train --symbols INDEX:SPX --activate")


@model.command(epilog="Example: aitrader model show barriers")
@click.argument("name_or_id")
@json_option
def show(name_or_id: str, as_json: bool) -> None:
    """Show a model with its figures; of a name the active one, else the newest."""
    from domain.intelligence.models import model_detail

    view = model_detail(client().intelligence.read_models().get(name_or_id))
    if as_json:
        print_json(view)
        return
    for key in ("id", "name", "status", "timeframe", "trained_from", "trained_until", "sha256"):
        click.echo(f"{key}: {view[key]}")
    label = view["label"]
    click.echo(f"symbols: {', '.join(view['universe'])}")
    click.echo(
        f"predicts: which barrier, {label['barrier_atr']:g} ATR away, is touched first in {label['horizon']} bars"
    )
    _print_test(view["manifest"]["metrics"])
    click.echo(view["verdict"]["text"])


@model.command(epilog="Example: aitrader model activate 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13")
@click.argument("name_or_id")
@json_option
def activate(name_or_id: str, as_json: bool) -> None:
    """Have suggestions use a model from now on; the one of its name that they used is retired."""
    from domain.intelligence.models import model_view

    found = client().intelligence.activate_model()(name_or_id, actor=actor())
    if as_json:
        print_json(model_view(found))
        return
    click.echo(f"{found.id} {found.status}")
    if not found.parsed.beats_baselines:
        say(found.parsed.verdict["text"])


@model.command(epilog="Example: aitrader model evaluate barriers --from 2017-01-01")
@click.argument("name_or_id")
@click.option("--symbols", metavar="A,B", help="On these. [default: those that it was trained on]")
@click.option("--from", "start", metavar="TIME", help="On bars from this time on.")
@click.option("--to", "end", metavar="TIME", help="On bars before this time.")
@json_option
def evaluate(name_or_id: str, symbols: str | None, start: str | None, end: str | None, as_json: bool) -> None:
    """Judge a model on stored bars: what came after its training, and apart from that what it was trained on."""
    payload: dict[str, Any] = {"model": name_or_id, **_range(start, end)}
    if symbols:
        payload["symbols"] = _names(symbols)
    result = _run("model_evaluate", payload)
    if as_json:
        print_json(result)
        return
    click.echo(f"model {result['name']} {result['model_id']}, trained until {result['trained_until']}")
    rows = []
    for kind in ("out_of_sample", "in_sample"):
        if result[kind] is not None:
            for who in ("model", "always_hold"):
                rows.append([kind.replace("_", " "), who.replace("_", " "), *_figures(result[kind][who])])
    print_table(["sample", "who", *_COLUMNS], rows)
    if result["out_of_sample"] is None:
        say("nothing came after its training: this says how well it remembers, not how good it is")


@model.command(epilog="Example: aitrader model scorecard barriers")
@click.argument("name_or_id")
@json_option
def scorecard(name_or_id: str, as_json: bool) -> None:
    """Show what came of your suggestions of a model."""
    from domain.intelligence.scorecards import scorecard_view

    container = client()
    card = scorecard_view(container.intelligence.read_scorecard()(name_or_id, local_user(container)))
    if as_json:
        print_json(card)
        return
    rows = [
        [
            kind.replace("_", " "),
            row["symbol"] or "all",
            str(row["n"]),
            str(row["acted"]),
            _percent(row["hit_rate"]),
            _number(row["brier"]),
            _number(row["baseline_brier"]),
        ]
        for kind in ("forecast", "backfilled", "in_sample")
        for row in card[kind]
        if row["n"]
    ]
    print_table(["kind", "symbol", "known", "acted", "hit rate", "Brier", "base rates' Brier"], rows)
    if not rows:
        say("nothing is known yet: a suggestion counts once its horizon has passed and its bars are stored")


_COLUMNS = ["n", "Brier", "actions", "hit rate", "mean return"]


def _run(job_type: str, payload: dict[str, Any]) -> dict[str, Any]:
    from aitrader.cli.watching import run_job

    container = client()
    return run_job(container, local_user(container), job_type, payload).result or {}


def _names(symbols: str) -> list[str]:
    return [name.strip() for name in symbols.split(",") if name.strip()]


def _range(start: str | None, end: str | None) -> dict[str, str]:
    from domain.common.time import rfc3339

    asked = {"start": start, "end": end}
    return {name: rfc3339(parse_time(text)) for name, text in asked.items() if text is not None}


def _print_test(metrics: dict[str, Any]) -> None:
    """Print the walk-forward test: the model beside its baselines."""
    rows = [["model", *_figures(metrics["model"])]]
    rows += [[name.replace("_", " "), *_figures(figures)] for name, figures in metrics["baselines"].items()]
    print_table(["out of sample", *_COLUMNS], rows)


def _figures(figures: dict[str, Any]) -> list[str]:
    acted = figures["actions"]
    gained = acted["mean_return"]
    between = "" if gained["low"] is None else f" ({gained['low']:+.2%} … {gained['high']:+.2%})"
    return [
        str(figures["n"]),
        _number(figures["brier"]["mean"]),
        str(acted["acted"]),
        _percent(acted["hit_rate"]),
        "—" if gained["mean"] is None else f"{gained['mean']:+.2%}{between}",
    ]


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value:.1%}"
