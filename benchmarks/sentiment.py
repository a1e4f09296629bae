"""The built-in sentiment engine beside vaderSentiment, on the same sentences in one run.

``python benchmarks/sentiment.py --data FILE [--out-of-domain FILE …]``
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness.report import Report, Row  # noqa: E402
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: E402

from adapters.sentiment.built_in import BuiltInSentiment  # noqa: E402
from adapters.sentiment.evaluation import Figures, evaluate  # noqa: E402
from adapters.sentiment.folder import SHIPPED  # noqa: E402
from adapters.sentiment.labelled import Labelled, is_held_out, read_labelled  # noqa: E402
from domain.common.errors import AITraderError  # noqa: E402
from domain.intelligence.sentiment import Polarity  # noqa: E402

LEAST_S = 0.25
BATCH = 256
SINGLE_GOAL, BATCH_GOAL, F1_GOAL, POINTS_GOAL = 3.0, 9.0, 0.82, 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="labelled texts of the kind that was trained on: what was held out counts"
    )
    parser.add_argument(
        "--out-of-domain", type=Path, action="append", default=[], help="texts of another source: all count"
    )
    parser.add_argument("--labels", default="", help="what the labels 0,1,2 mean, such as negative,positive,neutral")
    parser.add_argument(
        "--weights", type=Path, default=SHIPPED, help="a folder of weights; the shipped one if omitted"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.data is None and not options.out_of_domain:
        parser.error("name labelled texts: --data sentfin_headlines.csv, or --out-of-domain FILE")
    labels = tuple(name for name in options.labels.split(",") if name)
    report = Report(quiet=options.json)
    try:
        if options.data is not None:
            held_out = [item for item in read_labelled(options.data, labels) if is_held_out(item.text)]
            measure(report, options, f"{options.data.name}, held out", held_out, out_of_domain=False)
        for path in options.out_of_domain:
            measure(report, options, path.name, read_labelled(path, labels), out_of_domain=True)
    except AITraderError as error:
        parser.error(error.detail)
    print(json.dumps(report.as_json(), indent=2) if options.json else report.as_text())
    return 0


def measure(
    report: Report, options: argparse.Namespace, part: str, items: Sequence[Labelled], *, out_of_domain: bool
) -> None:
    """Add what both say of the texts, and how fast."""
    report.say(f"{part}: {len(items)} texts")
    engine, vader = BuiltInSentiment(options.weights), SentimentIntensityAnalyzer()
    texts, truth = [item.text for item in items], [item.polarity for item in items]
    ours = evaluate(truth, [said.label for said in engine.score(texts)])
    theirs = evaluate(truth, [vader_label(vader.polarity_scores(text)["compound"]) for text in texts])
    points = 100 * (ours.macro_f1 - theirs.macro_f1)
    met = points >= POINTS_GOAL if out_of_domain else ours.macro_f1 >= F1_GOAL
    goal = f"≥ {POINTS_GOAL:g} points" if out_of_domain else f"F1 ≥ {F1_GOAL}"
    report.add(
        Row(part, "AITrader", shown(ours), f"{points:+.1f} points", goal, verdict(met), f"{len(items)} texts"),
        macro_f1=ours.macro_f1,
        points=points,
    )
    report.add(Row(part, "vaderSentiment", shown(theirs)), macro_f1=theirs.macro_f1)

    def one_by_one() -> None:
        for text in texts:
            engine.score([text])

    def in_batches() -> None:
        for start in range(0, len(texts), BATCH):
            engine.score(texts[start : start + BATCH])

    def by_vader() -> None:
        for text in texts:
            vader.polarity_scores(text)

    single, batch, peer = rates(options.rounds, len(texts), one_by_one, in_batches, by_vader)
    for name, rate, least in (("one by one", single, SINGLE_GOAL), (f"batches of {BATCH}", batch, BATCH_GOAL)):
        ratio = statistics.median(a / b for a, b in zip(rate, peer, strict=True))
        report.add(
            Row(
                part,
                f"AITrader, {name}",
                per_second(rate),
                f"{ratio:.1f} ×",
                f"≥ {least:g} ×",
                verdict(ratio >= least),
            ),
            texts_per_second=statistics.median(rate),
            ratio=ratio,
        )
    report.add(Row(part, "vaderSentiment", per_second(peer)), texts_per_second=statistics.median(peer))


def rates(rounds: int, texts: int, *runs: Callable[[], None]) -> list[list[float]]:
    """Return texts per second of every round; rounds go by turns, forwards and backwards.

    Each repeats the texts for a while: a run of three milliseconds would measure the caches that the one before left.
    """
    found: list[list[float]] = [[] for _ in runs]
    for turn in range(rounds):
        order = range(len(runs)) if turn % 2 else range(len(runs) - 1, -1, -1)
        for place in order:
            done, start = 0, time.perf_counter()
            while (taken := time.perf_counter() - start) < LEAST_S:
                runs[place]()
                done += texts
            found[place].append(done / taken)
    return found


def vader_label(compound: float) -> Polarity:
    """Return the label by the thresholds of VADER's authors."""
    if compound >= 0.05:
        return Polarity.POSITIVE
    return Polarity.NEGATIVE if compound <= -0.05 else Polarity.NEUTRAL


def shown(figures: Figures) -> str:
    """Return macro-F1 and its interval."""
    return f"macro-F1 {figures.macro_f1:.3f} ({figures.low:.3f}–{figures.high:.3f})"


def per_second(rate: Sequence[float]) -> str:
    """Return the median rate."""
    return f"{statistics.median(rate):,.0f} texts/s"


def verdict(met: bool) -> str:
    """Return whether a goal is met."""
    return "ok" if met else "FAIL"


if __name__ == "__main__":
    sys.exit(main())
