from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.unit.cli.conftest import SHIPPED, Cli, Done, change_audit_log


@pytest.fixture
def broken(tmp_path: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment with an installed plugin that cannot be imported."""
    site = tmp_path / "site"
    folder = site / "acme_broken-2.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-broken\nVersion: 2.0\n")
    (folder / "entry_points.txt").write_text("[aitrader]\nbroken = acme_broken\n")
    (site / "acme_broken.py").write_text("raise RuntimeError('boom')\n")
    path = os.pathsep.join([str(site), environment["PYTHONPATH"]])
    return {
        "PYTHONPATH": path,
        "AITRADER_PLUGINS_ONLY": ",".join([*SHIPPED, "broken"]),
    }


def states(done: Done) -> dict[str, str]:
    return {check["check"]: check["state"] for check in done.json["checks"]}


def failure(done: Done) -> str:
    """Return the one failed check of a doctor that found something, in one line."""
    assert done.code == 1
    assert not done.json["ok"]
    (detail,) = [check["detail"] for check in done.json["checks"] if check["state"] == "failed"]
    assert "\n" not in detail
    assert "hunter2" not in done.out + done.err
    return detail


def test_plugins_are_listed(cli: Cli) -> None:
    table = cli("plugins", "list")
    assert (table.code, table.err) == (0, "")
    assert "job types: backtest; strategies: " in table.out
    found = cli("plugins", "list", "--json")
    assert [plugin["name"] for plugin in found.json["plugins"]] == SHIPPED
    assert [fault for fault in found.json["faults"] if not fault["blocked"]] == []


def test_a_plugin_is_checked(cli: Cli) -> None:
    done = cli("plugins", "check", "backtest")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines()[-1] == "backtest is fine"
    assert "job type backtest: schemas and example are valid" in done.err
    missing = cli("plugins", "check", "nonsense")
    assert missing.code == 3
    assert f"there is no plugin 'nonsense'; known: {', '.join(SHIPPED)}" in missing.error


def test_a_broken_plugin_is_told_and_breaks_nothing_else(cli: Cli, broken: dict[str, str]) -> None:
    listed = cli("plugins", "list", "--json", **broken)
    assert listed.code == 0
    assert {"plugin": "broken", "reason": "RuntimeError: boom", "blocked": False} in listed.json["faults"]
    checked = cli("plugins", "check", "broken", **broken)
    assert (checked.code, checked.out) == (1, "")
    assert "broken was left out: RuntimeError: boom" in checked.err
    assert "Traceback" not in checked.err
    detail = failure(cli("doctor", "--json", **broken))
    assert "broken (RuntimeError: boom)" in detail
    assert "AITRADER_PLUGINS_BLOCKED=broken" in detail


def test_a_blocked_plugin_is_well(cli: Cli, broken: dict[str, str]) -> None:
    done = cli("doctor", "--json", **broken, AITRADER_PLUGINS_BLOCKED="broken")
    assert (done.code, states(done)["plugins"]) == (0, "ok")
    checked = cli("plugins", "check", "broken", **broken, AITRADER_PLUGINS_BLOCKED="broken")
    assert checked.code == 1
    assert "blocked by the settings" in checked.err


def test_a_new_installation_is_well(cli: Cli) -> None:
    done = cli("doctor", "--json")
    assert (done.code, done.err, done.json["ok"]) == (0, "", True)
    found = states(done)
    assert "failed" not in found.values()
    assert (found["settings"], found["database"], found["plugins"]) == ("ok", "ok", "ok")
    table = cli("doctor")
    assert (table.code, table.out.split()[:3]) == (0, ["check", "state", "detail"])


def test_an_installation_in_use_is_well(cli: Cli) -> None:
    assert cli("data", "samples").code == 0
    assert cli("db", "upgrade").code == 0
    found = states(cli("doctor", "--json"))
    assert found.pop("workers") == "warning"
    assert found.pop("disk") in ("ok", "warning")
    assert found.pop("owner") == "warning"
    checks = {"settings", "database", "migrations", "redis", "plugins", "jobs", "market data", "trading", "clock"}
    assert set(found) == checks | {"exposure", "audit log"}
    assert set(found.values()) == {"ok"}


def test_the_owner_and_where_the_api_listens(cli: Cli) -> None:
    detail = failure(cli("doctor", "--json", AITRADER_HOST="0.0.0.0")) if cli("db", "upgrade").code == 0 else ""
    assert "AITRADER_TLS_CERT" in detail
    open_to_proxy = {"AITRADER_HOST": "0.0.0.0", "AITRADER_TRUSTED_PROXIES": "10.0.0.1"}
    assert "aitrader user password owner" in failure(cli("doctor", "--json", **open_to_proxy))
    assert cli("user", "password", "owner", "--password-stdin", stdin="a long password\n").code == 0
    done = cli("doctor", "--json", **open_to_proxy)
    found = {check["check"]: (check["state"], check["detail"]) for check in done.json["checks"]}
    assert found["owner"] == ("ok", "has a password")
    assert found["exposure"] == ("ok", "on 0.0.0.0 behind a proxy")
    assert found["audit log"] == ("ok", "the last 2 lines are as they were written")


def test_an_audit_log_that_was_changed(cli: Cli, tmp_path: Path) -> None:
    assert cli("user", "create", "ann").code == 0
    change_audit_log(tmp_path / "data" / "aitrader.db")
    assert "line 1 was changed" in failure(cli("doctor", "--json"))


def test_an_external_database_that_is_not_migrated(cli: Cli, tmp_path: Path) -> None:
    detail = failure(cli("doctor", "--json", DATABASE_URL=f"sqlite:///{tmp_path / 'external.db'}"))
    assert detail.endswith("run: aitrader db upgrade")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_servers_that_cannot_be_reached(cli: Cli) -> None:
    detail = failure(cli("doctor", "--json", DATABASE_URL=f"postgresql://me:hunter2@127.0.0.1:{closed_port()}/x"))
    assert "refused" in detail
    assert "DATABASE_URL" in detail
    detail = failure(cli("doctor", "--json", REDIS_URL=f"redis://me:hunter2@127.0.0.1:{closed_port()}/0"))
    assert "Redis did not answer" in detail
    assert "REDIS_URL" in detail


@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("PORT", "many", "PORT='many' is not allowed"),
        ("AITRADER_THREDS", "1", "did you mean AITRADER_THREADS?"),
        ("DATABASE_URL", "oracle://me:hunter2@x/y", "expected postgresql://… or sqlite:///path"),
        ("REDIS_URL", "http://me:hunter2@x", "expected redis://host:6379/0"),
        ("AITRADER_PLUGINS_ONLY", "backtset", "not installed"),
    ],
)
def test_a_wrong_setting(cli: Cli, variable: str, value: str, part: str) -> None:
    assert part in failure(cli("doctor", "--json", **{variable: value}))


def test_any_command_tells_of_a_wrong_setting_in_one_line(cli: Cli) -> None:
    done = cli("jobs", "list", LOG_LEVEL="loud")
    assert (done.code, done.out) == (2, "")
    assert "LOG_LEVEL='LOUD' is not allowed" in done.error
