"""Instants: RFC 3339 at the edges, whole microseconds since 1970 inside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from calibrant.events import refusals

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
#: Events lie in [1970, 2200): what lies outside comes from a wrong unit or a broken clock.
FIRST, END = 0, (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,100}))?(?:([Zz])|([+-])(\d\d):?(\d\d))", re.ASCII
)


def to_us(at: datetime, path: str = "at") -> int:
    """Microseconds since 1970 of a time with a zone, checked to lie between 1970 and 2200."""
    if at.tzinfo is None or at.utcoffset() is None:
        raise refusals.BAD_TIME.error(path)
    us = (at - EPOCH) // MICROSECOND
    if not FIRST <= us < END:
        raise refusals.TIME_RANGE.error(path)
    return us


def of_us(us: int) -> datetime:
    """The instant as a time in UTC."""
    return EPOCH + us * MICROSECOND


def text(us: int) -> str:
    """RFC 3339 in UTC, with a fraction only where there is one.

    >>> text(0), text(1)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000001Z')
    """
    return of_us(us).isoformat().replace("+00:00", "Z")


def parse(written: str, path: str) -> datetime:
    """Read RFC 3339 with a zone; the leap second 23:59:60 UTC is the second after it, as in POSIX time.

    Fractions are rounded half up to microseconds; an offset may lack its colon and be up to 23:59.
    """
    form = _FORM.fullmatch(written)
    if form is None:
        raise refusals.BAD_TIME.at(path)
    year, month, day, hour, minute, second = (int(part) for part in form.groups()[:6])
    fraction, zulu, sign, hours, minutes = form.groups()[6:]
    digits = (fraction or "").ljust(7, "0")
    extra = timedelta(microseconds=int(digits[:6]) + (digits[6] >= "5"))
    offset = timedelta(0) if zulu else timedelta(hours=int(hours), minutes=int(minutes))
    leap = second == 60
    if abs(offset) >= timedelta(days=1) or (minutes and int(minutes) > 59):
        raise refusals.BAD_TIME.at(path)
    try:
        zone = timezone(-offset if sign == "-" else offset)
        at = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=zone)
        universal = at.astimezone(UTC)
        if leap:
            if (universal.hour, universal.minute) != (23, 59):
                raise refusals.BAD_TIME.at(path)
            extra = timedelta(seconds=1)
        return at + extra
    except (ValueError, OverflowError):
        raise refusals.BAD_TIME.at(path) from None
