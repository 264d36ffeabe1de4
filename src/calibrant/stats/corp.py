"""CORP: a mean score split into miscalibration, discrimination and uncertainty, without bins."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from calibrant.stats import pav, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]

#: Which proper score is decomposed; smaller is better.
Score = Literal["brier", "log"]
#: Blocks of groups are told apart by adding this per group before pooling: rates never reach it.
APART = 2.0


@dataclass(frozen=True, slots=True)
class Decomposition:
    """score = mcb - dsc + unc. ``mcb``: what recalibration would gain; ``dsc``: what the order of scores is worth;
    ``unc``: the score of the base rate. In-sample mcb and dsc are at least 0 (mcb to the width of a cell, on the dyadic
    grid); cross-fitted ones may be negative.
    """

    score: float
    mcb: float
    dsc: float
    unc: float


@dataclass(frozen=True, slots=True)
class Decompositions:
    """The same for every group: arrays of shape (g,)."""

    score: Floats
    mcb: Floats
    dsc: Floats
    unc: Floats


def corp(summary: summaries.Summary, *, score: Score = "brier") -> Decomposition | results.Insufficient:
    """CORP decomposition in sample.

    Parameters
    ----------
    summary
        One group.
    score
        ``brier``, or ``log`` for the log loss in nats.

    Returns
    -------
    Decomposition | Insufficient
        Scores are minimised. In-sample mcb is biased upward, and at few rows by much: decide on
        ``cross_fitted``. ``Insufficient`` without rows.

    Notes
    -----
    q = PAV(y | p), weighted, equal scores (cells, on the dyadic grid) pooled before; mcb = S(p) - S(q),
    dsc = S(ybar) - S(q), unc = S(ybar). On the dyadic grid q is the best fit that is constant within cells.

    References
    ----------
    Dimitriadis, Gneiting and Jordan 2021, doi:10.1073/pnas.2016191118.

    Examples
    --------
    >>> corp(summaries.summarise([0.25, 0.25, 0.75, 0.75], [0, 0, 0, 1]))
    Decomposition(score=0.1875, mcb=0.0625, dsc=0.0625, unc=0.1875)
    """
    if not len(summary.only().keys):
        return results.Insufficient(0, 1)
    every = corp_by_group(summary, score=score)
    return Decomposition(*(float(part[0]) for part in (every.score, every.mcb, every.dsc, every.unc)))


def corp_by_group(summary: summaries.Summary, *, score: Score = "brier") -> Decompositions:
    """In-sample decomposition of every group, with one pooling pass for all of them.

    Examples
    --------
    >>> corp_by_group(summaries.summarise([0.5, 0.5, 0.5], [0, 1, 1], groups=[0, 0, 1])).mcb
    array([0.  , 0.25])
    """
    group, weight = summary.group, summary.total("w")
    fitted = recalibrated(summary)
    mean = (summary.total("wy") / weight)[group]
    at_fit, at_mean = (summary.reduce(_losses(summary, each, score)) / weight for each in (fitted, mean))
    achieved = _achieved(summary, score)
    return Decompositions(achieved, achieved - at_fit, at_mean - at_fit, at_mean)


def cross_fitted(folds: Sequence[summaries.Summary], *, score: Score = "brier") -> Decomposition | results.Insufficient:
    """CORP decomposition in which every row is recalibrated by a fit that has not seen it.

    Parameters
    ----------
    folds
        At least two disjoint parts of the rows, on one grid: at random (``split.at_random``), by group or by time.
    score
        ``brier``, or ``log`` for the log loss in nats.

    Returns
    -------
    Decomposition | Insufficient
        mcb is negative where recalibration would do harm. ``Insufficient`` for fewer than two folds with rows.

    Notes
    -----
    For each fold PAV is fitted to all others, read off linearly between their scores and kept within
    [1/(n + 2), 1 - 1/(n + 2)] for n effective rows, without which one unlucky row makes the log loss infinite.
    unc is that of the base rate of all rows.

    Examples
    --------
    >>> half = summaries.summarise([0.25, 0.75] * 20, [0, 1] * 20)
    >>> round(cross_fitted([half, half]).mcb, 3)
    0.062
    """
    parts = [fold.only() for fold in folds if len(fold.keys)]
    if len(parts) < 2:
        return results.Insufficient(len(parts), 2, "folds with rows")
    total = functools.reduce(operator.add, parts)
    weight = float(total.w.sum())
    losses = 0.0
    for place, part in enumerate(parts):
        # added up and not taken away from the total: with weights, differences would keep a little of the fold
        training = functools.reduce(operator.add, parts[:place] + parts[place + 1 :])
        edge = 1.0 / (float(training.effective_n[0]) + 2.0)
        map_ = np.interp(part.score, training.score, np.clip(recalibrated(training), edge, 1.0 - edge))
        losses += float(_losses(part, map_, score).sum())
    mean = np.full(len(total.keys), total.wy.sum() / weight)
    unc = float(_losses(total, mean, score).sum()) / weight
    achieved = float(_achieved(total, score)[0])
    return Decomposition(achieved, achieved - losses / weight, unc - losses / weight, unc)


def recalibrated(summary: summaries.Summary) -> Floats:
    """The PAV fit at every cell, shape (k,), in [0, 1], each group for itself; of any number of groups.

    Examples
    --------
    >>> recalibrated(summaries.summarise([0.1, 0.2, 0.3, 0.9], [0, 1, 0, 1], grid="distinct"))
    array([0. , 0.5, 0.5, 1. ])
    """
    if not len(summary.keys):
        return np.zeros(0)
    blocks = pav.pool(summary.rate + APART * summary.group, summary.w)
    w, wy = (np.add.reduceat(column, blocks.starts) for column in (summary.w, summary.wy))
    lengths = np.diff(np.append(blocks.starts, len(summary.keys)))
    return np.repeat(np.clip(wy / w, 0.0, 1.0), lengths)


def _losses(summary: summaries.Summary, q: Floats, score: Score) -> Floats:
    """Summed loss of every cell, shape (k,), if its rows are told q, shape (k,)."""
    w, wy, wyy = summary.sums[:3]
    match score:
        case "brier":
            return np.asarray(wyy - 2.0 * q * wy + q**2 * w)
        case "log":
            told = np.clip(q, summaries.EPSILON, 1.0 - summaries.EPSILON)
            return np.asarray(-(wy * np.log(told) + (w - wy) * np.log1p(-told)))
        case _:
            assert_never(score)


def _achieved(summary: summaries.Summary, score: Score) -> Floats:
    """The mean score itself per group, shape (g,): exact on both grids."""
    match score:
        case "brier":
            squares = summary.total("wpp") - 2.0 * summary.total("wpy") + summary.total("wyy")
            return np.asarray(squares / summary.total("w"))
        case "log":
            return summary.total("loss") / summary.total("w")
        case _:
            assert_never(score)
