"""Summaries of many cohorts stacked into one, with the table that says which group is which cohort.

Laws (tested): ``a + b`` is the summary of the rows of both, whatever cohorts each of them has; ``(a + b) - b == a``;
``pooled()`` is the summary of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibrant import errors
from calibrant.stats import summary as summaries

Key = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Cohorts:
    """One summary per cohort.

    Parameters
    ----------
    fields
        Names of the cohort columns, at least one.
    keys
        One tuple of values per cohort, as long as ``fields``; increasing, so every cohort is there once.
    summary
        The stacked summary: group i belongs to ``keys[i]``.

    Examples
    --------
    >>> rows = summaries.summarise([0.1, 0.9, 0.4], [0, 1, 1], groups=[0, 0, 1])
    >>> cohorts = Cohorts(("carrier",), (("AA",), ("UA",)), rows)
    >>> cohorts["UA"].rows, cohorts.pooled().rows
    (array([1]), array([3]))
    """

    fields: Key
    keys: tuple[Key, ...]
    summary: summaries.Summary

    def __post_init__(self) -> None:
        whole = (
            bool(self.fields)
            and len(self.keys) == len(self.summary.starts)
            and all(len(key) == len(self.fields) for key in self.keys)
            and all(before < after for before, after in zip(self.keys, self.keys[1:], strict=False))
        )
        if not whole:
            raise errors.UsageError(
                "CAL-409",
                "cohort keys and groups do not fit together",
                cause=f"{len(self.keys)} keys, {len(self.summary.starts)} groups, fields {self.fields}",
                fix="give one key per group, in increasing order",
            )

    def __len__(self) -> int:
        return len(self.keys)

    def index(self, key: str | Key) -> int:
        """Position of one cohort; a single field may be named by its bare value.

        Raises
        ------
        UsageError
            If there is no such cohort.
        """
        wanted = (key,) if isinstance(key, str) else key
        try:
            return self.keys.index(wanted)
        except ValueError:
            raise errors.UsageError(
                "CAL-422",
                f"there is no cohort {dict(zip(self.fields, wanted, strict=False))}",
                cause=f"{len(self.keys)} cohorts are known, by {', '.join(self.fields)}",
                fix="take one of .keys",
            ) from None

    def __getitem__(self, key: str | Key) -> summaries.Summary:
        at = self.index(key)
        ends = np.append(self.summary.starts[1:], len(self.summary.keys))
        return self.summary.slice(int(self.summary.starts[at]), int(ends[at]))

    def pooled(self) -> summaries.Summary:
        """All cohorts together as one group."""
        if not len(self.summary.keys):
            return summaries.empty(self.summary.grid)
        nobody = np.zeros(len(self.summary.keys), np.int64)
        return _sum(self.summary.grid, nobody, self.summary.keys, self.summary.n, self.summary.sums)[1]

    def renamed(self, fields: Key, keys: Sequence[Key]) -> Cohorts:
        """The same rows under other keys, one for each group of now; groups that get equal keys become one.

        >>> rows = summaries.summarise([0.1, 0.9, 0.4], [0, 1, 1], groups=[0, 1, 2])
        >>> fine = Cohorts(("carrier", "origin"), (("AA", "EWR"), ("AA", "JFK"), ("UA", "JFK")), rows)
        >>> fine.renamed(("carrier",), [key[:1] for key in fine.keys])["AA"].rows
        array([2])
        """
        names = sorted(set(keys))
        place = {key: index for index, key in enumerate(names)}
        where = np.array([place[key] for key in keys], np.int64)
        group = where[self.summary.group] if len(where) else where
        _, merged = _sum(self.summary.grid, group, self.summary.keys, self.summary.n, self.summary.sums)
        return Cohorts(fields, tuple(names), merged if names else self.summary)

    def __add__(self, other: Cohorts) -> Cohorts:
        return self._merge(other, 1)

    def __sub__(self, other: Cohorts) -> Cohorts:
        """Take away rows that were added before; cohorts without rows disappear.

        Raises
        ------
        UsageError
            If ``other`` holds rows that are not here.
        """
        return self._merge(other, -1)

    def _merge(self, other: Cohorts, sign: int) -> Cohorts:
        return _added([(self, 1), (other, sign)])


def total(parts: Sequence[Cohorts]) -> Cohorts:
    """All parts added up at once, at least one: what ``+`` gives, in one pass over their cells.

    >>> one = Cohorts(("carrier",), (("AA",),), summaries.summarise([0.1], [0]))
    >>> total([one, one, one])["AA"].rows
    array([3])
    """
    return _added([(part, 1) for part in parts])


def _added(parts: Sequence[tuple[Cohorts, int]]) -> Cohorts:
    first = parts[0][0]
    for other, _ in parts:
        if first.fields != other.fields or first.summary.grid != other.summary.grid:
            raise errors.UsageError(
                "CAL-405",
                "these cohorts cannot be merged",
                cause=f"one is by {first.fields} on {first.summary.grid!r}, the other by {other.fields} "
                f"on {other.summary.grid!r}",
                fix="summarise both by the same fields and on the same grid",
            )
    keys = sorted({key for part, _ in parts for key in part.keys})
    place = {key: index for index, key in enumerate(keys)}
    groups = []
    for part, _ in parts:
        where = np.array([place[key] for key in part.keys], np.int64)
        groups.append(where[part.summary.group] if len(where) else where)
    used, merged = _sum(
        first.summary.grid,
        np.concatenate(groups),
        np.concatenate([part.summary.keys for part, _ in parts]),
        np.concatenate([sign * part.summary.n for part, sign in parts]),
        np.concatenate([sign * part.summary.sums for part, sign in parts], axis=1),
    )
    return Cohorts(first.fields, tuple(keys[index] for index in used.tolist()), merged)


def _sum(
    grid: summaries.Grid,
    group: summaries.Ints,
    cell: summaries.Ints,
    n: summaries.Ints,
    sums: summaries.Floats,
) -> tuple[summaries.Ints, summaries.Summary]:
    """Add up equal cells of equal groups; which groups still have rows, and their summary."""
    order = np.lexsort((cell, group))
    group, cell = group[order], cell[order]
    if not len(order):
        return np.arange(0), replace(summaries.empty(grid), starts=np.zeros(0, np.int64))
    starts = np.flatnonzero(np.append(True, (np.diff(group) != 0) | (np.diff(cell) != 0)))
    n = np.add.reduceat(n[order], starts)
    sums = np.stack([np.add.reduceat(row[order], starts) for row in sums])
    group, cell = group[starts], cell[starts]
    if (n < 0).any():
        raise errors.UsageError(
            "CAL-406",
            "more rows are taken away than there are",
            cause=f"{int((n < 0).sum())} cells would hold fewer than zero rows",
            fix="subtract only summaries of rows that were added before",
        )
    keep = n > 0
    used, first = np.unique(group[keep], return_index=True)
    return used, summaries.Summary(grid, cell[keep], n[keep], sums[:, keep], first.astype(np.int64))
