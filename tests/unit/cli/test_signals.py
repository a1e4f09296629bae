from __future__ import annotations

from tests.unit.cli.conftest import Cli


def test_signals_are_sent_once_and_listed(cli: Cli) -> None:
    cli("db", "upgrade")
    empty = cli("signals", "list")
    assert empty.code == 0
    assert "POST /signals" in empty.err
    sent = cli("signals", "send", "nse:infy", "0.6", "--pattern", "idea", "--id", "one")
    again = cli("signals", "send", "nse:infy", "0.9", "--pattern", "idea", "--id", "one")
    assert (sent.code, again.code) == (0, 0)
    assert sent.out == again.out
    assert "nothing changed" in again.err
    shown = cli("signals", "send", "NSE:TCS", "--json", "--", "-0.2").json
    assert (shown["symbol"], shown["score"], shown["pattern"]) == ("NSE:TCS", -0.2, "manual")
    listed = cli("signals", "list", "--symbol", "nse:infy", "--min-score", "0.5", "--json").json["items"]
    assert [(item["symbol"], item["score"]) for item in listed] == [("NSE:INFY", 0.6)]
    table = cli("signals", "list")
    assert "+0.60" in table.out
    assert "-0.20" in table.out


def test_wrong_signals_are_one_line(cli: Cli) -> None:
    cli("db", "upgrade")
    assert cli("signals", "send", "??", "0.5").code == 2
    assert cli("signals", "send", "NSE:INFY", "2").code == 2
    assert cli("signals", "list", "--since", "noon").code == 2


def test_what_waits_in_redis(cli: Cli, redis_url: str) -> None:
    assert "REDIS_URL" in cli("signals", "backlog").error
    cli("db", "upgrade")
    assert cli("signals", "backlog", "--json", REDIS_URL=redis_url).json == {"lag": 0, "pending": 0, "dead": 0}
    assert "refused" in cli("signals", "backlog", REDIS_URL=redis_url).out
