"""The practice broker has Kite's manners, the bad ones included; a restart forgets nothing that was true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from plugins.mock_mcp.exchange import Exchange
from plugins.mock_mcp.ledger import Ledger
from plugins.mock_mcp.tools import TOOLS
from tests.mock_broker import Control, mock_broker

ORDER = {
    "variety": "regular",
    "exchange": "NSE",
    "tradingsymbol": "INFY",
    "transaction_type": "BUY",
    "quantity": 10,
    "product": "CNC",
    "order_type": "LIMIT",
    "price": 1400,
    "tag": "T1",
}


class Client:
    """Speaks plain HTTP, so that nothing is made right on the way."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.url = control.url
        self.session = ""

    def post(self, body: Any, **headers: str) -> httpx2.Response:
        named = {"content-type": "application/json", "mcp-session-id": self.session}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx2.post(self.url, content=json.dumps(body), headers=named, trust_env=False)

    def begin(self) -> None:
        self.session = self.post({"jsonrpc": "2.0", "id": 1, "method": "initialize"}).headers["mcp-session-id"]

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        params = {"name": tool, "arguments": arguments}
        answer = self.post({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}).json()
        return dict(answer.get("result") or answer)

    def text(self, tool: str, **arguments: Any) -> str:
        return str(self.call(tool, **arguments)["content"][0]["text"])

    def data(self, tool: str, **arguments: Any) -> Any:
        return json.loads(self.text(tool, **arguments))


@pytest.fixture
def client() -> Iterator[Client]:
    with mock_broker(logged_in=True) as control:
        client = Client(control)
        client.begin()
        yield client


class TestManners:
    def test_an_unknown_session_is_400_and_one_that_ended_404(self, client: Client) -> None:
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        unknown = client.post(ping, mcp_session_id="kitemcp-x")
        assert (unknown.status_code, unknown.text) == (400, "Invalid session ID")
        assert client.post({**ping, "method": "server/discover"}, mcp_session_id="").status_code == 400
        httpx2.delete(client.url, headers={"mcp-session-id": client.session}, trust_env=False)
        ended = client.post(ping)
        assert (ended.status_code, ended.text) == (404, "Session terminated")

    def test_the_content_type_is_exact(self, client: Client) -> None:
        answer = client.post({}, content_type="application/json; charset=utf-8")
        assert answer.status_code == 400
        assert answer.text.startswith("Invalid content type")

    def test_a_get_is_202_and_a_notification_too(self, client: Client) -> None:
        stream = httpx2.get(client.url, trust_env=False)
        assert (stream.status_code, stream.headers["content-type"]) == (202, "text/event-stream")
        assert client.post({"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202

    def test_there_are_22_tools_and_unknown_ones_are_an_error(self, client: Client) -> None:
        listed = client.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).json()["result"]["tools"]
        assert [tool["name"] for tool in listed] == list(TOOLS)
        assert len(listed) == 22
        assert client.call("nonsense")["error"]["code"] == -32602

    def test_a_login_is_asked_for_once_in_words(self) -> None:
        with mock_broker() as control:
            client = Client(control)
            client.begin()
            assert client.text("get_holdings") == "Please log in first using the login tool"
            assert client.text("get_holdings") == "Failed to execute get_holdings"
            assert client.data("search_instruments", query="infy")[0]["id"] == "NSE:INFY"

    @pytest.mark.parametrize("change", ["session", "signature", "time"])
    def test_a_login_link_cannot_be_forged(self, change: str) -> None:
        with mock_broker() as control:
            client, other = Client(control), Client(control)
            client.begin()
            other.begin()
            signed = client.text("login").rpartition("session_id%3D")[2].rpartition(")")[0]
            forged = {
                "session": signed.replace(client.session, other.session),
                "signature": signed[:-6] + "AAA%3D",
                "time": signed.replace("%7C1", "%7C2"),
            }[change]
            assert forged != signed
            base = control.url.removesuffix("/mcp")
            answer = httpx2.get(f"{base}/callback?request_token=x&session_id={forged}", trust_env=False)
            assert answer.status_code == 400
            assert "log in first" in other.text("get_profile")

    @pytest.mark.parametrize(
        ("wrong", "text"),
        [
            ({"quantity": None}, "parameter 'quantity': is required"),
            ({"order_type": "MARKET"}, "Failed to place order"),
            ({"quantity": -1}, "Failed to place order"),
            ({"price": 0}, "Failed to place order"),
            ({"tradingsymbol": "NOSUCH"}, "Failed to place order"),
        ],
    )
    def test_errors_tell_little(self, client: Client, wrong: dict[str, Any], text: str) -> None:
        result = client.call("place_order", **{**ORDER, **wrong})
        assert result["isError"]
        assert result["content"][0]["text"] == text
        assert client.data("get_orders") == []

    def test_a_change_without_a_quantity_is_a_change_to_one(self, client: Client) -> None:
        order_id = client.data("place_order", **ORDER)["order_id"]
        client.data("modify_order", variety="regular", order_id=order_id, order_type="LIMIT", price=1390)
        (order,) = client.data("get_orders")
        assert (order["quantity"], order["price"], order["status"]) == (1, 1390, "OPEN")

    def test_a_short_sale_to_keep_is_rejected_in_the_book(self, client: Client) -> None:
        assert client.data("place_order", **{**ORDER, "transaction_type": "SELL"})["order_id"]
        (order,) = client.data("get_orders")
        assert order["status"] == "REJECTED"
        assert "stock holding" in order["status_message"]


class TestMarket:
    def test_a_price_fills_what_rests(self, client: Client) -> None:
        client.data("place_order", **ORDER)
        client.control("price", symbol="NSE:INFY", price=1399)
        (order,) = client.data("get_orders")
        assert (order["status"], order["average_price"], order["filled_quantity"]) == ("COMPLETE", 1400, 10)
        day, net = client.data("get_positions")
        assert day == net
        assert (net["quantity"], net["average_price"], net["last_price"], net["pnl"]) == (10, 1400, 1399, -10)
        assert client.data("get_margins")["equity"]["available"]["live_balance"] == 1_000_000 - 14_000
        assert [row["order_id"] for row in client.data("get_order_trades", order_id=order["order_id"])] == [
            order["order_id"]
        ]

    def test_quotes_leave_out_what_is_not_listed(self, client: Client) -> None:
        client.control("price", symbol="NSE:INFY", price=1510)
        wanted = ["NSE:INFY", "NSE:NOSUCH"]
        assert client.data("get_ltp", instruments=wanted) == {
            "NSE:INFY": {"instrument_token": 408065, "last_price": 1510}
        }
        ohlc = client.data("get_ohlc", instruments=wanted)["NSE:INFY"]["ohlc"]
        assert ohlc == {"open": 1500, "high": 1510, "low": 1500, "close": 1500}
        assert client.data("get_quotes", instruments=wanted)["NSE:INFY"]["last_price"] == 1510

    def test_candles_are_made_of_the_prices_that_were_set(self, client: Client) -> None:
        for price in (1510, 1490, 1505):
            client.control("price", symbol="NSE:INFY", price=price)
        times = {"from_date": "2020-01-01 00:00:00", "to_date": "2090-01-01 00:00:00"}
        rows = client.data("get_historical_data", instrument_token=408065, interval="day", **times)
        assert [(row["open"], row["high"], row["low"], row["close"]) for row in rows] == [(1510, 1510, 1490, 1505)]

    def test_triggers_are_kept(self, client: Client) -> None:
        asked = {"exchange": "NSE", "tradingsymbol": "INFY", "last_price": 1500, "transaction_type": "BUY"}
        asked |= {"product": "CNC", "trigger_type": "single", "trigger_value": 1450}
        trigger_id = client.data("place_gtt_order", **asked)["trigger_id"]
        assert [row["condition"]["trigger_values"] for row in client.data("get_gtts")] == [[1450]]
        client.data("modify_gtt_order", **{**asked, "trigger_id": trigger_id, "trigger_value": 1440})
        assert [row["condition"]["trigger_values"] for row in client.data("get_gtts")] == [[1440]]
        client.data("delete_gtt_order", trigger_id=trigger_id)
        assert client.data("get_gtts") == []
        assert client.call("delete_gtt_order", trigger_id=trigger_id)["isError"]

    def test_wrong_controls_are_refused(self, client: Client) -> None:
        base = client.url.removesuffix("/mcp")
        for action, body in {"price": {"symbol": "X", "price": 1}, "fault": {"kind": "x"}, "nonsense": {}}.items():
            assert httpx2.post(f"{base}/control/{action}", json=body, trust_env=False).status_code == 422
        assert httpx2.post(f"{base}/control/logout", content="{}", trust_env=False).status_code == 415


def test_the_books_are_the_fold_of_the_ledger(tmp_path: Path) -> None:
    """As after a kill: what the file says is what happened, and a line that was cut short never did."""
    path = tmp_path / "ledger.jsonl"
    exchange = Exchange(Ledger(path), Decimal(100_000))
    first = exchange.place(ORDER, 1_000)
    exchange.place({**ORDER, "price": 1600, "tag": "T2"}, 2_000)
    exchange.do("price", 3_000, symbol="NSE:INFY", price="1395")
    exchange.do("night", 4_000)
    exchange.place({**ORDER, "transaction_type": "SELL", "price": 1390}, 5_000)
    exchange.do("cancel", 6_000, id=first)
    with path.open("a") as file:
        file.write('{"op": "place", "id": "cut')
    again = Exchange(Ledger(path), Decimal(100_000))
    assert again.books == exchange.books
    assert again.books.holdings["NSE:INFY"].waiting == 20
    assert again.books.orders
