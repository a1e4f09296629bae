"""``aitrader positions``: what is held."""

from __future__ import annotations

import click

from aitrader.cli.common import account_option, client, json_option, print_json, print_table, say
from aitrader.cli.orders import chosen_user, user_option
from domain.trading.views import position_view

_COLUMNS = (
    "account",
    "mode",
    "symbol",
    "quantity",
    "average_price",
    "last_price",
    "unrealized_pnl",
    "realized_pnl",
    "fees",
    "currency",
)


@click.command(epilog="Example: aitrader positions --json")
@account_option
@click.option("--flat", is_flag=True, help="Also those that were closed.")
@user_option
@json_option
def positions(account: str | None, flat: bool, user_name: str | None, as_json: bool) -> None:
    """Show what is held, at the last known prices. P&L is before fees; `aitrader pnl` has it after."""
    container = client()
    user_id = chosen_user(container, user_name)
    found = container.read_trading().positions(user_id, account=account, flat=flat)
    views = [position_view(item.position, item.account, item.quote) for item in found]
    if as_json:
        print_json({"items": views})
        return
    rows = [["—" if view[name] is None else str(view[name]) for name in _COLUMNS] for view in views]
    print_table([name.replace("_", " ") for name in _COLUMNS], rows)
    if any(view["price_source"] == "stored bar" for view in views):
        say("prices without a live quote are the closes of the last stored bars")
