"""Keeps bars as Parquet files in a folder."""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import quote

import numpy as np

from adapters.marketdata.bar_file import DamagedFileError, read_bar_file, read_footer, write_bar_file
from domain.common.errors import AITraderError, FieldError, Invalid, NotFound, Unavailable
from domain.common.time import Clock
from domain.market.model import Bars, Dataset, Session, Timeframe, parse_symbol
from domain.market.validation import check_bars, check_shape

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_NO_EXCHANGE = "_"
_CURRENCY = re.compile(r"[A-Z0-9]{2,10}")
_TIMEFRAMES = list(Timeframe)
# Windows keeps these names for devices, whatever the suffix.
_DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\..*)?")


class ParquetBarStore:
    """A `BarStore` in a folder: ``<exchange or _>/<symbol>/<timeframe>.parquet``.

    A write goes to a temporary file beside the target, is flushed to the disk, and then takes the target's
    place, so readers in any process see the old bars or the new ones. Pages carry checksums; a damaged file
    is an error that names the file on `read` and `describe`, and a logged warning on `list`, which goes on
    with the others. Writing to a damaged dataset replaces it.

    A symbol without an exchange also finds the only stored symbol of that name with an exchange.

    Args:
        root: the folder; made at the first write.
        clock: tells when a dataset was imported.
    """

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock

    def write(
        self,
        symbol: str,
        timeframe: Timeframe,
        bars: Bars,
        *,
        session: Session = Session.EXCHANGE,
        currency: str = "USD",
        source: str = "",
    ) -> Dataset:
        """Replace what is stored for ``symbol`` and ``timeframe``, durably, whole or not at all.

        Raises:
            Invalid: the symbol, the currency or the bars are not allowed.
            Unavailable: the disk did not take the file; what was stored before is still there.
        """
        symbol = parse_symbol(symbol)
        check_shape(bars)
        bars = _canonical(bars)
        check_bars(bars)
        dataset = Dataset(
            symbol=symbol,
            timeframe=timeframe,
            session=session,
            currency=_parse_currency(currency),
            rows=len(bars),
            first_ms=int(bars.time[0]),
            last_ms=int(bars.time[-1]),
            source=source,
            imported_ms=self._clock.now_ms(),
            data_hash=bars.data_hash(),
        )
        path = self._path(symbol, timeframe)
        try:
            _replace(path, lambda file: write_bar_file(file, dataset, bars))
        except OSError as problem:
            raise Unavailable(f"{path} could not be written: {problem.strerror or problem}") from problem
        return dataset

    def read(
        self, symbol: str, timeframe: Timeframe, *, start_ms: int | None = None, end_ms: int | None = None
    ) -> Bars:
        """Return bars with start_ms ≤ time < end_ms. The columns are read-only.

        Raises:
            Invalid: the text is no symbol, or a bare symbol is stored for several exchanges.
            NotFound: nothing is stored for this symbol and timeframe.
            AITraderError: code ``damaged_file``.
        """
        return self._open(symbol, timeframe, partial(read_bar_file, start_ms=start_ms, end_ms=end_ms))

    def describe(self, symbol: str, timeframe: Timeframe) -> Dataset:
        """Return what is stored, without reading the bars.

        Raises:
            Invalid: the text is no symbol, or a bare symbol is stored for several exchanges.
            NotFound: nothing is stored for this symbol and timeframe.
            AITraderError: code ``damaged_file``.
        """
        return self._open(symbol, timeframe, read_footer)

    def list(self) -> list[Dataset]:
        """Return every readable dataset, ordered by symbol, then by length of timeframe."""
        found = []
        for path in self._root.glob("*/*/*.parquet"):
            try:
                dataset = _opened(path, read_footer)
                if path != self._path(dataset.symbol, dataset.timeframe):
                    raise DamagedFileError(f"it holds {dataset.symbol} {dataset.timeframe.value}")
            except FileNotFoundError:
                continue
            except DamagedFileError as problem:
                _log.warning("skipped the damaged bar file %s: %s", path, problem)
                continue
            found.append(dataset)
        return sorted(found, key=lambda dataset: (dataset.symbol, dataset.timeframe.ms))

    def _open(self, symbol: str, timeframe: Timeframe, use: Callable[[IO[bytes]], _Result]) -> _Result:
        symbol = parse_symbol(symbol)
        path = self._existing(symbol, timeframe)
        try:
            return _opened(path, use)
        except FileNotFoundError:
            raise self._not_found(symbol, timeframe) from None
        except DamagedFileError as problem:
            raise AITraderError(
                f"the bar file {path} is damaged: {problem}; import {symbol} {timeframe.value} again",
                code="damaged_file",
                path=str(path),
            ) from problem

    def _path(self, symbol: str, timeframe: Timeframe) -> Path:
        exchange, _, name = symbol.rpartition(":")
        folder = self._root / (_file_name(exchange) or _NO_EXCHANGE) / _file_name(name)
        return folder / f"{timeframe.value}.parquet"

    def _existing(self, symbol: str, timeframe: Timeframe) -> Path:
        exact = self._path(symbol, timeframe)
        if ":" in symbol or exact.exists():
            return exact
        others = sorted(
            path for folder in self._root.glob("*") if (path := folder / exact.parent.name / exact.name).exists()
        )
        if len(others) > 1:
            raise _ambiguous(symbol, [f"{path.parent.parent.name}:{symbol}" for path in others])
        return others[0] if others else exact

    def _not_found(self, symbol: str, timeframe: Timeframe) -> NotFound:
        folder = self._path(symbol, timeframe).parent
        stored = [other.value for other in _TIMEFRAMES if (folder / f"{other.value}.parquet").exists()]
        known = f" (stored: {', '.join(stored)})" if stored else ""
        return NotFound(
            f"there are no {timeframe.value} bars of {symbol}{known}; import them with"
            f" `aitrader data import FILE --symbol {symbol} --timeframe {timeframe.value}`",
            code="no_bars",
            symbol=symbol,
            timeframe=timeframe.value,
        )


def _canonical(bars: Bars) -> Bars:
    values = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return Bars(
        np.ascontiguousarray(bars.time, dtype=np.int64),
        *(np.ascontiguousarray(column, dtype=np.float64) for column in values),
    )


def _parse_currency(text: str) -> str:
    currency = text.strip().upper()
    if not _CURRENCY.fullmatch(currency):
        raise Invalid(
            f"{text[:20]!r} is not a currency; expected a code such as USD, INR or USDT",
            code="invalid_currency",
            errors=[FieldError("currency", "expected a currency code")],
        )
    return currency


def _file_name(part: str) -> str:
    name = quote(part, safe="")
    if name.endswith("."):
        name = f"{name[:-1]}%2E"
    if _DEVICES.fullmatch(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return name


def _ambiguous(symbol: str, found: list[str]) -> Invalid:
    return Invalid(
        f"{symbol} is stored for several exchanges: {', '.join(found)}; name one of them",
        code="ambiguous_symbol",
        errors=[FieldError("symbol", f"one of {', '.join(found)}")],
    )


def _opened(path: Path, use: Callable[[IO[bytes]], _Result]) -> _Result:
    with path.open("rb") as file:
        return use(file)


def _replace(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    # New names are durable only once their folders are on the disk.
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
