"""A calibrator applied to a source: what it reads, batch by batch or a whole data frame at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators import by_cohort, kinds, multiclass
from calibrant.calibrators.scales import Scale
from calibrant.frames import batches, sources, tables

ADDED = "calibrated"


@dataclass(frozen=True, slots=True)
class Reader:
    """What a map reads: cohort columns by name, scores on a scale; and how it is applied to a batch."""

    cohorts: tuple[str, ...]
    scale: Scale
    apply: Callable[[batches.Batch], NDArray[np.float64]]


def reader(calibrator: kinds.Kind) -> Reader:
    """The reader of a map of one score.

    Raises UsageError (CAL-425) for maps of several classes.
    """
    if isinstance(calibrator, multiclass.MulticlassTemperature | multiclass.VectorScaling | multiclass.MatrixScaling):
        raise errors.UsageError(
            "CAL-425",
            f"a map of kind {calibrator.kind!r} reads one score per class",
            cause="transform reads one column of scores",
            fix="apply it in Python: calibrant.loads(data).calibrator.apply(scores)",
        )
    if isinstance(calibrator, by_cohort.ByCohort):
        split = calibrator
        return Reader(split.fields, split.scale, lambda batch: split.apply(batch.scores, batch.cohorts))
    single = calibrator
    # maps of measurements have no score scale: they read any finite number
    return Reader((), getattr(single, "scale", Scale("unbounded")), lambda batch: single.apply(batch.scores))


def transform(
    calibrator: kinds.Kind, frame: Any, *, score: str, adding: str = ADDED, skip_bad_rows: bool = False
) -> Any:
    """A data frame (or mapping of arrays) with the calibrated scores added, as the kind that came in.

    Files are transformed by the command ``calibrant transform``, which streams. With ``skip_bad_rows`` rows
    without a usable score stay, their value is NaN.

    >>> from calibrant.calibrators import logistic
    >>> out = transform(logistic.Platt(2.0, 0.0), {"p": [0.75, 0.5]}, score="p")
    >>> out["calibrated"].round(6)
    array([0.9, 0.5])
    """
    if sources.is_path(frame):
        raise errors.UsageError(
            "CAL-438",
            "a file is not transformed in memory",
            cause="a path was given where a data frame belongs",
            fix="calibrant transform calibrator.json FILE --score COL -o OUT",
        )
    reads = reader(calibrator)
    found = [
        reads.apply(batch)
        for batch in batches.batches(
            frame, score=score, cohorts=reads.cohorts, scale=reads.scale, adding=adding, skip_bad_rows=skip_bad_rows
        )
    ]
    return tables.like(frame, {adding: np.concatenate(found)})
