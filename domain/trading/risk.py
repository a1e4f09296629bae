"""The risk gate: a pure function of an order, the limits, and a picture of the account at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from domain.common.errors import Denied
from domain.trading.brokerage import Quote, SessionState
from domain.trading.limits import RiskLimits
from domain.trading.model import ZERO, Mode, Order, Origin, Product, Side

_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order may not go: ``CATEGORY_CONDITION``, and the facts."""

    code: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([self.code, *(f"{name}={_shown(value)}" for name, value in self.facts.items())])


class RiskRefused(Denied):
    """The risk gate refused the order."""

    code = "risk_refused"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"the risk gate refused the order: {refusal}", code=f"risk_{refusal.code.lower()}")
        self.refusal = refusal


def _shown(value: object) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """What the gate must know of an order that may still be filled. ``price`` is what a unit may cost."""

    symbol: str
    side: Side
    remaining: Decimal
    price: Decimal
    unproven: bool = False


@dataclass(frozen=True, slots=True)
class RiskPicture:
    """The account at one moment, without the order in question.

    Args:
        now: milliseconds UTC.
        positions: net quantity by symbol; ``prices`` the price to value a unit at, by symbol.
        open_orders: all that may still be filled.
        submitted: how many orders were submitted in the last second, minute and day.
        same_order_ago_ms: how long ago the same order was placed; None: not within a day.
        daily_pnl: realized and unrealized since midnight UTC, fees included; None: a held symbol has no price.
        mismatched: symbols of which the broker shows another position, with the broker's quantity.
        switches: scopes of engaged kill switches: ``global`` or the account's id.
        flattening: a kill switch is engaged to flatten, so its own orders may go.
        armed: live trading is armed for this account and configuration.
        session: how we stand with the broker; None where that is not ours to judge yet.
        reconciled: our book was compared with the broker's since this process took the account.
        halted: why the account needs a person.
        market_open: whether the symbol trades now; None when its exchange is not known.
        quote: the last price of the symbol.
        shorting: whether the broker lets a position go below zero.
    """

    now: int
    mode: Mode
    positions: Mapping[str, Decimal] = field(default_factory=dict)
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    open_orders: tuple[OpenOrder, ...] = ()
    submitted: tuple[int, int, int] = (0, 0, 0)
    same_order_ago_ms: int | None = None
    daily_pnl: Decimal | None = ZERO
    mismatched: Mapping[str, Decimal] = field(default_factory=dict)
    switches: tuple[str, ...] = ()
    flattening: bool = False
    armed: bool = False
    session: SessionState | None = None
    reconciled: bool = True
    halted: str = ""
    market_open: bool | None = None
    quote: Quote | None = None
    shorting: bool = True


def check(order: Order, limits: RiskLimits, picture: RiskPicture, *, allow_duplicate: bool = False) -> Refusal | None:
    """Return the first reason against sending an order; None when there is none.

    Limits on exposure, loss and open trouble never stop an order that only makes a position smaller.
    """
    checks = [_switches, _arming, _connection, _instrument, _size, _price, _rates, _hours, _shorting]
    if not allow_duplicate:
        checks.append(_duplicate)
    if not reduces(order, picture):
        checks += [_trouble, _exposure, _loss, _open_orders]
    for one in checks:
        for refusal in one(order, limits, picture):
            return refusal
    return None


def reduces(order: Order, picture: RiskPicture) -> bool:
    """Return whether an order can only make a position smaller, whatever happens to the other open orders.

    Where the broker shows another position than we do, the smaller of both counts.
    """
    held = picture.positions.get(order.symbol, ZERO)
    shown = picture.mismatched.get(order.symbol, held)
    if held * shown <= 0 or held * order.side.sign >= 0:
        return False
    size = min(abs(held), abs(shown))
    pending = sum(
        (
            other.remaining
            for other in picture.open_orders
            if other.symbol == order.symbol and other.side is order.side
        ),
        ZERO,
    )
    return order.remaining + pending <= size


def unit_price(order: Order, picture: RiskPicture) -> Decimal | None:
    """Return what one unit of an order may cost: its limit, its trigger, else the last price; None: nobody knows."""
    last = picture.quote.price if picture.quote is not None else None
    if order.type.needs_price and order.price is not None:
        return order.price if last is None or order.side is Side.BUY else max(order.price, last)
    known = [price for price in (order.trigger_price, last) if price is not None]
    return max(known) if known else None


def _switches(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if picture.switches and not (order.origin is Origin.FLATTEN and picture.flattening):
        yield Refusal("SWITCH_ENGAGED", {"scope": picture.switches[0]})


def _arming(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if (
        picture.mode is Mode.LIVE
        and not picture.armed
        and not (order.origin is Origin.FLATTEN and picture.flattening)
    ):
        yield Refusal("LIVE_NOT_ARMED", {"account": order.account})


def _connection(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if picture.session not in (None, SessionState.CONNECTED):
        yield Refusal("SESSION_DOWN", {"session": picture.session})
    if not picture.reconciled:
        yield Refusal("RECONCILE_PENDING", {"account": order.account})


def _instrument(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if limits.symbols is not None and order.symbol not in limits.symbols:
        yield Refusal("INSTRUMENT_NOT_ALLOWED", {"symbol": order.symbol})


def _size(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if limits.max_quantity is not None and order.quantity > limits.max_quantity:
        yield Refusal("LIMIT_QUANTITY", {"quantity": order.quantity, "max": limits.max_quantity})
    if limits.max_notional is None:
        return
    price = unit_price(order, picture)
    if price is None:
        yield Refusal("PRICE_UNKNOWN", {"symbol": order.symbol})
    elif order.remaining * price > limits.max_notional:
        yield Refusal("LIMIT_NOTIONAL", {"notional": order.remaining * price, "max": limits.max_notional})


def _price(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if limits.max_price_age_ms is not None and order.origin is not Origin.FLATTEN:
        if picture.quote is None:
            yield Refusal("DATA_MISSING", {"symbol": order.symbol})
        elif picture.now - picture.quote.time_ms > limits.max_price_age_ms:
            age = picture.now - picture.quote.time_ms
            yield Refusal("DATA_STALE", {"age_ms": age, "max": limits.max_price_age_ms})
    if limits.price_collar_bps is None or picture.quote is None:
        return
    for price in (order.price, order.trigger_price):
        if (
            price is not None
            and abs(price - picture.quote.price) * _BPS > limits.price_collar_bps * picture.quote.price
        ):
            facts = {"price": price, "last": picture.quote.price, "collar_bps": limits.price_collar_bps}
            yield Refusal("PRICE_COLLAR", facts)


def _rates(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    bounds = (limits.max_orders_per_second, limits.max_orders_per_minute, limits.max_orders_per_day)
    for name, count, bound in zip(("SECOND", "MINUTE", "DAY"), picture.submitted, bounds, strict=True):
        if bound is not None and count >= bound:
            yield Refusal(f"RATE_{name}", {"orders": count, "max": bound})


def _hours(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if limits.market_hours and picture.market_open is not True:
        state = "unknown" if picture.market_open is None else "closed"
        yield Refusal("MARKET_CLOSED", {"symbol": order.symbol, "market": state})


def _shorting(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if picture.shorting and order.product is not Product.DELIVERY:
        return
    if order.side is Side.BUY:
        return
    held = picture.positions.get(order.symbol, ZERO)
    pending = sum(
        (o.remaining for o in picture.open_orders if o.symbol == order.symbol and o.side is Side.SELL), ZERO
    )
    if order.remaining + pending > held:
        yield Refusal("SHORT_NOT_ALLOWED", {"symbol": order.symbol, "held": held, "pending": pending})


def _duplicate(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    window, ago = limits.duplicate_window_ms, picture.same_order_ago_ms
    if window and ago is not None and ago < window and order.origin is not Origin.FLATTEN:
        yield Refusal("DUPLICATE_ORDER", {"ago_ms": ago, "window_ms": window})


def _trouble(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if picture.halted:
        yield Refusal("ACCOUNT_HALTED", {"reason": picture.halted})
    if picture.mismatched:
        yield Refusal("POSITION_MISMATCH", {"symbols": ",".join(sorted(picture.mismatched))})
    if any(other.unproven and other.symbol == order.symbol for other in picture.open_orders):
        yield Refusal("ORDER_UNKNOWN", {"symbol": order.symbol})


def _exposure(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if limits.max_gross_exposure is None and limits.max_net_exposure is None:
        return
    price = unit_price(order, picture)
    if price is None:
        yield Refusal("PRICE_UNKNOWN", {"symbol": order.symbol})
        return
    gross, net = worst_exposure(picture, (*picture.open_orders, _open(order, price)))
    if limits.max_gross_exposure is not None and gross > limits.max_gross_exposure:
        yield Refusal("EXPOSURE_GROSS", {"exposure": gross, "max": limits.max_gross_exposure})
    if limits.max_net_exposure is not None and net > limits.max_net_exposure:
        yield Refusal("EXPOSURE_NET", {"exposure": net, "max": limits.max_net_exposure})


def _open(order: Order, price: Decimal) -> OpenOrder:
    return OpenOrder(order.symbol, order.side, order.remaining, price)


def worst_exposure(picture: RiskPicture, orders: tuple[OpenOrder, ...]) -> tuple[Decimal, Decimal]:
    """Return gross and net exposure if the worst part of the open orders is filled, in currency.

    Per symbol the worst is the larger of: all buys filled and no sell; all sells filled and no buy.
    """
    gross = longest = shortest = ZERO
    for symbol in {*picture.positions, *(order.symbol for order in orders)}:
        mine = [order for order in orders if order.symbol == symbol]
        held = picture.positions.get(symbol, ZERO)
        price = picture.prices.get(symbol) or max((order.price for order in mine), default=ZERO)
        buys = sum((order.remaining * order.price for order in mine if order.side is Side.BUY), ZERO)
        sells = sum((order.remaining * order.price for order in mine if order.side is Side.SELL), ZERO)
        up, down = held * price + buys, held * price - sells
        gross += max(abs(up), abs(down))
        longest += up
        shortest += down
    return gross, max(abs(longest), abs(shortest))


def _loss(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if limits.max_daily_loss is None:
        return
    if picture.daily_pnl is None:
        yield Refusal("LOSS_UNKNOWN", {"max": limits.max_daily_loss})
    elif -picture.daily_pnl >= limits.max_daily_loss:
        yield Refusal("LOSS_DAILY", {"loss": -picture.daily_pnl, "max": limits.max_daily_loss})


def _open_orders(order: Order, limits: RiskLimits, picture: RiskPicture) -> Iterator[Refusal]:
    if limits.max_open_orders is not None and len(picture.open_orders) >= limits.max_open_orders:
        yield Refusal("ORDERS_OPEN", {"orders": len(picture.open_orders), "max": limits.max_open_orders})
