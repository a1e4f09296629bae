"""Time zones by their IANA names."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from domain.common.errors import FieldError, Invalid


def zone_named(name: str) -> ZoneInfo:
    """Return the zone of an IANA name such as ``Asia/Kolkata``.

    Raises:
        Invalid: code ``unknown_timezone``.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Invalid(
            f"{name[:40]!r} is not a time zone; use an IANA name such as Asia/Kolkata",
            code="unknown_timezone",
            errors=[FieldError("timezone", "not an IANA time zone name")],
        ) from None
