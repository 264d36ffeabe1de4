"""smECE: the calibration error of smoothed residuals, at the one bandwidth that is consistent with itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

from calibrant import errors
from calibrant.stats import results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]

#: Points of the grid on [0, 1] that scores are spread to.
POINTS = 2048
#: From this bandwidth on the smoothed density is looked at in fewer points: sixteen to a bandwidth, as many waves.
WIDE, FEWER = 0.03, 512
#: Bandwidths below this are not looked at: some four points of the grid.
NARROWEST = 0.002
#: Bandwidth and error agree to this much.
AGREED = 1e-7
#: Groups transformed together: bounds the memory.
TOGETHER = 256


@dataclass(frozen=True, slots=True)
class Curve:
    """A smoothed reliability curve: arrays of shape (m,), the points where scores are.

    ``rate`` estimates P(y = 1 | score), ``density`` is that of the scores (integral 1 over [0, 1]).
    """

    score: Floats
    rate: Floats
    density: Floats
    bandwidth: float


def smece(summary: summaries.Summary) -> results.Measured:
    """Smooth expected calibration error.

    Parameters
    ----------
    summary
        One group.

    Returns
    -------
    Measured
        In [0, 1], without interval. Consistent: it goes to 0 with the rows if, and only if, the scores are
        calibrated, and it does not jump when scores move a little. ``Insufficient`` without rows.

    Notes
    -----
    r_s(t) = sum w (y - p) K_s(p, t) / sum w with K_s the Gaussian of bandwidth s reflected at 0 and 1;
    smECE_s = integral |r_s|, which falls as s grows; smECE is the s* with smECE_s* = s*. Scores go to a grid of 2,048
    points with linear splitting of mass; there the reflected Gaussian is a product in the cosine transform,
    with all reflections. Linear in the cells plus m log m. Below 0.002 the bandwidth stays and the error moves on.

    References
    ----------
    Blasiok and Nakkiran 2024, ICLR, arXiv:2309.12236.

    Examples
    --------
    >>> found = smece(summaries.summarise([0.2] * 50 + [0.8] * 50, [0] * 25 + [1] * 25 + [0] * 25 + [1] * 25))
    >>> round(found.value, 3)
    0.237
    """
    if not len(summary.only().keys):
        return results.Insufficient(0, 1)
    return results.Estimate(float(smece_by_group(summary)[0]), method="none (biased upward by noise)")


def smece_by_group(summary: summaries.Summary) -> Floats:
    """smECE of every group, shape (g,).

    Examples
    --------
    >>> smece_by_group(summaries.summarise([0.5, 0.5, 0.5], [0, 1, 1], groups=[0, 0, 1])).round(3).tolist()
    [0.0, 0.5]
    """
    found = np.empty(len(summary.starts))
    edges = np.append(summary.starts, len(summary.keys))
    for first in range(0, len(found), TOGETHER):
        last = min(first + TOGETHER, len(found))
        part = slice(edges[first], edges[last])
        gaps = (summary.sums[1] - summary.sums[3])[part] / summary.total("w")[summary.group[part]]
        waves = _waves(summary.score[part], gaps, summary.group[part] - first, last - first)
        found[first:last] = _fixed_point(waves)
    return found


def smooth_error(summary: summaries.Summary, *, bandwidth: float) -> float:
    """smECE_s of one group at a given bandwidth s > 0: the integral of the smoothed residuals' absolute value."""
    w = summary.only().total("w")
    waves = _waves(summary.score, (summary.sums[1] - summary.sums[3]) / w, summary.group, 1)
    return float(_integral(waves, np.array([_positive(bandwidth)]))[0])


def smooth_curve(summary: summaries.Summary, *, bandwidth: float, points: int = 257) -> Curve | results.Insufficient:
    """Kernel regression of the label on the score with the reflected Gaussian: the curve of the diagram.

    Parameters
    ----------
    summary
        One group.
    bandwidth
        Of the kernel, positive; the smECE itself is the one that its authors draw with.
    points
        Evenly spaced scores in [0, 1] at which the curve is wanted; those farther than two bandwidths from any
        score are left out, as the curve is a guess there.

    Examples
    --------
    >>> curve = smooth_curve(summaries.summarise([0.5, 0.5], [0, 1]), bandwidth=0.1, points=5)
    >>> curve.score, curve.rate
    (array([0.5]), array([0.5]))
    """
    if not len(summary.only().keys):
        return results.Insufficient(0, 1)
    s = np.array([_positive(bandwidth)])
    total = summary.total("w")
    mass, label = (
        _smoothed(_waves(summary.score, column / total, summary.group, 1), s)[0] for column in (summary.w, summary.wy)
    )
    at = np.linspace(0.0, 1.0, points)
    centres = (np.arange(POINTS) + 0.5) / POINTS
    density, labelled = np.interp(at, centres, mass), np.interp(at, centres, label)
    scores = summary.score
    right = np.clip(np.searchsorted(scores, at), 0, len(scores) - 1)
    away = np.minimum(np.abs(scores[right] - at), np.abs(scores[np.maximum(right - 1, 0)] - at))
    near = (away <= 2.0 * bandwidth) & (density > 0.0)
    rate = np.clip(labelled[near] / density[near], 0.0, 1.0)
    return Curve(at[near], rate, density[near], bandwidth)


def _positive(bandwidth: float) -> float:
    if not bandwidth > 0.0:
        raise errors.UsageError(
            "CAL-464",
            f"{bandwidth!r} is not a bandwidth",
            cause="a kernel needs a positive width",
            fix="use the smECE itself, or 0.05",
        )
    return max(bandwidth, NARROWEST)


def _waves(scores: Floats, mass: Floats, group: NDArray[np.int64], groups: int) -> Floats:
    """Cosine transform, shape (groups, POINTS), of masses split between the two nearest centres of the grid."""
    position = np.clip(scores, 0.0, 1.0) * POINTS - 0.5
    left = np.floor(position)
    part = position - left
    # beyond the first and last centre the reflection sends the outer half back to the same point
    at = left.astype(np.int64)
    row = group * POINTS
    grid = np.bincount(row + np.maximum(at, 0), mass * (1.0 - part), groups * POINTS)
    grid += np.bincount(row + np.minimum(at + 1, POINTS - 1), mass * part, groups * POINTS)
    return np.asarray(dct(grid.reshape(groups, POINTS), type=2, axis=1))


def _smoothed(waves: Floats, bandwidth: Floats) -> Floats:
    """Densities at as many points as waves, after the reflected Gaussian of each group's bandwidth, shape (g,)."""
    points = waves.shape[1]
    damped = waves * np.exp(-0.5 * (np.pi * np.arange(points) * bandwidth[:, None]) ** 2)
    return np.asarray(idct(damped, type=2, axis=1) * points, np.float64)


def _integral(waves: Floats, bandwidth: Floats) -> Floats:
    return np.asarray(np.abs(_smoothed(waves, bandwidth)).mean(axis=1))


def _fixed_point(waves: Floats) -> Floats:
    """s* of each group: regula falsi (Illinois) on smECE_s - s, which falls in s."""
    found = np.empty(len(waves))
    few = np.ascontiguousarray(waves[:, :FEWER])
    wide = _integral(few, np.full(len(waves), WIDE)) > WIDE
    found[wide] = _between(few[wide], WIDE, 1.0)
    found[~wide] = _between(waves[~wide], NARROWEST, WIDE)
    return found


def _between(waves: Floats, lowest: float, highest: float) -> Floats:
    """The fixed points between two bandwidths; at an end the error there."""
    low, high = np.full(len(waves), lowest), np.full(len(waves), highest)
    at_low, at_high = _integral(waves, low) - low, _integral(waves, high) - high
    found: Floats = np.where(at_low <= 0.0, at_low + low, high + at_high)
    open_ = np.flatnonzero((at_low > 0.0) & (at_high < 0.0))
    side = np.zeros(len(waves), np.int8)
    while len(open_):
        a, b, fa, fb = low[open_], high[open_], at_low[open_], at_high[open_]
        s = np.clip((a * fb - b * fa) / (fb - fa), a, b)
        f = _integral(waves[open_], s) - s
        found[open_] = s + f
        above = f > 0.0
        again = side[open_] == np.where(above, 1, -1)
        low[open_], high[open_] = np.where(above, s, a), np.where(above, b, s)
        # the end that stays twice is halved, so that both ends close in
        at_low[open_] = np.where(above, f, np.where(again, fa / 2.0, fa))
        at_high[open_] = np.where(above, np.where(again, fb / 2.0, fb), f)
        side[open_] = np.where(above, 1, -1)
        open_ = open_[(np.abs(f) > AGREED) & (high[open_] - low[open_] > AGREED)]
    return found
