"""``aitrader jobs``: submit, list, show, watch, cancel, retry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from aitrader.cli.common import client, json_option, local_user, parse_time, print_json, print_table, say
from domain.jobs.views import job_view

_STATES = ["queued", "running", "succeeded", "failed", "canceled", "dead"]


@click.group(epilog="Example: aitrader jobs list --status running")
def jobs() -> None:
    """Submit, list, watch, cancel and retry jobs."""


@jobs.command(
    epilog="Example: aitrader jobs submit backtest -p symbols='[\"NASDAQ:MSFT\"]' -p strategy=sma_cross --watch"
)
@click.argument("job_type")
@click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="One payload field; VALUE as JSON."
)
@click.option("-f", "--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Payload.")
@click.option("--priority", type=int, default=0, show_default=True, help="Higher runs first, -100 to 100.")
@click.option("--run-at", metavar="TIME", help="Earliest start, such as 2026-01-31T09:00Z.")
@click.option("--key", help="Idempotency key: the same request again returns the same job.")
@click.option("--watch", "follow", is_flag=True, help="Wait for the end and show progress.")
@json_option
def submit(
    job_type: str,
    params: tuple[str, ...],
    file: Path | None,
    priority: int,
    run_at: str | None,
    key: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Submit a job of JOB_TYPE; its payload comes from --file and --param."""
    from domain.jobs.model import NewJob

    container = client()
    new = NewJob(
        user_id=local_user(container),
        job_type=job_type,
        payload=_payload(params, file),
        priority=priority,
        run_at=None if run_at is None else parse_time(run_at),
        idempotency_key=key,
    )
    job = container.submit_job()(new).job
    if follow:
        _watch_and_exit(job.id, as_json)
    elif as_json:
        print_json(job_view(job))
    else:
        click.echo(job.id)
        _say_if_nobody_works()


def _payload(params: tuple[str, ...], file: Path | None) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    if file is not None:
        try:
            payload = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise click.BadParameter(f"{file} is not JSON: {error}", param_hint="--file") from None
        if not isinstance(payload, dict):
            raise click.BadParameter(f"{file} must hold a JSON object", param_hint="--file")
    for param in params:
        name, equals, value = param.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{param!r} is not NAME=VALUE", param_hint="--param")
        payload[name] = _value(value)
    return payload


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _say_if_nobody_works() -> None:
    with client().read_work() as work:
        alive = work.workers.alive(20_000)
    if not any(row["role"] in ("up", "worker") for row in alive):
        say("no worker is running; start one with: aitrader up")


@jobs.command("list", epilog="Example: aitrader jobs list --type backtest --limit 5 --json")
@click.option("--status", type=click.Choice(_STATES), help="Only jobs in this state.")
@click.option("--type", "job_type", help="Only jobs of this type.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@json_option
def list_jobs(status: str | None, job_type: str | None, limit: int, as_json: bool) -> None:
    """List jobs, newest first."""
    from domain.jobs.model import JobFilter, JobState

    wanted = JobFilter(status=JobState(status) if status else None, job_type=job_type)
    container = client()
    page, following = container.list_jobs()(wanted, before_id=None, limit=limit)
    if as_json:
        print_json({"items": [job_view(job) for job in page], "next_cursor": following})
        return
    usernames = {user.id: user.username for user in container.find_user().all()}
    print_table(
        ["id", "type", "status", "progress", "attempt", "user", "created"],
        [
            [
                job.id,
                job.job_type,
                job.status.value,
                f"{job.progress:.0%}",
                f"{job.attempt}/{job.max_attempts}",
                usernames.get(job.user_id, job.user_id),
                _time(job.created_at) or "",
            ]
            for job in page
        ],
    )
    if not page:
        say("there are no such jobs; submit one with: aitrader jobs submit --help")


@jobs.command(epilog="Example: aitrader jobs show 0190a4f2-… --json")
@click.argument("job_id")
@json_option
def show(job_id: str, as_json: bool) -> None:
    """Show one job with its payload and result."""
    from domain.common.ids import parse_id

    job = job_view(client().get_job()(parse_id(job_id), None))
    if as_json:
        print_json(job)
        return
    for name, value in job.items():
        text = json.dumps(value, indent=2) if isinstance(value, dict | list) else value
        click.echo(f"{name}: {'' if text is None else text}")


@jobs.command(epilog="Example: aitrader jobs watch 0190a4f2-…")
@click.argument("job_id")
@json_option
def watch(job_id: str, as_json: bool) -> None:
    """Show a job's progress until it ends; exit 1 if it did not succeed. With --json, one line per change."""
    from domain.common.ids import parse_id

    _watch_and_exit(parse_id(job_id), as_json)


def _watch_and_exit(job_id: str, as_json: bool) -> None:
    from aitrader.cli.watching import watch_job
    from domain.jobs.model import JobState

    job = watch_job(client(), job_id, as_json)
    if not as_json:
        say(f"{job.id} {job.status}" + (f": {job.error}" if job.error else ""))
    if job.status is not JobState.SUCCEEDED:
        raise click.exceptions.Exit(1)


@jobs.command(epilog="Example: aitrader jobs cancel 0190a4f2-…")
@click.argument("job_id")
@json_option
def cancel(job_id: str, as_json: bool) -> None:
    """Cancel a job: at once when queued, within seconds when running."""
    from domain.common.ids import parse_id

    job = client().cancel_job()(parse_id(job_id), None)
    _show_state(job, as_json, "cancel requested" if job.status == "running" else job.status.value)


@jobs.command(epilog="Example: aitrader jobs retry 0190a4f2-…")
@click.argument("job_id")
@json_option
def retry(job_id: str, as_json: bool) -> None:
    """Run a failed, dead or canceled job again."""
    from domain.common.ids import parse_id

    job = client().retry_job()(parse_id(job_id), None)
    _show_state(job, as_json, job.status.value)
    _say_if_nobody_works()


def _show_state(job: Any, as_json: bool, text: str) -> None:
    if as_json:
        print_json(job_view(job))
    else:
        click.echo(f"{job.id} {text}")


def _time(ms: int | None) -> str | None:
    from domain.common.time import rfc3339

    return None if ms is None else rfc3339(ms)
