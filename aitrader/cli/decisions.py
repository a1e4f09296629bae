"""``aitrader decisions``: what strategies made of signals."""

from __future__ import annotations

import click

from aitrader.cli.common import client, json_option, local_user, parse_time, print_json, print_table, say


@click.group(epilog="Example: aitrader decisions list --symbol NSE:INFY")
def decisions() -> None:
    """List decisions, and show what one was made of."""


@decisions.command("list", epilog="Example: aitrader decisions list --status ordered --json")
@click.option("--symbol", help="Only of this symbol.")
@click.option("--strategy", help="Only of this strategy.")
@click.option("--action", type=click.Choice(["buy", "sell", "hold"]))
@click.option("--status", type=click.Choice(["held", "observed", "ordered", "refused"]))
@click.option("--since", metavar="TIME", help="From this time on.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_decisions(
    symbol: str | None,
    strategy: str | None,
    action: str | None,
    status: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List your decisions, the newest first."""
    from domain.decisions.model import Action, DecisionFilter, DecisionStatus, decision_view
    from domain.market.model import parse_symbol

    container = client()
    wanted = DecisionFilter(
        local_user(container),
        strategy=strategy,
        symbol=None if symbol is None else parse_symbol(symbol),
        action=None if action is None else Action(action),
        status=None if status is None else DecisionStatus(status),
        since_ms=None if since is None else parse_time(since),
    )
    found, _ = container.read_decisions().page(wanted, before_id=None, limit=limit)
    views = [decision_view(item) for item in found]
    if as_json:
        print_json({"items": views})
        return
    rows = [
        [
            view["as_of"],
            view["symbol"],
            view["action"],
            view["quantity"],
            f"{view['confidence']:.2f}",
            view["strategy"],
            view["status"],
            view["rationale"] if view["action"] == "hold" else view["reason"] or view["rationale"],
        ]
        for view in views
    ]
    print_table(["time", "symbol", "action", "quantity", "confidence", "strategy", "status", "why"], rows)
    if not rows:
        say("none yet; each signal is decided on: aitrader signals send NSE:INFY 0.6")


@decisions.command(epilog="Example: aitrader decisions show 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13")
@click.argument("decision_id")
def show(decision_id: str) -> None:
    """Show a decision with all that it was made of, as JSON."""
    from domain.common.ids import parse_id
    from domain.decisions.model import decision_view

    container = client()
    found = container.read_decisions().get(parse_id(decision_id), local_user(container))
    print_json({**decision_view(found), "inputs": found.inputs})
