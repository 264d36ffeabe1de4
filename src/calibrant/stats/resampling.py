"""The bootstrap on a summary: new summaries as fresh samples of rows would have given them, without the rows.

A row drawn Poisson(1) times is the Poisson bootstrap; summed over the rows of one cell and label this is a
Poisson number again. So only the sums per (cell, label) are needed, and the cost does not depend on the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from calibrant import errors
from calibrant.stats import grid as score_grid
from calibrant.stats import intervals, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]
Kind = Literal["percentile", "basic"]
Statistic = Callable[[summaries.Summary], results.Measured | float]

#: No interval is given when more than this share of the replicates had no value of the statistic.
UNDEFINED = 0.05
#: Fewer replicates than this say nothing about the ends of an interval.
FEWEST = 20


def poisson_bootstrap(
    summary: summaries.Summary,
    statistic: Statistic,
    *,
    replicates: int,
    rng: np.random.Generator,
    level: float = 0.95,
    kind: Kind = "percentile",
) -> results.Measured:
    """A statistic of a summary with its Poisson-bootstrap interval.

    Parameters
    ----------
    summary
        One group. With more distinct scores than the dyadic grid has cells, the replicates are taken on the
        dyadic grid and their deviations from the value there are put around the exact value.
    statistic
        From a summary to a number; ``Insufficient`` or NaN where it has no value.
    replicates
        How many, at least 20; 200 for a look, 1,000 for a decision.
    rng
        The only source of randomness.
    level
        Coverage of the interval, in (0, 1).
    kind
        ``percentile``: quantiles of the replicates. ``basic``: those reflected at the estimate, which is the
        better one for biased statistics. Neither corrects for bias or skewness (as BCa would: that needs rows).

    Returns
    -------
    Measured
        ``Estimate`` whose method names the scheme; without ends if over 5 % of the replicates had no value.
        What the statistic itself calls ``Insufficient`` is passed on.

    Raises
    ------
    UsageError
        CAL-453 for fewer than 20 replicates.

    References
    ----------
    Efron and Tibshirani 1993, ch. 13; Chamandy et al. 2012, Estimating uncertainty for massive data streams.

    Examples
    --------
    >>> flips = summaries.summarise(np.full(100, 0.5), np.arange(100) % 4 == 0)
    >>> found = poisson_bootstrap(flips, lambda s: float(s.rate @ s.w / s.w.sum()),
    ...                           replicates=400, rng=np.random.default_rng(1))
    >>> found.value, round(found.low, 2), round(found.high, 2), found.method
    (0.25, 0.17, 0.33, 'bootstrap (Poisson, percentile, 400 replicates)')
    """
    intervals.quantile(level)
    measured = statistic(summary)
    if isinstance(measured, results.Insufficient):
        return measured
    value = np.array([_number(measured)])
    if np.isnan(value[0]):
        return results.Insufficient(0, 1, "values of the statistic")
    found = replicate(summary, lambda s: np.array([_number(statistic(s))]), value, replicates=replicates, rng=rng)
    return found.estimates(level=level, kind=kind)[0]


@dataclass(frozen=True, slots=True)
class Replicates:
    """A statistic of d numbers, ``value`` (d,), and its finite replicates ``drawn`` (b, d); ``asked`` for that many."""

    value: Floats
    drawn: Floats
    asked: int
    scheme: str

    def estimates(self, *, level: float = 0.95, kind: Kind = "percentile") -> list[results.Estimate]:
        """Each number with its interval; without ends if over 5 % of the replicates had no value."""
        lost = self.asked - len(self.drawn)
        if lost > UNDEFINED * self.asked:
            why = f"none ({lost} of {self.asked} replicates undefined)"
            return [results.Estimate(float(value), method=why) for value in self.value]
        method = f"bootstrap (Poisson, {kind}, {self.scheme})"
        both = [
            ends(drawn, float(value), level=level, kind=kind)
            for value, drawn in zip(self.value, self.drawn.T, strict=True)
        ]
        return [
            results.Estimate(float(value), *pair, level, method) for value, pair in zip(self.value, both, strict=True)
        ]


def replicate(
    summary: summaries.Summary,
    statistic: Callable[[summaries.Summary], Floats],
    value: Floats,
    *,
    replicates: int,
    rng: np.random.Generator,
) -> Replicates:
    """Replicates of several numbers at once, from one stream of resampled summaries.

    Parameters
    ----------
    summary
        One group; see ``poisson_bootstrap`` for what happens if it has very many distinct scores.
    statistic
        From a summary to shape (d,); NaN where there is no value.
    value
        The statistic of ``summary`` itself, shape (d,), finite.
    replicates
        How many, at least 20.
    rng
        The only source of randomness.

    Raises
    ------
    UsageError
        CAL-453 for fewer than 20 replicates.

    Examples
    --------
    >>> few = summaries.summarise([0.2, 0.8, 0.5], [0, 1, 1])
    >>> found = replicate(few, lambda s: s.total("w"), few.total("w"), replicates=50, rng=np.random.default_rng(1))
    >>> found.drawn.shape
    (50, 1)
    """
    check(replicates)
    source = summary.to_dyadic() if len(summary.keys) > score_grid.CELLS else summary
    middle = value if source is summary else statistic(source)
    drawn = np.array([statistic(each) for each in draw(source, replicates=replicates, rng=rng)])
    drawn = drawn[np.isfinite(drawn).all(axis=1)] + (value - middle)
    scheme = f"{replicates} replicates" + ("" if source is summary else ", on the dyadic grid")
    return Replicates(value, drawn if np.isfinite(middle).all() else drawn[:0], replicates, scheme)


def replicate_pair(
    pair: tuple[summaries.Summary, summaries.Summary],
    statistic: Callable[[summaries.Summary, summaries.Summary], Floats | None],
    value: Floats,
    *,
    replicates: int,
    rng: np.random.Generator,
) -> Replicates:
    """Replicates of several numbers that compare two independent samples, both resampled.

    Parameters
    ----------
    pair
        One group each. If either has more distinct scores than the dyadic grid has cells, the replicates of both
        are taken there and their deviations put around the exact value.
    statistic
        From two summaries to shape (d,); None or NaN where there is no value.
    value
        The statistic of the pair itself, shape (d,), finite.
    replicates
        How many, at least 20.
    rng
        The only source of randomness.

    Raises
    ------
    UsageError
        CAL-453 for fewer than 20 replicates.

    Examples
    --------
    >>> few = summaries.summarise([0.2, 0.8, 0.5], [0, 1, 1])
    >>> found = replicate_pair((few, few), lambda a, b: b.total("w") - a.total("w"), np.zeros(1),
    ...                        replicates=50, rng=np.random.default_rng(1))
    >>> found.drawn.shape
    (50, 1)
    """
    check(replicates)
    coarse = max(len(each.keys) for each in pair) > score_grid.CELLS
    sources = (pair[0].to_dyadic(), pair[1].to_dyadic()) if coarse else pair
    middle = statistic(*sources) if coarse else value
    streams = (draw(each, replicates=replicates, rng=rng) for each in sources)
    found = [statistic(first, second) for first, second in zip(*streams, strict=True)]
    drawn = np.array([each for each in found if each is not None and np.isfinite(each).all()])
    scheme = f"{replicates} replicates" + (", on the dyadic grid" if coarse else "")
    if middle is None or not len(drawn):
        return Replicates(value, np.zeros((0, len(value))), replicates, scheme)
    return Replicates(value, drawn + (value - middle), replicates, scheme)


def check(replicates: int) -> None:
    """Raise UsageError CAL-453 for a number of replicates that is too small for an interval."""
    if replicates < FEWEST:
        raise errors.UsageError(
            "CAL-453",
            f"{replicates} bootstrap replicates are too few",
            cause=f"the ends of an interval need at least {FEWEST}",
            fix="ask for 200 or more",
        )


def ends(drawn: Floats, value: float, *, level: float, kind: Kind = "percentile") -> tuple[float, float]:
    """Ends of the interval from the replicates, shape (b,), and the estimate itself.

    Examples
    --------
    >>> [round(end, 3) for end in ends(np.linspace(0.0, 1.0, 101), 0.4, level=0.9, kind="basic")]
    [-0.15, 0.75]
    """
    tail = (1.0 - level) / 2.0
    low, high = (float(q) for q in np.quantile(drawn, [tail, 1.0 - tail]))
    match kind:
        case "percentile":
            return low, high
        case "basic":
            return 2.0 * value - high, 2.0 * value - low
        case _:
            assert_never(kind)


def at_least_zero(estimate: results.Estimate) -> results.Estimate:
    """The interval of a distance, which is never negative: the low end cut at 0, the high end at least the value.

    Both only where the basic bootstrap took back more bias than there was; neither loses coverage.

    Examples
    --------
    >>> found = at_least_zero(results.Estimate(0.02, -0.01, 0.015, 0.95, "bootstrap"))
    >>> found.low, found.high
    (0.0, 0.02)
    """
    if estimate.low is None or estimate.high is None:
        return estimate
    low, high = max(estimate.low, 0.0), max(estimate.high, estimate.value)
    return results.Estimate(estimate.value, low, high, estimate.level, estimate.method + ", cut at 0")


def draw(summary: summaries.Summary, *, replicates: int, rng: np.random.Generator) -> Iterator[summaries.Summary]:
    """Summaries of resampled rows, one after the other.

    Parameters
    ----------
    summary
        One group.
    replicates
        How many.
    rng
        The only source of randomness.

    Yields
    ------
    Summary
        On the same grid; cells that drew no row are gone (all of them may be).

    Notes
    -----
    Each cell holds two kinds of rows, those of low and of high label: 0 and 1 for binary labels; otherwise two
    values in [0, 1] which reproduce mean and variance of the labels in the cell. A kind of weight W and squared
    weight S is multiplied by Poisson(m) / m, m = W^2 / S: the Poisson bootstrap itself without weights; with
    them a scaled Poisson number that has the mean and the variance of sum w_i Poisson(1). Squared weights are
    split between the kinds in proportion to weight, as the summary does not know them by label.
    """
    kinds = _kinds(summary.only())
    for _ in range(replicates):
        yield kinds.resampled(rng)


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The two kinds of rows of each cell: arrays of shape (2, k), per unit of weight unless said otherwise."""

    source: summaries.Summary
    weight: Floats  # total weight of the kind
    expected: Floats  # rows of equal weight that it stands for: the Poisson mean
    terms: Floats  # shape (9, 2, k): what a unit of weight adds to each of the nine sums

    def resampled(self, rng: np.random.Generator) -> summaries.Summary:
        share = rng.poisson(self.expected) / np.where(self.expected > 0.0, self.expected, 1.0)
        weight = self.weight * share
        kept = weight.sum(axis=0) > 0.0
        sums = np.einsum("sjk,jk->sk", self.terms, weight)[:, kept]
        rows = (self.source.n / self.source.w * weight.sum(axis=0))[kept]
        n = np.maximum(np.rint(rows), 1.0).astype(np.int64)
        return summaries.Summary(self.source.grid, self.source.keys[kept], n, sums, self.source.starts)


def _kinds(source: summaries.Summary) -> _Kinds:
    w, wy, wyy, wp, wpp, wpy, ww, wwv, loss = source.sums
    high = np.clip(wy / w, 0.0, 1.0)
    share = np.stack([1.0 - high, high])
    y = _two_labels(high, wyy / w)
    p = np.broadcast_to(wp / w, y.shape)
    if source.grid == "dyadic":
        # the mean score of each kind follows from the sum of p y if the labels are binary, else it counts as one
        pure = (y[0] == 0.0) & (y[1] == 1.0) & (high > 0.0) & (high < 1.0)
        line = np.divide(wpy / w - wp / w * high, high - high**2, out=np.zeros_like(w), where=pure)
        cells = score_grid.geometry()
        p = np.clip(p + line * (y - high), cells.low[source.keys], cells.high[source.keys])
    pp = p**2 + np.maximum(wpp / w - (share * p**2).sum(axis=0), 0.0)
    clipped = np.clip(p, summaries.EPSILON, 1.0 - summaries.EPSILON)
    told = -(y * np.log(clipped) + (1.0 - y) * np.log1p(-clipped))
    told += loss / w - (share * told).sum(axis=0)  # what the mean score of a cell cannot know of its losses
    ones = np.ones_like(y)
    terms = np.stack([ones, y, y**2, p, pp, p * y, ww / w * ones, wwv / w * ones, told])
    return _Kinds(source, w * share, w**2 * share / ww, terms)


def _two_labels(mean: Floats, square: Floats) -> Floats:
    """Two labels per cell, shape (2, k), taken with shares 1 - mean and mean: they keep mean and variance."""
    spread = np.sqrt(np.clip(square - mean**2, 0.0, mean * (1.0 - mean)))
    odds = np.sqrt(np.divide(mean, 1.0 - mean, out=np.zeros_like(mean), where=mean < 1.0))
    low = np.clip(mean - spread * odds, 0.0, 1.0)
    high = mean + spread * np.divide(1.0, odds, out=np.zeros_like(mean), where=odds > 0.0)
    pure = spread**2 >= mean * (1.0 - mean) * (1.0 - 1e-9)
    return np.stack([np.where(pure, 0.0, low), np.where(pure, 1.0, np.clip(high, 0.0, 1.0))])


def _number(measured: results.Measured | float) -> float:
    match measured:
        case results.Estimate():
            return measured.value
        case results.Insufficient():
            return math.nan
        case _:
            return float(measured)
