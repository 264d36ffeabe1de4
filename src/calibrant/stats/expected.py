"""The ECE that a perfect model would show: noise alone, at these scores and this number of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, xlog1py, xlogy

from calibrant.stats import binned, intervals, redraw, results
from calibrant.stats import grid as score_grid
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]


def expected_ece(
    summary: summaries.Summary,
    *,
    count: int = 10,
    rng: np.random.Generator,
    draws: int = 400,
    level: float = 0.9,
) -> results.Measured:
    """The ECE if every label were drawn with its score as probability: its mean, and where it falls.

    Parameters
    ----------
    summary
        One group. Only scores, counts and weights are used, not the labels.
    count
        Number of equal-width bins; on the dyadic grid a divisor of 60.
    rng
        The only source of randomness; the mean does not depend on it.
    draws
        Simulated sets of labels for the ends of the interval.
    level
        Share of perfect models inside the interval, in (0, 1).

    Returns
    -------
    Measured
        An observed ECE near ``value`` shows nothing; above ``high`` lie (1 - level) / 2 of the perfect models, by
        default 5 %. For labels that are rates both are upper bounds, as a rate varies less than a 0/1.
        ``Insufficient`` without rows.

    Notes
    -----
    The mean is closed (see ``expected_ece_by_group``), the ends simulate a binomial label sum per cell.

    Examples
    --------
    >>> coin = summaries.summarise([0.5] * 100, [0, 1] * 50)
    >>> found = expected_ece(coin, rng=np.random.default_rng(0))
    >>> round(found.value, 4), round(found.high, 2)
    (0.0398, 0.11)
    """
    intervals.quantile(level)
    if not len(summary.only().keys):
        return results.Insufficient(0, 1)
    if 60 % count == 0 and len(summary.keys) > score_grid.CELLS:
        # the bins are exact there too, and draws cost by the cell
        summary = summary.to_dyadic()
    index = binned.width_index(summary, count)
    drawn = redraw.label_sums(summary, summary.score, draws=draws, rng=rng)
    drawn -= summary.w * summary.score
    # the cells of a bin are neighbours, so one pass over the first cell of each bin sums them
    firsts = np.flatnonzero(np.diff(index, prepend=-1))
    shown = np.abs(np.add.reduceat(drawn, firsts, axis=1)).sum(axis=1) / summary.w.sum()
    value = float(expected_ece_by_group(summary, count=count)[0])
    tail = (1.0 - level) / 2.0
    low, high = (float(end) for end in np.quantile(shown, [tail, 1.0 - tail]))
    return results.Estimate(value, min(low, value), max(high, value), level, f"simulated ({draws} perfect models)")


def expected_ece_by_group(summary: summaries.Summary, *, count: int = 10) -> Floats:
    """Mean ECE of calibrated scores for every group, shape (g,), in closed form.

    Notes
    -----
    In a bin of n rows with mean score p the label sum has the mean absolute deviation of a binomial (de Moivre
    1730, exact for any n), 2 nu C(n, nu) p^nu (1-p)^(n-nu+1), nu = floor(n p) + 1, times
    (sum p_i (1-p_i) / (n p (1-p)))^.5 since scores differ within the bin. With weights n is the effective
    number and the binomial coefficient its continuous form.

    References
    ----------
    Diaconis and Zabell 1991, doi:10.1214/ss/1177011699.

    Examples
    --------
    >>> expected_ece_by_group(summaries.summarise([0.5], [1]))
    array([0.5])
    """
    index = binned.width_index(summary, count)
    w, wp, ww, wwv = binned.fold(summary, index, count, summary.sums[[0, 3, 6, 7]])
    n = np.divide(w**2, ww, out=np.zeros_like(w), where=ww > 0.0)
    p = np.clip(np.divide(wp, w, out=np.zeros_like(w), where=w > 0.0), 0.0, 1.0)
    varies = (n > 0.0) & (p > 0.0) & (p < 1.0)
    n, p = np.where(varies, n, 1.0), np.where(varies, p, 0.5)
    deviation = _binomial_deviation(n, p) / n
    alike = p * (1.0 - p) * np.where(varies, ww, 1.0)
    deviation *= np.sqrt(np.maximum(wwv, 0.0) / alike)
    weight = w.sum(axis=1)
    noise = np.where(varies, w * deviation, 0.0).sum(axis=1)
    return np.asarray(np.divide(noise, weight, out=np.zeros_like(weight), where=weight > 0.0))


def _binomial_deviation(n: Floats, p: Floats) -> Floats:
    """E|Bin(n, p) - n p| by de Moivre's formula, 0 < p < 1; n may be fractional."""
    nu = np.minimum(np.floor(n * p) + 1.0, n)
    # nu C(n, nu) = 1 / B(nu, n - nu + 1)
    logs = xlogy(nu, p) + xlog1py(n - nu + 1.0, -p) - betaln(nu, n - nu + 1.0)
    return np.asarray(2.0 * np.exp(logs))
