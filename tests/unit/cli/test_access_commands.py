"""``aitrader user``, ``aitrader token`` and ``aitrader audit``."""

from __future__ import annotations

import getpass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from aitrader.bootstrap import client_application
from aitrader.cli import root
from domain.common.errors import Conflict
from tests.unit.cli.conftest import Cli, change_audit_log

PASSWORD = "correct horse battery"
UNKNOWN = "0190a4f2-0000-7000-8000-000000000000"


def test_users_from_create_to_disable(cli: Cli) -> None:
    made = cli("user", "create", "Ann", "--email", "ann@example.org")
    assert (made.code, len(made.out.split())) == (0, 1)
    assert made.err.startswith("ann (trader) can use AITrader only with tokens: aitrader token create --user ann")
    shown = cli("user", "create", "bob", "--role", "viewer", "--password-stdin", "--json", stdin=f"{PASSWORD}\n")
    assert {name: shown.json[name] for name in ("username", "role", "has_password", "disabled_at")} == {
        "username": "bob",
        "role": "viewer",
        "has_password": True,
        "disabled_at": None,
    }
    assert PASSWORD not in shown.out + shown.err

    table = cli("user", "list")
    assert [line.split()[:4] for line in table.out.splitlines()[1:]] == [
        ["ann", "trader", "active", "none"],
        ["bob", "viewer", "active", "set"],
        ["owner", "admin", "active", "none"],
    ]
    assert cli("user", "disable", "ann").err == "ann is disabled\n"
    assert cli("user", "list", "--json").json["items"][0]["disabled_at"]
    assert cli("user", "enable", "ann", "--json").json["disabled_at"] is None
    changed = cli("user", "password", "ann", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (changed.code, changed.out) == (0, "")
    assert "ann has a new password" in changed.err


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "part"),
    [
        (["user", "create", "1st"], "", 2, "'1st' is not a username"),
        (["user", "create", "ann", "--password-stdin"], "short\n", 2, "the password must have 12 to 128 characters"),
        (["user", "create", "ann", "--password-stdin"], "", 2, "the password must have 12 to 128 characters"),
        (["user", "disable", "nobody"], "", 3, "create one with: aitrader user create nobody"),
        (["user", "disable", "owner"], "", 6, "this is the last administrator"),
        (["user", "password", "owner"], "", 2, "use --password-stdin"),
        (["token", "create", "--user", "nobody", "--name", "n", "--scopes", "jobs:read"], "", 3, "no user 'nobody'"),
        (["token", "create", "--user", "owner", "--name", "n", "--scopes", "all"], "", 2, "'all' is not a scope"),
        (["token", "create", "--user", "owner", "--name", "n", "--scopes", ""], "", 2, "the token is not valid"),
        (["token", "revoke", UNKNOWN], "", 3, "there is no such token"),
        (["token", "rotate", UNKNOWN], "", 3, "there is no such token"),
    ],
)
def test_what_is_refused(cli: Cli, arguments: list[str], stdin: str, code: int, part: str) -> None:
    done = cli(*arguments, stdin=stdin)
    assert (done.code, done.out) == (code, "")
    first = done.err.splitlines()[0]
    assert first.startswith("error: ")
    assert part in first


def test_a_name_is_taken_once(cli: Cli) -> None:
    assert cli("user", "create", "ann").code == 0
    again = cli("user", "create", "ann")
    assert (again.code, "taken" in again.error) == (6, True)


def test_tokens_from_create_to_revoke(cli: Cli) -> None:
    made = cli("token", "create", "--user", "owner", "--name", "me", "--scopes", "jobs:read, jobs:write")
    text = made.out.strip()
    assert (made.code, text[:4], len(made.out.splitlines())) == (0, "ait_", 1)
    assert "not shown again" in made.err
    assert text not in made.err

    (listed,) = cli("token", "list", "--json").json["items"]
    assert text.startswith(listed["prefix"])
    assert (listed["name"], listed["scopes"]) == ("me", ["jobs:read", "jobs:write"])
    assert text not in str(listed)

    rotated = cli("token", "rotate", listed["id"], "--json").json
    assert (rotated["rotated_from"], rotated["scopes"]) == (listed["id"], listed["scopes"])
    assert rotated["token"] not in (text, None)
    assert cli("token", "revoke", listed["id"]).err == f"token {listed['id']} (me) is revoked\n"
    assert cli("token", "revoke", listed["id"], "--json").json["revoked_at"]
    states = [line.split()[4] for line in cli("token", "list", "--user", "owner").out.splitlines()[1:]]
    assert states == ["active", "revoked"]
    assert cli("token", "rotate", listed["id"]).code == 6


def test_a_token_may_do_no_more_than_its_user(cli: Cli) -> None:
    assert cli("user", "create", "ann", "--role", "viewer").code == 0
    done = cli("token", "create", "--user", "ann", "--name", "n", "--scopes", "jobs:read,jobs:write")
    assert (done.code, done.out) == (4, "")
    assert "jobs:write" in done.error


def test_the_audit_log_tells_who_did_what(cli: Cli) -> None:
    empty = cli("audit", "verify")
    assert (empty.code, empty.out) == (0, f"0 lines are as they were written; head {'0' * 64}\n")
    secret = cli("token", "create", "--user", "owner", "--name", "me", "--scopes", "jobs:read").out.strip()
    cli("user", "password", "owner", "--password-stdin", stdin=f"{PASSWORD}\n")
    events = cli("audit", "list", "--json").json["items"]
    assert [event["action"] for event in events] == ["user.password", "token.created", "user.created"]
    assert [event["actor"] for event in events] == [*[f"cli:{getpass.getuser()}"] * 2, "system"]
    assert [event["id"] for event in cli("audit", "list", "--json", "--limit", "1").json["items"]] == [3]
    assert "user.password" in cli("audit", "list").out
    checked = cli("audit", "verify", "--json")
    assert checked.json == {"ok": True, "lines": 3, "head": events[0]["hash"], "broken_at": None, "reason": None}
    assert secret not in str(events)
    assert PASSWORD not in str(events)


def test_a_changed_audit_log_fails_and_names_the_line(cli: Cli, tmp_path: Path) -> None:
    assert cli("user", "create", "ann").code == 0
    change_audit_log(tmp_path / "data" / "aitrader.db")
    done = cli("audit", "verify")
    assert (done.code, done.out) == (1, "")
    assert done.err == "the audit log was changed: line 1: its content does not fit its hash\n"
    found = cli("audit", "verify", "--json")
    assert (found.code, found.json["ok"], found.json["broken_at"]) == (1, False, 1)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """A terminal on which a person types."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AITRADER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("aitrader.cli.user._on_terminal", lambda: True)
    monkeypatch.setattr("aitrader.cli.common.quiet_logging", lambda: None)
    monkeypatch.setattr("aitrader.bootstrap._client", client_application.__globals__["_client"].__wrapped__)
    return CliRunner()


def test_a_password_is_asked_for_twice_and_not_shown(terminal: CliRunner) -> None:
    done = terminal.invoke(
        root, ["user", "create", "ann", "--json"], input=f"{PASSWORD}\nother\n{PASSWORD}\n{PASSWORD}\n"
    )
    assert done.exit_code == 0
    assert '"has_password": true' in done.output
    assert "do not match" in done.output
    assert PASSWORD not in done.output


def test_an_empty_password_means_tokens_only(terminal: CliRunner) -> None:
    done = terminal.invoke(root, ["user", "create", "ann", "--json"], input="\n\n")
    assert (done.exit_code, '"has_password": false' in done.output) == (0, True)
    again = terminal.invoke(root, ["user", "create", "ann", "--json"], input="\n\n")
    assert isinstance(again.exception, Conflict)


def test_a_new_password_cannot_be_empty(terminal: CliRunner) -> None:
    done = terminal.invoke(root, ["user", "password", "owner"], input=f"\n{PASSWORD}\n{PASSWORD}\n")
    assert done.exit_code == 0
    assert isinstance(root, click.Group)
