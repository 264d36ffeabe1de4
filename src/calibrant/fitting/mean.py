"""Calibration of measurements against a reference: a straight line, or a rising curve, with intervals.

Outcomes that are rates in [0, 1] need nothing of this: summarise them as labels and use the binary fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from calibrant import errors
from calibrant.calibrators import affine, piecewise
from calibrant.stats import agreement, intervals, pav, results

Floats = NDArray[np.float64]

#: Cells of neighbouring rows on which the band of the rising curve is built: all runs of them are compared.
BAND_CELLS = 100


@dataclass(frozen=True, slots=True)
class AffineFit:
    """The line as a calibrator, and as an estimate with robust intervals (``line``)."""

    calibrator: affine.Affine
    line: agreement.Line

    def interval(self, measured: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
        """Wald interval of the mean reference value at raw measurements, any shape; not a prediction interval."""
        x = np.asarray(measured, np.float64)
        c = self.line.covariance
        half = intervals.quantile(level) * np.sqrt(np.maximum(c[0, 0] + 2.0 * x * c[0, 1] + x * x * c[1, 1], 0.0))
        centre = self.calibrator.apply(x)
        return centre - half, centre + half


def fit_affine(
    measured: ArrayLike, reference: ArrayLike, *, weights: ArrayLike | None = None, level: float = 0.95
) -> AffineFit:
    """Weighted least squares reference = intercept + slope * measured, with HC3 intervals.

    Parameters
    ----------
    measured, reference
        Shape (n,), finite; the result maps the unit of the first to that of the second.
    weights
        Shape (n,), >= 0; only their ratios matter.
    level
        Coverage of the intervals of slope and intercept.

    Raises
    ------
    FitError
        CAL-501 below 10 effective rows; CAL-503 below three distinct measured values; CAL-542 if the interval of
        the slope holds 0: such a line would forget the measurement. A negative slope is fitted.

    Notes
    -----
    See ``stats.agreement.line`` for formula and sources.

    Examples
    --------
    >>> celsius = np.linspace(-10.0, 35.0, 30)
    >>> fit_affine(celsius, 32.0 + 1.8 * celsius).calibrator.apply(100.0).round(6)
    np.float64(212.0)
    """
    rows = agreement.pairs(measured, reference, weights=weights)
    line = agreement.line(rows, level=level)
    if isinstance(line, results.Insufficient):
        raise _insufficient(line)
    low, high = line.slope.low, line.slope.high
    assert low is not None, "a line has intervals"
    assert high is not None
    if low <= 0.0 <= high:
        raise errors.FitError(
            "CAL-542",
            "the measurement does not tell the reference",
            cause=f"the slope is {line.slope.value:.4g}, its interval from {low:.4g} to {high:.4g} holds 0",
            fix="check that both columns belong to the same rows, or collect rows over a wider range",
        )
    return AffineFit(affine.Affine(line.slope.value, line.intercept.value), line)


@dataclass(frozen=True, slots=True)
class Band:
    """A simultaneous band for a rising mean: two rising steps, infinite where nothing is known.

    ``low`` holds from each of ``low_from`` on, ``high`` up to each of ``high_until``; shapes (c,).
    """

    low_from: Floats
    low: Floats
    high_until: Floats
    high: Floats
    level: float
    method: str

    def at(self, measured: ArrayLike) -> tuple[Floats, Floats]:
        """Lower and upper ends at raw measurements, any shape."""
        x = np.asarray(measured, np.float64)
        below = np.append(-np.inf, self.low)[np.searchsorted(self.low_from, x, side="right")]
        above = np.append(self.high, np.inf)[np.searchsorted(self.high_until, x, side="left")]
        return np.asarray(below), np.asarray(above)


@dataclass(frozen=True, slots=True)
class RisingFit:
    """The rising curve as a calibrator, with its simultaneous band."""

    calibrator: piecewise.Piecewise
    band: Band


def fit_rising(
    measured: ArrayLike,
    reference: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
) -> RisingFit:
    """Centred isotonic regression of the reference on the measurement, with a band.

    Parameters
    ----------
    measured, reference
        Shape (n,), finite.
    weights
        Shape (n,), >= 0; only their ratios matter.
    bounds
        Ends between which every reference value lies for certain, in its unit: the band then needs no other
        assumption than independent rows. None: see Notes.
    level
        Coverage of the whole band.

    Raises
    ------
    FitError
        CAL-501 below 10 effective rows; CAL-503 below three distinct measured values.
    ValueRangeError
        CAL-348 if a reference value lies outside ``bounds``.

    Notes
    -----
    The curve joins the centres of the isotonic blocks (Oron and Flournoy 2017). The band uses only that the mean
    rises: it is at least the mean over any run of rows to the left less a radius, and at most the mean over any run
    to the right plus it, for all runs of up to 100 cells at once (Bonferroni). The radius is Hoeffding's with
    ``bounds``; without, that of normal noise of one standard deviation, estimated from differences of neighbours
    (Rice 1984), which the trend can only enlarge.

    References
    ----------
    Oron and Flournoy 2017, doi:10.1080/19466315.2017.1286256; Hoeffding 1963,
    doi:10.1080/01621459.1963.10500830; Rice 1984, doi:10.1214/aos/1176346788; Yang and Barber 2019,
    doi:10.1214/18-EJS1520, for bands from monotonicity.

    Examples
    --------
    >>> x = np.linspace(0.0, 4.0, 200)
    >>> found = fit_rising(x, np.sqrt(x))
    >>> round(float(found.calibrator.apply(1.0)), 2)
    1.0
    """
    rows = agreement.pairs(measured, reference, weights=weights)
    knots, means, cells = _distinct(rows)
    found = pav.pool(means, cells)
    block = np.repeat(np.arange(len(found.starts)), np.diff(np.append(found.starts, len(knots))))
    centres = np.bincount(block, cells * knots) / np.bincount(block, cells)
    curve = piecewise.Piecewise(tuple(centres.tolist()), tuple(found.values.tolist()))
    return RisingFit(curve, _band(rows, bounds, level))


def _distinct(rows: agreement.Pairs) -> tuple[Floats, Floats, Floats]:
    """Distinct measured values, the mean reference value at each, and their weights."""
    if rows.effective_n < agreement.FEWEST * (1.0 - 1e-9):
        raise _insufficient(results.Insufficient(rows.effective_n, agreement.FEWEST))
    knots, where = np.unique(rows.measured, return_inverse=True)
    if len(knots) < 3:
        raise _insufficient(results.Insufficient(len(knots), 3, "distinct measured values"))
    weight: Floats = np.bincount(where, rows.weights).astype(np.float64)
    return knots, np.bincount(where, rows.weights * rows.reference) / weight, weight


def _band(rows: agreement.Pairs, bounds: tuple[float, float] | None, level: float) -> Band:
    order = np.argsort(rows.measured, kind="stable")
    x, y, w = rows.measured[order], rows.reference[order], rows.weights[order]
    # cells of about equal weight, ties of x never split
    share = (np.cumsum(w) - w / 2.0) / w.sum()
    first = np.searchsorted(x, x, side="left")
    cell = np.unique(np.floor(share * BAND_CELLS).astype(np.int64)[first], return_inverse=True)[1]
    sums = np.stack([np.bincount(cell, each) for each in (w, w * y, w * w)])
    total = np.concatenate([np.zeros((3, 1)), np.cumsum(sums, axis=1)], axis=1)
    runs = total[:, None, 1:] - total[:, :-1, None]  # runs[:, i, j] sums over cells i..j
    k = sums.shape[1]
    valid = np.triu(np.ones((k, k), bool))
    weight = np.where(valid, runs[0], 1.0)
    mean = runs[1] / weight
    n = np.where(valid, weight**2 / np.where(valid, runs[2], 1.0), 1.0)
    radius, method = _radius(y, n, count=k * (k + 1) // 2, bounds=bounds, level=level)
    low = np.where(valid, mean - radius, -np.inf).max(axis=0)
    high = np.where(valid, mean + radius, np.inf).min(axis=1)
    ends = np.flatnonzero(np.diff(cell, append=k))
    starts = np.append(0, ends[:-1] + 1)
    low, high = np.maximum.accumulate(low), np.minimum.accumulate(high[::-1])[::-1]
    if bounds is not None:
        low, high = np.maximum(low, bounds[0]), np.minimum(high, bounds[1])
    return Band(x[ends], low, x[starts], high, level, method)


def _radius(
    y: Floats, n: Floats, *, count: int, bounds: tuple[float, float] | None, level: float
) -> tuple[Floats, str]:
    """By how much the mean over a run of n effective rows may stray, for all ``count`` runs at once, both ways."""
    intervals.quantile(level)
    miss = (1.0 - level) / (2.0 * count)
    if bounds is None:
        sd = float(np.sqrt(np.mean(np.diff(y) ** 2) / 2.0))
        return sd * float(-ndtri(miss)) / np.sqrt(n), "simultaneous, normal noise of one standard deviation"
    if y.min() < bounds[0] or y.max() > bounds[1]:
        raise errors.ValueRangeError(
            "CAL-348",
            "reference values lie outside their bounds",
            cause=f"they run from {y.min():g} to {y.max():g}, the bounds are {bounds[0]:g} and {bounds[1]:g}",
            fix="give bounds that hold every possible value, or none",
        )
    return (bounds[1] - bounds[0]) * math.sqrt(-math.log(miss) / 2.0) / np.sqrt(n), "simultaneous, Hoeffding"


def _insufficient(found: results.Insufficient) -> errors.FitError:
    if found.unit == "rows":
        return errors.FitError(
            "CAL-501",
            "too few rows to fit a map",
            cause=f"{found.have:.4g} effective rows, at least {found.need:g} are needed",
            fix="collect more rows with a reference value",
        )
    return errors.FitError(
        "CAL-503",
        "too few different measured values to fit a map",
        cause=f"{found.have:g} distinct measured values, at least {found.need:g} are needed",
        fix="collect rows over the range in which the map will be used",
    )
