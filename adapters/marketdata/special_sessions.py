"""Sessions that exchange-calendars does not know: Saturdays and Sundays with trading, and Diwali's Muhurat hour.

By calendar, as (date, open, close) in the exchange's own time. From the circulars of NSE and BSE, "Capital Market:
Trading on …" and "Muhurat Trading", https://www.nseindia.com/resources/exchange-communication-circulars; both
exchanges trade at these times. A day that is missing here counts as closed, which refuses orders, and sends none.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

_INDIA = "Asia/Kolkata"
_XBOM = (
    ("2020-02-01", "09:15", "15:30"),  # Union Budget, a Saturday
    ("2020-11-14", "18:15", "19:15"),  # Muhurat
    ("2021-11-04", "18:15", "19:15"),  # Muhurat
    ("2022-10-24", "18:15", "19:15"),  # Muhurat
    ("2023-11-12", "18:15", "19:15"),  # Muhurat
    ("2024-01-20", "09:15", "15:30"),  # a full Saturday instead of 2024-01-22
    ("2024-03-02", "09:15", "10:00"),  # switch to the disaster recovery site and back
    ("2024-03-02", "11:30", "12:30"),
    ("2024-05-18", "09:15", "10:00"),  # the same
    ("2024-05-18", "11:30", "12:30"),
    ("2024-11-01", "18:00", "19:00"),  # Muhurat
    ("2025-02-01", "09:15", "15:30"),  # Union Budget, a Saturday
    ("2025-10-21", "13:45", "14:45"),  # Muhurat
    ("2026-02-01", "09:15", "15:30"),  # Union Budget, a Sunday
)


def special_sessions() -> dict[str, list[tuple[int, int]]]:
    """Return the sessions by calendar, as (open, close) in milliseconds UTC."""
    return {"XBOM": [(_ms(day, opened), _ms(day, closed)) for day, opened, closed in _XBOM]}


def _ms(day: str, time: str) -> int:
    local = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=ZoneInfo(_INDIA))
    return round(local.timestamp() * 1000)
