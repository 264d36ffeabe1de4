"""How far two samples of scores are apart: PSI, Jensen-Shannon, Kolmogorov-Smirnov, Wasserstein; and the base rates.

All read summaries of one group on one grid, the reference first. Labels are only needed for the base rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov, xlogy

from calibrant import errors
from calibrant.stats import intervals, results
from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]

#: PSI by convention: below the first number little, from the second on much (Siddiqi 2006). Not a test.
PSI_LANDMARKS = (0.1, 0.25)


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """Largest difference of the two distribution functions, in [0, 1], and the p-value for no difference."""

    statistic: float
    p_value: float

    def to_dict(self) -> dict[str, float]:
        return {"statistic": self.statistic, "p_value": self.p_value}


def psi(reference: summaries.Summary, current: summaries.Summary, *, bins: int = 10) -> results.Measured:
    """Population stability index over bins of equal mass in the reference.

    Parameters
    ----------
    reference, current
        One group each, on the same grid.
    bins
        At least 2. Edges are scores of the reference, a score is never split, so ties may leave fewer bins.

    Returns
    -------
    Measured
        >= 0; without an interval. Insufficient if a summary is empty.

    Raises
    ------
    UsageError
        CAL-455 for different grids, CAL-456 for fewer than 2 bins.

    Notes
    -----
    sum (c_b - r_b) ln(c_b / r_b) over the shares r, c of weight in the bins: the symmetric Kullback-Leibler
    divergence. Half an effective row is added to every bin of both, so an empty bin costs a finite amount
    that depends on n. Its expectation without drift is about (bins - 1)(1/n_r + 1/n_c): small samples look
    unstable.

    References
    ----------
    Siddiqi 2006, Credit Risk Scorecards; Yurdakul and Naranjo 2020, doi:10.21314/JRMV.2020.227.

    Examples
    --------
    >>> first = summaries.summarise(np.arange(1000) / 1000, np.zeros(1000))
    >>> second = summaries.summarise((np.arange(1000) / 1000) ** 2, np.zeros(1000))
    >>> round(psi(first, second).value, 2)
    0.38
    """
    if bins < 2:
        raise errors.UsageError(
            "CAL-456", f"{bins} bins show no difference", cause="PSI compares at least 2 bins", fix="ask for 10"
        )
    masses = _aligned(reference, current)
    if isinstance(masses, results.Insufficient):
        return masses
    r, c = masses.r, masses.c
    middle = np.cumsum(r) - r / 2.0
    bin_of = np.minimum((middle * bins).astype(np.int64), bins - 1)
    # a bin that holds no reference at all joins its neighbour: its edges are not scores of the reference
    filled = np.unique(bin_of[r > 0.0])
    bin_of = np.maximum(np.searchsorted(filled, bin_of, side="right") - 1, 0)

    def share(mass: Floats, n: float) -> Floats:
        count = np.bincount(bin_of, mass, len(filled)) * n + 0.5
        return np.asarray(count / count.sum())

    first, second = share(r, masses.n_r), share(c, masses.n_c)
    value = float(((second - first) * np.log(second / first)).sum())
    return results.Estimate(value, method=f"none (PSI over {len(filled)} bins)")


def jensen_shannon(reference: summaries.Summary, current: summaries.Summary) -> results.Measured:
    """Jensen-Shannon divergence, base 2, over sixty bins of equal width (and 1 alone): 0 equal, 1 disjoint.

    Parameters
    ----------
    reference, current
        One group each, on the same grid.

    Returns
    -------
    Measured
        In [0, 1], without an interval; its square root is the Jensen-Shannon distance, a metric. Without drift
        it is about (61 - 1)/(8 ln 2) (1/n_r + 1/n_c), not 0.

    Raises
    ------
    UsageError
        CAL-455 for different grids.

    References
    ----------
    Lin 1991, doi:10.1109/18.61115; Endres and Schindelin 2003, doi:10.1109/TIT.2003.813506.

    Examples
    --------
    >>> jensen_shannon(summaries.summarise([0.1], [0]), summaries.summarise([0.9], [0])).value
    1.0
    """
    masses = _aligned(reference, current)
    if isinstance(masses, results.Insufficient):
        return masses
    first, second = (np.bincount(each.sixtieth, each.w / each.w.sum(), 61) for each in (reference, current))
    middle = (first + second) / 2.0
    entropy = (-xlogy(each, each).sum() for each in (middle, first, second))
    both, one, other = entropy
    value = float((both - (one + other) / 2.0) / math.log(2.0))
    return results.Estimate(min(max(value, 0.0), 1.0), method="none (Jensen-Shannon over 61 bins)")


def kolmogorov_smirnov(
    reference: summaries.Summary, current: summaries.Summary
) -> KolmogorovSmirnov | results.Insufficient:
    """Kolmogorov-Smirnov statistic of the two score distributions and its asymptotic p-value.

    Parameters
    ----------
    reference, current
        One group each, on the same grid. Exact on the distinct grid; the dyadic grid can only lower the
        statistic, as differences within a cell are not seen.

    Returns
    -------
    KolmogorovSmirnov or Insufficient

    Raises
    ------
    UsageError
        CAL-455 for different grids.

    Notes
    -----
    D = max |F_r - F_c|; p = Q(sqrt(n_r n_c / (n_r + n_c)) D), Q Kolmogorov's survival function, at the
    effective sample sizes. With ties the p-value is too large (conservative). A p-value alone is no alarm:
    at production size every difference is significant.

    References
    ----------
    Smirnov 1948, doi:10.1214/aoms/1177730256; effective sample size: Kish 1965.

    Examples
    --------
    >>> first = summaries.summarise(np.arange(100) / 100, np.zeros(100))
    >>> second = summaries.summarise(np.arange(50, 150) / 150, np.zeros(100))
    >>> found = kolmogorov_smirnov(first, second)
    >>> round(found.statistic, 3), found.p_value < 0.001
    (0.34, True)
    """
    masses = _aligned(reference, current)
    if isinstance(masses, results.Insufficient):
        return masses
    d = min(float(np.abs(np.cumsum(masses.r - masses.c)).max()), 1.0)
    n = masses.n_r * masses.n_c / (masses.n_r + masses.n_c)
    return KolmogorovSmirnov(d, float(kolmogorov(math.sqrt(n) * d)))


def wasserstein(reference: summaries.Summary, current: summaries.Summary) -> results.Measured:
    """Wasserstein-1 distance of the two score distributions: how far a score must move on average, in [0, 1].

    Parameters
    ----------
    reference, current
        One group each, on the same grid. Exact on the distinct grid; on the dyadic grid scores count as the
        mean of their cell over both samples.

    Returns
    -------
    Measured
        In units of the score, without an interval. At least the difference of the mean scores.

    Raises
    ------
    UsageError
        CAL-455 for different grids.

    Notes
    -----
    Integral of |F_r - F_c| over the score.

    References
    ----------
    Vallender 1974, doi:10.1137/1118101.

    Examples
    --------
    >>> found = wasserstein(summaries.summarise([0.2, 0.4], [0, 0]), summaries.summarise([0.3, 0.5], [0, 0]))
    >>> round(found.value, 12)
    0.1
    """
    masses = _aligned(reference, current)
    if isinstance(masses, results.Insufficient):
        return masses
    apart = np.abs(np.cumsum(masses.r - masses.c))[:-1]
    return results.Estimate(float(apart @ np.diff(masses.score)), method="none")


def base_rate_change(
    reference: summaries.Summary, current: summaries.Summary, *, level: float = 0.95
) -> results.Measured:
    """Current less reference base rate, with Newcombe's interval at the effective sample sizes.

    Parameters
    ----------
    reference, current
        One group each; their grids may differ.
    level
        Coverage, in (0, 1).

    Returns
    -------
    Measured
        In [-1, 1]. Insufficient if a summary is empty.

    References
    ----------
    Newcombe 1998, method 10; see ``intervals.newcombe``.

    Examples
    --------
    >>> found = base_rate_change(summaries.summarise(np.full(80, 0.5), np.arange(80) < 48),
    ...                          summaries.summarise(np.full(70, 0.5), np.arange(70) < 56))
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    both = reference.only(), current.only()
    if not all(len(each.keys) for each in both):
        return results.Insufficient(0, 1)
    counts = [intervals.effective_counts(each.wy.sum(), each.w.sum(), each.ww.sum()) for each in both]
    (s1, n1), (s2, n2) = counts
    low, high = intervals.newcombe((s1, s2), (n1, n2), level=level)
    return results.Estimate(float(s2 / n2 - s1 / n1), float(low), float(high), level, "newcombe")


def base_rate_p_value(reference: summaries.Summary, current: summaries.Summary) -> float:
    """p-value for equal base rates: the two-sided score test at the effective sample sizes; 1 if nothing is known.

    Notes
    -----
    z = (r_c - r_r) / sqrt(r (1 - r) (1/n_r + 1/n_c)), r the pooled rate (Pearson's chi-squared on the 2 x 2 table).

    References
    ----------
    Pearson 1900, doi:10.1080/14786440009463897; Newcombe 1998 for the interval that goes with it.

    Examples
    --------
    >>> round(base_rate_p_value(summaries.summarise(np.full(80, 0.5), np.arange(80) < 48),
    ...                         summaries.summarise(np.full(70, 0.5), np.arange(70) < 56)), 5)
    0.00805
    """
    both = [intervals.effective_counts(s.wy.sum(), s.w.sum(), s.ww.sum()) for s in (reference.only(), current.only())]
    (s1, n1), (s2, n2) = ((float(successes), float(n)) for successes, n in both)
    if not (n1 > 0.0 and n2 > 0.0 and 0.0 < s1 + s2 < n1 + n2):
        return 1.0
    pooled = (s1 + s2) / (n1 + n2)
    z = (s2 / n2 - s1 / n1) / math.sqrt(pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2))
    return math.erfc(abs(z) / math.sqrt(2.0))


@dataclass(frozen=True, slots=True)
class _Masses:
    """Shares of weight on the union of the cells, each (k,), the scores there, and the effective rows."""

    score: Floats
    r: Floats
    c: Floats
    n_r: float
    n_c: float


def _aligned(reference: summaries.Summary, current: summaries.Summary) -> _Masses | results.Insufficient:
    first, second = reference.only(), current.only()
    if first.grid != second.grid:
        raise errors.UsageError(
            "CAL-455",
            "summaries on different grids cannot be compared",
            cause=f"one is on the {first.grid} grid, the other on the {second.grid} grid",
            fix="summarise both with the same grid, or take summary.to_dyadic()",
        )
    if not (len(first.keys) and len(second.keys)):
        return results.Insufficient(0, 1)
    keys, where = np.unique(np.concatenate([first.keys, second.keys]), return_inverse=True)
    mine, theirs = where[: len(first.keys)], where[len(first.keys) :]
    r, c, p, w = (np.zeros(len(keys)) for _ in range(4))
    r[mine] = first.w / first.w.sum()
    c[theirs] = second.w / second.w.sum()
    for index, share, each in ((mine, r[mine], first), (theirs, c[theirs], second)):
        p[index] += share * each.score
        w[index] += share
    score = keys.view(np.float64) if first.grid == "distinct" else p / w
    return _Masses(score, r, c, float(first.effective_n[0]), float(second.effective_n[0]))
