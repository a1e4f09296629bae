"""Positions are the fold of fills."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.trading.books import apply_fill, average, equity_point, fold, fold_all, opened, profit
from domain.trading.model import Account, Fill, Lot, Mode, Position, Side
from tests.unit.trading.samples import NOW, fill, quote

FLAT = Position("paper", "NSE:INFY")
ACCOUNT = Account("paper", "u", "paper", Mode.PAPER, "USD", NOW, starting_cash=Decimal(10_000))


def after(*fills: Fill) -> Position:
    return fold(FLAT, fills)


def test_the_oldest_lot_is_closed_first() -> None:
    position = after(fill("buy", "10", "100", at=1), fill("buy", "10", "110", at=2), fill("sell", "15", "120", at=3))
    assert position.quantity == 5
    assert position.lots == (Lot(Decimal(5), Decimal(110)),)
    assert position.realized_pnl == 10 * 20 + 5 * 10


def test_a_short_gains_when_the_price_falls() -> None:
    position = after(fill("sell", "10", "100", at=1), fill("buy", "4", "90", at=2))
    assert (position.quantity, position.realized_pnl) == (-6, 40)
    assert position.average_price == 100
    assert position.unrealized_pnl(Decimal(95)) == 30


def test_one_fill_may_close_and_open() -> None:
    position = after(fill("buy", "10", "100", at=1), fill("sell", "25", "110", at=2))
    assert (position.quantity, position.realized_pnl, position.average_price) == (-15, 100, 110)


def test_a_flat_position_has_no_average_price() -> None:
    assert after(fill("buy", "1", "5", at=1), fill("sell", "1", "6", at=2)).average_price is None


def test_fees_are_kept_apart_from_pnl() -> None:
    position = after(fill("buy", "1", "5", at=1, fees="0.5"), fill("sell", "1", "6", at=2, fees="0.7"))
    assert (position.realized_pnl, position.fees) == (1, Decimal("1.2"))


def test_what_was_held_before_is_closed_first() -> None:
    start = opened(FLAT, Decimal(5), Decimal(50), 0)
    position = apply_fill(start, fill("sell", "5", "60"))
    assert (position.quantity, position.realized_pnl) == (0, 50)


def test_an_account_without_a_price_has_no_equity() -> None:
    point = equity_point(ACCOUNT, [after(fill("buy", "1", "5"))], {}, NOW)
    assert (point.equity, point.unrealized_pnl, point.cash) == (None, None, 9_995)
    assert profit(point) is None


fills = st.lists(
    st.tuples(
        st.sampled_from(Side), st.integers(1, 20), st.integers(1, 200), st.integers(0, 5), st.integers(0, 50)
    ).map(lambda row: fill(row[0], str(row[1]), str(row[2]), fees=str(row[3]), at=NOW + row[4])),
    max_size=25,
)


@given(fills, st.integers(1, 300).map(Decimal))
def test_equity_is_cash_flow_and_market_value(made: list[Fill], price: Decimal) -> None:
    position = after(*made)
    cash = ACCOUNT.starting_cash - sum(f.side.sign * f.quantity * f.price + f.fees for f in made)
    held = sum(f.side.sign * f.quantity for f in made)
    point = equity_point(ACCOUNT, [position], {"NSE:INFY": quote(str(price))}, NOW)
    assert position.quantity == held
    assert sum((lot.quantity for lot in position.lots), Decimal(0)) == held
    assert point.cash == cash
    assert point.equity == cash + held * price
    assert profit(point) == point.equity - ACCOUNT.starting_cash


@given(fills)
def test_lots_never_point_both_ways(made: list[Fill]) -> None:
    assert len({lot.quantity > 0 for lot in after(*made).lots}) <= 1


@given(fills)
def test_the_order_of_reports_does_not_matter(made: list[Fill]) -> None:
    assert after(*made) == after(*reversed(made))
    assert fold_all("paper", made).get("NSE:INFY", FLAT).lots == after(*made).lots


@given(fills)
def test_the_average_is_that_of_the_fills(made: list[Fill]) -> None:
    quantity, price = average(made)
    assert quantity == sum(f.quantity for f in made)
    assert (price is None) == (not made)
    if price is not None:
        assert min(f.price for f in made) - Decimal("1e-20") <= price <= max(f.price for f in made) + Decimal("1e-20")
