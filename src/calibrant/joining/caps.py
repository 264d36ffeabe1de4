"""Which cohort values keep a cohort of their own when there are more than the cap: a rule that no order can change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

OTHER = "__other__"
#: For each field the values that are kept apart, or None where all of them are.
Kept: TypeAlias = Mapping[str, tuple[str, ...] | None]


def most_frequent(counts: Iterable[tuple[str, int]], cap: int) -> tuple[str, ...] | None:
    """The ``cap`` most frequent values, ties by name, in order of name; None if no more than ``cap`` values exist.

    First come, first kept would depend on the order of arrival, and so would every number by cohort. ``__other__``
    itself takes no place.

    >>> most_frequent([("US", 5), ("DE", 2), ("CH", 2)], 2)
    ('CH', 'US')
    >>> most_frequent([("US", 5), ("DE", 2)], 2) is None
    True
    """
    own = [(value, count) for value, count in counts if value != OTHER]
    return None if len(own) <= cap else first(own, cap)


def first(counts: Iterable[tuple[str, int]], cap: int) -> tuple[str, ...]:
    """The ``cap`` most frequent values but ``__other__``, ties by name, in order of name."""
    ranked = sorted(((value, count) for value, count in counts if value != OTHER), key=lambda one: (-one[1], one[0]))
    return tuple(sorted(value for value, _ in ranked[:cap]))
