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
    the bias back, cut at 0; near perfect calibration they cover roughly. The knots stay where they are.

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
    curve = smooth(summary)
    if curve is None:
        return results.Insufficient(0, 1, "scores at which both labels occur")
    value = _distances(summary, curve)
    if replicates == 0:
        bare = [results.Estimate(float(each), method="none (no replicates asked for)") for each in value]
        return Ici(bare[0], bare[1], bare[2], curve.knots)

    def again(drawn: summaries.Summary) -> Floats:
        refitted = curve.refitted(drawn)
        return np.full(3, np.nan) if refitted is None else _distances(drawn, refitted)

    found = resampling.replicate(summary, again, value, replicates=replicates, rng=rng)
    cut = [resampling.at_least_zero(each) for each in found.estimates(level=level, kind="basic")]
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
    bent = cubes[:, :-2] - cubes[:, [-2]] * (t[-1] - inner) / gap + cubes[:, [-1]] * (t[-2] - inner) / gap
    return np.column_stack([x, bent / (t[-1] - t[0]) ** 2])


@dataclass(frozen=True, slots=True)
class Curve:
    """A smooth calibration curve: knots, the matrix that made its columns orthonormal, and their coefficients."""

    knots: tuple[float, ...]
    turn: Floats
    coefficients: Floats

    def design(self, scores: Floats) -> Floats:
        """Orthonormal columns at scores of shape (k,)."""
        return columns(scales.logit(scores), self.knots) @ self.turn

    def log_odds(self, scores: Floats) -> Floats:
        """The curve at scores of shape (k,), in log-odds; outside the knots it goes on as a straight line."""
        return np.asarray(self.design(scores) @ self.coefficients)

    def refitted(self, summary: summaries.Summary) -> Curve | None:
        """The curve with the same knots for another sample; None if that has no finite maximum."""
        if not len(summary.keys):
            return None
        design = self.design(summary.score)
        step = solve(design, summary.wy, summary.w, summary.ww, start=design @ self.coefficients)
        return None if step is None else Curve(self.knots, self.turn, self.coefficients + step)


def smooth(summary: summaries.Summary) -> Curve | None:
    """The curve with the most knots (5, 4, 3, none) that has a finite maximum; None if not even the line has one.

    Examples
    --------
    >>> p = np.repeat(np.linspace(0.05, 0.95, 19), 200)
    >>> curve = smooth(summaries.summarise(p, np.tile(np.arange(200) / 200, 19) < p))
    >>> len(curve.knots), bool(np.allclose(expit(curve.log_odds(p)), p, atol=0.01))
    (5, True)
    """
    x = scales.logit(summary.score)
    for count in (5, 4, 3, 0):
        knots = knots_at(x, summary.w, count)
        turn = None if knots is None else orthonormal(columns(x, knots), summary.w)
        if knots is None or turn is None:
            continue
        found = solve(columns(x, knots) @ turn, summary.wy, summary.w, summary.ww)
        if found is not None:
            return Curve(knots, turn, found)
    return None


def columns(x: Floats, knots: tuple[float, ...]) -> Floats:
    """A column of ones and those of ``spline``."""
    return np.column_stack([np.ones(len(x)), spline(x, knots)])


def orthonormal(design: Floats, weight: Floats) -> Floats | None:
    """The matrix (d, d) that turns columns (k, d) into orthonormal ones by weight; None if they are collinear.

    Neither the step of Newton's method nor its test for separation then depends on their scale.
    """
    share = np.sqrt(weight / weight.sum())[:, None]
    triangle = np.linalg.qr(design * share, mode="r")
    size = np.abs(np.diagonal(triangle))
    if len(size) < design.shape[1] or size.min() <= 1e-9 * size.max():
        return None
    return np.asarray(np.linalg.inv(triangle))


def solve(design: Floats, wy: Floats, w: Floats, ww: Floats, *, start: Floats | None = None) -> Floats | None:
    """Coefficients to add to the log-odds ``start``, weights scaled to the effective n; None without a maximum."""
    scale = float(w.sum() / ww.sum())
    with np.errstate(over="ignore", invalid="ignore"):
        found = logistic.fit(design, wy * scale, w * scale, offset=start)
    return found.coefficients if found.converged else None


def knots_at(x: Floats, weight: Floats, count: int) -> tuple[float, ...] | None:
    """Knots at Harrell's weighted quantiles of x (rising); none for ``count`` 0; None if two of them coincide."""
    if count == 0:
        return ()
    cumulative = np.cumsum(weight)
    at = np.searchsorted(cumulative, np.array(QUANTILES[count]) * cumulative[-1] * (1.0 - 1e-12))
    knots = x[np.minimum(at, len(x) - 1)]
    return tuple(knots.tolist()) if (np.diff(knots) > 1e-6).all() else None


def _distances(summary: summaries.Summary, curve: Curve) -> Floats:
    """Mean, median and 90 % quantile of |curve - score|, shape (3,), by weight."""
    far = np.abs(expit(curve.log_odds(summary.score)) - summary.score)
    order = np.argsort(far)
    cumulative = np.cumsum(summary.w[order])
    at = np.searchsorted(cumulative, np.array([0.5, 0.9]) * cumulative[-1] * (1.0 - 1e-12))
    return np.array([far @ summary.w / cumulative[-1], *far[order][at]])
