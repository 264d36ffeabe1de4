"""Checks that every calibrator makes of its own parameters, so that an illegal map cannot exist."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

from calibrant import errors


def illegal(kind: str, cause: str) -> errors.ArtifactError:
    """The error of a map whose parameters break its definition."""
    return errors.ArtifactError(
        "CAL-610",
        f"these parameters do not make a {kind} map",
        cause=cause,
        fix="fit the map again, or take the file from where it was first written",
    )


def number(kind: str, name: str, value: float) -> float:
    """A finite Python float; minus zero becomes zero, which canonical JSON cannot tell apart."""
    try:
        found = float(value) + 0.0
    except (TypeError, ValueError):
        raise illegal(kind, f"{name} is not a number") from None
    if not math.isfinite(found):
        raise illegal(kind, f"{name} is {found}, not finite")
    return found


def numbers(kind: str, name: str, values: Iterable[float], *, low: float, high: float) -> tuple[float, ...]:
    """At least one finite float, each in [low, high]."""
    found = tuple(number(kind, name, value) for value in values)
    if not found:
        raise illegal(kind, f"{name} is empty")
    if min(found) < low or max(found) > high:
        raise illegal(kind, f"{name} leaves [{low:g}, {high:g}]")
    return found


def increasing(kind: str, name: str, values: tuple[float, ...]) -> None:
    """Each value above the one before."""
    if any(a >= b for a, b in itertools.pairwise(values)):
        raise illegal(kind, f"{name} must be strictly increasing")


def non_decreasing(kind: str, name: str, values: tuple[float, ...]) -> None:
    """No value below the one before."""
    if any(a > b for a, b in itertools.pairwise(values)):
        raise illegal(kind, f"{name} must not decrease")


def same_length(kind: str, **columns: tuple[float, ...]) -> None:
    """All columns as long as the first."""
    if len({len(column) for column in columns.values()}) > 1:
        found = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise illegal(kind, f"columns of different lengths: {found}")
