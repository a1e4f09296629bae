"""Benchmarks of the job path beside its peers: ``python benchmarks/jobs.py --help``; see README.md here."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import scenarios  # noqa: E402
from harness.report import Report  # noqa: E402
from harness.systems import servers  # noqa: E402


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure the job path beside its peers.")
    parser.add_argument("--seconds", type=float, default=5.0, help="of load in one round of throughput (default 5)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of throughput (default 5)")
    parser.add_argument("--latency-seconds", type=float, default=15.0, help="at 10 jobs/s (default 15)")
    parser.add_argument("--idle-seconds", type=float, default=20.0, help="of doing nothing (default 20)")
    parser.add_argument("--drain", type=int, default=2000, help="jobs to drain (default 2000)")
    parser.add_argument("--only", choices=["embedded", "scaled"], help="one way to run AITrader")
    parser.add_argument("--parts", default="throughput,latency,idle,drain", help="which, separated by commas")
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter with the peers, if another")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report(quiet=asked.json)
    wanted = asked.parts.split(",")
    with servers() as parts, contextlib.suppress(KeyboardInterrupt):
        for part in scenarios.PARTS:
            if part in wanted:
                scenarios.PARTS[part](asked, parts, report)
    print(json.dumps(report.as_json(), indent=2) if asked.json else report.as_text())


if __name__ == "__main__":
    main()
