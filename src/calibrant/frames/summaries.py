"""From checked rows to summaries: of all rows, and of every cohort."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.frames import columns
from calibrant.stats import cohorts, summary

#: Up to this many rows every different score keeps a cell of its own, so that all measures are exact.
EXACT_UP_TO = 250_000


@dataclass(frozen=True, eq=False, slots=True)
class Summarised:
    """All rows, and the same rows by cohort where cohort columns were named."""

    overall: summary.Summary
    cohorts: cohorts.Cohorts | None


def summarise_rows(
    rows: columns.Rows, *, by: Sequence[str] | None = None, exact_up_to: int = EXACT_UP_TO
) -> Summarised:
    """Summarise rows; ``by`` are cohort fields of the rows (all of them by default), crossed with each other.

    Rows of weight zero carry nothing: a cohort that has no others does not appear.
    """
    fields = tuple(rows.cohorts) if by is None else tuple(by)
    grid: summary.Grid = "distinct" if len(rows) <= exact_up_to else "dyadic"
    if rows.weights is not None and not rows.weights.all():
        rows = rows.where(rows.weights > 0.0)
    p = rows.probabilities
    if not fields:
        return Summarised(summary.summarise(p, rows.labels, weights=rows.weights, grid=grid), None)
    codes, keys = group_codes([rows.cohorts[field] for field in fields])
    stacked = summary.summarise(p, rows.labels, weights=rows.weights, groups=codes, group_count=len(keys), grid=grid)
    by_cohort = cohorts.Cohorts(fields, keys, stacked)
    return Summarised(by_cohort.pooled(), by_cohort)


def group_codes(encoded: Sequence[columns.Encoded]) -> tuple[NDArray[np.int64], tuple[cohorts.Key, ...]]:
    """Group number of every row, and the tuple of values of every group that has rows, in increasing order."""
    widths = [len(column.values) for column in encoded]
    start = np.zeros(len(encoded[0].codes), np.int64)
    mixed = functools.reduce(lambda so_far, column: so_far * len(column.values) + column.codes, encoded, start)
    used, codes = np.unique(mixed, return_inverse=True)
    digits = np.unravel_index(used, widths)
    words = [[column.values[digit] for digit in place.tolist()] for column, place in zip(encoded, digits, strict=True)]
    return codes.astype(np.int64), tuple(zip(*words, strict=True))
