"""Benchmarks of inference: ``python benchmarks/inference.py --help``; see README.md here."""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import lightgbm  # noqa: E402
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from harness.measures import percentile  # noqa: E402
from harness.report import Report, Row, spread, verdict  # noqa: E402
from onnxmltools import convert_lightgbm  # noqa: E402
from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: E402

from adapters.engines.http import EngineHttp  # noqa: E402
from adapters.engines.inference import RemoteInference  # noqa: E402
from adapters.onnx.folders import FolderModels  # noqa: E402
from adapters.onnx.local import LocalInference  # noqa: E402
from aitrader.testing.intelligence_work import manifest  # noqa: E402
from domain.engines.calls import CallCounter  # noqa: E402
from domain.engines.metered import MeteredInference  # noqa: E402
from tests.processes import Process  # noqa: E402

GOAL = 1.3
_FEATURES, _CLASSES, _TREES = 20, 3, 300
Ask = Callable[[np.ndarray], object]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure inference beside bare onnxruntime, on the same model.")
    parser.add_argument("--calls", type=int, default=2000, help="questions of a round (default 2000)")
    parser.add_argument("--rounds", type=int, default=11, help="rounds (default 11)")
    parser.add_argument("--rows", type=int, default=256, help="rows of a large question (default 256)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def trees() -> bytes:
    """Return an ONNX file of 300 trees over 20 features and 3 classes."""
    draw = np.random.default_rng(0)
    features = draw.normal(size=(5000, _FEATURES)).astype(np.float32)
    noisy = features[:, 0] + features[:, 1] * features[:, 2] + draw.normal(size=5000)
    classes = np.clip(np.round(noisy), -1, 1).astype(int) + 1
    trained = lightgbm.LGBMClassifier(n_estimators=_TREES // _CLASSES, num_leaves=31, verbose=-1, n_jobs=1)
    trained.fit(features, classes)
    kinds = [("features", FloatTensorType([None, _FEATURES]))]
    made: bytes = convert_lightgbm(trained, initial_types=kinds, zipmap=False, target_opset=15).SerializeToString()
    return made


def bare(onnx: bytes) -> Ask:
    """Return what asks onnxruntime itself, in one thread as ours does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    return lambda rows: session.run(names, {"features": rows})


def by_turns(systems: Sequence[Ask], questions: Sequence[np.ndarray]) -> list[list[float]]:
    """Return the microseconds of each question to each system, ascending; who is first changes with each question."""
    found: list[list[float]] = [[] for _ in systems]
    gc.collect()
    gc.disable()
    try:
        for number, rows in enumerate(questions):
            for step in range(len(systems)):
                place = (number + step) % len(systems)
                started = time.perf_counter_ns()
                systems[place](rows)
                found[place].append((time.perf_counter_ns() - started) / 1000)
    finally:
        gc.enable()
    return [sorted(costs) for costs in found]


def compare(
    report: Report, part: str, systems: dict[str, Ask], questions: list[np.ndarray], rounds: int, goal: bool
) -> None:
    """Add rows of all systems; the first is what the others are compared with."""
    names = list(systems)
    by_turns(list(systems.values()), questions[:50])
    costs: dict[str, dict[float, list[float]]] = {name: {0.5: [], 0.99: []} for name in names}
    for number in range(rounds):
        report.say(f"{part}: round {number + 1} of {rounds}")
        for name, found in zip(names, by_turns(list(systems.values()), questions), strict=True):
            for share, kept in costs[name].items():
                kept.append(percentile(found, share))
    for name in names:
        ratios = {share: ratio(costs[name][share], costs[names[0]][share]) for share in (0.5, 0.99)}
        judged = goal and name != names[0]
        shown = f"p50 {spread(costs[name][0.5], ' µs', 1)}, p99 {spread(costs[name][0.99], ' µs', 1)}"
        report.add(
            Row(
                part,
                name,
                shown,
                f"{ratios[0.5]:.2f} / {ratios[0.99]:.2f}",
                f"≤ {GOAL}" if judged else "",
                verdict(ratios[0.5] <= GOAL and ratios[0.99] <= GOAL) if judged else "",
            ),
            p50=costs[name][0.5],
            p99=costs[name][0.99],
            ratios=ratios,
        )


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the ratios within rounds."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


def main() -> None:
    """Run the benchmark."""
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report(quiet=asked.json)
    report.say("training")
    onnx = trees()
    draw = np.random.default_rng(1)
    single = [draw.normal(size=(1, _FEATURES)).astype(np.float32) for _ in range(asked.calls)]
    many = [draw.normal(size=(asked.rows, _FEATURES)).astype(np.float32) for _ in range(max(20, asked.calls // 20))]
    with tempfile.TemporaryDirectory() as folder:
        folders = FolderModels(Path(folder) / "models")
        made = manifest(sha256=hashlib.sha256(onnx).hexdigest())
        folders.publish(made, onnx)
        local, peer = LocalInference(folders), bare(onnx)
        metered = MeteredInference(local, CallCounter(), "local_inference")
        systems: dict[str, Ask] = {
            "onnxruntime": peer,
            "AITrader": lambda rows: local.infer(made.id, {"features": rows}),
            "AITrader, counted": lambda rows: metered.infer(made.id, {"features": rows}),
        }
        compare(report, "one row", systems, single, asked.rounds, True)
        compare(report, f"{asked.rows} rows", systems, many, asked.rounds, True)
        command = [sys.executable, "-m", "aitrader", "engine", "serve", "onnx", "--port", "0"]
        with Process(command, env={"AITRADER_DATA_DIR": folder}, cwd=folder) as served:
            http = EngineHttp("onnx runner", served.wait_for_line(r"^(http://\S+)$", 60).group(1), 30.0)
            remote = RemoteInference(http)
            systems = {
                "onnxruntime": peer,
                "AITrader over HTTP": lambda rows: remote.infer(made.id, {"features": rows}),
            }
            compare(report, "one row, served", systems, single[: asked.calls // 4], 5, False)
            compare(report, f"{asked.rows} rows, served", systems, many, 5, False)
            http.close()
    print(json.dumps(report.as_json(), indent=2) if asked.json else report.as_text())


if __name__ == "__main__":
    main()
