"""``aitrader orders``: placing orders and following what becomes of them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from aitrader.cli.common import (
    account_option,
    actor,
    amount,
    client,
    confirm,
    json_option,
    local_user,
    print_json,
    print_json_line,
    print_table,
    say,
    user_named,
    yes_option,
)
from domain.trading.model import Mode, OrderState, OrderType, Product, Side, TimeInForce
from domain.trading.views import fill_view, order_event_view, order_view

if TYPE_CHECKING:
    from aitrader.container import Container
    from domain.trading.model import Order

_COLUMNS = ["id", "account", "mode", "side", "quantity", "symbol", "type", "price", "status", "filled", "reason"]
_EVERY_S = 0.2


def _words(kind: type[Any]) -> click.Choice[str]:
    return click.Choice([item.value for item in kind])


def _decimal(_context: click.Context, _option: click.Parameter, value: str | None) -> Decimal | None:
    return None if value is None else amount(value)


user_option = click.option("--user", "user_name", metavar="NAME", help="Whose; the owner's when left out.")


def chosen_user(container: Container, name: str | None) -> str:
    """Return the id of the user that a command is about."""
    return local_user(container) if name is None else user_named(container, name).id


@click.group(epilog="Example: aitrader orders place NASDAQ:MSFT buy 10 --wait")
def orders() -> None:
    """Place, list, watch, change, cancel and approve orders."""


@orders.command(
    epilog="""\b
    Examples:
      aitrader orders place NASDAQ:MSFT buy 10 --wait
      aitrader orders place NSE:INFY sell 5 --type limit --price 1520.5 --account mcp
    """
)
@click.argument("symbol")
@click.argument("side", type=_words(Side))
@click.argument("quantity", callback=_decimal)
@click.option("--type", "kind", type=_words(OrderType), default="market", show_default=True)
@click.option("--price", callback=_decimal, help="Limit price.")
@click.option("--trigger", callback=_decimal, help="Trigger price of a stop.")
@click.option("--tif", type=_words(TimeInForce), default="day", show_default=True, help="Time in force.")
@click.option("--product", type=_words(Product), help="How the position is carried; the broker's first if left out.")
@click.option("--account", metavar="ID", help="The paper account when left out.")
@click.option("--strategy", help="Count it to this strategy.")
@click.option("--key", help="Idempotency key: repeating a command with the same key places nothing twice.")
@click.option("--allow-duplicate", is_flag=True, help="The same order again within moments is meant.")
@click.option("--wait", is_flag=True, help="Wait until it has ended or works at the broker.")
@user_option
@yes_option
@json_option
def place(
    symbol: str,
    side: str,
    quantity: Decimal,
    kind: str,
    price: Decimal | None,
    trigger: Decimal | None,
    tif: str,
    product: str | None,
    account: str | None,
    strategy: str | None,
    key: str | None,
    allow_duplicate: bool,
    wait: bool,
    user_name: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Place an order. Prints its id; it is sent by a running `aitrader up` or `aitrader worker`."""
    from domain.trading.placing import NewOrder

    container = client()
    user_id = chosen_user(container, user_name)
    target = container.find_account()(user_id, account)
    if target.mode is Mode.LIVE:
        confirm(f"This is a LIVE order: {side} {quantity} {symbol} in {target.id}", target.id, yes)
    key = key or str(uuid.uuid4())
    new = NewOrder(
        user_id=user_id,
        symbol=symbol,
        side=Side(side),
        type=OrderType(kind),
        quantity=quantity,
        account=target.id,
        price=price,
        trigger_price=trigger,
        time_in_force=TimeInForce(tif),
        product=None if product is None else Product(product),
        strategy=strategy,
        idempotency_key=key,
        allow_duplicate=allow_duplicate,
    )
    placed = container.place_order()(new, actor=actor())
    say(f"{target.mode.upper()} order in {target.id}, key {key}" + ("" if placed.created else " (placed before)"))
    order = _settled(container, placed.order) if wait else placed.order
    if as_json:
        print_json(order_view(order))
        return
    click.echo(order.id)
    if wait:
        say(_sentence(order))


def _settled(container: Container, order: Order) -> Order:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        order = container.read_trading().order(order.id, None)
        if order.status.is_terminal or order.status.is_working:
            return order
        time.sleep(_EVERY_S)
    say("it still waits; is `aitrader up` or `aitrader worker` running?")
    return order


def _sentence(order: Order) -> str:
    done = f"{order.filled_quantity:f} of {order.quantity:f} filled"
    at = "" if order.average_price is None else f" at {_rounded(order.average_price)}"
    why = f": {order.reason}" if order.reason else ""
    return f"{order.status}, {done}{at}{why}"


@orders.command("list", epilog="Example: aitrader orders list --open")
@account_option
@click.option("--symbol", help="Only this symbol.")
@click.option("--status", type=_words(OrderState), help="Only this state.")
@click.option("--open", "open_only", is_flag=True, help="Only those that have not ended.")
@click.option("--waiting", is_flag=True, help="Only those that wait for a person's yes.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@user_option
@json_option
def list_orders(
    account: str | None,
    symbol: str | None,
    status: str | None,
    open_only: bool,
    waiting: bool,
    limit: int,
    user_name: str | None,
    as_json: bool,
) -> None:
    """List orders, newest first."""
    from domain.market.model import parse_symbol
    from domain.trading.records import OrderFilter

    container = client()
    wanted = OrderFilter(
        user_id=chosen_user(container, user_name),
        account=account,
        symbol=None if symbol is None else parse_symbol(symbol),
        status=None if status is None else OrderState(status),
        open_only=open_only,
        approval_pending=waiting,
    )
    found, _ = container.read_trading().orders(wanted, before_id=None, limit=limit)
    if as_json:
        print_json({"items": [order_view(order) for order in found]})
        return
    print_table(_COLUMNS, [_row(order) for order in found])


def _row(order: Order) -> list[str]:
    price = order.price or order.trigger_price or order.average_price
    return [
        order.id,
        order.account,
        order.mode.upper(),
        order.side.value,
        f"{order.quantity:f}",
        order.symbol,
        order.type.value,
        "" if price is None else _rounded(price),
        order.status.value,
        f"{order.filled_quantity:f}",
        order.reason_code or "",
    ]


@orders.command(epilog="Example: aitrader orders show 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13")
@click.argument("order_id")
@json_option
def show(order_id: str, as_json: bool) -> None:
    """Show an order, the changes of its state, and its fills."""
    from domain.common.ids import parse_id

    container = client()
    read = container.read_trading()
    order = read.order(parse_id(order_id), None)
    history = [order_event_view(event) for event in read.history(order.id, None)]
    fills, _ = read.fills(order.user_id, account=None, order_id=order.id, before_id=None, limit=1000)
    if as_json:
        print_json({**order_view(order), "history": history, "fills": [fill_view(fill) for fill in fills]})
        return
    print_table(_COLUMNS, [_row(order)])
    say(_sentence(order))
    print_table(
        ["at", "status", "by", "filled", "reason"],
        [[e["at"], e["status"], e["actor"], e["filled_quantity"], e["reason"] or ""] for e in history],
    )
    for fill in reversed(fills):
        click.echo(f"fill {fill.broker_fill_id}: {fill.quantity:f} at {fill.price:f}, fees {fill.fees:f}")


@orders.command(epilog="Example: aitrader orders cancel 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13")
@click.argument("order_id")
@json_option
def cancel(order_id: str, as_json: bool) -> None:
    """Cancel an order: at once if it was not sent, else by asking its broker."""
    from domain.common.ids import parse_id

    _show(client().cancel_order()(parse_id(order_id), None, actor=actor()), as_json)


@orders.command(epilog="Example: aitrader orders change 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13 --price 1510")
@click.argument("order_id")
@click.option("--quantity", callback=_decimal)
@click.option("--price", callback=_decimal)
@click.option("--trigger", callback=_decimal)
@json_option
def change(
    order_id: str, quantity: Decimal | None, price: Decimal | None, trigger: Decimal | None, as_json: bool
) -> None:
    """Change quantity or prices of an order that was not sent or is working."""
    from domain.common.ids import parse_id
    from domain.trading.changing import OrderChange

    wanted = OrderChange(quantity, price, trigger)
    _show(client().change_order()(parse_id(order_id), None, wanted, version=None, actor=actor()), as_json)


@orders.command(epilog="Example: aitrader orders approve 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13")
@click.argument("order_id")
@json_option
def approve(order_id: str, as_json: bool) -> None:
    """Say yes to an order that waits for a person."""
    from domain.common.ids import parse_id

    _show(client().decide_approval()(parse_id(order_id), None, approve=True, actor=actor()), as_json)


@orders.command(epilog="Example: aitrader orders refuse 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13")
@click.argument("order_id")
@json_option
def refuse(order_id: str, as_json: bool) -> None:
    """Say no to an order that waits for a person."""
    from domain.common.ids import parse_id

    _show(client().decide_approval()(parse_id(order_id), None, approve=False, actor=actor()), as_json)


@orders.command(epilog="Example: aitrader orders resolve 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13")
@click.argument("order_id")
@yes_option
@json_option
def resolve(order_id: str, yes: bool, as_json: bool) -> None:
    """Say that an unknown order is not at its broker, after looking there."""
    from domain.common.ids import parse_id

    confirm("You looked at the broker, and the order is not there", "not there", yes)
    _show(client().resolve_order()(parse_id(order_id), None, actor=actor()), as_json)


def _rounded(price: Decimal) -> str:
    """Return a price for people: the average of several fills goes on without end."""
    return format(round(price, 8).normalize(), "f")


def _show(order: Order, as_json: bool) -> None:
    if as_json:
        print_json(order_view(order))
    else:
        say(_sentence(order) + (", cancel asked for" if order.cancel_requested_at and order.open_quantity else ""))


@orders.command(epilog="Example: aitrader orders watch --json")
@account_option
@user_option
@json_option
def watch(account: str | None, user_name: str | None, as_json: bool) -> None:
    """Show orders as they change, until Ctrl-C."""
    container = client()
    for order in _changes(container, chosen_user(container, user_name), account):
        if as_json:
            print_json_line(order_view(order))
        else:
            moment = order_view(order)["updated_at"]
            what = f"{order.side} {order.quantity:f} {order.symbol}"
            click.echo(f"{moment}  {order.account}  {what}  {_sentence(order)}  {order.id}")


def _changes(container: Container, user_id: str, account: str | None) -> Iterator[Order]:
    from domain.trading.records import OrderFilter

    seen: dict[str, int] = {}
    while True:
        wanted = OrderFilter(user_id=user_id, account=account)
        found, _ = container.read_trading().orders(wanted, before_id=None, limit=200)
        for order in sorted(found, key=lambda order: order.updated_at):
            if seen.get(order.id) != order.version:
                seen[order.id] = order.version
                yield order
        time.sleep(_EVERY_S)
