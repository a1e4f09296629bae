"""A broker behind an MCP server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from aitrader.api import (
    Account,
    Ack,
    AITraderError,
    Balance,
    BrokerContext,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    BrokerRejected,
    BrokerSession,
    BrokerUpdate,
    Capabilities,
    Holding,
    Instrument,
    Invalid,
    NotSent,
    Order,
    OutcomeUnknown,
    Quote,
    SessionState,
    Unavailable,
)
from plugins.mcp_broker.alpaca import Alpaca
from plugins.mcp_broker.calls import CallFailed
from plugins.mcp_broker.kite import Kite
from plugins.mcp_broker.options import McpOptions
from plugins.mcp_broker.profile import Profile, Result, ToolCall, ToolRefused, hash_of
from plugins.mcp_broker.session import McpSession, Server

_CHECK_MS = 15_000
_CHECK_DOWN_MS = 1_500
_INSTRUMENT_MS = 6 * 3_600_000
_PATIENCE_MS = 60_000
_LINK_LEFT_MS = 5 * 60_000


def open_broker(account: Account, options: McpOptions, context: BrokerContext) -> McpBroker:
    """Return the account; connects nothing yet.

    Raises:
        Invalid: no server is named.
    """
    url = options.url or context.mcp_url
    if url is None:
        raise Invalid("no MCP server is named; set MCP_URL, or the account's option url", code="mcp_url_missing")
    calls = options.calls_per_second
    session = McpSession(url, vault=context.vault, logger=context.logger, calls_per_second=calls)
    return McpBroker(session, options, context)


class McpBroker:
    """An open account; may be called from any thread.

    What a call to place an order comes to is judged by proof alone: an order was not sent when nothing left, rejected
    when the broker said so in words that mean it, and unknown otherwise.

    Args:
        session: the connection.
        options: the account's.
        context: clock and logger.
    """

    def __init__(self, session: McpSession, options: McpOptions, context: BrokerContext) -> None:
        self._session = session
        self._options = options
        self._context = context
        self._lock = threading.RLock()
        self._profiles: tuple[Profile, ...] = (Kite(options), Alpaca(options))
        self._profile: Profile | None = None
        self._generation = 0
        self._able: Capabilities | None = None
        self._known: BrokerSession | None = None
        self._told_hash = ""
        self._refused_since: int | None = None
        self._link_of = 0
        self._instruments: dict[str, tuple[int, Instrument | None]] = {}

    def capabilities(self) -> Capabilities:
        """Return what the server's tools can do. Orders are sent to a server with these tools only."""
        able = self._capabilities()
        self._told_hash = able.schema_hash
        return able

    def session(self) -> BrokerSession:
        """Return how we stand; asks the server every few seconds, and after every call that failed."""
        with self._lock:
            known, now = self._known, self._context.clock.now_ms()
            if known is not None:
                pause = _CHECK_MS if known.state is SessionState.CONNECTED else _CHECK_DOWN_MS
                if 0 <= now - known.checked_at < pause:
                    return known
            self._known = self._look(now)
            return self._known

    def log_in(self) -> BrokerSession:
        """Ask for a new login link."""
        with self._lock:
            now = self._context.clock.now_ms()
            try:
                self._known = self._ask_login(self._profile_of(self._connect()), now)
            except AITraderError as error:
                self._known = BrokerSession(SessionState.DOWN, error.detail, checked_at=now)
            return self._known

    def instrument(self, symbol: str) -> Instrument | None:
        """Return what can be traded of a symbol, as the server said within the last hours."""
        now = self._context.clock.now_ms()
        known = self._instruments.get(symbol)
        if known is None or now - known[0] > _INSTRUMENT_MS:
            known = self._instruments[symbol] = (now, self._books().instrument(self._read, symbol))
        return known[1]

    def place(self, order: Order, fence: Callable[[], None]) -> Ack:
        """Submit an order with one call, never repeated."""
        profile = self._require(order)
        result = self._write(profile, profile.place(order), fence)
        if result.error is not None:
            raise OutcomeUnknown(f"the broker's answer proves nothing: {result.error:.200}")
        try:
            return Ack(profile.placed(result.data))
        except Unavailable as error:
            raise OutcomeUnknown(error.detail) from error

    def modify(self, order: Order) -> None:
        """Change an order with one call; when the answer proves nothing, the book tells."""
        profile = self._books()
        if not self._capabilities().modify:
            raise BrokerRejected("; ".join(self._capabilities().notes), code="broker_capability_missing")
        result = self._write(profile, profile.modify(order), _always)
        if result.error is not None:
            self._blame(order, result.error)

    def cancel(self, order: Order) -> None:
        """Ask for a cancel; when the answer proves nothing, the book tells."""
        profile = self._books()
        if not self._capabilities().cancel:
            raise BrokerRejected("the server offers no tool that cancels", code="broker_capability_missing")
        try:
            result = self._write(profile, profile.cancel(order), _always)
        except NotSent as error:
            raise Unavailable(error.detail, code=error.code) from error
        if result.error is not None:
            self._blame(order, result.error)

    def orders(self) -> Sequence[BrokerOrder]:
        """Return the whole book of the trading day."""
        return self._books().orders(self._read, self._context.clock.now_ms())

    def fills(self) -> Sequence[BrokerFill]:
        """Return all fills of the trading day."""
        return self._books().fills(self._read, self._context.clock.now_ms())

    def positions(self) -> Sequence[BrokerPosition]:
        """Return the net positions, holdings included."""
        return self._books().positions(self._read)

    def holdings(self) -> Sequence[Holding]:
        """Return the holdings."""
        return self._books().holdings(self._read)

    def balance(self) -> Balance:
        """Return the money."""
        return self._books().balance(self._read)

    def prices(self, symbols: Sequence[str]) -> Sequence[Quote]:
        """Return last prices, with the volume of the day."""
        profile = self._books()
        if not self._capabilities().market_data:
            raise Unavailable("the server offers no tool for prices", code="broker_capability_missing")
        return profile.prices(self._read, symbols, self._context.clock.now_ms())

    def listen(self, callback: Callable[[BrokerUpdate], None]) -> None:
        """Tell nothing: these servers say nothing by themselves."""

    def close(self) -> None:
        """Let go of the server; the login there stays."""
        self._session.close()

    def _capabilities(self) -> Capabilities:
        if self._able is None:
            self._profile_of(self._connect())
        if self._able is None:
            raise Unavailable("the server is not known yet", code="broker_unavailable")
        return self._able

    def _connect(self) -> Server:
        try:
            return self._session.connect()
        except CallFailed as error:
            raise Unavailable(error.detail, code="broker_unavailable") from error

    def _books(self) -> Profile:
        profile = self._profile
        return self._profile_of(self._connect()) if profile is None else profile

    def _profile_of(self, server: Server) -> Profile:
        """Return whose tools a server has; looked at anew with each connection, since a server may be replaced.

        Raises:
            Unavailable: those of no broker that is known here.
        """
        if self._profile is not None and server.generation == self._generation:
            return self._profile
        wanted = self._options.profile
        fitting = [item for item in self._profiles if wanted in ("auto", item.name) and item.fits(list(server.tools))]
        if not fitting:
            self._profile = self._able = None
            raise Unavailable(_strange(server, wanted), code="broker_unknown")
        self._profile, self._generation = fitting[0], server.generation
        self._able = self._profile.capabilities(list(server.tools), hash_of(server.name, server.tools))
        return self._profile

    def _look(self, now: int) -> BrokerSession:
        try:
            profile = self._profile_of(self._connect())
            user = profile.user(self._read)
        except ToolRefused as error:
            return self._refused(error, now)
        except AITraderError as error:
            return BrokerSession(SessionState.DOWN, error.detail, checked_at=now)
        self._refused_since = None
        return BrokerSession(SessionState.CONNECTED, user=user, checked_at=now)

    def _refused(self, error: ToolRefused, now: int) -> BrokerSession:
        """Say that nobody is logged in, once it is sure: asking for a link would end a login that is alive."""
        known = self._known
        if known is not None and self._still_opens(known, now):
            return replace(known, checked_at=now)
        self._refused_since = now if self._refused_since is None else self._refused_since
        if now - self._refused_since < _PATIENCE_MS and "log in" not in error.detail:
            return BrokerSession(SessionState.DOWN, error.detail, checked_at=now)
        try:
            return self._ask_login(self._books(), now)
        except AITraderError as failed:
            return BrokerSession(SessionState.DOWN, failed.detail, checked_at=now)

    def _still_opens(self, known: BrokerSession, now: int) -> bool:
        """Return whether a link was given over this connection, and for long enough."""
        asks = known.state is SessionState.NEEDS_LOGIN and self._link_of == self._generation
        return asks and (known.expires_at or 0) > now + _LINK_LEFT_MS

    def _ask_login(self, profile: Profile, now: int) -> BrokerSession:
        self._refused_since = None
        session = profile.log_in(self._read, now)
        self._link_of = self._generation
        return session

    def _require(self, order: Order) -> Profile:
        """Check what can be checked here.

        Raises:
            NotSent: the server cannot be reached.
            BrokerRejected: the broker would not take the order.
        """
        try:
            able, profile = self._capabilities(), self._books()
        except AITraderError as error:
            raise NotSent(error.detail, code=error.code) from error
        lacking = [
            name
            for name, value, known in (
                ("order type", order.type, able.order_types),
                ("time in force", order.time_in_force, able.times_in_force),
                ("product", order.product or able.products[0], able.products),
            )
            if value not in known
        ]
        problem = f"the broker does not take this {lacking[0]}" if lacking else profile.symbol_problem(order.symbol)
        if not able.place or problem:
            raise BrokerRejected(problem or "; ".join(able.notes), code="broker_capability_missing")
        if order.quantity != order.quantity.to_integral_value():
            raise BrokerRejected("the broker takes whole quantities only", code="quantity_off_lot")
        return profile

    def _write(self, profile: Profile, call: ToolCall, fence: Callable[[], None]) -> Result:
        """Make a call that changes something, once.

        Raises:
            NotSent: it is proven that nothing left, or that no tool ran.
            BrokerRejected: the answer proves that nothing was changed.
            OutcomeUnknown: there is no answer.
        """
        try:
            server = self._session.turn()
        except CallFailed as error:
            self._known = None
            raise NotSent(error.detail, code="broker_unavailable") from error
        if self._profile_of_or_none(server) is not profile or self._changed():
            raise NotSent("the server has other tools than it had; they are looked at first", code="broker_changed")
        fence()
        try:
            answer = self._session.call(server, call.tool, call.arguments, self._options.write_seconds)
        except CallFailed as error:
            self._known = None
            if error.ran_nothing:
                raise NotSent(error.detail, code="broker_unavailable") from error
            raise OutcomeUnknown(error.detail) from error
        result = profile.open(answer)
        if result.error is not None:
            self._known = None
        if result.logged_out:
            raise NotSent(f"{result.error:.300}", code="broker_login_required")
        if result.rejected:
            raise BrokerRejected(f"{result.error:.300}")
        return result

    def _changed(self) -> bool:
        """Return whether the tools are others than those that were told of."""
        return self._able is None or (self._told_hash != "" and self._able.schema_hash != self._told_hash)

    def _profile_of_or_none(self, server: Server) -> Profile | None:
        try:
            return self._profile_of(server)
        except Unavailable:
            return None

    def _read(self, tool: str, arguments: dict[str, Any]) -> Any:
        try:
            answer = self._session.read(tool, arguments, self._options.read_seconds)
        except CallFailed as error:
            self._known = None
            raise Unavailable(f"{tool}: {error.detail}", code="broker_unavailable") from error
        profile = self._profile
        assert profile is not None
        result = profile.open(answer)
        if result.error is not None:
            self._known = None if self._known is None else replace(self._known, checked_at=0)
            raise ToolRefused(f"{tool}: {result.error:.300}")
        return result.data

    def _blame(self, order: Order, said: str) -> None:
        """Say what a change or cancel came to whose answer proves nothing.

        Raises:
            BrokerRejected: the order is not there, or has ended.
            OutcomeUnknown: it works, and may have been changed or not.
        """
        try:
            book = self.orders()
        except AITraderError as error:
            raise OutcomeUnknown(f"{said:.200}; and the book cannot be read: {error.detail:.200}") from error
        found = next((item for item in book if item.broker_order_id == order.broker_order_id), None)
        if found is None:
            raise BrokerRejected(f"the broker has no such order: {said:.200}", code="order_state")
        if found.status is not None and found.status.is_terminal:
            raise BrokerRejected(f"the order is {found.status}: {said:.200}", code="order_state")
        raise OutcomeUnknown(f"the order works: {said:.200}")


def _always() -> None:
    """Nothing stands between a change and the wire."""


def _strange(server: Server, wanted: str) -> str:
    some = ", ".join(sorted(server.tools)[:8])
    whose = "Kite nor of Alpaca" if wanted == "auto" else wanted
    no = "neither those of" if wanted == "auto" else "not those of"
    return (
        f"the tools of the MCP server {server.name!r} are {no} {whose}: it offers {len(server.tools)}, such as {some}"
    )
