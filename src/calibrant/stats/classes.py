"""Rows of class scores: checked at the door, and reduced to binary summaries on which every other measure works.

A matrix of class probabilities has three binary shadows: the top label (is the predicted class right?), the top
label within each predicted class, and every class against the rest. Each is a ``Summary``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.stats import means, summary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Rows of probabilities may miss the sum 1 by this much (single precision, printed decimals).
SUM_TOLERANCE = 1e-3
#: Entries (rows times classes) from which the dyadic grid replaces the distinct one.
EXACT_ENTRIES = 250_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Checked rows: raw scores (n, K), labels (n,) in 0..K-1, positive weights (n,); rows of weight 0 are gone."""

    scores: Floats
    labels: Ints
    weights: Floats

    @property
    def effective_n(self) -> float:
        """(sum w)^2 / sum w^2 (Kish 1965)."""
        return means.effective_n(self.weights)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        return Rows(self.scores[index], self.labels[index], self.weights[index])


def rows(
    scores: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None, scale: scales.Scale = scales.Scale()
) -> Rows:
    """Check class scores and labels at the door.

    Parameters
    ----------
    scores
        Shape (n, K), K >= 2, on ``scale`` (probability, percent or logit), a column per class. Rows of
        probabilities sum to 1 within ``SUM_TOLERANCE``.
    labels
        Shape (n,), integers 0..K-1: the column of the true class.
    weights
        Shape (n,), finite, >= 0; None means 1.

    Raises
    ------
    ValueRangeError
        CAL-342 (shapes), CAL-343 (scores), CAL-344 (labels), CAL-345 (weights, none positive, as without rows).

    Examples
    --------
    >>> len(rows([[0.2, 0.8], [0.6, 0.4]], [1, 0]).labels)
    2
    """
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, np.float64)
    if s.ndim != 2 or s.shape[1] < 2 or y.shape != (len(s),) or w.shape != y.shape:
        raise _bad(
            "CAL-342",
            "class scores, labels and weights do not fit together",
            cause=f"shapes are {s.shape}, {y.shape} and {w.shape}",
            fix="give scores of shape (rows, classes) with at least two classes, and one label and weight for each row",
        )
    _check_scores(s, scale)
    if not (np.issubdtype(y.dtype, np.integer) or (np.isfinite(y).all() and (y == np.floor(y)).all())):
        raise _bad("CAL-344", "labels are not class numbers", cause="some are not whole numbers", fix=_LABELS)
    if len(y) and (y.min() < 0 or y.max() >= s.shape[1]):
        raise _bad(
            "CAL-344", "labels are not class numbers", cause=f"they run from {y.min()} to {y.max()}", fix=_LABELS
        )
    keep = means.positive(w)
    y = y.astype(np.int64)
    return Rows(s, y, w) if keep.all() else Rows(s[keep], y[keep], w[keep])


_LABELS = "number the classes 0, 1, ... in the order of the score columns"


def _bad(code: str, what: str, *, cause: str, fix: str) -> errors.ValueRangeError:
    return errors.ValueRangeError(code, what, cause=cause, fix=fix)


def _check_scores(s: Floats, scale: scales.Scale) -> None:
    low, high = scale.range
    if not np.isfinite(s).all() or (len(s) and (s.min() < low or s.max() > high)):
        raise _bad(
            "CAL-343",
            f"class scores are not on the scale {scale}",
            cause=f"a finite number in [{low:g}, {high:g}] is needed for each class",
            fix="declare the scale that the scores have, and drop rows with missing scores",
        )
    if scale.kind in ("probability", "percent"):
        off = np.abs(scale.to_probability(s).sum(axis=1) - 1.0)
        if len(s) and off.max() > SUM_TOLERANCE:
            raise _bad(
                "CAL-343",
                "class probabilities do not sum to 1",
                cause=f"row {int(off.argmax())} misses it by {off.max():.3g}",
                fix="give all classes a column, or declare the scale logit",
            )


# -------------------------------------------------------------------- binary shadows


def confidence(checked: Rows) -> summary.Summary:
    """The top label's probability against whether it was right, one group.

    Ties for the top are broken towards the first class.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599.

    Examples
    --------
    >>> confidence(rows([[0.2, 0.8], [0.6, 0.4]], [1, 1])).rate
    array([0., 1.])
    """
    top = checked.scores.argmax(axis=1)
    return summary.summarise(_at(checked, top), top == checked.labels, weights=_w(checked), grid=_grid(checked))


def top_label(checked: Rows) -> summary.Summary:
    """The same within each predicted class: one group for each class that is ever predicted.

    References
    ----------
    Gupta and Ramdas 2022, arXiv:2107.08353.
    """
    top = checked.scores.argmax(axis=1)
    present, group = np.unique(top, return_inverse=True)
    return summary.summarise(
        _at(checked, top),
        top == checked.labels,
        weights=_w(checked),
        groups=group,
        group_count=len(present),
        grid=_grid(checked),
    )


def one_vs_rest(checked: Rows) -> summary.Summary:
    """Every class against the rest: K groups, in the order of the columns.

    References
    ----------
    Zadrozny and Elkan 2002, doi:10.1145/775047.775151.
    """
    n, k = checked.scores.shape
    return summary.summarise(
        np.clip(checked.scores, 0.0, 1.0).T.ravel(),
        (checked.labels == np.arange(k)[:, None]).ravel(),
        weights=np.tile(checked.weights, k),
        groups=np.repeat(np.arange(k), n),
        group_count=k,
        grid=_grid(checked),
    )


def _at(checked: Rows, column: Ints) -> Floats:
    return np.clip(checked.scores[np.arange(len(column)), column], 0.0, 1.0)


def _w(checked: Rows) -> Floats | None:
    return None if (checked.weights == 1.0).all() else checked.weights


def _grid(checked: Rows) -> summary.Grid:
    return "distinct" if checked.scores.size <= EXACT_ENTRIES else "dyadic"


# -------------------------------------------------------------------- proper scores, row by row


def losses(checked: Rows) -> Floats:
    """Log loss of each row, -log p(label), shape (n,), with p clipped to at least EPSILON."""
    return np.asarray(-np.log(np.clip(_at(checked, checked.labels), scales.EPSILON, None)))


def squares(checked: Rows) -> Floats:
    """Brier score of each row, the sum over classes of (p - [label])^2, shape (n,), in [0, 2] (Brier 1950)."""
    p_label = _at(checked, checked.labels)
    return np.asarray((checked.scores**2).sum(axis=1) - 2.0 * p_label + 1.0)
