from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli

PAYLOAD = ("-p", 'symbols=["INDEX:SPX"]', "-p", "strategy=sma_cross")
NOBODY = "no worker is running; start one with: aitrader up\n"
UNKNOWN = "0190a4f2-0000-7000-8000-000000000000"


def submit(cli: Cli, *more: str) -> str:
    done = cli("jobs", "submit", "backtest", *PAYLOAD, *more)
    assert (done.code, done.err) == (0, NOBODY)
    return done.out.strip()


def set_state(tmp_path: Path, job_id: str, state: str) -> None:
    with sqlite3.connect(tmp_path / "data" / "aitrader.db") as database:
        database.execute("UPDATE jobs SET status = ?, error = 'no bars' WHERE id = ?", (state, job_id))
    database.close()


def test_a_job_from_submit_to_cancel_and_retry(cli: Cli) -> None:
    job_id = submit(cli, "--priority", "5", "--key", "k")
    assert submit(cli, "--priority", "5", "--key", "k") == job_id

    shown = cli("jobs", "show", job_id, "--json")
    assert (shown.code, shown.err) == (0, "")
    assert shown.json["id"] == job_id
    assert (shown.json["status"], shown.json["priority"]) == ("queued", 5)
    (owner,) = cli("user", "list", "--json").json["items"]
    assert (shown.json["user_id"], owner["username"]) == (owner["id"], "owner")
    assert shown.json["payload"]["symbols"] == ["INDEX:SPX"]
    text = cli("jobs", "show", job_id)
    assert "status: queued" in text.out.splitlines()

    canceled = cli("jobs", "cancel", job_id)
    assert (canceled.code, canceled.out) == (0, f"{job_id} canceled\n")
    assert cli("jobs", "cancel", job_id, "--json").json["status"] == "canceled"

    watched = cli("jobs", "watch", job_id)
    assert (watched.code, watched.out) == (1, "")
    assert watched.err.splitlines()[-1] == f"{job_id} canceled"

    again = cli("jobs", "retry", job_id)
    assert (again.code, again.out, again.err) == (0, f"{job_id} queued\n", NOBODY)
    refused = cli("jobs", "retry", job_id)
    assert refused.code == 6
    assert "only failed, dead or canceled jobs can be retried" in refused.error


def test_lists(cli: Cli) -> None:
    empty = cli("jobs", "list")
    assert (empty.code, empty.out.split()[:2]) == (0, ["id", "type"])
    assert "aitrader jobs submit --help" in empty.err
    assert cli("jobs", "list", "--json").json == {"items": [], "next_cursor": None}

    ids = [submit(cli), submit(cli)]
    table = cli("jobs", "list")
    assert (table.code, table.err) == (0, "")
    assert [line.split()[0] for line in table.out.splitlines()[1:]] == ids[::-1]
    assert {line.split()[5] for line in table.out.splitlines()[1:]} == {"owner"}
    page = cli("jobs", "list", "--json", "--limit", "1").json
    assert [item["id"] for item in page["items"]] == [ids[1]]
    assert page["next_cursor"] == ids[1]
    assert cli("jobs", "list", "--json", "--status", "running").json["items"] == []
    assert cli("jobs", "list", "--json", "--type", "pattern_scan").json["items"] == []


def test_watching_ends_with_the_job(cli: Cli, tmp_path: Path) -> None:
    good, bad = submit(cli), submit(cli)
    set_state(tmp_path, good, "succeeded")
    set_state(tmp_path, bad, "failed")
    watched = cli("jobs", "watch", good, "--json")
    assert (watched.code, watched.err) == (0, "")
    assert [json.loads(line)["status"] for line in watched.out.splitlines()] == ["succeeded"]
    failed = cli("jobs", "watch", bad)
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.splitlines()[-1] == f"{bad} failed: no bars"


def test_a_payload_from_a_file_and_fields_on_top(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_text(json.dumps({"symbols": ["A"], "strategy": "sma_cross", "start": "2020-01-01"}))
    done = cli("jobs", "submit", "backtest", "-f", str(file), "-p", 'symbols=["B"]', "--json")
    assert done.code == 0
    assert done.json["payload"]["symbols"] == ["B"]
    assert done.json["payload"]["start"].startswith("2020-01-01")


@pytest.mark.parametrize("text", ["not json", "[1]"])
def test_a_file_that_is_no_payload(cli: Cli, tmp_path: Path, text: str) -> None:
    (tmp_path / "payload.json").write_text(text)
    done = cli("jobs", "submit", "backtest", "-f", "payload.json")
    assert (done.code, done.out) == (2, "")
    assert "payload.json" in done.err


def test_later(cli: Cli) -> None:
    done = cli("jobs", "submit", "backtest", *PAYLOAD, "--run-at", "2020-01-31T09:00+01:00", "--json")
    assert done.json["run_at"].startswith("2020-01-31T08:00:00")
    wrong = cli("jobs", "submit", "backtest", *PAYLOAD, "--run-at", "tomorrow")
    assert wrong.code == 2
    assert "'tomorrow' is not a date or time" in wrong.error


def test_what_is_refused(cli: Cli) -> None:
    off_schema = cli("jobs", "submit", "backtest", "-p", "symbols=[]")
    assert (off_schema.code, off_schema.out) == (2, "")
    assert off_schema.err.startswith("error: the payload does not fit job type 'backtest': payload.")
    unknown = cli("jobs", "submit", "nonsense")
    assert unknown.code == 2
    assert "there is no job type 'nonsense'; known: backtest, model_evaluate" in unknown.err
    submit(cli, "--key", "k")
    reused = cli("jobs", "submit", "backtest", *PAYLOAD, "--key", "k", "--priority", "9")
    assert reused.code == 2
    assert "this Idempotency-Key was used for another request" in reused.err


@pytest.mark.parametrize("command", ["show", "watch", "cancel", "retry"])
def test_a_job_that_is_not_there(cli: Cli, command: str) -> None:
    done = cli("jobs", command, UNKNOWN)
    assert (done.code, done.out, done.error) == (3, "", "error: there is no such job")
    no_id = cli("jobs", command, "17")
    assert (no_id.code, no_id.error) == (2, "error: the id is not a UUID")
