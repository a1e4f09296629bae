"""``aitrader doctor``: is everything in order, and what to do if not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from aitrader.cli.common import json_option, print_json, print_table

if TYPE_CHECKING:
    from aitrader.container import Container

_LEAST_FREE_BYTES = 1 << 30
_MOST_SKEW_MS = 1000
# What a check needs another to have found in order; without that it is left out.
_NEEDS = {
    "migrations": "database",
    "workers": "migrations",
    "jobs": "migrations",
    "trading": "migrations",
    "owner": "migrations",
    "exposure": "migrations",
    "audit log": "migrations",
    "clock": "database",
}
_LAST_LINES = 1000
_HINTS = {"database": "start it, or correct DATABASE_URL", "redis": "start it, or correct REDIS_URL"}
_MARKS = {"ok": "ok", "warning": "warning", "failed": "FAILED"}


@dataclass(frozen=True)
class Finding:
    """What a check found. ``state`` is ``ok``, ``warning`` or ``failed``."""

    check: str
    state: str
    detail: str


@click.command(epilog="Example: aitrader doctor --json")
@json_option
def doctor(as_json: bool) -> None:
    """Check settings, database, workers, plugins, access, audit log, clock and disk. Exit 1 if any fails."""
    findings = examine()
    if as_json:
        print_json({"ok": not _failed(findings), "checks": [asdict(finding) for finding in findings]})
    else:
        print_table(["check", "state", "detail"], [[f.check, _MARKS[f.state], f.detail] for f in findings])
    if _failed(findings):
        raise click.exceptions.Exit(1)


def _failed(findings: list[Finding]) -> bool:
    return any(finding.state == "failed" for finding in findings)


def examine() -> list[Finding]:
    """Run every check; a check that raises has failed and does not stop the others."""
    from aitrader.bootstrap import build
    from aitrader.cli.common import quiet_logging
    from aitrader.settings import load_settings
    from domain.common.errors import AITraderError

    try:
        settings = load_settings()
        quiet_logging()
        container = build(settings)
    except AITraderError as error:
        return [Finding("settings", "failed", error.detail)]
    where = f"data in {settings.data_dir}" + ("" if settings.redis_url else "; embedded queue and events")
    findings = [Finding("settings", "ok", where)]
    checks: dict[str, Callable[[Container], tuple[str, str]]] = {
        "database": _database,
        "migrations": _migrations,
        "redis": _redis,
        "workers": _workers,
        "plugins": _plugins,
        "jobs": _jobs,
        "owner": _owner,
        "exposure": _exposure,
        "audit log": _audit_log,
        "market data": _market_data,
        "trading": _trading,
        "clock": _clock,
        "disk": _disk,
    }
    for name, check in checks.items():
        sound = {finding.check for finding in findings if finding.state == "ok"}
        if name not in _NEEDS or _NEEDS[name] in sound:
            findings.append(_run(name, check, container))
    if any(finding.check == "database" and finding.state == "ok" for finding in findings):
        container.engine().dispose()
    return findings


def _run(name: str, check: Callable[[Container], tuple[str, str]], container: Container) -> Finding:
    try:
        state, detail = check(container)
    except Exception as error:
        text = getattr(error, "detail", None) or f"{type(error).__name__}: {error}"
        hint = f"; {_HINTS[name]}" if name in _HINTS else ""
        return Finding(name, "failed", text.strip().splitlines()[0].rstrip(".") + hint)
    return Finding(name, state, detail)


def _database(container: Container) -> tuple[str, str]:
    container.migrations().current()
    return "ok", container.engine().url.render_as_string(hide_password=True)


def _migrations(container: Container) -> tuple[str, str]:
    schema = container.migrations()
    if container.settings().embedded_database and schema.current() is None:
        return "warning", "no schema yet; `aitrader up` makes it"
    schema.require_head()
    return "ok", f"at revision {schema.head()}"


def _redis(container: Container) -> tuple[str, str]:
    if container.settings().redis_url is None:
        return "ok", "not configured: queue and events run inside `aitrader up`"
    container.bus().ping()
    return "ok", "answers"


def _workers(container: Container) -> tuple[str, str]:
    with container.read_work() as work:
        alive = [row for row in work.workers.alive(20_000) if row["role"] in ("up", "worker")]
    if not alive:
        return "warning", "no worker is running; start one with: aitrader up"
    return "ok", ", ".join(f"{row['role']} pid {row['pid']} on {row['host']}" for row in alive)


def _plugins(container: Container) -> tuple[str, str]:
    host = container.plugin_host()
    broken = [fault for fault in host.faults if not fault.blocked]
    if broken:
        reasons = "; ".join(f"{fault.plugin} ({fault.reason})" for fault in broken)
        names = ",".join(fault.plugin for fault in broken)
        return "failed", f"left out: {reasons}; repair it, or set AITRADER_PLUGINS_BLOCKED={names}"
    return "ok", ", ".join(plugin.name for plugin in host.plugins)


def _jobs(container: Container) -> tuple[str, str]:
    with container.read_work() as work:
        counts = work.jobs.counts()
    text = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none yet"
    if counts.get("dead"):  # type: ignore[call-overload]
        return "warning", f"{text}; look at the dead ones with: aitrader jobs list --status dead"
    return "ok", text


def _owner(container: Container) -> tuple[str, str]:
    from domain.identity.users import OWNER

    owner = next((user for user in container.find_user().all() if user.username == OWNER), None)
    if owner is None:
        return "warning", "there is none yet; `aitrader up` makes one"
    if owner.disabled_at is not None:
        return "warning", "is disabled; enable it with: aitrader user enable owner"
    if owner.password_hash is None:
        return (
            "ok",
            "has no password; `aitrader up` prints a login link, or set one with: aitrader user password owner",
        )
    return "ok", "has a password"


def _exposure(container: Container) -> tuple[str, str]:
    from aitrader.access import exposure

    settings = container.settings()
    reason = exposure(container)
    if reason is not None:
        return "failed", reason
    if settings.loopback:
        return "ok", "only this machine reaches the API"
    return "ok", f"on {settings.host} " + ("over TLS" if settings.tls_cert else "behind a proxy")


def _audit_log(container: Container) -> tuple[str, str]:
    with container.read_work() as work:
        newest = work.audit.newest(1)
        last = newest[0].id if newest else 0
        check = work.audit.verify(max(0, last - _LAST_LINES))
    if check.broken_at is not None:
        return "failed", f"line {check.broken_at} was changed: {check.reason}; look at it with: aitrader audit verify"
    return "ok", f"the last {check.lines} lines are as they were written" if last else "empty"


def _market_data(container: Container) -> tuple[str, str]:
    datasets = container.bars().list()
    if not datasets:
        return "warning", "no market data yet; run: aitrader data samples, or aitrader data import --help"
    return "ok", ", ".join(f"{dataset.symbol} {dataset.timeframe}" for dataset in datasets[:5])


def _trading(container: Container) -> tuple[str, str]:
    from aitrader.mcp_account import BROKER

    engaged = [switch.scope for switch in container.list_switches()() if switch.engaged]
    if engaged:
        return "warning", f"kill switch engaged: {', '.join(engaged)}; let trading go on with: aitrader release"
    known = container.plugin_host().brokers
    missing = [item for item in container.read_trading().accounts(None) if item.account.broker not in known]
    if missing:
        names = ", ".join(f"{item.account.id} ({item.account.broker})" for item in missing)
        return "failed", f"accounts whose broker no plugin offers: {names}"
    if container.settings().mcp_url is not None and BROKER not in known:
        return "warning", "MCP_URL is set, but no plugin offers the broker mcp"
    blocked = [item for item in container.read_trading().health() if not item.ready]
    if blocked:
        return "warning", "; ".join(f"{item.account}: {', '.join(item.reasons)}" for item in blocked)
    return "ok", "no account is blocked"


def _clock(container: Container) -> tuple[str, str]:
    from sqlalchemy import select

    from adapters.db.types import now_ms

    with container.engine().connect() as connection:
        theirs = int(connection.execute(select(now_ms())).scalar_one())
    skew = abs(theirs - container.clock().now_ms())
    if skew > _MOST_SKEW_MS:
        return "warning", f"this machine and the database differ by {skew} ms; set up NTP on both"
    return "ok", f"agrees with the database within {skew} ms"


def _disk(container: Container) -> tuple[str, str]:
    folder = container.settings().data_dir
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        return "warning", f"only {free >> 20} MiB free in {folder}"
    return "ok", f"{free >> 30} GiB free in {folder}"
