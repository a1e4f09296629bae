"""What clients ask of trading, read strictly: exact numbers, text of one line, nothing that is not known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from quart import request

from adapters.http import requests
from adapters.http.bodies import Fields
from adapters.http.json_body import read_object
from domain.common.errors import FieldError, Invalid
from domain.market.model import parse_symbol
from domain.trading.brokerage import Quote
from domain.trading.limits import RiskLimits, parse_limits

MOST_QUOTES = 500
MOST_ASKED = 100
_MOST_SYMBOLS = 1000
_MOST_STRATEGIES = 32
_FUTURE_MS = 5_000

_NUMBER = re.compile(r"\d{1,18}(\.\d{1,8})?", re.ASCII)
_MOST = Decimal(10) ** 12
# Control characters, line ends, and marks that turn the direction of text: a log must not be made to lie.
_NOT_ONE_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


async def read_body() -> dict[str, Any]:
    """Return the JSON object that the request holds; it takes no query.

    Raises:
        Malformed, Invalid: it is no JSON object.
    """
    requests.require_json(request.headers)
    requests.no_query(request.args)
    return read_object(await request.get_data(cache=False))


class TradingFields(Fields):
    """The fields of a JSON object, with money and names. ``done`` raises for everything wrong at once."""

    def money(self, name: str, *, zero: bool = False) -> Decimal:
        """Return a decimal given as text: above 0 (``zero``: or 0), at most 10^12, at most 8 decimal places."""
        value = self._get(name)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            number = Decimal(value)
            if _fits(number, zero):
                return number
        return self._wrong(name, f'must be decimal text such as "1500.05", {_range(zero)}', Decimal(1))

    def optional_money(self, name: str, *, zero: bool = False) -> Decimal | None:
        """Return a decimal given as text; None when it is left out or null."""
        return None if self._left_out(name) else self.money(name, zero=zero)

    def quantity(self, name: str, *, zero: bool = False) -> Decimal:
        """Return a decimal given as text or as an integer, within the bounds of ``money``."""
        value = self._get(name)
        if type(value) is not int:
            return self.money(name, zero=zero)
        if _fits(Decimal(value), zero):
            return Decimal(value)
        return self._wrong(name, f"must be {_range(zero)}", Decimal(1))

    def optional_quantity(self, name: str, *, zero: bool = False) -> Decimal | None:
        """Return a decimal given as text or as an integer; None when it is left out or null."""
        return None if self._left_out(name) else self.quantity(name, zero=zero)

    def line(self, name: str, most: int, *, least: int = 1) -> str:
        """Return text of one line, without marks that turn its direction."""
        value = self._get(name)
        if isinstance(value, str) and _is_line(value, most, least):
            return value
        return self._wrong(name, f"must be one line of {least} to {most} characters", "")

    def optional_line(self, name: str, most: int, *, least: int = 1) -> str | None:
        """Return text of one line; None when it is left out or null."""
        return None if self._left_out(name) else self.line(name, most, least=least)

    def optional_strategies(self, name: str) -> tuple[str, ...] | None:
        """Return names of strategies; None when they are left out or null."""
        if self._left_out(name):
            return None
        value = self._get(name)
        if isinstance(value, list) and len(value) <= _MOST_STRATEGIES and all(_is_line(item, 64) for item in value):
            return tuple(value)
        return self._wrong(name, f"must be a list of at most {_MOST_STRATEGIES} names of 1 to 64 characters", ())

    def optional_boolean(self, name: str) -> bool | None:
        """Return true or false; None when it is left out or null."""
        return None if self._left_out(name) else self.boolean(name, False)

    def optional_integer(self, name: str) -> int | None:
        """Return an integer of reasonable size; None when it is left out or null."""
        return None if self._left_out(name) else self.integer(name, 0)

    def optional_moment(self, name: str) -> int | None:
        """Return an RFC 3339 time as milliseconds UTC; None when it is left out or null."""
        try:
            return requests.moment(self._get(name))
        except Invalid as error:
            return self._wrong(name, error.errors[0].message, None)

    def symbol(self, name: str) -> str:
        """Return a symbol in upper case."""
        value = self.text(name, 45)
        try:
            return parse_symbol(value) if value else value
        except Invalid as error:
            return self._wrong(name, error.errors[0].message, "")

    def _left_out(self, name: str) -> bool:
        return self._get(name) is None


def _fits(number: Decimal, zero: bool) -> bool:
    return number <= _MOST and (number > 0 or (zero and number == 0))


def _range(zero: bool) -> str:
    return f"{'0 or above' if zero else 'above 0'}, at most {_MOST:f}, with at most 8 decimal places"


def _is_line(value: object, most: int, least: int = 1) -> bool:
    return isinstance(value, str) and least <= len(value) <= most and not _NOT_ONE_LINE.search(value)


def read_limits(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return risk limits to set, with their symbols in upper case; None lifts one.

    Raises:
        Invalid: an unknown limit or a bad value; fields start with ``limits.``.
    """
    if not values:
        raise _invalid("limits", [FieldError("", "name at least one limit")])
    problems = [
        FieldError(name[:64], 'must be decimal text such as "25000", with at most 8 decimal places')
        for name, value in values.items()
        if isinstance(value, str) and not _NUMBER.fullmatch(value)
    ]
    found = dict(values)
    if isinstance(values.get("symbols"), list):
        found["symbols"] = _symbols(values["symbols"], problems)
    try:
        parse_limits(found, RiskLimits())
    except Invalid as error:
        known = {problem.field for problem in problems}
        problems += [problem for problem in error.errors if problem.field not in known]
    if problems:
        raise _invalid("limits", problems, code="invalid_limits")
    return found


def _symbols(values: Sequence[Any], problems: list[FieldError]) -> list[str]:
    if len(values) > _MOST_SYMBOLS:
        problems.append(FieldError("symbols", f"must be at most {_MOST_SYMBOLS} symbols"))
        return []
    found = []
    for place, value in enumerate(values):
        try:
            found.append(parse_symbol(value if isinstance(value, str) else ""))
        except Invalid as error:
            problems.append(FieldError(f"symbols.{place}", error.errors[0].message))
    return found


def read_quotes(body: Mapping[str, Any], source: str, now_ms: int) -> list[Quote]:
    """Return the prices that a body holds, said by ``source``; one without a time is true now.

    Raises:
        Invalid: they are not a list of 1 to 500, or one is not valid; fields start with ``items.``.
    """
    items = body.get("items")
    if set(body) != {"items"} or not isinstance(items, list) or not 1 <= len(items) <= MOST_QUOTES:
        message = f"must be a list of 1 to {MOST_QUOTES} prices, and the only field"
        raise _invalid("items", [FieldError("", message)])
    return [_quote(item, f"items.{place}", source, now_ms) for place, item in enumerate(items)]


def _quote(item: Any, path: str, source: str, now_ms: int) -> Quote:
    if not isinstance(item, dict):
        raise _invalid(path, [FieldError("", "must be an object")])
    fields = TradingFields(item)
    symbol, price, time = fields.symbol("symbol"), fields.money("price"), fields.optional_moment("time")
    bid, ask = fields.optional_money("bid"), fields.optional_money("ask")
    volume = fields.optional_quantity("volume", zero=True)
    try:
        fields.done()
    except Invalid as error:
        raise _invalid(path, error.errors) from None
    if time is not None and time > now_ms + _FUTURE_MS:
        raise _invalid(path, [FieldError("time", "is in the future")])
    return Quote(symbol, price, now_ms if time is None else time, bid, ask, volume, source)


def read_symbols(text: str) -> list[str]:
    """Return the symbols of a query parameter, separated by commas, each once.

    Raises:
        Invalid: there are more than 100, or one is not a symbol.
    """
    names = text.split(",")
    if len(names) > MOST_ASKED:
        requests.refuse_query([FieldError("symbols", f"must be at most {MOST_ASKED} symbols")])
    try:
        return list(dict.fromkeys(parse_symbol(name) for name in names))
    except Invalid as error:
        requests.refuse_query([FieldError("symbols", error.errors[0].message)])
        raise


def _invalid(path: str, errors: Sequence[FieldError], *, code: str = "invalid_request") -> Invalid:
    found = [FieldError(f"{path}.{error.field}".rstrip("."), error.message) for error in errors]
    return Invalid("the request is not valid", code=code, errors=found[:20])
