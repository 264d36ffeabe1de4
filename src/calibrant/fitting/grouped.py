"""What every binary fit reads from a summary: distinct scores with weights and label sums, and when to refuse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.stats import grid, summary

Floats = NDArray[np.float64]

#: Fewer effective rows than this, and nothing is fitted.
MINIMUM_ROWS = 10


@dataclass(frozen=True, slots=True)
class Grouped:
    """Grouped binary data in order of the score, each column of shape (k,).

    Parameters
    ----------
    p, x
        Mean score of the cell in [0, 1] and its log-odds (clipped as all calibrators clip).
    w, wy
        Weight and weighted label sum of the cell, rescaled so that the weights sum to the effective number of
        rows: w -> c w changes nothing, and Fisher information means what it says.
    low, high
        Smallest and largest score that belongs to the cell: the score itself on the distinct grid.
    """

    p: Floats
    x: Floats
    w: Floats
    wy: Floats
    low: Floats
    high: Floats

    @property
    def rows(self) -> float:
        """Effective number of rows, (sum w)^2 / sum w^2 (Kish 1965)."""
        return float(self.w.sum())

    @property
    def positives(self) -> float:
        """Effective number of rows with label 1."""
        return float(self.wy.sum())


def read(data: summary.Summary) -> Grouped:
    """The grouped data of one group, or the reason why no map can be fitted to it.

    Raises
    ------
    FitError
        CAL-501 fewer than 10 effective rows; CAL-502 one class only; CAL-503 all scores the same.

    Examples
    --------
    >>> found = read(summary.summarise([0.2, 0.4] * 10, [0, 1] * 10))
    >>> found.rows, found.positives
    (20.0, 10.0)
    """
    data = data.only()
    total, squares = float(data.w.sum()), float(data.ww.sum())
    rows = total * total / squares if squares > 0 else 0.0
    # a hair below, so that ten equal weights of .1 are ten rows
    if rows < MINIMUM_ROWS * (1.0 - 1e-9):
        raise errors.FitError(
            "CAL-501",
            "too few rows to fit a map",
            cause=f"{rows:.4g} effective rows, at least {MINIMUM_ROWS} are needed",
            fix="collect more labelled rows, and keep the scores as they are until then",
        )
    share = float(data.wy.sum()) / total
    if not 1e-12 < share < 1.0 - 1e-12:
        raise errors.FitError(
            "CAL-502",
            "the labels hold one class only",
            cause=f"all {int(data.rows[0])} labels are {round(share)}",
            fix="check the join of scores and labels, or wait until both outcomes were seen",
        )
    p = data.score
    if len(p) < 2:
        raise errors.FitError(
            "CAL-503",
            "all scores are the same",
            cause=f"every row has the score {float(p[0]):.6g}",
            fix="check that the score column is the right one; a constant score cannot be calibrated",
        )
    low = high = p
    if data.grid == "dyadic":
        geometry = grid.geometry()
        low, high = geometry.low[data.keys], geometry.high[data.keys]
    return Grouped(p, scales.logit(p), data.w * (rows / total), data.wy * (rows / total), low, high)


def anti_ranking(method: str, found: str) -> errors.FitError:
    """The error of every method whose best map would not rise with the score."""
    return errors.FitError(
        "CAL-504",
        f"anti-ranking: {method} finds no rising map",
        cause=f"higher scores do not go with more positive labels ({found})",
        fix="check that scores and labels belong together and that label 1 is what a high score means",
    )


def separated(method: str) -> errors.FitError:
    """The error of a likelihood that has no finite maximum."""
    return errors.FitError(
        "CAL-505",
        f"{method} has no finite fit to these rows",
        cause="the scores separate the two classes (almost) perfectly, or hold too few different values",
        fix="use a simpler map, or more rows",
    )


def smoothed(data: Grouped) -> Floats:
    """Label sums with Platt's targets in place of 1 and 0, shape (k,).

    Positives count (N1 + 1) / (N1 + 2), negatives 1 / (N0 + 2), N1 and N0 in effective rows: a maximum of the
    likelihood then always exists (Platt 1999).
    """
    positives = data.positives
    negatives = data.rows - positives
    one, zero = (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0)
    return np.asarray(data.wy * one + (data.w - data.wy) * zero)


def likelihood(data: Grouped, eta: Floats) -> float:
    """Log-likelihood of log-odds ``eta``, shape (k,), in nats."""
    return float(data.wy @ eta - data.w @ np.logaddexp(0.0, eta))
