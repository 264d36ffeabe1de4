"""Data that are fine row by row and yet cannot be measured: refused before anything is computed."""

from __future__ import annotations

import numpy as np

from calibrant import errors
from calibrant.frames import columns

#: Fewer rows than this are no mistake, only too few: that is a verdict (insufficient), not an error.
FEW = 50


def require(rows: columns.Rows) -> None:
    """Raise ValueRangeError for labels of one class (CAL-311) or constant scores (CAL-312).

    A handful of rows may well be all alike: below ``FEW`` rows nothing is raised.
    """
    counted = rows if rows.weights is None else rows.where(rows.weights > 0.0)
    if len(counted) < FEW:
        return
    if counted.target == "binary" and _constant(counted.labels):
        raise errors.ValueRangeError(
            "CAL-311",
            f"all labels of {rows.source} are {int(counted.labels[0])}",
            cause=f"{len(counted):,} rows hold one class only, so no error rate can be compared with a score",
            fix="name the column of outcomes, or wait until both outcomes have occurred",
        )
    if _constant(counted.scores):
        raise errors.ValueRangeError(
            "CAL-312",
            f"all scores of {rows.source} are {float(counted.scores[0]):g}",
            cause=f"{len(counted):,} rows hold one score only, so nothing about its scale can be measured",
            fix="name the column of scores, or check the step that wrote it",
        )


def _constant(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    return bool(np.all(values == values[0]))
