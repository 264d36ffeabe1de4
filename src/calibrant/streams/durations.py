"""Lengths of time as people write them: 90d, 36h, 15m, 1d12h, or ISO 8601 such as P90D and PT36H."""

from __future__ import annotations

import re
from datetime import timedelta

from calibrant import errors

_SHORT = re.compile(r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_ISO = re.compile(r"P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?", re.ASCII)
_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))

#: Both forms as one pattern, for the JSON Schema.
PATTERN = (
    r"^(?:(?=[0-9])([0-9]{1,9}w)?([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?"
    r"|P(?=[0-9T])([0-9]{1,9}W)?([0-9]{1,9}D)?(T(?=[0-9])([0-9]{1,9}H)?([0-9]{1,9}M)?([0-9]{1,9}S)?)?)$"
)


def parse(text: str) -> timedelta:
    """Read a duration; months and years are refused, because they have no fixed length.

    >>> parse("90d") == parse("P90D") == parse("2160h")
    True
    """
    written = text.strip()
    found = _SHORT.fullmatch(written) or _ISO.fullmatch(written)
    if found is None or not any(found.groups()):
        raise errors.UsageError(
            "CAL-826",
            "the duration cannot be read",
            cause=f"{written[:40]!r} is none; months and years have no fixed length",
            fix="write it with its unit, such as 90d, 36h, 15m or P90D",
        )
    try:
        return timedelta(seconds=sum(int(n or 0) * size for n, (_, size) in zip(found.groups(), _UNITS, strict=True)))
    except OverflowError:
        raise errors.UsageError(
            "CAL-826", "the duration is too long", cause="it has more than 999,999,999 days", fix="write a shorter one"
        ) from None


def write(length: timedelta) -> str:
    """The short form, in days and smaller units; whole seconds.

    >>> write(timedelta(days=90)), write(timedelta(hours=36)), write(timedelta(minutes=15))
    ('90d', '1d12h', '15m')
    """
    rest, written = int(length.total_seconds()), ""
    for unit, size in _UNITS[1:]:
        count, rest = divmod(rest, size)
        written += f"{count}{unit}" if count else ""
    return written or "0s"
