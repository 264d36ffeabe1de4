"""The CORP reliability curve: blocks of constant rate, and the bands that say what noise alone can do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.stats import corp, intervals, pav, redraw, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """The CORP reliability curve: blocks of constant rate, in order; arrays of shape (b,).

    Scores from ``low`` to ``high`` (the first and last that occur in the block) were observed to come true at
    ``rate``; ``n`` rows of weight ``w``.
    """

    low: Floats
    high: Floats
    rate: Floats
    n: NDArray[np.int64]
    w: Floats


@dataclass(frozen=True, slots=True)
class Band:
    """Pointwise limits at each of the scores, arrays of shape (k,); ``draws`` resamples."""

    score: Floats
    low: Floats
    high: Floats
    level: float
    draws: int


def curve(summary: summaries.Summary) -> Curve | results.Insufficient:
    """The reliability curve of one group: the PAV fit of the labels on the scores, in blocks.

    Examples
    --------
    >>> curve(summaries.summarise([0.1, 0.2, 0.3, 0.9], [0, 1, 0, 1], grid="distinct")).rate
    array([0. , 0.5, 1. ])
    """
    if not len(summary.only().keys):
        return results.Insufficient(0, 1)
    blocks = pav.pool(summary.rate, summary.w)
    ends = np.append(blocks.starts[1:], len(summary.keys)) - 1
    w, wy, n = (np.add.reduceat(column, blocks.starts) for column in (summary.w, summary.wy, summary.n))
    rate = np.clip(wy / w, 0.0, 1.0)
    return Curve(summary.score[blocks.starts], summary.score[ends], rate, n.astype(np.int64), w)


def consistency_band(
    summary: summaries.Summary, *, rng: np.random.Generator, draws: int = 200, level: float = 0.9
) -> Band | results.Insufficient:
    """Where the curve would lie around the diagonal if the scores were right: y* ~ Bernoulli(score), PAV, quantiles.

    Parameters
    ----------
    summary
        One group. Labels that are rates vary less than the band says.
    rng
        The only source of randomness.
    draws
        Resamples; 200 for a look, 1,000 for print.
    level
        Pointwise coverage.

    References
    ----------
    Dimitriadis, Gneiting and Jordan 2021, doi:10.1073/pnas.2016191118, uncertainty quantification.
    """
    return _band(summary, summary.score, rng=rng, draws=draws, level=level)


def confidence_band(
    summary: summaries.Summary, *, rng: np.random.Generator, draws: int = 200, level: float = 0.9
) -> Band | results.Insufficient:
    """Uncertainty of the curve itself: y* ~ Bernoulli(PAV fit), PAV again, quantiles. Parameters as above."""
    return _band(summary, corp.recalibrated(summary), rng=rng, draws=draws, level=level)


def _band(
    summary: summaries.Summary, probabilities: Floats, *, rng: np.random.Generator, draws: int, level: float
) -> Band | results.Insufficient:
    if not len(summary.only().keys):
        return results.Insufficient(0, 1)
    intervals.quantile(level)
    tail = (1.0 - level) / 2.0
    means = redraw.label_sums(summary, probabilities, draws=draws, rng=rng)
    means /= summary.w
    for row in range(draws):
        means[row] = pav.pool(means[row], summary.w).fitted
    low, high = np.clip(np.quantile(means, [tail, 1.0 - tail], axis=0), 0.0, 1.0)
    return Band(summary.score, low, high, level, draws)
