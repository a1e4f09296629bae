"""What Kite's and Alpaca's answers mean; an answer that cannot be read makes the whole book unreadable."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from domain.common.errors import Unavailable
from domain.trading.model import OrderState, OrderType, Product, Side, TimeInForce
from plugins.mcp_broker import alpaca_books, kite_books
from plugins.mcp_broker.alpaca import Alpaca
from plugins.mcp_broker.calls import as_answer
from plugins.mcp_broker.kite import Kite
from plugins.mcp_broker.options import McpOptions
from plugins.mcp_broker.profile import Result

KITE_ORDER: dict[str, Any] = {
    "order_id": "251124000000001",
    "status": "OPEN",
    "status_message": "",
    "order_timestamp": "2025-11-24T09:15:01+05:30",
    "exchange": "NSE",
    "tradingsymbol": "INFY",
    "order_type": "LIMIT",
    "transaction_type": "BUY",
    "validity": "DAY",
    "product": "CNC",
    "quantity": 10,
    "price": Decimal("1500.05"),
    "trigger_price": 0,
    "average_price": 0,
    "filled_quantity": 0,
    "tag": "ABC",
}


class TestKiteOrders:
    def test_an_order(self) -> None:
        found = kite_books.order(KITE_ORDER)
        assert (found.broker_order_id, found.tag, found.symbol) == ("251124000000001", "ABC", "NSE:INFY")
        assert (found.side, found.type, found.time_in_force) == (Side.BUY, OrderType.LIMIT, TimeInForce.DAY)
        assert (found.quantity, found.price, found.product) == (10, Decimal("1500.05"), Product.DELIVERY)
        assert (found.trigger_price, found.average_price, found.reason) == (None, None, None)
        assert found.created_at == 1763955901000

    @pytest.mark.parametrize(
        ("word", "filled", "status"),
        [
            ("OPEN", 0, OrderState.ACCEPTED),
            ("OPEN", 4, OrderState.PARTIALLY_FILLED),
            ("TRIGGER PENDING", 0, OrderState.ACCEPTED),
            ("COMPLETE", 10, OrderState.FILLED),
            ("REJECTED", 0, OrderState.REJECTED),
            ("CANCELLED", 4, OrderState.CANCELED),
            ("PUT ORDER REQ RECEIVED", 0, None),
            ("SOMETHING NEW", 0, None),
        ],
    )
    def test_only_three_words_end_an_order(self, word: str, filled: int, status: OrderState | None) -> None:
        found = kite_books.order({**KITE_ORDER, "status": word, "filled_quantity": filled})
        assert found.status is status

    @pytest.mark.parametrize(
        "wrong",
        [
            {"order_id": ""},
            {"order_id": None},
            {"quantity": -1},
            {"quantity": "ten"},
            {"quantity": True},
            {"filled_quantity": None},
            {"price": Decimal("NaN")},
            {"transaction_type": "HOLD"},
            {"order_type": "ICEBERG"},
            {"status": ""},
            {"order_timestamp": "yesterday"},
            {"order_timestamp": "2025-11-24T09:15:01"},
            {"tradingsymbol": ""},
        ],
    )
    def test_what_cannot_be_read_is_no_order(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(Unavailable, match="cannot be read"):
            kite_books.order({**KITE_ORDER, **wrong})

    def test_a_tag_may_be_in_the_list(self) -> None:
        assert kite_books.order({**KITE_ORDER, "tag": "", "tags": ["X"]}).tag == "X"
        assert kite_books.order({**KITE_ORDER, "tag": "", "tags": None}).tag is None

    def test_the_year_one_is_no_time(self) -> None:
        assert kite_books.order({**KITE_ORDER, "order_timestamp": "0001-01-01T00:00:00Z"}).created_at is None


class TestKitePositions:
    row: dict[str, Any] = {"exchange": "NSE", "tradingsymbol": "INFY", "last_price": 1510, "pnl": 5}  # noqa: RUF012

    def position(self, quantity: int, product: str = "CNC", **more: Any) -> dict[str, Any]:
        return {**self.row, "quantity": quantity, "product": product, "average_price": 1500, **more}

    def test_the_last_entry_of_a_symbol_and_product_is_the_net_one(self) -> None:
        day, net, other = self.position(10), self.position(7), self.position(-3, "MIS")
        found = kite_books.positions([day, other, net, other], [])
        assert [(item.quantity, item.product) for item in found] == [(7, Product.DELIVERY), (-3, Product.INTRADAY)]

    def test_holdings_are_added_with_what_is_not_settled_or_pledged(self) -> None:
        held = {**self.position(5, average_price=1400), "t1_quantity": 2, "collateral_quantity": 1}
        found = kite_books.positions([self.position(-4)], [held])
        assert [(item.symbol, item.quantity, item.average_price) for item in found] == [("NSE:INFY", 4, 1400)]

    def test_a_holding_alone(self) -> None:
        (found,) = kite_books.positions([], [{**self.position(5), "t1_quantity": 0}])
        assert (found.quantity, found.product, found.pnl) == (5, Product.DELIVERY, 5)


class TestKiteFills:
    row: dict[str, Any] = {  # noqa: RUF012
        "trade_id": "70001",
        "order_id": "1",
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "transaction_type": "SELL",
        "average_price": Decimal("1500.5"),
        "quantity": 4,
        "fill_timestamp": "2025-11-24T09:15:01+05:30",
    }

    def test_a_fill_is_of_its_order(self) -> None:
        found = kite_books.fill(self.row)
        assert (found.broker_fill_id, found.broker_order_id, found.side) == ("1-70001", "1", Side.SELL)
        assert (found.quantity, found.price, found.fees) == (4, Decimal("1500.5"), None)

    @pytest.mark.parametrize("wrong", [{"quantity": 0}, {"quantity": -4}, {"average_price": 0}, {"trade_id": ""}])
    def test_nothing_is_guessed(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(Unavailable):
            kite_books.fill({**self.row, **wrong})


class TestKiteAnswers:
    kite = Kite(McpOptions())

    @pytest.mark.parametrize(
        ("text", "proof"),
        [
            ("parameter 'quantity': is required", True),
            ("Please log in first using the login tool", True),
            ("Failed to place order", False),
            ("", False),
        ],
    )
    def test_few_errors_prove_anything(self, text: str, proof: bool) -> None:
        result = self.kite.open(as_answer(True, [text], None))
        assert result.error
        assert result.rejected is proof

    def test_numbers_stay_exact(self) -> None:
        answer = as_answer(False, ['{"price": 0.1, "big": 123456789.123456789}'], {"price": 0.1})
        assert answer.data == {"price": Decimal("0.1"), "big": Decimal("123456789.123456789")}

    def test_what_is_no_number_is_no_json(self) -> None:
        assert as_answer(False, ['{"price": NaN}'], None).data is None

    def test_pages_that_shrink_are_no_book(self) -> None:
        pages = [
            {"data": [KITE_ORDER], "pagination": {"has_more": True, "total": 3}},
            {"data": [KITE_ORDER], "pagination": {"has_more": False, "total": 2 + 1}},
        ]
        with pytest.raises(Unavailable, match="do not make a whole"):
            self.kite.orders(lambda tool, arguments: pages.pop(0), 0)

    def test_null_is_an_empty_book_and_anything_else_is_none(self) -> None:
        assert self.kite.orders(lambda tool, arguments: None, 0) == []
        for answer in ("Failed", 5, {"orders": []}, [5]):
            with pytest.raises(Unavailable):
                self.kite.orders(lambda tool, arguments, answer=answer: answer, 0)  # type: ignore[misc]


class TestAlpacaAnswers:
    alpaca = Alpaca(McpOptions())

    def opened(self, data: Any, *, error: bool = False) -> Result:
        wrapped = {"_alpaca_mcp_security": {"trust": "untrusted_tool_output"}, "data": data}
        return self.alpaca.open(as_answer(error, [json.dumps(wrapped)], None))

    def test_lists_are_one_level_deeper(self) -> None:
        assert self.opened({"result": [{"id": "1"}]}).data == [{"id": "1"}]

    @pytest.mark.parametrize(
        ("error", "proof"),
        [
            ({"message": "API rejected the order", "http_status": 403, "detail": {"message": "no money"}}, True),
            ({"message": "API rejected the order", "http_status": 422, "detail": {"message": "qty"}}, True),
            ({"message": "API rejected", "http_status": 422, "detail": {"message": "client_order_id exists"}}, False),
            ({"message": "API rejected the order", "http_status": 429, "detail": {}}, False),
            ({"message": "API rejected the order", "http_status": 500, "detail": {"raw": "oops"}}, False),
            ({"message": "The order MAY have been placed", "timeout": True}, False),
        ],
    )
    def test_a_rejected_order_is_a_success_with_an_error_in_it(self, error: dict[str, Any], proof: bool) -> None:
        result = self.opened({"error": error})
        assert result.error is not None
        assert result.rejected is proof

    def test_an_error_without_a_status_proves_nothing(self) -> None:
        assert not self.opened("HTTP error 404", error=True).rejected

    def test_a_full_page_is_followed_by_the_next(self) -> None:
        rows = [_order(number) for number in range(700)]
        asked: list[dict[str, Any]] = []

        def read(tool: str, arguments: dict[str, Any]) -> Any:
            asked.append(arguments)
            if arguments["status"] == "open":
                return []
            start = 0 if len(asked) == 2 else 499
            return rows[start : start + 500]

        found = self.alpaca.orders(read, 1_800_000_000_000)
        assert len(found) == 700
        assert len({item.broker_order_id for item in found}) == 700

    def test_pages_that_never_end_are_no_book(self) -> None:
        rows = [_order(number) for number in range(500)]
        with pytest.raises(Unavailable, match="do not make a whole"):
            self.alpaca.orders(lambda tool, arguments: rows, 1_800_000_000_000)

    def test_a_short_position_is_below_zero_however_it_is_written(self) -> None:
        row = {"symbol": "AAPL", "avg_entry_price": "190", "current_price": "191", "side": "short"}
        assert alpaca_books.position({**row, "qty": "5"}).quantity == -5
        assert alpaca_books.position({**row, "qty": "-5"}).quantity == -5


def _order(number: int) -> dict[str, Any]:
    return {
        "id": f"{number}",
        "client_order_id": f"c{number}",
        "symbol": "AAPL",
        "side": "buy",
        "type": "limit",
        "time_in_force": "day",
        "qty": "1",
        "filled_qty": "0",
        "status": "new",
        "limit_price": "190",
        "submitted_at": f"2026-11-24T10:{number // 60:02d}:{number % 60:02d}Z",
    }
