"""When a budget burns too fast: a factor over a long and a short window, counted in slices.

A rule says: page when bad slices come ``factor`` times faster than the objective allows, over the long window and over
the short one; the short one lets it stop soon after the cause has gone. A factor that even nothing but bad slices
cannot reach would be an alarm that never rings, so it is refused where the objective is declared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, cast, get_args

from calibrant import errors
from calibrant.streams import durations
from calibrant.streams.bounds import Problem

Severity = Literal["page", "ticket"]

#: Severity, share of the budget, and the part of the period that is the long window: 1h, 6h, 1d and 3d of 30 days.
#: The factors that follow are 14.4, 6, 3 and 1 (Beyer et al., The Site Reliability Workbook, chapter 5).
_FINE: Final = (("page", 0.02, 720), ("page", 0.05, 120), ("ticket", 0.1, 30), ("ticket", 0.1, 10))
#: Where slices are too coarse for those: severity, factor, and the part of the period.
_COARSE: Final = (("page", 4.0, 4), ("ticket", 2.0, 2))
#: A long window of fewer slices would ring for one bad slice.
_FEWEST: Final = 4
#: A period of fewer slices has no windows worth the name.
FEWEST_SLICES: Final = 8
_FORM: Final = re.compile(r"(page|ticket) +(\d{1,6}(?:\.\d{1,6})?) +([0-9a-zA-Z]+)/([0-9a-zA-Z]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class BurnRule:
    """Windows are numbers of slices, ``short`` at most ``long``."""

    severity: Severity
    factor: float
    long: int
    short: int


def standard(slices: int) -> tuple[BurnRule, ...]:
    """The usual rules for a period of so many slices; at least one for each severity.

    >>> [(rule.severity, round(rule.factor, 2), rule.long, rule.short) for rule in standard(30 * 24)]
    [('page', 6.0, 6, 1), ('ticket', 3.0, 24, 2), ('ticket', 1.0, 72, 6)]
    >>> [(rule.severity, rule.factor, rule.long, rule.short) for rule in standard(28)]
    [('page', 4.0, 7, 2), ('ticket', 2.0, 14, 4)]
    """
    found = []
    for severity in get_args(Severity):
        fine = [(budget, slices // parts) for one, budget, parts in _FINE if one == severity]
        usable = [(budget * slices / long, long, 12) for budget, long in fine if long >= _FEWEST]
        coarse = [(factor, slices // parts, 4) for one, factor, parts in _COARSE if one == severity]
        found += [
            BurnRule(severity, factor, long, math.ceil(long / shorter)) for factor, long, shorter in usable or coarse
        ]
    return tuple(found)


def parse(text: str, *, width: timedelta) -> BurnRule:
    """Read ``page 6 6h/30m``: severity, factor, long and short window, which are whole slices of ``width``.

    >>> parse("page 4 7d/2d", width=timedelta(days=1))
    BurnRule(severity='page', factor=4.0, long=7, short=2)
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise _unreadable(f"{text[:40]!r} is not of this form")
    windows = durations.parse(found[3]), durations.parse(found[4])
    if any(window % width or window < width for window in windows):
        raise _unreadable(f"the windows are not made of whole slices of {durations.write(width)}")
    long, short = (window // width for window in windows)
    if short > long:
        raise _unreadable("the short window is the longer one")
    return BurnRule(cast(Severity, found[1]), float(found[2]), long, short)


def _unreadable(cause: str) -> errors.UsageError:
    return errors.UsageError(
        "CAL-816",
        "the burn rule cannot be read",
        cause=cause,
        fix="write severity, factor, long/short window: page 6 6h/30m; windows are whole slices",
    )


def rules(declared: Sequence[str], *, width: timedelta, period: timedelta) -> tuple[BurnRule, ...]:
    """The declared rules, or the standard ones where none are."""
    if declared:
        return tuple(parse(text, width=width) for text in declared)
    return standard(period // width)


def problems(
    declared: Sequence[str], *, width: timedelta, period: timedelta, objective: float
) -> Iterator[Problem]:  # fmt: skip
    """What keeps the rules of an objective from ever being of use."""
    slices = period // width
    if slices < FEWEST_SLICES:
        yield Problem(
            "CAL-815",
            "the period is too short for its slices",
            path="period",
            cause=f"{slices} slices make no windows to watch a budget in",
            fix=f"give a period of at least {FEWEST_SLICES} slices",
        )
        return
    try:
        every = rules(declared, width=width, period=period)
    except errors.UsageError as error:
        yield Problem(error.code, error.what, path="burn", cause=error.cause, fix=error.fix)
        return
    for at, rule in enumerate(every):
        path = f"burn[{at}]" if declared else "objective"
        if rule.long > slices:
            yield Problem(
                "CAL-815", "the window is longer than the period", path=path,
                cause=f"{rule.long} slices of {slices}", fix="shorten it",
            )  # fmt: skip
        if not 0.0 < rule.factor < 1.0 / (1.0 - objective):
            most = 1.0 / (1.0 - objective)
            yield Problem(
                "CAL-815",
                "the burn rate can never be reached",
                path=path,
                cause=f"if every slice is bad the budget of {objective:g} burns {most:.4g} times too fast; "
                f"the rule for a {rule.severity} waits for more than {rule.factor:.4g}",
                fix=f"raise the objective above {1.0 - 1.0 / rule.factor if rule.factor > 0 else 0.0:.4g}, "
                "or declare burn rules of a lower factor",
            )
