"""``aitrader pnl``: what accounts are worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aitrader.cli.common import account_option, client, json_option, parse_time, print_json, print_table, say
from aitrader.cli.orders import chosen_user, user_option
from domain.common.errors import Invalid
from domain.trading.books import profit
from domain.trading.views import equity_view, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.trading.model import Account
    from domain.trading.records import EquityPoint

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 40


@click.command(epilog="Example: aitrader pnl --account paper --since 2026-01-01 --plot equity.png")
@account_option
@click.option("--since", help="Only from this time on, such as 2026-01-31.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the equity into this PNG file.")
@user_option
@json_option
def pnl(account: str | None, since: str | None, plot: Path | None, user_name: str | None, as_json: bool) -> None:
    """Show what accounts are worth and what they gained or lost, after fees."""
    container = client()
    read, user_id = container.read_trading(), chosen_user(container, user_name)
    since_ms = None if since is None else parse_time(since)
    accounts = [item.account for item in read.accounts(user_id) if account in (None, item.account.id)]
    if account is not None and not accounts:
        read.account(account, user_id)
    found = [
        (
            item,
            read.worth(item.id, user_id),
            read.equity(item.id, user_id, since_ms=since_ms, until_ms=None, limit=5000),
        )
        for item in accounts
    ]
    if plot is not None:
        _draw(found, plot)
    if as_json:
        print_json({"items": [_view(*item) for item in found]})
        return
    print_table(
        ["account", "mode", "cash", "equity", "realized", "unrealized", "fees", "P&L", "currency", "history"],
        [_row(*item) for item in found],
    )
    if not found:
        say("no accounts yet; your paper account is made with your first order")


def _view(account: Account, now: EquityPoint, points: Sequence[EquityPoint]) -> dict[str, Any]:
    head = {"account": account.id, "mode": account.mode.value, "currency": account.currency}
    return {**head, "now": equity_view(now), "history": [equity_view(point) for point in points]}


def _row(account: Account, now: EquityPoint, points: Sequence[EquityPoint]) -> list[str]:
    values = (now.cash, now.equity, now.realized_pnl, now.unrealized_pnl, now.fees, profit(now))
    shown = ["—" if value is None else str(money(round(value, 2))) for value in values]
    return [account.id, account.mode.upper(), *shown, account.currency, sparkline(points)]


def sparkline(points: Sequence[EquityPoint]) -> str:
    """Return an equity history as a row of bars, at most 40."""
    known = [point.equity for point in points if point.equity is not None]
    step = max(1, len(known) // _WIDTH)
    values = known[::step][-_WIDTH:]
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = high - low or 1
    return "".join(_BARS[int((value - low) * (len(_BARS) - 1) / span)] for value in values)


def _draw(found: list[tuple[Account, EquityPoint, Sequence[EquityPoint]]], path: Path) -> None:
    lines = [(account, [point for point in points if point.equity is not None]) for account, _, points in found]
    lines = [(account, points) for account, points in lines if points]
    if not lines:
        raise Invalid("there is no equity history to draw yet", code="nothing_to_draw")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from domain.common.time import from_ms

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for account, points in lines:
        times = [from_ms(point.at) for point in points]
        label = f"{account.id} ({account.mode.upper()})"
        axes.step(times, [float(point.equity or 0) for point in points], where="post", label=label)  # type: ignore[arg-type]
    axes.set_ylabel("equity")
    axes.set_xlabel("time (UTC)")
    axes.legend()
    FigureCanvasAgg(figure)
    figure.savefig(path)
    say(f"drawn: {path}")
