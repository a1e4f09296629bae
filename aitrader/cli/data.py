"""``aitrader data``: bars in and out of the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aitrader.cli.common import bar_store, parse_time, print_json, print_table, progress_bar
from domain.common.errors import FieldError, Invalid
from domain.common.time import rfc3339
from domain.market.model import Bars, Dataset, Session, Timeframe, parse_symbol

if TYPE_CHECKING:
    from adapters.marketdata.files import ImportedFile

_TIMEFRAMES = click.Choice([timeframe.value for timeframe in Timeframe])
_SESSIONS = click.Choice([session.value for session in Session])
_DATASET_COLUMNS = ["Symbol", "Timeframe", "Bars", "First", "Last", "Session", "Currency", "Source"]
_BAR_COLUMNS = ["Time", "Open", "High", "Low", "Close", "Volume"]
_MAX_ROWS_TOLD = 20


@click.group(epilog="Example: aitrader data list")
def data() -> None:
    """Import, look at and export price bars."""


@data.command(
    "import",
    epilog="""\b
    Examples:
      aitrader data import reliance.csv --symbol NSE:RELIANCE --timeframe 1d --currency INR
      aitrader data import 2016.csv 2017.csv --symbol FX:EURUSD --timeframe 1h --session forex
    """,
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--symbol", help="EXCHANGE:SYMBOL or SYMBOL. [default: the name of the file, for one file]")
@click.option("--timeframe", type=_TIMEFRAMES, help="Length of a bar. [default: from the spacing of the bars]")
@click.option("--timezone", default="UTC", show_default=True, help="Zone of times that state none (IANA name).")
@click.option("--date-order", type=click.Choice(["mdy", "dmy"]), help="Order of dates such as 3/4/2024.")
@click.option("--session", type=_SESSIONS, default="exchange", show_default=True, help="When it trades.")
@click.option("--currency", default="USD", show_default=True, help="Currency of the prices.")
@click.option("--adjusted", is_flag=True, help="Scale prices by adjusted close / close.")
@click.option(
    "--on-error",
    type=click.Choice(["refuse", "drop"]),
    default="refuse",
    show_default=True,
    help="What to do when rows are bad, unsorted or repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def import_files(files: tuple[Path, ...], **options: Any) -> None:
    """Import bars of one symbol from CSV, Parquet or Feather files.

    Several files are joined, sorted by time. What was stored for the symbol and timeframe before is replaced.
    """
    from adapters.marketdata.files import guess_timeframe
    from domain.market.services import check_timeframe, join_bars

    symbol = _symbol_for(files, options["symbol"])
    read = _read_files(files, options)
    bars = join_bars([file.bars for file in read], overlap=options["on_error"] == "drop")
    timeframe = Timeframe(options["timeframe"]) if options["timeframe"] else guess_timeframe(bars.time)
    if timeframe is None:
        raise _unknown_timeframe()
    check_timeframe(bars.time, timeframe)
    dataset = bar_store().write(
        symbol,
        timeframe,
        bars,
        session=Session(options["session"]),
        currency=options["currency"],
        source=", ".join(path.name for path in files)[:500],
    )
    _report_import(dataset, files, read, as_json=options["as_json"])


@data.command("list", epilog="\b\nExample:\n  aitrader data list --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_datasets(as_json: bool) -> None:
    """List what is stored."""
    datasets = bar_store().list()
    if as_json:
        print_json([_dataset_json(dataset) for dataset in datasets])
        return
    if not datasets:
        _say("Nothing is stored yet. Try `aitrader data samples` or `aitrader data import --help`.")
        return
    print_table(_DATASET_COLUMNS, [_dataset_row(dataset) for dataset in datasets])


@data.command("show", epilog="\b\nExample:\n  aitrader data show INDEX:SPX --timeframe 1d --tail 5")
@click.argument("symbol")
@click.option("--timeframe", type=_TIMEFRAMES, required=True, help="Length of a bar.")
@click.option("--tail", type=click.IntRange(min=0), default=10, show_default=True, help="Number of last bars.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show(symbol: str, timeframe: str, tail: int, as_json: bool) -> None:
    """Show one dataset and its last bars."""
    store = bar_store()
    dataset = store.describe(symbol, Timeframe(timeframe))
    bars = store.read(symbol, Timeframe(timeframe))
    last = bars.take(slice(max(0, len(bars) - tail), None))
    if as_json:
        print_json({"dataset": _dataset_json(dataset), "bars": _bars_json(last)})
        return
    print_table(_DATASET_COLUMNS, [_dataset_row(dataset)])
    click.echo()
    print_table(_BAR_COLUMNS, [[rfc3339(ms), *map(_number, values)] for ms, *values in _rows(last)])


@data.command(
    "export",
    epilog="\b\nExample:\n  aitrader data export INDEX:SPX --timeframe 1d --from 2010-01-01 --output spx.csv",
)
@click.argument("symbol")
@click.option("--timeframe", type=_TIMEFRAMES, required=True, help="Length of a bar.")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="File to write: .csv, .csv.gz, .parquet or .feather. Replaced when it exists.",
)
@click.option("--from", "start", help="First time, such as 2010-01-01. [default: the first bar]")
@click.option("--to", "end", help="Time after the last. [default: after the last bar]")
def export(symbol: str, timeframe: str, output: Path, start: str | None, end: str | None) -> None:
    """Write bars to a file."""
    from adapters.marketdata.files import write_bars_file

    start_ms = parse_time(start) if start else None
    end_ms = parse_time(end) if end else None
    bars = bar_store().read(symbol, Timeframe(timeframe), start_ms=start_ms, end_ms=end_ms)
    if not output.parent.is_dir():
        raise Invalid(f"there is no folder {output.parent}", code="invalid_output")
    write_bars_file(bars, output)
    _say(f"Wrote {len(bars)} bars to {output}.")


@data.command("samples", epilog="\b\nExample:\n  aitrader data samples")
@click.option("--force", is_flag=True, help="Replace your own data of the same names.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def samples(force: bool, as_json: bool) -> None:
    """Install the sample datasets that ship with AITrader.

    Your own data under a sample's name stays as it is, unless you say --force.
    """
    from adapters.marketdata.samples import install_samples, sample_datasets

    shipped = {sample.data_hash for sample in sample_datasets()}
    stored = install_samples(bar_store(), force=force)
    for dataset in stored:
        if dataset.data_hash not in shipped:
            _say(f"Kept your own {dataset.symbol} {dataset.timeframe.value}; --force replaces it.")
    if as_json:
        print_json([_dataset_json(dataset) for dataset in stored])
        return
    print_table(_DATASET_COLUMNS, [_dataset_row(dataset) for dataset in stored])


def _symbol_for(files: tuple[Path, ...], symbol: str | None) -> str:
    if symbol is None and len(files) > 1:
        raise Invalid("several files are joined to one symbol; name it with --symbol", code="invalid_symbol")
    return parse_symbol(symbol or files[0].name.split(".")[0])


def _read_files(files: tuple[Path, ...], options: dict[str, Any]) -> list[ImportedFile]:
    from adapters.marketdata.files import read_bars_file

    read = []
    with progress_bar() as progress:
        for path in progress.track(files, description="Reading"):
            try:
                read.append(
                    read_bars_file(
                        path,
                        timezone=options["timezone"],
                        date_order=options["date_order"],
                        adjusted=options["adjusted"],
                        on_error=options["on_error"],
                    )
                )
            except Invalid as problem:
                _tell_rows(path, problem)
                raise
    return read


def _tell_rows(path: Path, problem: Invalid) -> None:
    for error in problem.errors[:_MAX_ROWS_TOLD]:
        _say(f"{path.name}: {error.field}: {error.message}")
    if problem.code == "invalid_bars":
        _say("Repair the file, or leave such rows out with --on-error drop.")


def _unknown_timeframe() -> Invalid:
    return Invalid(
        "the timeframe cannot be told from the bars; say it with --timeframe",
        code="unknown_timeframe",
        errors=[FieldError("timeframe", "say it")],
    )


def _report_import(dataset: Dataset, files: tuple[Path, ...], read: list[ImportedFile], *, as_json: bool) -> None:
    if as_json:
        reports = [
            {"file": path.name, "rows_read": file.rows_read, "rows_dropped": file.rows_dropped, "notes": file.notes}
            for path, file in zip(files, read, strict=True)
        ]
        print_json({"dataset": _dataset_json(dataset), "files": reports})
        return
    for path, file in zip(files, read, strict=True):
        _say(f"{path.name}: {file.rows_read} rows read, {file.rows_dropped} dropped.")
        for note in file.notes:
            _say(f"{path.name}: {note}.")
    print_table(_DATASET_COLUMNS, [_dataset_row(dataset)])


def _say(text: str) -> None:
    click.echo(text, err=True)


def _dataset_row(dataset: Dataset) -> list[str]:
    return [
        dataset.symbol,
        dataset.timeframe.value,
        str(dataset.rows),
        rfc3339(dataset.first_ms),
        rfc3339(dataset.last_ms),
        dataset.session.value,
        dataset.currency,
        dataset.source,
    ]


def _dataset_json(dataset: Dataset) -> dict[str, Any]:
    return {
        "symbol": dataset.symbol,
        "timeframe": dataset.timeframe.value,
        "session": dataset.session.value,
        "currency": dataset.currency,
        "rows": dataset.rows,
        "first": rfc3339(dataset.first_ms),
        "last": rfc3339(dataset.last_ms),
        "source": dataset.source,
        "imported": rfc3339(dataset.imported_ms),
        "data_hash": dataset.data_hash,
    }


def _bars_json(bars: Bars) -> list[dict[str, Any]]:
    names = [name.lower() for name in _BAR_COLUMNS[1:]]
    return [{"time": rfc3339(ms), **dict(zip(names, values, strict=True))} for ms, *values in _rows(bars)]


def _rows(bars: Bars) -> list[tuple[Any, ...]]:
    return list(zip(*(column.tolist() for column in bars.columns()), strict=True))


def _number(value: float) -> str:
    return f"{value:.10g}"
