"""What every `BarStore` does. Subclass `BarStoreContract` and override the ``store`` fixture."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from domain.common.errors import Invalid, NotFound
from domain.market.model import Bars, Session, Timeframe
from domain.market.ports import BarStore

_DAY = Timeframe.D1.ms
_TRAVERSALS = (
    *("../X", "..", "A/../../B", "/etc/passwd", "NSE:../X", "..:X", "A\\B", "A:B:C", "", " ", "A\x00B", "A\nB"),
    *("~", ".HIDDEN", "NSE:", ":X", "A%2FB", "X" * 40),
)


def make_bars(count: int, *, start_ms: int = 0, step_ms: int = _DAY, seed: int = 1) -> Bars:
    """Return ``count`` valid bars of a random walk, the same for the same arguments."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    opens = close * np.exp(random.normal(0, 0.005, count))
    return Bars(
        time=start_ms + step_ms * np.arange(count, dtype=np.int64),
        open=opens,
        high=np.maximum(opens, close) * 1.001,
        low=np.minimum(opens, close) * 0.999,
        close=close,
        volume=np.floor(random.uniform(0, 1e6, count)),
    )


def assert_same_bars(actual: Bars, expected: Bars) -> None:
    """Assert that two sets of bars are equal to the bit, types included."""
    for mine, yours in zip(actual.columns(), expected.columns(), strict=True):
        assert mine.dtype == yours.dtype
        assert mine.tobytes() == yours.tobytes()


class BarStoreContract:
    """Tests for any `BarStore`."""

    @pytest.fixture
    def store(self) -> BarStore:
        """Return an empty store."""
        raise NotImplementedError("override the store fixture")

    def test_returns_what_was_written_to_the_bit(self, store: BarStore) -> None:
        bars = make_bars(500)
        store.write("NSE:RELIANCE", Timeframe.D1, bars)
        assert_same_bars(store.read("NSE:RELIANCE", Timeframe.D1), bars)

    def test_keeps_extreme_numbers(self, store: BarStore) -> None:
        prices = np.array([5e-324, 0.1 + 0.2, 1.7976931348623157e308])
        volume = np.array([0.0, -0.0, 1e-300])
        time = np.array([-_DAY, 0, _DAY], dtype=np.int64)
        bars = Bars(time, prices, prices, prices, prices, volume)
        store.write("X", Timeframe.D1, bars)
        assert_same_bars(store.read("X", Timeframe.D1), bars)

    def test_describes_what_was_written(self, store: BarStore) -> None:
        bars = make_bars(10, start_ms=_DAY)
        written = store.write(
            "binance:btcusdt", Timeframe.H1, bars, session=Session.ALWAYS, currency="usdt", source="a file"
        )
        described = store.describe("BINANCE:BTCUSDT", Timeframe.H1)
        assert described == written
        assert (described.symbol, described.timeframe) == ("BINANCE:BTCUSDT", Timeframe.H1)
        assert (described.session, described.currency) == (Session.ALWAYS, "USDT")
        assert (described.rows, described.first_ms, described.last_ms) == (10, _DAY, 10 * _DAY)
        assert (described.source, described.data_hash) == ("a file", bars.data_hash())

    def test_slices_with_the_start_and_without_the_end(self, store: BarStore) -> None:
        store.write("X", Timeframe.D1, make_bars(10))

        def times(start_ms: int | None, end_ms: int | None) -> list[int]:
            read = store.read("X", Timeframe.D1, start_ms=start_ms, end_ms=end_ms)
            return [int(ms) // _DAY for ms in read.time]

        assert times(2 * _DAY, 5 * _DAY) == [2, 3, 4]
        assert times(2 * _DAY + 1, 4 * _DAY + 1) == [3, 4]
        assert times(None, 2 * _DAY) == [0, 1]
        assert times(8 * _DAY, None) == [8, 9]
        assert times(3 * _DAY, 3 * _DAY) == []
        assert times(5 * _DAY, 2 * _DAY) == []
        assert times(100 * _DAY, 200 * _DAY) == []
        assert times(-200 * _DAY, -100 * _DAY) == []

    def test_what_is_missing_names_the_import_command(self, store: BarStore) -> None:
        store.write("NSE:TCS", Timeframe.D1, make_bars(3))
        for use in (store.read, store.describe):
            with pytest.raises(NotFound, match=r"aitrader data import .*NSE:INFY.*1d"):
                use("NSE:INFY", Timeframe.D1)
            with pytest.raises(NotFound, match=r"aitrader data import .*NSE:TCS.*1h"):
                use("NSE:TCS", Timeframe.H1)

    def test_a_write_replaces_the_old_bars(self, store: BarStore) -> None:
        store.write("X", Timeframe.D1, make_bars(10, seed=1))
        bars = make_bars(4, seed=2)
        store.write("X", Timeframe.D1, bars)
        assert_same_bars(store.read("X", Timeframe.D1), bars)
        assert [dataset.rows for dataset in store.list()] == [4]

    def test_refused_bars_leave_the_old_ones(self, store: BarStore) -> None:
        old = make_bars(5)
        store.write("X", Timeframe.D1, old)
        bad = make_bars(5, seed=2)
        bad.high[3] = bad.low[3] / 2
        for refused in (bad, make_bars(0), old.take(slice(None, None, -1)), old.take(np.array([0, 1, 1]))):
            with pytest.raises(Invalid) as caught:
                store.write("X", Timeframe.D1, refused)
            assert caught.value.code == "invalid_bars"
        assert_same_bars(store.read("X", Timeframe.D1), old)

    def test_lists_by_symbol_then_length(self, store: BarStore) -> None:
        assert store.list() == []
        for symbol, timeframe in (("B", "1w"), ("B", "5m"), ("A:Z", "1h"), ("B", "15m"), ("A", "1d")):
            store.write(symbol, Timeframe(timeframe), make_bars(2))
        listed = [(dataset.symbol, dataset.timeframe.value) for dataset in store.list()]
        assert listed == [("A", "1d"), ("A:Z", "1h"), ("B", "5m"), ("B", "15m"), ("B", "1w")]

    def test_unusual_symbols_do_not_collide(self, store: BarStore) -> None:
        symbols = ("^NSEI", "BRK.B", "BRK-B", "BRK_B", "M&M", "A.", "NSE:M&M", "CON", "_".join("AB"), "X" * 32)
        for seed, symbol in enumerate(symbols):
            store.write(symbol, Timeframe.D1, make_bars(3, seed=seed))
        for seed, symbol in enumerate(symbols):
            assert_same_bars(store.read(symbol, Timeframe.D1), make_bars(3, seed=seed))
        assert [dataset.symbol for dataset in store.list()] == sorted(symbols)

    @pytest.mark.parametrize("symbol", _TRAVERSALS)
    def test_refuses_what_is_no_symbol(self, store: BarStore, symbol: str) -> None:
        with pytest.raises(Invalid, match="not a symbol"):
            store.write(symbol, Timeframe.D1, make_bars(2))
        with pytest.raises(Invalid, match="not a symbol"):
            store.read(symbol, Timeframe.D1)
        with pytest.raises(Invalid, match="not a symbol"):
            store.describe(symbol, Timeframe.D1)

    def test_readers_see_old_or_new_but_never_a_mix(self, store: BarStore) -> None:
        versions = [make_bars(400 + 100 * seed, seed=seed) for seed in range(4)]
        hashes = {bars.data_hash() for bars in versions}
        store.write("X", Timeframe.M1, versions[0])
        done = threading.Event()

        def read() -> int:
            count = 0
            while not done.is_set() or not count:
                assert store.read("X", Timeframe.M1).data_hash() in hashes
                assert store.describe("X", Timeframe.M1).data_hash in hashes
                assert len(store.list()) == 1
                count += 1
            return count

        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read) for _ in range(3)]
            try:
                for i in range(40):
                    store.write("X", Timeframe.M1, versions[i % 4])
            finally:
                done.set()
            assert all(reader.result() for reader in readers)
