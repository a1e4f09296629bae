"""``aitrader db``: schema revisions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from aitrader.cli.common import json_option, print_json, quiet_logging, say

if TYPE_CHECKING:
    from adapters.db.migrations import Migrations


@click.group(epilog="Example: aitrader db upgrade")
def db() -> None:
    """Migrate the database."""


def _migrations() -> Migrations:
    from aitrader.bootstrap import build
    from aitrader.settings import load_settings

    quiet_logging()
    migrations: Migrations = build(load_settings()).migrations()
    return migrations


@db.command(epilog="Example: aitrader db upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Migrate up to REVISION (default: the newest)."""
    migrations = _migrations()
    migrations.upgrade(revision)
    say(f"the database is at revision {migrations.current()}")


@db.command(epilog="Example: aitrader db downgrade base --yes")
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask. Tables that the older revision does not have are dropped.")
def downgrade(revision: str, yes: bool) -> None:
    """Migrate down to REVISION; "base" drops everything."""
    migrations = _migrations()
    if not yes:
        click.confirm("this drops tables and their rows; go on?", abort=True, err=True)
    migrations.downgrade(revision)
    say(f"the database is at revision {migrations.current() or 'none'}")


@db.command(epilog="Example: aitrader db current --json")
@json_option
def current(as_json: bool) -> None:
    """Show where the database is and where it should be."""
    migrations = _migrations()
    found, head = migrations.current(), migrations.head()
    if as_json:
        print_json({"current": found, "head": head})
        return
    click.echo(f"{found or 'none'} (newest: {head})")


@db.command(epilog='Example: aitrader db revision -m "add signals"')
@click.option("-m", "--message", required=True, help="What the revision does.")
def revision(message: str) -> None:
    """Write a new revision from the difference between the models and the database."""
    from contextlib import redirect_stdout

    with redirect_stdout(sys.stderr):  # Alembic talks on stdout
        path = _migrations().create(message)
    click.echo(str(path))


@db.command(epilog="Example: aitrader db check")
def check() -> None:
    """Fail when the database is not at the newest revision, or disagrees with the models."""
    migrations = _migrations()
    migrations.require_head()
    differences = migrations.differences()
    for difference in differences:
        say(f"differs: {difference}")
    if differences:
        raise click.exceptions.Exit(1)
    say("the database agrees with the models")
