"""Trading on the command line, without a desk: orders are stored, and stay new."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli

PASSWORD = "correct horse battery"


@pytest.fixture
def trade(cli: Cli) -> Cli:
    run = partial(cli, AITRADER_PLUGINS_ONLY="paper")
    assert run("quote", "NSE:INFY", "1500.50").code == 0
    return run


def placed(trade: Cli, *more: str) -> Any:
    done = trade("orders", "place", "nse:infy", "buy", "10", "--allow-duplicate", "--json", *more)
    assert done.code == 0, done.err
    return done.json


def test_an_order_from_placing_to_canceling(trade: Cli) -> None:
    order = placed(trade, "--type", "limit", "--price", "1490.5", "--key", "k")
    assert (order["symbol"], order["price"], order["account"], order["status"]) == (
        "NSE:INFY",
        "1490.5",
        "paper",
        "new",
    )
    again = trade("orders", "place", "nse:infy", "buy", "10", "--type", "limit", "--price", "1490.5", "--key", "k")
    assert again.out.strip() == order["id"]
    assert "placed before" in again.err
    changed = trade("orders", "change", order["id"], "--price", "1491", "--json").json
    assert changed["price"] == "1491"
    shown = trade("orders", "show", order["id"], "--json").json
    assert [event["status"] for event in shown["history"]] == ["new"]
    assert [item["id"] for item in trade("orders", "list", "--open", "--json").json["items"]] == [order["id"]]
    assert "PAPER" in trade("orders", "list").out
    assert trade("orders", "cancel", order["id"], "--json").json["status"] == "canceled"
    assert trade("orders", "list", "--open", "--json").json["items"] == []
    assert trade("positions", "--json").json == {"items": []}
    (worth,) = trade("pnl", "--json").json["items"]
    assert (worth["account"], worth["now"]["equity"]) == ("paper", "100000")


def test_the_kill_switch_needs_nobody_else(trade: Cli) -> None:
    placed(trade)
    killed = trade("kill", "--reason", "loop", "--json")
    assert (killed.code, killed.json["effective"], killed.json["switch"]["engaged"]) == (0, True, True)
    refused = trade("orders", "place", "NSE:INFY", "buy", "1")
    assert (refused.code, "SWITCH_ENGAGED scope=global" in refused.error) == (4, True)
    assert trade("release").code == 2
    assert trade("release", "--yes").code == 0
    assert trade("release", "--yes").code == 6
    assert {item["scope"]: item["engaged"] for item in trade("kill", "--status", "--json").json["items"]} == {
        "global": False,
        "paper": False,
    }
    assert trade("kill", "--account", "nobody").code == 3


def test_accounts_limits_and_approval(trade: Cli) -> None:
    words = "create inr --broker paper --currency INR --cash 500000 --set leverage=5 --json"
    made = trade("accounts", *words.split()).json
    assert (made["id"], made["mode"], made["options"]) == ("inr", "paper", {"leverage": "5"})
    assert trade("accounts", "create", "inr", "--broker", "paper").code == 6
    assert trade("accounts", "create", "x", "--broker", "kite").code == 3
    assert trade("accounts", "create", "x", "--broker", "paper", "--set", "leverage=0").code == 2
    limits = trade(
        "accounts", "limits", "inr", "--set", "max_notional=25000.50", "--lift", "price_collar_bps", "--json"
    )
    assert (limits.json[""]["max_notional"], limits.json[""]["price_collar_bps"]) == ("25000.50", None)
    assert trade("accounts", "limits", "inr", "--set", "max_speed=1").code == 2
    assert trade("accounts", "approval", "inr", "--required").code == 0
    order = placed(trade, "--account", "inr")
    assert order["approval"] == "pending"
    assert trade("orders", "approve", order["id"], "--json").json["approval"] == "approved"
    assert trade("orders", "approve", order["id"]).code == 6
    assert trade("accounts", "refresh", "inr").code == 5
    assert "paper" in trade("accounts", "brokers").out


def test_live_orders_and_arming_ask_first(trade: Cli) -> None:
    assert trade("arm", "nobody", "--password-stdin", stdin=PASSWORD).code == 3
    placed(trade)
    assert trade("user", "password", "owner", "--password-stdin", stdin=PASSWORD).code == 0
    assert trade("arm", "paper", "--password-stdin", "--yes", stdin="wrong password").code == 4
    assert trade("arm", "paper", "--password-stdin", stdin=PASSWORD).code == 2
    assert "needs no arming" in trade("arm", "paper", "--password-stdin", "--yes", stdin=PASSWORD).err
    assert trade("disarm", "paper").code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("orders place NSE:INFY buy ten", 2),
        ("orders place NSE:INFY hold 10", 2),
        ("orders place NSE:INFY buy 10 --type limit", 2),
        ("orders place NSE:INFY buy 10 --account nobody", 3),
        ("orders show 5", 2),
        ("orders show 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13", 3),
        ("quote NSE:NOBODY", 3),
        ("quote NSE:INFY -5", 2),
        ("pnl --account nobody", 3),
        ("accounts show nobody", 3),
    ],
)
def test_what_cannot_be_done_says_why(trade: Cli, words: str, code: int) -> None:
    done = trade(*words.split())
    assert done.code == code, done.err
    assert "Traceback" not in done.err


def test_an_account_that_is_not_there_is_said_so(cli: Cli) -> None:
    run = partial(cli, AITRADER_PLUGINS_ONLY="paper")
    run("db", "upgrade")
    for command in ("login", "refresh"):
        missing = run("accounts", command, "nobody")
        assert missing.code == 3
        assert missing.error == "error: there is no such account"
