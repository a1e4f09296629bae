"""The times that news carries, as people and feeds write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from domain.common.time import to_ms

DateOrder = Literal["mdy", "dmy"]

_UNIX = re.compile(r"(\d{9,10}|\d{12,13})(\.\d{1,9})?", re.ASCII)
_PARTS = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ T]+(\d{1,2}:\d{2}(?::\d{2})?))?", re.ASCII)
_MAIL = re.compile(
    r"(?:[a-z]{3},?\s+)?(\d{1,2})\s+([a-z]{3})\s+(\d{4}|\d{2})(?:\s+(\d{1,2}:\d{2}(?::\d{2})?)(?:\s+(\S+))?)?",
    re.ASCII | re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# The names that RFC 822 gives a meaning, and no others: IST is three different zones.
_MAIL_ZONES = {"gmt": 0, "ut": 0, "utc": 0, "z": 0, "est": -5, "edt": -4}
_MAIL_ZONES |= {"cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
_MIDNIGHT = time()
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewsTime:
    """When something was published, in milliseconds UTC.

    ``at``: then, or the beginning of the day where only a day is told. ``known``: from when on that can be relied
    on: then, or the *end* of that day: who takes its beginning, knows the day's news before they happen. Midnight
    sharp is how many programs write a day; it is read as one.
    """

    at: int
    known: int


def read_time(value: str | float, zone: ZoneInfo | None, order: DateOrder | None = None) -> NewsTime:
    """Return a time in ISO 8601, as in mail and RSS, in Unix seconds or milliseconds, or as 3/4/2024 10:00.

    Unix times are exact, midnight too.

    Args:
        value: what stands there.
        zone: of times that state none. In the hour that clocks repeat, the later one is meant.
        order: of day and month in 3/4/2024.

    Raises:
        ValueError: it is none of these, has no zone and there is no ``zone``, or that moment never was; in words.
    """
    text = str(value).strip()
    if _UNIX.fullmatch(text):
        ms = round(float(text) * (1000 if float(text) < 1e11 else 1))
        return NewsTime(ms, ms)
    local = _iso(text) or _mail(text) or _parts(text, order)
    if local is None:
        raise ValueError(
            f"{text[:40]!r} is no known time; expected such as 2024-01-31T09:30:00+05:30 or "
            "Wed, 31 Jan 2024 09:30:00 GMT"
        )
    return _settled(local, zone, text)


def _settled(local: datetime | date, zone: ZoneInfo | None, text: str) -> NewsTime:
    try:
        if isinstance(local, datetime) and local.time() != _MIDNIGHT:
            ms = _utc(local, zone, text)
            return NewsTime(ms, ms)
        own = local.tzinfo if isinstance(local, datetime) else None
        day = datetime.combine(local, _MIDNIGHT, own or _required(zone, text))
        return NewsTime(to_ms(day), to_ms(day + timedelta(days=1)))
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is out of range") from None


def _utc(local: datetime, zone: ZoneInfo | None, text: str) -> int:
    if local.tzinfo is not None:
        return to_ms(local)
    zone = _required(zone, text)
    moment = local.replace(tzinfo=zone, fold=1)
    if moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise ValueError(f"{text[:40]!r} does not exist in {zone.key}: the clocks skip it")
    return to_ms(moment)


def _required(zone: ZoneInfo | None, text: str) -> ZoneInfo:
    if zone is None:
        raise ValueError(f"{text[:40]!r} has no time zone; say which is meant (timezone)")
    return zone


def _iso(text: str) -> datetime | date | None:
    if not re.match(r"\d{4}-?\d{2}-?\d{2}", text, re.ASCII):
        return None
    try:
        if len(text) <= 10:
            return date.fromisoformat(text)
        return datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d|[Zz]$|UTC$)", "", text).replace("UTC", "Z").upper())
    except ValueError:
        return None


def _mail(text: str) -> datetime | date | None:
    found = _MAIL.fullmatch(text)
    if found is None or found[2].lower() not in _MONTHS:
        return None
    year = int(found[3])
    if len(found[3]) == 2:
        year += 2000 if year < 70 else 1900
    return _at(year, _MONTHS.index(found[2].lower()) + 1, int(found[1]), found[4], found[5])


def _parts(text: str, order: DateOrder | None) -> datetime | date | None:
    found = _PARTS.fullmatch(text)
    if found is None:
        return None
    if order is None:
        raise ValueError(f"{text[:40]!r} may be month/day or day/month; say which is meant (date_order)")
    first, second = int(found[1]), int(found[2])
    month, day = (first, second) if order == "mdy" else (second, first)
    return _at(int(found[3]), month, day, found[4], None)


def _at(year: int, month: int, number: int, clock: str | None, zone: str | None) -> datetime | date | None:
    offset = None if zone is None else _mail_zone(zone)
    try:
        day = date(year, month, number)
        if clock is None:
            return day
        hour, minute, *second = map(int, clock.split(":"))
        return datetime.combine(day, time(hour, minute, sum(second)), offset)
    except ValueError:
        return None


def _mail_zone(name: str) -> tzinfo:
    hours = _MAIL_ZONES.get(name.lower())
    if hours is not None:
        return timezone(timedelta(hours=hours))
    found = _OFFSET.fullmatch(name)
    if found is None or int(found[2]) > 23:
        raise ValueError(f"{name[:10]!r} is no time zone that has one meaning; expected such as +0530 or GMT")
    minutes = int(found[2]) * 60 + int(found[3])
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
