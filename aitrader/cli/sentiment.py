"""``aitrader sentiment``: what the built-in engine says of texts, and how it is trained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aitrader.cli.common import json_option, print_json, print_table, say
from aitrader.cli.sentiment_show import show

if TYPE_CHECKING:
    from domain.intelligence.sentiment import Sentiment


@click.group(epilog="Example: aitrader sentiment score 'Net loss narrows as costs fall'")
def sentiment() -> None:
    """Score texts with the built-in engine, train it, and show what scored news add up to."""


sentiment.add_command(show)


@sentiment.command(epilog="Example: aitrader sentiment score --json < headlines.txt")
@click.argument("texts", metavar="TEXT…", nargs=-1)
@click.option(
    "--weights",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder that train has written.",
)
@json_option
def score(texts: tuple[str, ...], weights: Path | None, as_json: bool) -> None:
    """Say what texts say: one a TEXT, or one a line of the input."""
    from adapters.sentiment.built_in import BuiltInSentiment
    from adapters.sentiment.folder import SHIPPED

    wanted = list(texts) or [line for line in sys.stdin.read().splitlines() if line.strip()]
    if not wanted:
        raise click.UsageError("there is nothing to score: write a TEXT, or a line for each on the input")
    engine = BuiltInSentiment(SHIPPED if weights is None else weights, say)
    found = engine.score(wanted)
    if as_json:
        print_json({"model": engine.model, "items": [_view(*item) for item in zip(wanted, found, strict=True)]})
        return
    rows = [
        [item.label.value, f"{item.score:+.2f}", f"{item.confidence:.2f}", _words(item), text]
        for text, item in zip(wanted, found, strict=True)
    ]
    print_table(["label", "score", "confidence", "words", "text"], rows)


@sentiment.command(epilog="Example: aitrader sentiment train texts.csv --output my-weights")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write."
)
@click.option("--labels", default="", metavar="NAMES", help="What the labels 0,1,2 mean: negative,neutral,positive.")
@click.option("--licence", default="", help="The licence of the texts, for the manifest.")
@click.option("--seed", default=0, show_default=True)
@json_option
def train(file: Path, output: Path, labels: str, licence: str, seed: int, as_json: bool) -> None:
    """Train on labelled texts and write a folder of weights; 15 % are held out and tell how good it is.

    FILE has the columns text and label, or is SEntFiN's, or has lines of sentence@label.
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from adapters.sentiment.training import train as learn

    names = tuple(name.strip() for name in labels.split(",") if name.strip())
    today = datetime.now(UTC).date().isoformat()
    done = learn(file, output, labels=names, licence=licence, seed=seed, created=today, say=say)
    if as_json:
        print_json(asdict(done))
        return
    rows = [
        [name, f"{item.precision:.3f}", f"{item.recall:.3f}", f"{item.f1:.3f}", str(item.texts)]
        for name, item in done.figures.classes.items()
    ]
    print_table(["polarity", "precision", "recall", "F1", "texts"], rows)
    figures = done.figures
    say(f"macro-F1 {figures.macro_f1:.3f} (95 %: {figures.low:.3f} to {figures.high:.3f}) on what was held out")
    say(f"{done.model} is in {output}")


def _view(text: str, item: Sentiment) -> dict[str, object]:
    return {
        "text": text,
        "label": item.label.value,
        "score": item.score,
        "confidence": item.confidence,
        "words": [{"word": word, "weight": weight} for word, weight in item.words],
        "truncated": item.truncated,
    }


def _words(item: Sentiment) -> str:
    return ", ".join(f"{word} {weight:+.2f}" for word, weight in item.words)
