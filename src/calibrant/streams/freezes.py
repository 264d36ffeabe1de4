"""Times in which nothing is changed: holidays by date, and weekends that come every week. All times are UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from calibrant.streams.bounds import Problem

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MOMENT: Final = rf"({'|'.join(_DAYS)}) ([01]\d|2[0-3]):([0-5]\d)"
_WEEKLY: Final = re.compile(rf"{_MOMENT}/{_MOMENT}")
_US: Final = timedelta(microseconds=1)
_WEEK_US: Final = timedelta(days=7) // _US
#: A Monday at 00:00 UTC.
_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Freeze:
    """From ``start_us`` to before ``end_us``: of the week where it is ``weekly``, of all time otherwise."""

    text: str
    start_us: int
    end_us: int
    weekly: bool

    def until_us(self, now_us: int) -> int | None:
        """When it ends if it holds now, otherwise None."""
        if not self.weekly:
            return self.end_us if self.start_us <= now_us < self.end_us else None
        length = (self.end_us - self.start_us) % _WEEK_US
        since = (now_us - (_MONDAY - _EPOCH) // _US - self.start_us) % _WEEK_US
        return now_us + length - since if since < length else None


def parse(text: str) -> Freeze | Problem:
    """``2026-12-24/2026-12-27`` (both days included), with times of day if wanted, or ``Fri 16:00/Mon 08:00``.

    >>> parse("Fri 16:00/Mon 08:00").weekly
    True
    """
    weekly = _WEEKLY.fullmatch(text)
    if weekly is not None:
        day, hour, minute, last, last_hour, last_minute = weekly.groups()
        start, end = _of_week(day, hour, minute), _of_week(last, last_hour, last_minute)
        return _problem(text, "it ends when it begins") if start == end else Freeze(text, start, end, weekly=True)
    first, _, second = text.partition("/")
    try:
        begin, finish = (_moment(part) for part in (first, second))
    except ValueError:
        return _problem(text, "it is neither two dates nor two times of the week")
    if len(second) == len("2026-12-27"):
        finish += timedelta(days=1)
    if finish <= begin:
        return _problem(text, "it ends before it begins")
    return Freeze(text, (begin - _EPOCH) // _US, (finish - _EPOCH) // _US, weekly=False)


def holding(texts: Iterable[str], now_us: int) -> tuple[str, int] | None:
    """The declared freeze that ends last of those that hold now, and when it ends; None when changes are allowed."""
    found = [
        (one.text, until) for one in map(parse, texts) if isinstance(one, Freeze) and (until := one.until_us(now_us))
    ]
    return max(found, key=lambda one: one[1], default=None)


def _of_week(day: str, hour: str, minute: str) -> int:
    return timedelta(days=_DAYS.index(day), hours=int(hour), minutes=int(minute)) // _US


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _problem(text: str, cause: str) -> Problem:
    return Problem(
        "CAL-814",
        f"{text[:60]!r} is no freeze",
        path="freezes",
        cause=cause,
        fix="write 2026-12-24/2026-12-27 or Fri 16:00/Mon 08:00, in UTC",
    )
