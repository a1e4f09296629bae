"""``aitrader quote``: prices by hand."""

from __future__ import annotations

import click

from aitrader.cli.common import actor, amount, client, json_option, print_json, say
from domain.common.errors import Invalid, NotFound


@click.command(epilog="Example: aitrader quote NSE:INFY 1500.50")
@click.argument("symbol")
@click.argument("price", required=False)
@click.option("--bid")
@click.option("--ask")
@click.option("--volume", help="Of this tick: bounds how much trades on it.")
@json_option
def quote(
    symbol: str, price: str | None, bid: str | None, ask: str | None, volume: str | None, as_json: bool
) -> None:
    """Show the last price of a symbol, or push one: paper orders trade on it."""
    from domain.market.model import parse_symbol
    from domain.trading.brokerage import Quote
    from domain.trading.views import quote_view

    container = client()
    name = parse_symbol(symbol)
    if price is not None:
        now = container.clock().now_ms()
        low, high, traded = (None if text is None else amount(text) for text in (bid, ask, volume))
        if amount(price) <= 0 or any(number is not None and number <= 0 for number in (low, high)):
            raise Invalid("a price must be above 0", code="invalid_quote")
        container.save_quotes()([Quote(name, amount(price), now, low, high, traded, source=actor())])
    found = container.quotes().last(name)
    if found is None:
        raise NotFound(f"no price of {name} is known", code="quote_not_found")
    if as_json:
        print_json(quote_view(found))
        return
    click.echo(f"{found.price:f}")
    say(f"{name}, {found.source or 'pushed'}")
