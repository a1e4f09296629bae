"""``aitrader replay``: the whole pipeline over the past."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aitrader.cli.common import (
    client,
    json_option,
    local_user,
    parse_time,
    print_json,
    print_table,
    say,
    settings_named,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aitrader.container import Container
    from domain.market.ports import BarStore
    from domain.market.ticks import Tick
    from domain.pipeline.records import RunRecord
    from domain.pipeline.replay import ReplayResult, ReplaySpec

EXIT_DIFFERS = 1


@click.group(
    invoke_without_command=True,
    epilog="""\b
    Examples:
      aitrader replay --symbols FX:EURUSD --timeframe 1h --from 2017-06-01 --to 2017-06-08
      aitrader replay --ticks ticks/2026-11-25.csv --strategy evidence --output run.json
      aitrader replay diff run.json --live
    """,
)
@click.option("--symbols", help="Symbols, separated by commas.")
@click.option("--timeframe", default="1d", show_default=True, help="Of the stored bars that ticks are made of.")
@click.option("--ticks", type=click.Path(exists=True, path_type=Path), help="Recorded ticks, instead of stored bars.")
@click.option("--from", "start", metavar="TIME", help="From this time on.")
@click.option("--to", "end", metavar="TIME", help="Before this time.")
@click.option("--strategy", default="evidence", show_default=True, help="One of: aitrader strategies list.")
@click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help="Another value of a parameter.")
@click.option("--cash", default="100000", show_default=True, help="Money at the start.")
@click.option("--account-set", "account_options", multiple=True, metavar="NAME=VALUE", help="Of the paper account.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the record of the run here.")
@json_option
@click.pass_context
def replay(
    context: click.Context,
    symbols: str | None,
    timeframe: str,
    ticks: Path | None,
    start: str | None,
    end: str | None,
    strategy: str,
    options: tuple[str, ...],
    cash: str,
    account_options: tuple[str, ...],
    output: Path | None,
    as_json: bool,
) -> None:
    """Run patterns, signals, decisions, risk gate and a paper account over the past, as they run live.

    Nothing of this installation changes, and no order reaches a broker.
    """
    if context.invoked_subcommand is not None:
        return
    from aitrader.bootstrap import ready
    from aitrader.replaying import replay as run

    container = client()
    spec = _spec(container, symbols, timeframe, start, end, strategy, options, cash, account_options)
    bars, settings = container.bars(), container.settings()
    known = _ticks(spec, bars, ticks)
    live = None if ticks is None else container.live_bars()
    if ticks is None:
        spec = _with_currency(spec, bars)
    with _progress() as progress:
        result = run(ready, settings, spec, known, bars, progress, live_bars=live)
    if output is not None:
        output.write_text(json.dumps(result.record.to_json(), indent=1), encoding="utf-8")
    _print(result, output, as_json)


def _spec(
    container: Container,
    symbols: str | None,
    timeframe: str,
    start: str | None,
    end: str | None,
    strategy: str,
    options: tuple[str, ...],
    cash: str,
    account_options: tuple[str, ...],
) -> ReplaySpec:
    from aitrader.cli.strategies import params_of
    from domain.common.errors import Invalid, NotFound
    from domain.decisions.evidence import EVIDENCE
    from domain.decisions.params import StrategyParams, parse_params
    from domain.market.model import Timeframe, parse_symbol
    from domain.pipeline.replay import ReplaySpec

    try:
        mine = container.read_decisions().strategy(strategy, local_user(container))
        name, engine, params = mine.name, mine.engine, mine.params
    except NotFound:
        if strategy != EVIDENCE:
            raise
        name, engine, params = EVIDENCE, EVIDENCE, StrategyParams()
    if timeframe not in list(Timeframe):
        raise Invalid(f"{timeframe!r} is no timeframe; known: {', '.join(Timeframe)}", code="invalid_timeframe")
    if not cash.replace(".", "", 1).isdigit() or Decimal(cash) <= 0:
        raise Invalid(f"{cash!r} is no amount of money; expected such as 100000", code="invalid_cash")
    return ReplaySpec(
        symbols=tuple(parse_symbol(symbol) for symbol in (symbols or "").split(",") if symbol.strip()),
        timeframe=Timeframe(timeframe),
        start_ms=None if start is None else parse_time(start),
        end_ms=None if end is None else parse_time(end),
        strategy=name,
        engine=engine,
        params=parse_params(params_of(options), params),
        cash=Decimal(cash),
        account_options=settings_named(account_options),
        signal_ttl_ms=max(60_000, Timeframe(timeframe).ms),
    )


def _ticks(spec: ReplaySpec, bars: BarStore, file: Path | None) -> list[Tick]:
    from adapters.feeds.tick_file import read_ticks
    from aitrader.replaying import stored_ticks
    from domain.common.errors import Invalid

    if file is None:
        if not spec.symbols:
            raise Invalid("name what to replay, with --symbols or --ticks", code="nothing_named")
        return stored_ticks(spec, bars)
    first, last = spec.start_ms or 0, spec.end_ms or 2**62
    return [
        tick
        for tick in read_ticks(file)
        if first <= tick.time_ms < last and (not spec.symbols or tick.symbol in spec.symbols)
    ]


def _with_currency(spec: ReplaySpec, bars: BarStore) -> ReplaySpec:
    from dataclasses import replace as changed

    from domain.common.errors import Invalid

    currencies = sorted({bars.describe(symbol, spec.timeframe).currency for symbol in spec.symbols})
    if len(currencies) > 1:
        raise Invalid(f"one account has one currency; these have {', '.join(currencies)}", code="several_currencies")
    return changed(spec, currency=currencies[0])


@contextmanager
def _progress() -> Iterator[Callable[[float, str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("replay"), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("", total=1.0)
        yield lambda fraction, message: shown.update(task, completed=fraction, description=message)


def _print(result: ReplayResult, output: Path | None, as_json: bool) -> None:
    from aitrader.cli.strategies import print_performance

    equity = result.equity[-1][1] if result.equity else None
    if as_json:
        print_json({**result.counts(), "final_equity": equity, "performance": result.performance})
        return
    print_performance(result.performance)
    say(", ".join(f"{count:,} {name}" for name, count in result.counts().items()))
    if equity is not None:
        say(f"the account ended at {equity:,.2f} {result.performance['currency']}")
    if output is not None:
        say(f"the record is in {output}; compare it with: aitrader replay diff {output} OTHER")


@replay.command(epilog="Example: aitrader replay diff run.json --live")
@click.argument("left", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("right", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--live", is_flag=True, help="Compare with what the strategy of the same name did here, in that time.")
@click.option("--times", is_flag=True, help="Moments of decisions, orders and fills count too.")
@json_option
def diff(left: Path, right: Path | None, live: bool, times: bool, as_json: bool) -> None:
    """Show the first signal that two runs did not treat alike; exit with 1 when there is one."""
    from dataclasses import asdict

    from domain.common.errors import Invalid
    from domain.pipeline.records import first_difference

    if live == (right is not None):
        raise Invalid("name a second record, or give --live", code="nothing_named")
    one = _record(left)
    other = _live(one) if right is None else _record(right)
    found = first_difference(one, other, times=times)
    if as_json:
        print_json({"same": found is None, "difference": None if found is None else asdict(found)})
    elif found is None:
        say(f"the same: {len(one.signals)} signals, {len(one.decisions)} decisions, {len(one.fills)} fills")
    else:
        what = found.field or "there is one"
        say(f"they part at signal {found.signal}, in {found.section}: {what}")
        print_table(["run", "value"], [[str(left), str(found.left)], [str(right or "live"), str(found.right)]])
    if found is not None:
        raise click.exceptions.Exit(EXIT_DIFFERS)


def _record(path: Path) -> RunRecord:
    from domain.common.errors import Invalid
    from domain.pipeline.records import RunRecord

    try:
        return RunRecord.from_json(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise Invalid(f"{path} is not JSON", code="invalid_record") from None


def _live(like: RunRecord) -> RunRecord:
    """Return what the strategy of the same name did here in the time of another run."""
    from domain.pipeline.records import read_run

    container = client()
    user_id, about = local_user(container), like.about
    strategy = container.read_decisions().strategy(str(about.get("strategy")), user_id)
    with container.read_work() as work:
        return read_run(
            work, user_id, strategy.name, strategy.account, about["start_ms"], about["end_ms"], {"kind": "live"}
        )
