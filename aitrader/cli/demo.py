"""``aitrader demo``: real backtests on the shipped prices, with progress, a table and charts."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aitrader.cli.common import client, json_option, local_user, print_json, print_table, say

if TYPE_CHECKING:
    from aitrader.container import Container
    from domain.jobs.model import Job

_POLL_S = 0.1

RUNS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "S&P 500, SMA cross",
        "backtest",
        {
            "symbols": ["INDEX:SPX"],
            "strategy": "sma_cross",
            "params": {"fast": 50, "slow": 200},
            "allow_short": False,
        },
    ),
    (
        "Microsoft, Donchian breakout",
        "backtest",
        {"symbols": ["NASDAQ:MSFT"], "strategy": "donchian_breakout", "allow_short": False},
    ),
    (
        "EUR/USD hourly, RSI mean reversion",
        "backtest",
        {
            "symbols": ["FX:EURUSD"],
            "timeframe": "1h",
            "strategy": "rsi_mean_reversion",
            "commission_bps": 0.2,
            "slippage_bps": 0.5,
        },
    ),
    ("S&P 500, patterns", "pattern_scan", {"symbols": ["INDEX:SPX"], "start": "2018-01-01", "plots": 3}),
]


@click.command(epilog="Example: aitrader demo --output ./charts")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("aitrader-demo"),
    show_default=True,
    help="Where to copy the charts.",
)
@json_option
def demo(output: Path, as_json: bool) -> None:
    """Import the shipped prices, run backtests and a pattern scan as jobs, and draw charts.

    Works beside a running `aitrader up`, or on its own.
    """
    from adapters.marketdata.samples import install_samples
    from aitrader.cli.watching import some_worker

    container = client()
    install_samples(container.bars())
    say("market data: S&P 500 and MSFT daily, EUR/USD hourly (shipped with AITrader)")
    with some_worker(container, "demo"):
        jobs = _run(container, _submit(container))
    if as_json:
        print_json({"items": [_summary(job, output, container) for job in jobs]})
    else:
        _print(jobs, output, container)
    if any(job.status != "succeeded" for job in jobs):
        raise click.exceptions.Exit(1)


def _submit(container: Container) -> list[tuple[str, str]]:
    from domain.jobs.model import NewJob

    user_id = local_user(container)
    return [
        (title, container.submit_job()(NewJob(user_id=user_id, job_type=kind, payload=payload)).job.id)
        for title, kind, payload in RUNS
    ]


def _run(container: Container, submitted: list[tuple[str, str]]) -> list[Job]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}"),
    )
    done: dict[str, Job] = {}
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        tasks = {job_id: progress.add_task(title, total=1.0, message="queued") for title, job_id in submitted}
        while len(done) < len(tasks):
            for title, job_id in submitted:
                job = container.get_job()(job_id, None)
                progress.update(tasks[job_id], completed=job.progress, message=job.progress_message or job.status)
                if job.status.is_terminal and job_id not in done:
                    done[job_id] = job
                    if not sys.stderr.isatty():
                        say(f"{title}: {job.status}")
            time.sleep(_POLL_S)
    return [done[job_id] for _title, job_id in submitted]


def _copy_charts(job: Job, output: Path, container: Container) -> list[str]:
    charts = [artifact for artifact in job.artifacts if artifact.media_type == "image/png"]
    if charts:
        output.mkdir(parents=True, exist_ok=True)
    copied = []
    for chart in charts:
        target = output / f"{job.payload.get('strategy', job.job_type)}-{chart.name}"
        shutil.copyfile(container.settings().artifacts_dir / chart.path, target)
        copied.append(str(target))
    return copied


def _summary(job: Job, output: Path, container: Container) -> dict[str, Any]:
    from domain.jobs.views import job_view

    return {**job_view(job), "charts": _copy_charts(job, output, container)}


def _print(jobs: list[Job], output: Path, container: Container) -> None:
    rows, charts = [], []
    for job in jobs:
        charts += _copy_charts(job, output, container)
        if job.status != "succeeded":
            say(f"{job.job_type} {job.id} {job.status}: {job.error}")
        elif job.job_type == "backtest":
            rows += [_row(report) for report in (job.result or {})["results"]]
    print_table(
        ["symbol", "strategy", "period", "trades", "return", "buy & hold", "Sharpe", "max drawdown", "final equity"],
        rows,
    )
    for job in jobs:
        if job.job_type == "pattern_scan" and job.result:
            found = sum(report["total"] for report in job.result["results"])
            click.echo(f"pattern scan: {found} patterns in INDEX:SPX since 2018")
    for chart in charts:
        click.echo(f"chart: {chart}")
    click.echo("in-sample results on the shipped history; they say nothing about the future")


def _row(report: dict[str, Any]) -> list[str]:
    metrics = report["metrics"]
    return [
        report["symbol"],
        report["strategy"],
        f"{report['start'][:10]} … {report['end'][:10]}",
        str(report["n_trades"]),
        _percent(metrics["total_return"]),
        _percent(report["buy_and_hold"]["total_return"]),
        "—" if metrics["sharpe"] is None else f"{metrics['sharpe']:.2f}",
        _percent(metrics["max_drawdown"]),
        f"{float(report['final_equity']):,.2f} {report['currency']}",
    ]


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value:+.1%}"
