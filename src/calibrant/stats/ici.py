"""Integrated calibration index: the mean distance between the scores and a smooth calibration curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from calibrant.calibrators import scales
from calibrant.stats import cox, logistic, resampling, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]

#: Where Harrell puts k knots: quantiles of the scores.
QUANTILES = {
    5: (0.05, 0.275, 0.5, 0.725, 0.95),
    4: (0.05, 0.35, 0.65, 0.95),
    3: (0.10, 0.5, 0.90),
}


@dataclass(frozen=True, slots=True)
class Ici:
    """Mean, median and 90 % quantile of |smooth curve - score|, each in [0, 1], and the knots used, in log-odds.

    No knots means that only a straight line could be fitted: too few distinct scores, or labels that more
    flexible curves would separate.
    """

    ici: results.Estimate
    e50: results.Estimate
    e90: results.Estimate
    knots: tuple[float, ...]

    def to_dict(self) -> dict[str, object]:
        return {
            "ici": self.ici.to_dict(),
            "e50": self.e50.to_dict(),
            "e90": self.e90.to_dict(),
            "knots": list(self.knots),
        }


def ici(
    summary: summaries.Summary, *, replicates: int, rng: np.random.Generator, level: float = 0.95
) -> Ici | results.Insufficient:
    """ICI, E50 and E90 with bootstrap intervals.

    Parameters
    ----------
    summary
        One group; labels 0/1 or rates in [0, 1].
    replicates
        Of the Poisson bootstrap, at least 20; or 0 for the numbers alone.
    rng
        The only source of randomness.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Ici or Insufficient
        Insufficient as for ``cox.cox``: too few rows, rows of a label or scores, or separated labels.

    Notes
    -----
    The curve is a logistic regression of y on a restricted cubic spline of logit(p) with 5 knots at Harrell's
    quantiles; with 4, 3 or none if those coincide or if the fit has no finite maximum. All three numbers are
    biased upward (a perfect model has 0, no sample has), so the ends are the basic bootstrap's, which take
    the bias back, cut to [0, 1]; near perfect calibration they cover roughly. The knots stay where they are.

    References
    ----------
    Austin and Steyerberg 2019, doi:10.1002/sim.8281; Harrell 2015, Regression Modeling Strategies, 2.4.

    Examples
    --------
    >>> p = np.repeat(np.linspace(0.05, 0.95, 19), 200)
    >>> y = np.tile(np.arange(200) / 200, 19) < 0.25 + 0.5 * p
    >>> found = ici(summaries.summarise(p, y), replicates=50, rng=np.random.default_rng(1))
    >>> round(found.ici.value, 2), found.ici.low < 0.118 < found.ici.high
    (0.12, True)
    """
    lacking = cox.insufficient(summary)
    if lacking is not None:
        return lacking
    curve = _fit(summary)
    if curve is None:
        return results.Insufficient(0, 1, "scores at which both labels occur")
    value = _distances(summary, curve.eta(summary))
    if replicates == 0:
        bare = [results.Estimate(float(each), method="none (no replicates asked for)") for each in value]
        return Ici(bare[0], bare[1], bare[2], curve.knots)

    def again(drawn: summaries.Summary) -> Floats:
        start = curve.eta(drawn)
        step = _solve(drawn, curve.design(drawn), start)
        return np.full(3, np.nan) if step is None else _distances(drawn, start + curve.design(drawn) @ step)

    found = resampling.replicate(summary, again, value, replicates=replicates, rng=rng)
    cut = [_cut(each) for each in found.estimates(level=level, kind="basic")]
    return Ici(cut[0], cut[1], cut[2], curve.knots)


def spline(x: Floats, knots: tuple[float, ...]) -> Floats:
    """Columns of a restricted cubic spline: x itself and k - 2 cubics that are straight outside the knots.

    Parameters
    ----------
    x
        Shape (n,).
    knots
        None, or k >= 3 rising numbers t.

    Returns
    -------
    columns
        Shape (n, max(k - 1, 1)).

    Notes
    -----
    Column j + 1 is [(x - t_j)+^3 - (x - t_{k-1})+^3 (t_k - t_j)/(t_k - t_{k-1}) + (x - t_k)+^3
    (t_{k-1} - t_j)/(t_k - t_{k-1})] / (t_k - t_1)^2 (Harrell 2015, eq. 2.25).

    Examples
    --------
    >>> spline(np.array([0.0, 1.0, 2.0]), (0.0, 1.0, 2.0)).round(3).tolist()
    [[0.0, 0.0], [1.0, 0.25], [2.0, 1.5]]
    """
    if not knots:
        return x[:, None]
    t = np.array(knots)
    cubes = np.maximum(x[:, None] - t, 0.0) ** 3
    inner = t[:-2]
    gap = t[-1] - t[-2]
    columns = cubes[:, :-2] - cubes[:, [-2]] * (t[-1] - inner) / gap + cubes[:, [-1]] * (t[-2] - inner) / gap
    return np.column_stack([x, columns / (t[-1] - t[0]) ** 2])


@dataclass(frozen=True, slots=True)
class _Curve:
    """A fitted curve: knots, the matrix that made the columns orthonormal, and the coefficients of those."""

    knots: tuple[float, ...]
    turn: Floats
    coefficients: Floats

    def design(self, summary: summaries.Summary) -> Floats:
        return _columns(summary, self.knots) @ self.turn

    def eta(self, summary: summaries.Summary) -> Floats:
        return self.design(summary) @ self.coefficients


def _columns(summary: summaries.Summary, knots: tuple[float, ...]) -> Floats:
    x = scales.logit(summary.score)
    return np.column_stack([np.ones(len(x)), spline(x, knots)])


def _fit(summary: summaries.Summary) -> _Curve | None:
    """The curve with the most knots that has a finite maximum; None if not even the line has one."""
    for count in (5, 4, 3, 0):
        knots = _knots(summary, count)
        if knots is None:
            continue
        columns = _columns(summary, knots)
        # orthonormal columns, so that neither the step nor the test for separation depends on their scale
        share = np.sqrt(summary.w / summary.w.sum())[:, None]
        triangle = np.linalg.qr(columns * share, mode="r")
        size = np.abs(np.diagonal(triangle))
        if size.min() <= 1e-9 * size.max():
            continue
        turn = np.linalg.inv(triangle)
        found = _solve(summary, columns @ turn, np.zeros(len(columns)))
        if found is not None:
            return _Curve(knots, turn, found)
    return None


def _solve(summary: summaries.Summary, design: Floats, start: Floats) -> Floats | None:
    """Coefficients to add to the log-odds that are there, or None without a finite maximum."""
    if not len(design):
        return None
    scale = float(summary.w.sum() / summary.ww.sum())
    with np.errstate(over="ignore", invalid="ignore"):
        found = logistic.fit(design, summary.wy * scale, summary.w * scale, offset=start)
    return found.coefficients if found.converged else None


def _knots(summary: summaries.Summary, count: int) -> tuple[float, ...] | None:
    """Knots at Harrell's weighted quantiles of logit p; None if two of them coincide."""
    if count == 0:
        return ()
    x, cumulative = scales.logit(summary.score), np.cumsum(summary.w)
    at = np.searchsorted(cumulative, np.array(QUANTILES[count]) * cumulative[-1] * (1.0 - 1e-12))
    knots = x[np.minimum(at, len(x) - 1)]
    return tuple(knots.tolist()) if (np.diff(knots) > 1e-6).all() else None


def _distances(summary: summaries.Summary, eta: Floats) -> Floats:
    """Mean, median and 90 % quantile of |curve - score|, shape (3,), by weight."""
    far = np.abs(expit(eta) - summary.score)
    order = np.argsort(far)
    cumulative = np.cumsum(summary.w[order])
    at = np.searchsorted(cumulative, np.array([0.5, 0.9]) * cumulative[-1] * (1.0 - 1e-12))
    return np.array([far @ summary.w / cumulative[-1], *far[order][at]])


def _cut(estimate: results.Estimate) -> results.Estimate:
    """Ends cut to [0, 1]."""
    if estimate.low is None or estimate.high is None:
        return estimate
    low, high = min(max(estimate.low, 0.0), 1.0), min(max(estimate.high, 0.0), 1.0)
    return results.Estimate(estimate.value, low, high, estimate.level, estimate.method + ", cut to [0, 1]")
