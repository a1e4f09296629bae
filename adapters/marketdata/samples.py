"""The sample datasets that ship with AITrader; ``samples/SOURCES.md`` tells where they come from."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from adapters.marketdata.bar_file import read_bar_file, read_footer
from domain.common.errors import NotFound
from domain.market.model import Bars, Dataset
from domain.market.ports import BarStore


def sample_datasets() -> list[Dataset]:
    """Return what ships, ordered by symbol."""
    return [dataset for dataset, _ in _samples()]


def install_samples(store: BarStore, *, force: bool = False) -> list[Dataset]:
    """Put the samples into a store and return what it then holds under their names, ordered by symbol.

    A sample that is already there is not written again. Other data under a sample's name stays, and is what is
    returned for it, unless ``force``.

    Raises:
        Unavailable: the store cannot be written.
    """
    return [_installed(store, dataset, file, force) for dataset, file in _samples()]


def _installed(store: BarStore, sample: Dataset, file: Traversable, force: bool) -> Dataset:
    stored = _stored(store, sample)
    if stored is not None and (stored.data_hash == sample.data_hash or not force):
        return stored
    return store.write(
        sample.symbol,
        sample.timeframe,
        _bars(file),
        session=sample.session,
        currency=sample.currency,
        source=sample.source,
    )


def _stored(store: BarStore, sample: Dataset) -> Dataset | None:
    try:
        return store.describe(sample.symbol, sample.timeframe)
    except NotFound:
        return None


def _samples() -> list[tuple[Dataset, Traversable]]:
    folder = files("adapters.marketdata") / "samples"
    found = [(_footer(file), file) for file in folder.iterdir() if file.name.endswith(".parquet")]
    return sorted(found, key=lambda sample: sample[0].symbol)


def _footer(file: Traversable) -> Dataset:
    with file.open("rb") as stream:
        return read_footer(stream)


def _bars(file: Traversable) -> Bars:
    with file.open("rb") as stream:
        return read_bar_file(stream)
