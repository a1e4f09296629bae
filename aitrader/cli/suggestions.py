"""``aitrader suggestions``: what models make of symbols, and what came of it."""

from __future__ import annotations

from typing import Any

import click

from aitrader.cli.common import client, json_option, local_user, parse_time, print_json, print_table, say

_TIMEFRAMES = click.Choice(["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"])


@click.group(epilog="Example: aitrader suggestions make INDEX:SPX")
def suggestions() -> None:
    """Ask the active model about symbols, and look at what was suggested."""


@suggestions.command(epilog="Example: aitrader suggestions make INDEX:SPX NASDAQ:MSFT --timeframe 1d --json")
@click.argument("symbols", nargs=-1, required=True)
@click.option("--timeframe", type=_TIMEFRAMES, default="1d", show_default=True)
@click.option("--model", help="Id or name. [default: the active one that was trained on the symbol]")
@click.option("--account", metavar="ID", help="Whose equity is risked. [default: your only paper account]")
@click.option("--as-of", metavar="TIME", help="Look at no bar that closed later. [default: now]")
@json_option
def make(
    symbols: tuple[str, ...], timeframe: str, model: str | None, account: str | None, as_of: str | None, as_json: bool
) -> None:
    """Ask a model about symbols. The answer is an opinion with its evidence, never an order."""
    from aitrader.cli.watching import run_job
    from domain.common.time import rfc3339

    asked = {"model": model, "account": account, "as_of": None if as_of is None else rfc3339(parse_time(as_of))}
    payload: dict[str, Any] = {"symbols": list(symbols), "timeframe": timeframe}
    payload |= {key: value for key, value in asked.items() if value is not None}
    container = client()
    result = run_job(container, local_user(container), "suggestion", payload).result or {}
    if as_json:
        print_json(result)
        return
    for item in result["results"]:
        _print(item)


@suggestions.command("list", epilog="Example: aitrader suggestions list --symbol INDEX:SPX --json")
@click.option("--symbol", help="Only of this symbol.")
@click.option("--action", type=click.Choice(["buy", "sell", "hold"]))
@click.option("--since", metavar="TIME", help="As of this time or later.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_suggestions(symbol: str | None, action: str | None, since: str | None, limit: int, as_json: bool) -> None:
    """List your suggestions, the newest first."""
    from domain.intelligence.suggestions import SuggestionFilter, suggestion_view
    from domain.market.model import parse_symbol

    container = client()
    wanted = SuggestionFilter(
        local_user(container),
        symbol=None if symbol is None else parse_symbol(symbol),
        action=action,
        since_ms=None if since is None else parse_time(since),
    )
    found, _ = container.intelligence.read_suggestions().page(wanted, before_id=None, limit=limit)
    views = [suggestion_view(item) for item in found]
    if as_json:
        print_json({"items": views})
        return
    rows = [
        [
            view["id"],
            view["as_of"],
            view["symbol"],
            view["action"],
            f"{view['probability']:.1%}",
            f"{view['entry']:g}",
            _price(view["stop"]),
            _price(view["target"]),
            view["outcome"] or "open",
        ]
        for view in views
    ]
    print_table(["id", "as of", "symbol", "action", "probability", "entry", "stop", "target", "outcome"], rows)
    if not rows:
        say("none yet; make one with: aitrader suggestions make INDEX:SPX")


@suggestions.command(epilog="Example: aitrader suggestions show 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13")
@click.argument("suggestion_id")
@json_option
def show(suggestion_id: str, as_json: bool) -> None:
    """Show a suggestion with its evidence and what came of it."""
    from domain.common.ids import parse_id
    from domain.intelligence.suggestions import suggestion_view

    container = client()
    found = container.intelligence.read_suggestions().get(parse_id(suggestion_id), local_user(container))
    view = suggestion_view(found)
    if as_json:
        print_json(view)
        return
    _print(view)
    click.echo(f"  outcome: {view['outcome'] or 'not known yet'}")


def _print(view: dict[str, Any]) -> None:
    shares = ", ".join(f"{name} {value:.1%}" for name, value in view["probabilities"].items())
    base = ", ".join(f"{name} {value:.1%}" for name, value in view["base_rates"].items())
    click.echo(f"{view['symbol']} {view['timeframe']} as of {view['as_of']}: {view['action'].upper()}")
    click.echo(f"  probability {view['probability']:.1%} within {view['horizon']} bars ({shares}; base rates {base})")
    click.echo(f"  entry {view['entry']:g}  stop {_price(view['stop'])}  target {_price(view['target'])}")
    if view["quantity"] is not None:
        click.echo(f"  size {view['quantity']} for account {view['account']}")
    for item in view["contributions"][:5]:
        click.echo(f"  {item['contribution']:+.1%} {item['feature']} = {item['value']:.3g}")
    for line in _evidence(view["evidence"]):
        click.echo(f"  {line}")
    click.echo(f"  {view['note']}")
    click.echo(f"  model {view['model']['name']} {view['model']['id']}, suggestion {view['id']}")


def _evidence(evidence: dict[str, Any]) -> list[str]:
    lines = [
        f"pattern {hit['pattern']} ({hit['direction']}), {hit['bars_ago']} bars ago"
        for hit in evidence.get("patterns", [])
    ]
    told = evidence.get("sentiment")
    if told:
        lines.append(f"sentiment {told['score']:+.2f} of {told['count']} texts")
    return lines


def _price(value: float | None) -> str:
    return "—" if value is None else f"{value:g}"
