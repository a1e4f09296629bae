from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli, Done

GOOD = "title,date,symbols,url\nINFY wins,2024-03-01 10:00,NSE:INFY,https://x.org/1\nTCS too,2024-03-02,,\n"
BAD = GOOD + "later,soon,,\n"
KOLKATA = ("--timezone", "Asia/Kolkata")


def write(tmp_path: Path, content: str, name: str = "wire.csv") -> str:
    (tmp_path / name).write_text(content, encoding="utf-8")
    return name


def counts(done: Done) -> list[tuple[int, int | None, int | None, int, int]]:
    return [tuple(file[name] for name in ("rows", "new", "known", "bad", "repeated")) for file in done.json["files"]]  # type: ignore[misc]


def test_news_is_imported_once_listed_and_shown(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    first = cli("news", "import", path, *KOLKATA, "--json")
    assert (first.code, first.err, counts(first)) == (0, "", [(2, 2, 0, 0, 0)])
    assert counts(cli("news", "import", path, *KOLKATA, "--json")) == [(2, 0, 2, 0, 0)]
    items = cli("news", "list", "--json").json["items"]
    assert [(one["title"], one["symbols"], one["source"]) for one in items] == [
        ("TCS too", [], "wire"),
        ("INFY wins", ["NSE:INFY"], "wire"),
    ]
    assert items[1]["available_at"] == "2024-03-01T04:30:00.000Z"
    assert (items[0]["published_at"], items[0]["available_at"]) == (
        "2024-03-01T18:30:00.000Z",
        "2024-03-02T18:30:00.000Z",
    )
    listed = cli("news", "list", "--symbol", "nse:infy", "--since", "2024-03-01")
    assert "INFY wins" in listed.out
    assert "TCS" not in listed.out
    assert "import some with" in cli("news", "list", "--source", "other").err
    shown = cli("news", "show", items[1]["id"])
    assert "title: INFY wins" in shown.out
    assert cli("news", "show", items[1]["id"], "--json").json["url"] == "https://x.org/1"
    assert cli("news", "show", "019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13").code == 3
    assert cli("news", "show", "x").code == 2


def test_one_bad_row_keeps_all_out_unless_it_is_skipped(cli: Cli, tmp_path: Path) -> None:
    good, bad = write(tmp_path, GOOD, "a.csv"), write(tmp_path, BAD, "b.csv")
    refused = cli("news", "import", good, bad, *KOLKATA)
    assert refused.code == 2
    assert refused.error.startswith("error: b.csv: row 4: published 'soon' is no known time")
    assert cli("news", "list", "--json").json["items"] == []
    skipped = cli("news", "import", bad, *KOLKATA, "--on-error", "skip")
    assert skipped.code == 0
    assert skipped.err.startswith("b.csv: row 4: published 'soon' is no known time")
    assert skipped.out.splitlines()[1].split() == ["b.csv", "3", "2", "0", "1", "0"]


def test_a_dry_run_imports_nothing_and_needs_no_database(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path, BAD)
    done = cli("news", "import", path, *KOLKATA, "--dry-run", "--on-error", "skip", "--json")
    assert (done.json["dry_run"], counts(done)) == (True, [(3, None, None, 1, 0)])
    assert done.json["files"][0]["problems"][0]["row"] == 4
    assert cli("news", "import", path, *KOLKATA, "--dry-run").code == 2
    assert "nothing was imported" in cli("news", "import", write(tmp_path, GOOD), *KOLKATA, "--dry-run").err
    assert not (tmp_path / "data" / "aitrader.db").exists()


def test_options_say_what_files_leave_open(cli: Cli, tmp_path: Path) -> None:
    lines = [{"headline": "Infosys and TCS rise", "date": "3/4/2024 10:00"}, {"text": "no more"}]
    path = write(tmp_path, "\n".join(map(json.dumps, lines)), "x.data")
    names = write(tmp_path, "symbol,alias\nNSE:INFY,Infosys\nNSE:TCS,tcs\n", "names.csv")
    options = ("--format", "jsonl", "--aliases", names, "--symbol", "nse:nifty", "--source", "mine")
    times = ("--timezone", "UTC", "--date-order", "dmy", "--received-at", "2024-04-04T12:00Z")
    assert counts(cli("news", "import", path, *options, *times, "--json")) == [(2, 2, 0, 0, 0)]
    second, first = cli("news", "list", "--json").json["items"]
    assert first["symbols"] == ["NSE:NIFTY", "NSE:INFY", "NSE:TCS"]
    assert (first["source"], first["published_at"][:10], first["available_at"][:13]) == (
        "mine",
        "2024-04-03",
        "2024-04-04T12",
    )
    assert second["published_at"] == second["available_at"] == "2024-04-04T12:00:00.000Z"


def test_a_feed_that_leads_all_items_to_one_page_says_so(cli: Cli, tmp_path: Path) -> None:
    item = "<item><title>{}</title><link>https://x.org</link><pubDate>01 Mar 2024 10:00 GMT</pubDate></item>"
    feed = f"<rss><channel><title>Wire</title>{item.format('a')}{item.format('b')}</channel></rss>"
    done = cli("news", "import", write(tmp_path, feed, "a.rss"))
    assert done.out.splitlines()[1].split() == ["a.rss", "2", "1", "1", "0", "1"]
    assert "stored once" in done.err
    assert cli("news", "list", "--json").json["items"][0]["source"] == "Wire"


@pytest.mark.parametrize(
    ("content", "name", "options", "message"),
    [
        (GOOD, "a.csv", (), "row 2: published '2024-03-01 10:00' has no time zone"),
        (GOOD, "a.csv", ("--timezone", "Mars"), "is not a time zone"),
        (GOOD, "a.docx", KOLKATA, "of no known format"),
        ("x,y\n1,2\n", "a.csv", KOLKATA, "no column for title, published"),
        ("<!DOCTYPE x><rss/>", "a.xml", (), "not safe to read"),
        (GOOD, "a.csv", (*KOLKATA, "--encoding", "klingon"), "is no encoding"),
        (GOOD, "a.csv", (*KOLKATA, "--aliases", "none.csv"), "no file"),
        (GOOD, "a.csv", (*KOLKATA, "--received-at", "noon"), "is not a date or time"),
    ],
)
def test_what_is_wrong_is_told_first(
    cli: Cli, tmp_path: Path, content: str, name: str, options: tuple[str, ...], message: str
) -> None:
    done = cli("news", "import", write(tmp_path, content, name), *options)
    assert done.code in (2, 3)
    assert message in done.err.splitlines()[0]


def test_what_texts_add_up_to(cli: Cli, tmp_path: Path) -> None:
    cli("db", "upgrade")
    empty = cli("sentiment", "show", "nse:infy")
    assert "sentiment_analysis" in empty.err
    (owner,) = cli("user", "list", "--json").json["items"]
    fixed = "NULL, 'NSE:INFY', ?, 'wire', 1709287200000, ?, 'neutral', 0.5, 1.0, 'e', 'm', 'text', '[]', 0"
    with closing(sqlite3.connect(tmp_path / "data" / "aitrader.db")) as database, database:
        for number, score in enumerate((0.5, -0.25)):
            values = (f"00000000-0000-7000-8000-00000000000{number}", owner["id"], str(number), score)
            database.execute(f"INSERT INTO sentiments VALUES (?, ?, {fixed})", values)
    then = ("--as-of", "2024-03-03T10:00Z")
    found = cli("sentiment", "show", "nse:infy", *then, "--json").json
    assert (found["score"], found["weight"], found["count"], len(found["items"])) == (0.125, 1.0, 2, 2)
    table = cli("sentiment", "show", "nse:infy", *then, "--limit", "1")
    assert table.out.splitlines()[1].split()[:4] == ["NSE:INFY", "+0.125", "positive", "1.000"]
    assert cli("sentiment", "show", "nse:infy", "--as-of", "2024-03-01T09:59Z", "--json").json["score"] is None
    assert cli("sentiment", "show", "nse:infy", "--half-life", "0").code == 2
