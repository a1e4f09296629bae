"""``aitrader signals``: what patterns, models and other programs think."""

from __future__ import annotations

import click

from aitrader.cli.common import actor, client, json_option, local_user, parse_time, print_json, print_table, say


@click.group(epilog="Example: aitrader signals list --symbol NSE:INFY")
def signals() -> None:
    """List signals, and send one by hand."""


@signals.command("list", epilog="Example: aitrader signals list --symbol NSE:INFY --min-score 0.5 --json")
@click.option("--symbol", help="Only of this symbol.")
@click.option("--source", help="Only of this producer.")
@click.option("--pattern", help="Only of this pattern.")
@click.option("--min-score", type=click.FloatRange(0, 1), help="Least strength, whichever way it points.")
@click.option("--since", metavar="TIME", help="From this time on.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_signals(
    symbol: str | None,
    source: str | None,
    pattern: str | None,
    min_score: float | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List your signals, the newest first."""
    from domain.market.model import parse_symbol
    from domain.signals.model import SignalFilter, signal_view

    container = client()
    wanted = SignalFilter(
        local_user(container),
        symbol=None if symbol is None else parse_symbol(symbol),
        source=source,
        pattern=pattern,
        min_score=min_score,
        since_ms=None if since is None else parse_time(since),
    )
    found, _ = container.read_signals().page(wanted, before_id=None, limit=limit)
    views = [signal_view(item) for item in found]
    if as_json:
        print_json({"items": views})
        return
    rows = [
        [view["time"], view["symbol"], f"{view['score']:+.2f}", view["pattern"], view["source"], view["status"]]
        for view in views
    ]
    print_table(["time", "symbol", "score", "pattern", "source", "status"], rows)
    if not rows:
        say("none yet; programs send them with POST /signals")


@signals.command(
    epilog="Example: aitrader signals send NSE:INFY -0.6 --pattern my_idea",
    context_settings={"ignore_unknown_options": True},  # a score below zero is no option
)
@click.argument("symbol")
@click.argument("score", type=click.FloatRange(-1, 1))
@click.option("--pattern", default="manual", show_default=True)
@click.option("--id", "signal_id", help="Sent again with the same id it is the same signal.")
@json_option
def send(symbol: str, score: float, pattern: str, signal_id: str | None, as_json: bool) -> None:
    """Send a signal: -1 sell, 1 buy. It is an opinion, never an order."""
    from domain.common.ids import new_id
    from domain.signals.model import signal_view
    from domain.signals.parsing import Sender, parse_signal

    container = client()
    data = {"id": signal_id or new_id(), "symbol": symbol, "score": score, "pattern": pattern}
    sender = Sender(local_user(container), actor(), container.clock().now_ms())
    taken = container.act_on_signal()(parse_signal(data, sender))
    if as_json:
        print_json(signal_view(taken.signal))
        return
    click.echo(taken.signal.id)
    say("stored" if taken.created else "it was there before; nothing changed")


@signals.command(epilog="Example: REDIS_URL=redis://localhost:6379/0 aitrader signals backlog --json")
@json_option
def backlog(as_json: bool) -> None:
    """Show how many signals of the Redis stream wait: not read yet, read but not stored yet, and refused ones."""
    from dataclasses import asdict

    from domain.common.errors import Invalid

    container = client()
    if container.settings().redis_url is None:
        raise Invalid("there is no stream of signals without REDIS_URL", code="redis_url_missing")
    found = asdict(container.signals_waiting()())
    if as_json:
        print_json(found)
        return
    print_table(["not read", "not stored", "refused"], [[str(found[name]) for name in ("lag", "pending", "dead")]])
    if found["dead"]:
        say("why they were refused: redis-cli XREVRANGE signals:dead + - COUNT 5")
