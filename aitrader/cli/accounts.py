"""``aitrader accounts``: who trades where, and what may be done there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from aitrader.cli.common import (
    actor,
    amount,
    client,
    confirm,
    json_option,
    local_user,
    named,
    print_json,
    print_options,
    print_table,
    say,
    settings_named,
    user_named,
    yes_option,
)
from domain.common.errors import NotFound
from domain.trading.model import Mode
from domain.trading.views import account_view, money

if TYPE_CHECKING:
    from domain.trading.queries import AccountNow


@click.group(epilog="Example: aitrader accounts create paper-inr --broker paper --currency INR --cash 500000")
def accounts() -> None:
    """Make accounts with brokers, log in, set risk limits and approval."""


@accounts.command("list", epilog="Example: aitrader accounts list --json")
@json_option
def list_accounts(as_json: bool) -> None:
    """List all accounts, and why one may not open positions."""
    container = client()
    local_user(container)
    found = container.read_trading().accounts(None)
    health = {item.account: item for item in container.read_trading().health()}
    if as_json:
        print_json({"items": [{**_view(item), "blocked": list(health[item.account.id].reasons)} for item in found]})
        return
    rows = []
    for item in found:
        session = "not asked yet" if item.state is None else item.state.session.state.value
        blocked = ", ".join(health[item.account.id].reasons) or "ready"
        account = item.account
        rows.append([account.id, account.broker, account.mode.upper(), account.currency, session, blocked])
    print_table(["account", "broker", "mode", "currency", "session", "trading"], rows)
    if not rows:
        say("none yet; your paper account is made with your first order")


def _view(item: AccountNow) -> dict[str, Any]:
    return account_view(item.account, item.state, item.arming)


@accounts.command(epilog="Example: aitrader accounts show paper")
@click.argument("account_id")
def show(account_id: str) -> None:
    """Show an account as JSON."""
    print_json(_view(client().read_trading().account(account_id, None)))


@accounts.command(epilog="Example: aitrader accounts brokers")
@json_option
def brokers(as_json: bool) -> None:
    """List the brokers that plugins offer, and what can be set about each."""
    registered = client().brokers()
    found = [registered.describe(name) for name in registered.names()]
    if as_json:
        print_json({"items": found})
        return
    for item in found:
        print_options(f"{item['name']}: {item['title']} ({', '.join(item['modes'])})", item["options_schema"])


@accounts.command(
    epilog="""\b
    Examples:
      aitrader accounts create paper-inr --broker paper --currency INR --cash 500000 --set tick_size=0.05
      aitrader accounts create kite --broker mcp --currency INR --user ann
    """
)
@click.argument("account_id")
@click.option("--broker", required=True, help="See: aitrader accounts brokers")
@click.option("--user", "user_name", metavar="NAME", help="Whose it is; the owner's when left out.")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="What the broker is by default.")
@click.option("--currency", default="USD", show_default=True)
@click.option("--cash", default="100000", show_default=True, help="What a paper account begins with.")
@click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help="An option of the broker.")
@click.option("--approval", is_flag=True, help="A person must approve each order.")
@json_option
def create(
    account_id: str,
    broker: str,
    user_name: str | None,
    mode: str | None,
    currency: str,
    cash: str,
    options: tuple[str, ...],
    approval: bool,
    as_json: bool,
) -> None:
    """Make an account. A live one sends nothing until it is armed: aitrader arm."""
    from domain.trading.accounts import NewAccount

    container = client()
    user_id = local_user(container) if user_name is None else user_named(container, user_name).id
    modes = container.brokers().modes(broker)
    wanted = Mode(mode) if mode else modes[0]
    new = NewAccount(
        id=account_id,
        user_id=user_id,
        broker=broker,
        mode=wanted,
        currency=currency,
        starting_cash=amount(cash) if broker == "paper" else amount("0"),
        options=settings_named(options),
        approval_required=approval,
    )
    made = container.create_account()(new, actor=actor())
    if as_json:
        print_json(_view(container.read_trading().account(made.id, None)))
        return
    click.echo(made.id)
    say(f"{made.mode.upper()} account with {made.broker} in {made.currency}")


@accounts.command(
    epilog="""\b
    Examples:
      aitrader accounts limits mcp
      aitrader accounts limits mcp --set max_notional=25000 --set max_daily_loss=2000 --lift market_hours
    """
)
@click.argument("account_id")
@click.option("--strategy", default="", help="Limits of one strategy instead of the account's own.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="Set a limit.")
@click.option("--lift", multiple=True, metavar="NAME", help="Lift a limit.")
@json_option
def limits(account_id: str, strategy: str, values: tuple[str, ...], lift: tuple[str, ...], as_json: bool) -> None:
    """Show or set risk limits. Setting one disarms a live account."""
    container = client()
    wanted: dict[str, Any] = {name: _limit(name, text) for name, text in named(values).items()}
    wanted |= {name: False if name == "market_hours" else None for name in lift}
    if wanted:
        container.set_limits()(account_id, strategy, wanted, actor=actor())
    found = container.get_limits()(account_id)
    if as_json:
        print_json({name: item.to_json() for name, item in found.items()})
        return
    shown = found.get(strategy)
    if shown is None:
        raise NotFound(f"no limits were set for the strategy {strategy!r}", code="limits_not_found")
    print_table(["limit", "value"], [[name, _shown(value)] for name, value in shown.to_json().items()])


def _limit(name: str, text: str) -> Any:
    if name == "symbols":
        return [part.strip().upper() for part in text.split(",") if part.strip()]
    if name == "market_hours":
        return text.lower() in ("true", "1", "yes")
    decimals = ("max_quantity", "max_notional", "price_collar_bps", "max_gross_exposure", "max_net_exposure")
    if name in (*decimals, "max_daily_loss"):
        return text
    return int(text) if text.isascii() and text.isdigit() else text


def _shown(value: Any) -> str:
    if value is None:
        return "no limit"
    if isinstance(value, list):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@accounts.command(epilog="Example: aitrader accounts login mcp --wait")
@click.argument("account_id")
@click.option("--wait", is_flag=True, help="Wait until somebody has logged in.")
@json_option
def login(account_id: str, wait: bool, as_json: bool) -> None:
    """Ask the broker for a login link; needs a running `aitrader up` or `aitrader worker`."""
    container = client()
    session = container.ask_desk()(account_id, "login")
    if as_json:
        print_json(session)
    elif session["state"] == "connected":
        say(f"logged in as {session['user']}")
    elif session["login_url"]:
        if session["warning"]:
            say(str(session["warning"]))
        click.echo(str(session["login_url"]))
    else:
        say(f"{session['state']}: {session['detail']}")
    while wait and session["state"] != "connected":
        time.sleep(2)
        state = container.read_trading().account(account_id, None).state
        if state is not None and state.session.state.value == "connected":
            say(f"logged in as {state.session.user}")
            return


@accounts.command(epilog="Example: aitrader accounts refresh paper")
@click.argument("account_id")
def refresh(account_id: str) -> None:
    """Compare the books with the broker's now; needs a running `aitrader up` or `aitrader worker`."""
    container = client()
    container.ask_desk()(account_id, "refresh")
    health = next(item for item in container.read_trading().health() if item.account == account_id)
    say("ready" if health.ready else "; ".join(health.details))


@accounts.command(epilog="Example: aitrader accounts approval mcp --required")
@click.argument("account_id")
@click.option("--required/--not-required", default=None, help="Whether a person must approve each order.")
@click.option("--strategy", "strategies", multiple=True, help="Strategies whose orders a person must approve.")
@click.option("--minutes", type=int, help="How long a yes may take.")
def approval(account_id: str, required: bool | None, strategies: tuple[str, ...], minutes: int | None) -> None:
    """Set whether orders wait for a person's yes."""
    changed = client().change_account()(
        account_id,
        actor=actor(),
        approval_required=required,
        approval_strategies=strategies or None,
        approval_minutes=minutes,
    )
    who = "every order" if changed.approval_required else ", ".join(changed.approval_strategies) or "no order"
    say(f"{who} in {account_id} waits for a person, for at most {changed.approval_minutes} minutes")


@accounts.command("accept-positions", epilog="Example: aitrader accounts accept-positions mcp")
@click.argument("account_id")
@yes_option
def accept_positions(account_id: str, yes: bool) -> None:
    """Take the broker's positions as true, and end a halt."""
    container = client()
    state = container.read_trading().account(account_id, None).state
    for symbol, (ours, theirs) in ({} if state is None else state.mismatches).items():
        say(f"{symbol}: ours {money(ours)}, the broker's {money(theirs)}")
    confirm(f"Positions of {account_id} begin anew from what the broker shows", account_id, yes)
    changed = container.accept_positions()(account_id, actor=actor())
    say(f"{len(changed)} positions taken over")
