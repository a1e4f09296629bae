"""``aitrader strategies``: who decides on signals, and where decisions become orders."""

from __future__ import annotations

from typing import Any

import click

from aitrader.cli.common import actor, client, json_option, local_user, print_json, print_table, say, settings_named
from domain.common.errors import FieldError, Invalid


@click.group(epilog="Example: aitrader strategies enable evidence --account paper")
def strategies() -> None:
    """Make strategies, change them, and turn them on and off."""


@strategies.command("list", epilog="Example: aitrader strategies list --json")
@json_option
def list_strategies(as_json: bool) -> None:
    """List your strategies, by name."""
    from domain.decisions.model import strategy_view

    container = client()
    found = [strategy_view(item) for item in container.read_decisions().strategies(local_user(container))]
    if as_json:
        print_json({"items": found})
        return
    rows = [
        [
            item["name"],
            item["engine"],
            "on" if item["enabled"] else "off",
            item["account"] or "",
            ", ".join(item["symbols"]) or "all",
        ]
        for item in found
    ]
    print_table(["strategy", "engine", "trading", "account", "symbols"], rows)
    if not rows:
        say("none yet; make one with: aitrader strategies create NAME")


@strategies.command(epilog="Example: aitrader strategies show evidence")
@click.argument("name")
def show(name: str) -> None:
    """Show a strategy as JSON."""
    from domain.decisions.model import strategy_view

    container = client()
    print_json(strategy_view(container.read_decisions().strategy(name, local_user(container))))


@strategies.command(epilog="Example: aitrader strategies create banks --symbol NSE:SBIN --set threshold=0.3")
@click.argument("name")
@click.option("--engine", default="evidence", show_default=True, help="evidence, or remote: STRATEGY_ENGINE_URL.")
@click.option("--symbol", "symbols", multiple=True, help="Only signals of this symbol; may be given again.")
@click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help="A parameter; see: strategies show.")
@json_option
def create(name: str, engine: str, symbols: tuple[str, ...], options: tuple[str, ...], as_json: bool) -> None:
    """Make a strategy. It only observes until it is enabled for an account."""
    from domain.decisions.model import strategy_view

    container = client()
    made = container.create_strategy()(
        local_user(container), name, actor=actor(), engine=engine, symbols=symbols, params=params_of(options)
    )
    if as_json:
        print_json(strategy_view(made))
        return
    click.echo(made.name)
    say(f"it observes; let it trade with: aitrader strategies enable {made.name} --account paper")


@strategies.command(epilog="Example: aitrader strategies enable evidence --account paper")
@click.argument("name")
@click.option("--account", help="Where its decisions become orders.")
@json_option
def enable(name: str, account: str | None, as_json: bool) -> None:
    """Let a strategy's decisions become orders, through the risk gate and approval."""
    container = client()
    user_id = local_user(container)
    if account == "paper":
        container.find_account()(user_id)  # the paper account is made when it is first meant
    _changed(container, name, user_id, as_json, enabled=True, account=account)


@strategies.command(epilog="Example: aitrader strategies disable evidence")
@click.argument("name")
@json_option
def disable(name: str, as_json: bool) -> None:
    """Let a strategy only observe. What it holds stays held."""
    container = client()
    _changed(container, name, local_user(container), as_json, enabled=False)


@strategies.command("set", epilog="Example: aitrader strategies set evidence threshold=0.3 risk_fraction=0.005")
@click.argument("name")
@click.argument("options", nargs=-1, required=True, metavar="NAME=VALUE...")
@json_option
def change(name: str, options: tuple[str, ...], as_json: bool) -> None:
    """Change parameters of a strategy."""
    container = client()
    _changed(container, name, local_user(container), as_json, params=params_of(options))


@strategies.command(epilog="Example: aitrader strategies performance evidence")
@click.argument("name")
@json_option
def performance(name: str, as_json: bool) -> None:
    """Show how a strategy did in its account: whole, and for each symbol."""
    from domain.decisions.scoring import score_view

    container = client()
    found = score_view(container.read_scores().score(name, local_user(container)))
    if as_json:
        print_json(found)
        return
    if found["account"] is None:
        say(f"{name} has no account yet: aitrader strategies enable {name} --account paper")
        return
    print_performance(found)


@strategies.command(epilog="Example: aitrader strategies leaderboard --json")
@json_option
def leaderboard(as_json: bool) -> None:
    """Compare your strategies: live ones before those on paper, the one that gained most first."""
    from domain.decisions.scoring import score_view

    container = client()
    found = [score_view(score) for score in container.read_scores().leaderboard(local_user(container))]
    if as_json:
        print_json({"items": found})
        return
    rows = [[item["strategy"], item["mode"] or "none", item["account"] or "", *_figures(item)] for item in found]
    print_table(["strategy", "mode", "account", *_FIGURES], rows)


_FIGURES = ["trades", "won", "P&L", "fees", "Sharpe", "drawdown", "buy and hold", "no signal"]


def print_performance(found: dict[str, Any]) -> None:
    """Print how fills did, whole and by symbol, as a table."""
    rows = [[name, *_figures(item)] for name, item in found["by_symbol"].items()]
    print_table(["symbol", *_FIGURES], [*rows, ["all", *_figures(found)]])
    say(f"in {found['currency']}, {found['mode']}; P&L after fees, open positions at their last price")


def _figures(item: dict[str, Any]) -> list[str]:
    won = "" if item["hit_rate"] is None else f"{item['hit_rate']:.0%}"
    sharpe = "" if item["sharpe"] is None else f"{item['sharpe']:.2f}"
    amounts = [_amount(item[name]) for name in ("pnl", "fees", "max_drawdown", "buy_and_hold", "no_signal")]
    return [str(item["trades"]), won, *amounts[:2], sharpe, *amounts[2:]]


def _amount(text: str | None) -> str:
    return "" if text is None else f"{float(text):,.2f}"


def _changed(container: Any, name: str, user_id: str, as_json: bool, **changes: Any) -> None:
    from domain.decisions.model import strategy_view

    changed = container.change_strategy()(name, user_id, actor=actor(), **changes)
    if as_json:
        print_json(strategy_view(changed))
        return
    where = f"trades in {changed.account}" if changed.enabled else "observes"
    say(f"{changed.name} {where}")


def params_of(options: tuple[str, ...]) -> dict[str, Any]:
    """Return parameters with the types that they have."""
    from domain.decisions.params import StrategyParams

    known = StrategyParams().to_json()
    return {name: _typed(name, value, known.get(name)) for name, value in settings_named(options).items()}


def _typed(name: str, value: Any, like: Any) -> Any:
    if isinstance(like, bool) and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if isinstance(like, (int, float)) and not isinstance(like, bool):
        try:
            return type(like)(value)
        except (TypeError, ValueError):
            errors = [FieldError(f"params.{name}", "must be a number")]
            raise Invalid(f"{name} must be a number", code="invalid_strategy", errors=errors) from None
    return value
