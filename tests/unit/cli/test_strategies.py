from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Cli


def test_from_a_strategy_to_a_decision(cli: Cli) -> None:
    cli("db", "upgrade")
    assert "aitrader strategies create" in cli("strategies", "list").err
    made = cli("strategies", "create", "mine", "--symbol", "nse:infy", "--set", "threshold=0.1")
    assert (made.code, made.out) == (0, "mine\n")
    assert "it observes" in made.err
    shown = cli("strategies", "show", "mine").json
    assert (shown["symbols"], shown["params"]["threshold"], shown["enabled"]) == (["NSE:INFY"], 0.1, False)
    assert "aitrader strategies enable mine" in cli("strategies", "performance", "mine").err

    cli("quote", "NSE:INFY", "1500")
    enabled = cli("strategies", "enable", "mine", "--account", "paper")
    assert "mine trades in paper" in enabled.err
    cli("signals", "send", "NSE:INFY", "0.8", "--id", "one")
    (decision,) = cli("decisions", "list", "--strategy", "mine", "--json").json["items"]
    assert (decision["action"], decision["status"], decision["quantity"]) == ("buy", "ordered", "13")
    detail = cli("decisions", "show", decision["id"]).json
    assert detail["inputs"]["signal"]["score"] == 0.8
    assert "NSE:INFY" in cli("decisions", "list").out

    assert "mine observes" in cli("strategies", "disable", "mine").err
    assert cli("strategies", "set", "mine", "threshold=0.4", "--json").json["params"]["threshold"] == 0.4
    score = cli("strategies", "performance", "mine", "--json").json
    assert (score["mode"], score["fills"], score["hit_rate"]) == ("paper", 0, None)
    assert "all" in cli("strategies", "performance", "mine").out
    assert [row["strategy"] for row in cli("strategies", "leaderboard", "--json").json["items"]] == ["mine"]
    assert "buy and hold" in cli("strategies", "leaderboard").out


def test_wrong_words_are_one_line(cli: Cli) -> None:
    cli("db", "upgrade")
    for arguments, code in (
        (("strategies", "show", "none"), 3),
        (("strategies", "create", "Bad Name"), 2),
        (("strategies", "create", "a", "--engine", "none"), 2),
        (("strategies", "create", "a", "--set", "threshold=9"), 2),
        (("strategies", "create", "a", "--set", "threshold=x"), 2),
        (("strategies", "performance", "none"), 3),
        (("decisions", "show", "x"), 2),
    ):
        done = cli(*arguments)
        assert done.code == code, arguments
        assert done.err.startswith("error: "), arguments


def test_a_feed_of_its_own_needs_redis(cli: Cli) -> None:
    refused = cli("feed", "simulated")
    assert refused.code == 2
    assert "AITRADER_FEED=simulated aitrader up" in refused.error


def test_replays_and_their_differences(cli: Cli, tmp_path: Path) -> None:
    cli("data", "samples")
    asked = ("replay", "--symbols", "FX:EURUSD", "--timeframe", "1h", "--from", "2017-06-01", "--to", "2017-06-02")
    params = ("--set", "timeframe=1h", "--set", "allow_short=true")
    done = cli(*asked, *params, "--set", "threshold=0.1", "--output", "a.json")
    assert done.code == 0
    assert "FX:EURUSD" in done.out
    assert "the account ended at" in done.err
    told = cli(*asked, *params, "--output", "b.json", "--json").json
    assert told["ticks"] == 96
    assert told["performance"]["mode"] == "paper"
    assert json.loads((tmp_path / "a.json").read_text())["about"]["kind"] == "replay"
    assert "the same" in cli("replay", "diff", "a.json", "a.json").err
    parted = cli("replay", "diff", "a.json", "b.json", "--json")
    assert parted.code == 1
    assert parted.json["difference"]["section"] == "decisions"

    (tmp_path / "ticks.csv").write_text(
        "time_ms,symbol,price,volume\n" + "".join(f"{10**12 + n * 1000},X:Y,{100 + n % 7},1\n" for n in range(60))
    )
    assert cli("replay", "--ticks", "ticks.csv", "--json").json["ticks"] == 60
    for arguments, code in (
        (("replay",), 2),
        (("replay", "--symbols", "NSE:NONE"), 3),
        (("replay", "--symbols", "FX:EURUSD", "--timeframe", "3h"), 2),
        ((*asked, "--cash", "-1"), 2),
        ((*asked, "--set", "treshold=1"), 2),
        (("replay", "diff", "a.json"), 2),
        (("replay", "diff", "ticks.csv", "a.json"), 2),
    ):
        assert cli(*arguments).code == code, arguments
