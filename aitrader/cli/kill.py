"""``aitrader kill`` and ``aitrader release``. Only the database is needed."""

from __future__ import annotations

import click

from aitrader.cli import EXIT_FAILED
from aitrader.cli.common import actor, client, confirm, json_option, print_json, print_table, say, yes_option
from domain.trading.records import GLOBAL
from domain.trading.views import switch_view


@click.command(epilog='Example: aitrader kill --reason "it buys in a loop"')
@click.option("--account", metavar="ID", help="Only this account; everything when left out.")
@click.option("--reason", default="", help="For the audit log.")
@click.option("--flatten", is_flag=True, help="Also cancel all orders and close all positions.")
@click.option("--status", is_flag=True, help="Only show the switches.")
@json_option
@click.pass_context
def kill(
    context: click.Context, account: str | None, reason: str, flatten: bool, status: bool, as_json: bool
) -> None:
    """Stop trading now. Works with the API and Redis down; stays until it is released.

    Exit code 0: no submit call starts any more. 1: engaged, but a sender has not said yet that it obeys.
    """
    container = client()
    if status:
        _show(as_json)
        return
    result = container.engage_kill()(account or GLOBAL, actor=actor(), reason=reason or "by hand", flatten=flatten)
    if as_json:
        lists = {name: list(getattr(result, name)) for name in ("in_flight", "flattening", "problems")}
        print_json({"switch": switch_view(result.switch), "effective": result.effective, **lists})
    else:
        say("trading is stopped" if result.effective else "engaged, but a sender has not obeyed yet; look again")
        for order_id in result.in_flight:
            click.echo(f"in flight: {order_id}")
        for order_id in result.flattening:
            click.echo(f"closing: {order_id}")
        for problem in result.problems:
            say(f"not closed: {problem}")
    context.exit(0 if result.effective else EXIT_FAILED)


def _show(as_json: bool) -> None:
    found = [switch_view(switch) for switch in client().list_switches()()]
    if as_json:
        print_json({"items": found})
        return
    rows = [[v["scope"], "ENGAGED" if v["engaged"] else "released", v["reason"], v["actor"]] for v in found]
    print_table(["scope", "state", "reason", "by"], rows)


@click.command(epilog='Example: aitrader release --reason "found the bug"')
@click.option("--account", metavar="ID", help="Only this account's switch; the global one when left out.")
@click.option("--reason", default="", help="For the audit log.")
@yes_option
def release(account: str | None, reason: str, yes: bool) -> None:
    """Let trading go on."""
    container = client()
    scope = account or GLOBAL
    confirm(f"Trading goes on ({scope})", scope, yes)
    container.release_kill()(scope, actor=actor(), reason=reason or "by hand")
    say("released")
