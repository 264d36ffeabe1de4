"""Quantile and interval forecasts: probability integral transform, pinball loss, coverage, interval score, CRPS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kstest

from calibrant import errors
from calibrant.stats import intervals, means, results

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Rows below which the PIT is not tested.
FEWEST_PIT = 20


# -------------------------------------------------------------------- checks


def _weights(weights: ArrayLike | None, shape: tuple[int, ...]) -> Floats:
    w = np.ones(shape) if weights is None else np.asarray(weights, np.float64)
    if w.shape != shape:
        raise _unfit(f"weights have shape {w.shape}, outcomes {shape}")
    means.positive(w)
    return w


def _unfit(cause: str) -> errors.ValueRangeError:
    return errors.ValueRangeError(
        "CAL-347",
        "forecasts and outcomes do not fit together",
        cause=cause,
        fix="give one finite outcome for each row, and quantiles that do not fall as their level rises",
    )


def check_levels(levels: ArrayLike) -> Floats:
    """Quantile levels, shape (m,): increasing, each in (0, 1).

    Raises
    ------
    UsageError
        CAL-446 otherwise.
    """
    tau = np.asarray(levels, np.float64)
    if tau.ndim != 1 or not len(tau) or not (tau > 0).all() or not (tau < 1).all() or (np.diff(tau) <= 0).any():
        raise errors.UsageError(
            "CAL-446",
            "quantile levels must increase and lie strictly between 0 and 1",
            cause=f"levels are {tau.tolist()}",
            fix="write them as shares in order, for example 0.1, 0.5, 0.9",
        )
    return tau


def check_quantiles(quantiles: ArrayLike, levels: ArrayLike, outcomes: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Quantiles (n, m), levels (m,) and outcomes (n,) as arrays; quantiles must not cross.

    Raises
    ------
    UsageError
        CAL-446 for levels that do not increase in (0, 1).
    ValueRangeError
        CAL-347 for shapes that differ, values that are not finite, or quantiles that cross.
    """
    q, tau, y = np.asarray(quantiles, np.float64), check_levels(levels), np.asarray(outcomes, np.float64)
    if y.ndim != 1 or q.shape != (len(y), len(tau)):
        raise _unfit(f"quantiles have shape {q.shape}, outcomes {y.shape}, levels {tau.shape}")
    if not (np.isfinite(q).all() and np.isfinite(y).all()):
        raise _unfit("some value is not finite")
    crossing = int((np.diff(q, axis=1) < 0.0).any(axis=1).sum())
    if crossing:
        raise _unfit(f"quantiles cross in {crossing} rows")
    return q, tau, y


def check_intervals(low: ArrayLike, high: ArrayLike, outcomes: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Ends and outcomes, each of shape (n,), low <= high.

    Raises
    ------
    ValueRangeError
        CAL-347 for shapes that differ, values that are NaN (ends may be infinite), or low above high.
    """
    a, b, y = (np.asarray(each, np.float64) for each in (low, high, outcomes))
    if y.ndim != 1 or a.shape != y.shape or b.shape != y.shape:
        raise _unfit(f"low, high and outcomes have shapes {a.shape}, {b.shape} and {y.shape}")
    if np.isnan(a).any() or np.isnan(b).any() or not np.isfinite(y).all() or (a > b).any():
        raise _unfit("some value is missing, or a lower end is above its upper end")
    return a, b, y


# -------------------------------------------------------------------- probability integral transform


def pit(at: ArrayLike, *, below: ArrayLike | None = None, rng: np.random.Generator | None = None) -> Floats:
    """Probability integral transform from forecast distribution functions.

    Parameters
    ----------
    at
        Shape (n,): F(y), the forecast probability of at most the outcome, in [0, 1].
    below
        Shape (n,): F(y-), the forecast probability of less than the outcome. None for continuous forecasts.
    rng
        Needed with ``below``: the randomised transform F(y-) + U (F(y) - F(y-)).

    Returns
    -------
    Shape (n,), in [0, 1]; uniform if the forecasts are calibrated.

    Raises
    ------
    ValueRangeError
        CAL-347 unless 0 <= below <= at <= 1.
    UsageError
        CAL-447 for ``below`` without ``rng``.

    References
    ----------
    Dawid 1984, doi:10.2307/2981683; Czado, Gneiting and Held 2009, doi:10.1111/j.1541-0420.2009.01191.x.

    Examples
    --------
    >>> pit([0.2, 0.7])
    array([0.2, 0.7])
    """
    top = np.asarray(at, np.float64)
    bottom = top if below is None else np.asarray(below, np.float64)
    if top.ndim != 1 or bottom.shape != top.shape or not ((bottom >= 0) & (bottom <= top) & (top <= 1)).all():
        raise _unfit("values of a distribution function must satisfy 0 <= below <= at <= 1, one of each a row")
    if below is None:
        return top.copy()
    return bottom + _generator(rng).random(len(top)) * (top - bottom)


def pit_from_quantiles(
    quantiles: ArrayLike, levels: ArrayLike, outcomes: ArrayLike, *, rng: np.random.Generator
) -> Floats:
    """Randomised probability integral transform of forecasts known at a few quantiles.

    Parameters
    ----------
    quantiles
        Shape (n, m), not falling along a row.
    levels
        Shape (m,), increasing in (0, 1).
    outcomes
        Shape (n,).

    Returns
    -------
    Shape (n,), in [0, 1]. The level of an outcome between two quantiles is drawn uniformly between their levels,
    in the tails between 0 or 1 and the outermost level. If the quantiles are calibrated, every level keeps its
    exact frequency; nothing is assumed about the distribution between them. An outcome that equals one or several
    quantiles is drawn between the level before the first and the last of them.

    Examples
    --------
    >>> found = pit_from_quantiles([[0.0, 1.0]], [0.1, 0.9], [0.5], rng=np.random.default_rng(0))
    >>> bool(0.1 <= found[0] <= 0.9)
    True
    """
    q, tau, y = check_quantiles(quantiles, levels, outcomes)
    edges = np.concatenate([[0.0], tau, [1.0]])
    first, last = (q < y[:, None]).sum(axis=1), (q <= y[:, None]).sum(axis=1)
    # an outcome that equals quantiles counts as at most each of them, as in coverage
    bottom, top = edges[first], edges[np.maximum(last, first + 1)]
    return np.asarray(bottom + rng.random(len(y)) * (top - bottom))


@dataclass(frozen=True, slots=True)
class PitCheck:
    """Is the transform uniform? Counts in equal bins, mean (1/2 if right), variance (1/12), and the KS test.

    Variance below 1/12: forecasts too wide; above: too narrow. Mean below 1/2: forecasts too high.
    """

    n: int
    counts: tuple[int, ...]
    mean: results.Measured
    variance: results.Measured
    ks: results.Measured
    ks_p: results.Measured


def check_pit(values: ArrayLike, *, bins: int = 10, level: float = 0.95) -> PitCheck:
    """Compare transforms with the uniform distribution.

    Parameters
    ----------
    values
        Shape (n,), in [0, 1], from independent rows, unweighted.

    Returns
    -------
    PitCheck
        Mean and variance with Wald intervals; the Kolmogorov-Smirnov distance with its exact p-value, from
        20 rows on. The test is of exact uniformity: with many rows it rejects every real forecast.

    References
    ----------
    Diebold, Gunther and Tay 1998, doi:10.2307/2527342.

    Examples
    --------
    >>> check_pit((np.arange(100) + 0.5) / 100).counts
    (10, 10, 10, 10, 10, 10, 10, 10, 10, 10)
    """
    u = pit(values)
    counts = np.bincount(np.minimum((u * bins).astype(np.int64), bins - 1), minlength=bins)
    mean = means.mean(u, level=level)
    spread: results.Measured = mean
    if isinstance(mean, results.Estimate):
        spread = means.mean((u - mean.value) ** 2, level=level)
    distance: results.Measured = results.Insufficient(have=len(u), need=FEWEST_PIT)
    p_value: results.Measured = distance
    if len(u) >= FEWEST_PIT:
        found = kstest(u, "uniform")
        distance = results.Estimate(float(found.statistic), method="none: see its p-value")
        p_value = results.Estimate(float(found.pvalue), method="none: a p-value")
    return PitCheck(len(u), tuple(counts.tolist()), mean, spread, distance, p_value)


def _generator(rng: np.random.Generator | None) -> np.random.Generator:
    if rng is None:
        raise errors.UsageError(
            "CAL-447",
            "the transform of a discrete forecast needs a random generator",
            cause="below was given, rng was not",
            fix="pass rng=np.random.default_rng(SEED)",
        )
    return rng


# -------------------------------------------------------------------- scores


def pinball(quantiles: ArrayLike, levels: ArrayLike, outcomes: ArrayLike) -> Floats:
    """Pinball (quantile) loss of each row and level, shape (n, m): (1[y <= q] - tau) (q - y), in the outcome's unit.

    Parameters and errors as ``pit_from_quantiles``.

    References
    ----------
    Koenker and Bassett 1978, doi:10.2307/1913643; Gneiting 2011, doi:10.1198/jasa.2011.r10138.

    Examples
    --------
    >>> pinball([[10.0]], [0.9], [12.0])
    array([[1.8]])
    """
    q, tau, y = check_quantiles(quantiles, levels, outcomes)
    gap = y[:, None] - q
    return np.asarray(np.maximum(tau * gap, (tau - 1.0) * gap))


def crps(quantiles: ArrayLike, levels: ArrayLike, outcomes: ArrayLike) -> Floats:
    """Continuous ranked probability score of each row from its quantiles, shape (n,), in the outcome's unit.

    Parameters and errors as ``pit_from_quantiles``.

    Notes
    -----
    CRPS = 2 * integral over tau of the pinball loss (Laio and Tamea 2007, doi:10.5194/hess-11-1267-2007), each
    level standing for the levels nearer to it than to another; the error falls with the square of the distance
    between levels. With few levels the score is still proper for these quantiles.

    Examples
    --------
    >>> tau = (np.arange(1000) + 0.5) / 1000          # U(0, 1) forecast, outcome 1/2: CRPS 1/12
    >>> round(float(crps([tau], tau, [0.5])[0]), 5)
    0.08333
    """
    tau = check_levels(levels)
    edges = np.concatenate([[0.0], (tau[1:] + tau[:-1]) / 2.0, [1.0]])
    return np.asarray(2.0 * pinball(quantiles, levels, outcomes) @ np.diff(edges))


def interval_score(low: ArrayLike, high: ArrayLike, outcomes: ArrayLike, *, miscoverage: float) -> Floats:
    """Interval (Winkler) score of each row, shape (n,): width plus 2 / miscoverage times the distance outside.

    Parameters
    ----------
    low, high, outcomes
        Shape (n,).
    miscoverage
        Share of outcomes meant to lie outside, in (0, 1): .1 for a central 90 % interval.

    References
    ----------
    Winkler 1972, doi:10.1080/01621459.1972.10481224; Gneiting and Raftery 2007, doi:10.1198/016214506000001437.

    Examples
    --------
    >>> interval_score([0.0, 0.0], [1.0, 1.0], [0.5, 1.5], miscoverage=0.1)
    array([ 1., 11.])
    """
    a, b, y = check_intervals(low, high, outcomes)
    outside = np.maximum(a - y, 0.0) + np.maximum(y - b, 0.0)
    return np.asarray(b - a + 2.0 / check_miscoverage(miscoverage) * outside)


def check_miscoverage(miscoverage: float) -> float:
    """The share itself, if it lies strictly between 0 and 1 (UsageError CAL-448 otherwise)."""
    if not 0.0 < miscoverage < 1.0:
        raise errors.UsageError(
            "CAL-448",
            f"{miscoverage!r} is not a share of outcomes that may lie outside",
            cause="miscoverage lies strictly between 0 and 1",
            fix="write 0.1 for intervals that should hold 90 % of outcomes",
        )
    return miscoverage


def coverage(covered: ArrayLike, *, weights: ArrayLike | None = None, level: float = 0.95) -> results.Measured:
    """Share of rows that are covered, with its Wilson interval on the effective rows.

    Parameters
    ----------
    covered
        Shape (n,), booleans: outcome <= quantile, or outcome inside its interval.

    Examples
    --------
    >>> found = coverage([True] * 9 + [False])
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.9, 0.596, 0.982)
    """
    hits = np.asarray(covered, np.float64)
    if not len(hits):
        return results.Insufficient(0, 1)
    w = _weights(weights, hits.shape)
    share, n = intervals.effective_counts(w @ hits, w.sum(), w @ w)
    low, high = intervals.wilson(share, n, level=level)
    return results.Estimate(float(share / n), float(low), float(high), level, "wilson")


# -------------------------------------------------------------------- all at once


@dataclass(frozen=True, slots=True)
class QuantileMeasures:
    """One entry of ``coverage`` (share of outcomes at or below, to compare with the level) and ``pinball`` a level."""

    n: int
    levels: tuple[float, ...]
    coverage: tuple[results.Measured, ...]
    pinball: tuple[results.Measured, ...]
    crps: results.Measured
    pit: PitCheck


def measure_quantiles(
    quantiles: ArrayLike,
    levels: ArrayLike,
    outcomes: ArrayLike,
    *,
    rng: np.random.Generator,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> QuantileMeasures:
    """Everything about quantile forecasts; ``level`` is the coverage of the measures' own intervals.

    Parameters and errors as ``pit_from_quantiles``; ``weights`` of shape (n,) count in all but the PIT.

    Examples
    --------
    >>> y = np.linspace(0.0, 1.0, 101)
    >>> found = measure_quantiles(np.tile([0.1, 0.9], (101, 1)), [0.1, 0.9], y, rng=np.random.default_rng(0))
    >>> [round(each.value, 2) for each in found.coverage]
    [0.11, 0.9]
    """
    q, tau, y = check_quantiles(quantiles, levels, outcomes)
    w = _weights(weights, y.shape)
    losses = pinball(q, tau, y)
    return QuantileMeasures(
        n=len(y),
        levels=tuple(tau.tolist()),
        coverage=tuple(coverage(y <= column, weights=w, level=level) for column in q.T),
        pinball=tuple(means.mean(column, w, level=level) for column in losses.T),
        crps=means.mean(crps(q, tau, y), w, level=level),
        pit=check_pit(pit_from_quantiles(q, tau, y, rng=rng), level=level),
    )


@dataclass(frozen=True, slots=True)
class IntervalMeasures:
    """``coverage`` is to be compared with ``nominal``; ``below`` and ``above`` say where the others lie."""

    n: int
    nominal: float
    coverage: results.Measured
    below: results.Measured
    above: results.Measured
    width: results.Measured
    score: results.Measured


def measure_intervals(
    low: ArrayLike,
    high: ArrayLike,
    outcomes: ArrayLike,
    *,
    miscoverage: float,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> IntervalMeasures:
    """Everything about interval forecasts; parameters as ``interval_score``, finite ends.

    Examples
    --------
    >>> found = measure_intervals(np.zeros(20), np.ones(20), np.linspace(0.0, 1.1, 20), miscoverage=0.1)
    >>> found.coverage.value, found.above.value
    (0.9, 0.1)
    """
    a, b, y = check_intervals(low, high, outcomes)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise _unfit("an end of an interval is infinite, so it has no width")
    w = _weights(weights, y.shape)
    return IntervalMeasures(
        n=len(y),
        nominal=1.0 - check_miscoverage(miscoverage),
        coverage=coverage((a <= y) & (y <= b), weights=w, level=level),
        below=coverage(y < a, weights=w, level=level),
        above=coverage(y > b, weights=w, level=level),
        width=means.mean(b - a, w, level=level),
        score=means.mean(interval_score(a, b, y, miscoverage=miscoverage), w, level=level),
    )
