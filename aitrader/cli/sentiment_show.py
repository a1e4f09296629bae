"""What the scored texts about a symbol add up to, and which they are."""

from __future__ import annotations

from typing import Any

import click

from aitrader.cli.common import client, json_option, local_user, parse_time, print_json, print_table, say


@click.command("show", epilog="Example: aitrader sentiment show NSE:INFY --half-life 12 --window 72")
@click.argument("symbol")
@click.option("--as-of", metavar="TIME", help="As it was known then. [default: now]")
@click.option(
    "--half-life", type=float, default=48.0, show_default=True, help="Hours after which a text counts half."
)
@click.option("--window", type=float, default=336.0, show_default=True, help="Hours after which it counts no more.")
@click.option("--limit", type=click.IntRange(0, 1000), default=10, show_default=True, help="Texts to list.")
@json_option
def show(symbol: str, as_of: str | None, half_life: float, window: float, limit: int, as_json: bool) -> None:
    """Show what the scored texts about SYMBOL add up to, and the newest of them."""
    from domain.intelligence.aggregating import aggregate_view, decay_view
    from domain.intelligence.news import SentimentFilter, scored_view
    from domain.market.model import parse_symbol
    from domain.research.sentiment import decay_of

    decay, name = decay_of(half_life, window), parse_symbol(symbol)
    container = client()
    user_id, read = local_user(container), container.intelligence.read_sentiment()
    at = container.clock().now_ms() if as_of is None else parse_time(as_of)
    (found,) = read.now(user_id, [name], at, decay)
    texts = []
    if limit:
        texts, _ = read.items(SentimentFilter(user_id, symbol=name, until_ms=at + 1), before=None, limit=limit)
    view = {**aggregate_view(found), **decay_view(decay)}
    views = [scored_view(text) for text in texts]
    if as_json:
        print_json({**view, "items": views})
        return
    columns = ["symbol", "score", "label", "weight", "count", "dispersion", "change", "newest_at"]
    signed = ("score", "change")
    print_table(columns, [[_cell(view[column], signed=column in signed) for column in columns]])
    if views:
        click.echo()
        rows = [
            [item["available_at"], _cell(item["score"], signed=True), item["source"], _line(item["text"])]
            for item in views
        ]
        print_table(["available", "score", "source", "text"], rows)
    else:
        say(f"no text about {name} is scored; submit a job: aitrader jobs submit sentiment_analysis --help")


def _cell(value: Any, *, signed: bool) -> str:
    if value is None:
        return "-"
    return f"{value:{'+' if signed else ''}.3f}" if isinstance(value, float) else str(value)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
