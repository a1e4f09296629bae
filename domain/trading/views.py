"""Trading as clients see it, over REST, WebSocket and on the command line alike. Money is decimal text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from domain.common.events import Event
from domain.common.time import rfc3339
from domain.trading.brokerage import Balance, BrokerSession, Holding, Quote
from domain.trading.model import Account, Fill, Order, Position
from domain.trading.records import Arming, BrokerState, EquityPoint, OrderEvent, Switch

TOPIC = "order_updates"
MARKET_DATA = "market_data"


def money(value: Decimal | None) -> str | None:
    """Return a decimal as plain text, without an exponent."""
    return None if value is None else format(value, "f")


def moment(ms: int | None) -> str | None:
    """Return milliseconds UTC as RFC 3339 text."""
    return None if ms is None else rfc3339(ms)


def order_path(order_id: str) -> str:
    """Return the path of an order in the API."""
    return f"/orders/{order_id}"


def order_view(order: Order) -> dict[str, Any]:
    """Return an order as JSON types."""
    return {
        "id": order.id,
        "account": order.account,
        "broker": order.broker,
        "mode": order.mode.value,
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type.value,
        "product": None if order.product is None else order.product.value,
        "time_in_force": order.time_in_force.value,
        "quantity": money(order.quantity),
        "price": money(order.price),
        "trigger_price": money(order.trigger_price),
        "status": order.status.value,
        "filled_quantity": money(order.filled_quantity),
        "average_price": money(order.average_price),
        "reason_code": order.reason_code,
        "reason": order.reason,
        "tag": order.tag,
        "broker_order_id": order.broker_order_id,
        "origin": order.origin.value,
        "strategy": order.strategy,
        "decision_id": order.decision_id,
        "approval": order.approval.value,
        "approval_expires_at": moment(order.approval_expires_at),
        "cancel_requested": order.cancel_requested_at is not None,
        "pending_change": order.change,
        "version": order.version,
        "created_at": rfc3339(order.created_at),
        "sent_at": moment(order.sent_at),
        "updated_at": rfc3339(order.updated_at),
    }


def order_updated(order: Order) -> Event:
    """Return the event of an order's new state, for its owner."""
    data = order_view(order)
    return Event(TOPIC, order.user_id, {"order_id": data.pop("id"), **data})


def order_event_view(event: OrderEvent) -> dict[str, Any]:
    """Return one line of an order's history as JSON types."""
    return {
        "seq": event.seq,
        "status": event.status.value,
        "at": rfc3339(event.at),
        "actor": event.actor,
        "filled_quantity": money(event.filled_quantity),
        "reason_code": event.reason_code,
        "reason": event.reason,
    }


def fill_view(fill: Fill) -> dict[str, Any]:
    """Return a fill as JSON types."""
    return {
        "id": fill.id,
        "order_id": fill.order_id,
        "account": fill.account,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "quantity": money(fill.quantity),
        "price": money(fill.price),
        "fees": money(fill.fees),
        "liquidity": fill.liquidity,
        "broker_fill_id": fill.broker_fill_id,
        "filled_at": rfc3339(fill.filled_at),
    }


def position_view(position: Position, account: Account, quote: Quote | None) -> dict[str, Any]:
    """Return a position as JSON types, valued at a quote; null where there is none."""
    unrealized = None if quote is None else position.unrealized_pnl(quote.price)
    if not position.quantity:
        unrealized = Decimal(0)
    return {
        "account": position.account,
        "broker": account.broker,
        "mode": account.mode.value,
        "symbol": position.symbol,
        "side": "long" if position.quantity > 0 else "short" if position.quantity < 0 else "flat",
        "quantity": money(position.quantity),
        "average_price": money(position.average_price),
        "last_price": None if quote is None else money(quote.price),
        "price_at": None if quote is None else rfc3339(quote.time_ms),
        "price_source": None if quote is None else quote.source or None,
        "realized_pnl": money(position.realized_pnl),
        "unrealized_pnl": money(unrealized),
        "fees": money(position.fees),
        "currency": account.currency,
    }


def holding_view(holding: Holding, account: Account) -> dict[str, Any]:
    """Return a holding as JSON types."""
    return {
        "account": account.id,
        "broker": account.broker,
        "mode": account.mode.value,
        "symbol": holding.symbol,
        "isin": holding.isin,
        "quantity": money(holding.quantity),
        "average_price": money(holding.average_price),
        "last_price": money(holding.last_price),
        "pnl": money(holding.pnl),
        "currency": holding.currency,
    }


def session_view(session: BrokerSession) -> dict[str, Any]:
    """Return how we stand with a broker as JSON types."""
    return {
        "state": session.state.value,
        "detail": session.detail,
        "login_url": session.login_url,
        "warning": session.warning,
        "user": session.user,
        "expires_at": moment(session.expires_at),
        "checked_at": moment(session.checked_at or None),
    }


def balance_view(balance: Balance | None) -> dict[str, Any] | None:
    """Return money at the broker as JSON types."""
    if balance is None:
        return None
    return {
        "currency": balance.currency,
        "cash": money(balance.cash),
        "equity": money(balance.equity),
        "margin_used": money(balance.margin_used),
        "margin_available": money(balance.margin_available),
    }


def account_view(account: Account, state: BrokerState | None, arming: Arming | None) -> dict[str, Any]:
    """Return an account as JSON types, with what is known of its broker."""
    return {
        "id": account.id,
        "user_id": account.user_id,
        "broker": account.broker,
        "mode": account.mode.value,
        "currency": account.currency,
        "options": account.options,
        "approval_required": account.approval_required,
        "approval_strategies": list(account.approval_strategies),
        "approval_minutes": account.approval_minutes,
        "halted": account.halted or None,
        "armed_until": None if arming is None else rfc3339(arming.expires_at),
        "session": None if state is None else session_view(state.session),
        "balance": None if state is None else balance_view(state.balance),
        "notes": [] if state is None or state.capabilities is None else list(state.capabilities.notes),
        "reconciled_at": None if state is None else moment(state.reconciled_at),
        "version": account.version,
        "created_at": rfc3339(account.created_at),
    }


def switch_view(switch: Switch) -> dict[str, Any]:
    """Return a kill switch as JSON types."""
    return {
        "scope": switch.scope,
        "engaged": switch.engaged,
        "flatten": switch.flatten,
        "epoch": switch.epoch,
        "actor": switch.actor,
        "reason": switch.reason,
        "changed_at": moment(switch.changed_at or None),
    }


def equity_view(point: EquityPoint) -> dict[str, Any]:
    """Return a point of an equity history as JSON types."""
    return {
        "at": rfc3339(point.at),
        "cash": money(point.cash),
        "equity": money(point.equity),
        "realized_pnl": money(point.realized_pnl),
        "unrealized_pnl": money(point.unrealized_pnl),
        "fees": money(point.fees),
    }


def quote_view(quote: Quote) -> dict[str, Any]:
    """Return a quote as JSON types, for people and programs."""
    return {
        "symbol": quote.symbol,
        "price": money(quote.price),
        "time": rfc3339(quote.time_ms),
        "bid": money(quote.bid),
        "ask": money(quote.ask),
        "volume": money(quote.volume),
        "source": quote.source or None,
    }


def quote_data(quote: Quote) -> dict[str, Any]:
    """Return a quote as it goes from process to process; ``quote_of`` reads it."""
    amounts = {name: money(getattr(quote, name)) for name in ("price", "bid", "ask", "volume")}
    return {"symbol": quote.symbol, "time_ms": quote.time_ms, "source": quote.source, **amounts}


def quote_of(data: Mapping[str, Any]) -> Quote:
    """Return the quote that another process told."""
    bid, ask, volume = (None if data[name] is None else Decimal(data[name]) for name in ("bid", "ask", "volume"))
    price = Decimal(data["price"])
    return Quote(data["symbol"], price, data["time_ms"], bid, ask, volume, source=data["source"])
