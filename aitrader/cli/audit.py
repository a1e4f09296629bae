"""``aitrader audit``: who did what, and whether anyone changed the record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from aitrader.cli.common import client, json_option, print_json, print_table, say

if TYPE_CHECKING:
    from domain.identity.model import AuditEvent


@click.group(epilog="Example: aitrader audit verify")
def audit() -> None:
    """Show the audit log and check that nobody changed it."""


@audit.command(epilog="Example: aitrader audit verify --json")
@json_option
def verify(as_json: bool) -> None:
    """Recompute the hash of every line. Exit 1 when one was changed, added or removed; names the first.

    Lines cut off the end leave a chain that fits: note the head that is printed, and compare it later.
    """
    with client().read_work() as work:
        check = work.audit.verify()
    if as_json:
        found = {"broken_at": check.broken_at, "reason": check.reason or None}
        print_json({"ok": check.broken_at is None, "lines": check.lines, "head": check.head, **found})
    elif check.broken_at is None:
        click.echo(f"{check.lines} lines are as they were written; head {check.head}")
    else:
        say(f"the audit log was changed: line {check.broken_at}: {check.reason}")
    if check.broken_at is not None:
        raise click.exceptions.Exit(1)


@audit.command("list", epilog="Example: aitrader audit list --limit 50 --json")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
def list_events(limit: int, as_json: bool) -> None:
    """List the last lines, newest first."""
    with client().read_work() as work:
        events = work.audit.newest(limit)
    if as_json:
        print_json({"items": [event_view(event) for event in events]})
        return
    rows = [[str(event.id), _time(event), event.actor, event.action, event.subject, _text(event)] for event in events]
    print_table(["line", "time", "actor", "action", "subject", "details"], rows)


def _time(event: AuditEvent) -> str:
    from domain.common.time import rfc3339

    return rfc3339(event.time)


def _text(event: AuditEvent) -> str:
    return json.dumps(event.details, sort_keys=True)


def event_view(event: AuditEvent) -> dict[str, Any]:
    """Return a line as JSON."""
    return {
        "id": event.id,
        "time": _time(event),
        "actor": event.actor,
        "action": event.action,
        "subject": event.subject,
        "details": event.details,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }
