"""``aitrader arm`` and ``aitrader disarm``: permission to trade with real money."""

from __future__ import annotations

import sys

import click

from aitrader.cli.common import actor, client, confirm, print_table, say, user_named, yes_option
from domain.common.errors import Denied, Invalid
from domain.identity.model import Role


@click.command(epilog="Example: aitrader arm mcp --hours 6")
@click.argument("account_id")
@click.option("--hours", type=click.IntRange(1, 8), default=8, show_default=True)
@click.option("--admin", default="owner", show_default=True, help="The administrator who allows it.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@yes_option
def arm(account_id: str, hours: int, admin: str, password_stdin: bool, yes: bool) -> None:
    """Allow live trading in an account for some hours.

    An administrator must prove to be one. It ends by itself, and whenever the account, its limits, the plugin or the
    broker's interface change.
    """
    container = client()
    user = user_named(container, admin)
    if user.role is not Role.ADMIN:
        raise Denied(f"{admin} is no administrator", code="not_an_admin")
    container.read_trading().account(account_id, None)
    container.reauthenticate()(user.id, _password(password_stdin))
    limits = container.get_limits()(account_id)[""].to_json()
    print_table(
        ["limit", "value"], [[name, "none" if value is None else str(value)] for name, value in limits.items()]
    )
    confirm(f"LIVE trading in {account_id} for {hours} h within these limits", account_id, yes)
    container.arm()(account_id, actor=f"{actor()} as {user.username}", duration_ms=hours * 3_600_000)
    say(f"{account_id} is armed for {hours} h; stop with: aitrader disarm {account_id}, or aitrader kill")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Invalid("there is no terminal to ask for a password; use --password-stdin", code="no_password")
    return str(click.prompt("Password of the administrator", hide_input=True, err=True))


@click.command(epilog="Example: aitrader disarm mcp")
@click.argument("account_id")
def disarm(account_id: str) -> None:
    """End the permission to trade live."""
    was = client().disarm()(account_id, actor=actor())
    say("disarmed" if was else "it was not armed")
