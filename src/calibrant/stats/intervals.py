"""Intervals for shares and for differences of shares: Wilson, Clopper-Pearson, Newcombe. Vectorised.

Counts may be fractional. With weights the counts are effective ones, from ``effective_counts``: the interval
then depends on how unequal the weights are, and not on their unit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri

from calibrant import errors

Floats = NDArray[np.float64]


def quantile(level: float) -> float:
    """The normal quantile z with P(-z < Z < z) = ``level``.

    Raises
    ------
    UsageError
        CAL-451 unless 0 < level < 1.

    Examples
    --------
    >>> round(quantile(0.95), 6)
    1.959964
    """
    if not 0.0 < level < 1.0:
        raise errors.UsageError(
            "CAL-451",
            f"{level!r} is not a confidence level",
            cause="the level of an interval lies strictly between 0 and 1",
            fix="write it as a share, for example 0.95",
        )
    return float(ndtri(0.5 + level / 2.0))


def wilson(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson score interval of a share.

    Parameters
    ----------
    successes, n
        Counts of one shape (they broadcast), 0 <= successes <= n, whole or fractional.
    level
        Coverage, in (0, 1).

    Returns
    -------
    low, high
        Ends in [0, 1]. Where n is 0 nothing is known: (0, 1).

    Raises
    ------
    ValueRangeError
        CAL-331 for counts outside 0 <= successes <= n.

    Notes
    -----
    The shares q with |s/n - q| <= z sqrt(q (1 - q) / n): centre (s + z^2/2) / (n + z^2), half-width
    z sqrt(s (n - s) / n + z^2/4) / (n + z^2). Mean coverage is close to the level at every n, unlike Wald's.

    References
    ----------
    Wilson 1927, doi:10.1080/01621459.1927.10502953; Brown, Cai and DasGupta 2001, doi:10.1214/ss/1009213286.

    Examples
    --------
    >>> low, high = wilson(3, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.1078, 0.6032)
    """
    s, total = _counts(successes, n)
    z = quantile(level)
    spread = s * (total - s) / np.where(total > 0.0, total, 1.0)
    half = z * np.sqrt(np.maximum(spread, 0.0) + z * z / 4.0)
    low = (s + z * z / 2.0 - half) / (total + z * z)
    high = (s + z * z / 2.0 + half) / (total + z * z)
    # the ends are exact where nothing, or everything, succeeded
    return np.where(s == 0.0, 0.0, np.maximum(low, 0.0)), np.where(s == total, 1.0, np.minimum(high, 1.0))


def clopper_pearson(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Exact interval of a share: covers at least at its level for every true share, so it is wide.

    Parameters
    ----------
    successes, n
        Counts of one shape (they broadcast), 0 <= successes <= n; for fractional counts the exactness is lost.
    level
        Coverage, in (0, 1).

    Returns
    -------
    low, high
        Ends in [0, 1]. Where n is 0: (0, 1).

    Raises
    ------
    ValueRangeError
        CAL-331 for counts outside 0 <= successes <= n.

    Notes
    -----
    Quantiles of Beta(s, n - s + 1) at alpha/2 and of Beta(s + 1, n - s) at 1 - alpha/2.

    References
    ----------
    Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> low, high = clopper_pearson(3, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0667, 0.6525)
    """
    s, total = _counts(successes, n)
    quantile(level)
    tail = (1.0 - level) / 2.0
    rest = total - s
    inner = np.where(s > 0.0, s, 1.0), np.where(rest > 0.0, rest, 1.0)
    low = np.where(s > 0.0, betaincinv(inner[0], rest + 1.0, tail), 0.0)
    high = np.where(rest > 0.0, betaincinv(s + 1.0, inner[1], 1.0 - tail), 1.0)
    return low, high


def newcombe(
    successes: tuple[ArrayLike, ArrayLike], n: tuple[ArrayLike, ArrayLike], *, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Interval of the difference of two independent shares, second less first (Newcombe's hybrid score method).

    Parameters
    ----------
    successes, n
        The counts of the first and of the second sample.
    level
        Coverage, in (0, 1).

    Returns
    -------
    low, high
        Ends in [-1, 1].

    Notes
    -----
    With d = r2 - r1 and Wilson ends (l, u): low = d - sqrt((r2 - l2)^2 + (u1 - r1)^2) and
    high = d + sqrt((u2 - r2)^2 + (r1 - l1)^2).

    References
    ----------
    Newcombe 1998, method 10, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.

    Examples
    --------
    >>> low, high = newcombe((48, 56), (80, 70))   # the first example of that paper, with the order turned
    >>> round(float(low), 4), round(float(high), 4)
    (0.0524, 0.3339)
    """
    (s1, n1), (s2, n2) = _counts(successes[0], n[0]), _counts(successes[1], n[1])
    (l1, u1), (l2, u2) = wilson(s1, n1, level=level), wilson(s2, n2, level=level)
    r1 = np.where(n1 > 0.0, s1 / np.where(n1 > 0.0, n1, 1.0), 0.5)
    r2 = np.where(n2 > 0.0, s2 / np.where(n2 > 0.0, n2, 1.0), 0.5)
    d = r2 - r1
    return d - np.hypot(r2 - l2, u1 - r1), d + np.hypot(u2 - r2, r1 - l1)


def effective_counts(wy: ArrayLike, w: ArrayLike, ww: ArrayLike) -> tuple[Floats, Floats]:
    """Successes and n that equal weights would need, from the sums of w y, w and w^2.

    n = (sum w)^2 / sum w^2 (Kish 1965) and successes = n * sum w y / sum w; both 0 where there is no weight.
    Multiplying all weights by a constant changes neither.

    Examples
    --------
    >>> effective_counts(6.0, 20.0, 40.0)   # ten rows of weight 2, three of them positive
    (array(3.), array(10.))
    """
    label_sum, weight, squares = (np.asarray(each, np.float64) for each in (wy, w, ww))
    present = (weight > 0.0) & (squares > 0.0)
    n = np.where(present, weight, 0.0) ** 2 / np.where(present, squares, 1.0)
    share = np.clip(label_sum / np.where(present, weight, 1.0), 0.0, 1.0)
    return np.asarray(n * share), np.asarray(n)


def _counts(successes: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Both as floats of one shape, checked; sums of weights may overshoot by rounding, which is taken back."""
    s, total = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(n, np.float64))
    slack = 1e-9 * np.maximum(total, 1.0)
    if not bool(np.all((s >= -slack) & (s <= total + slack) & np.isfinite(total))):
        raise errors.ValueRangeError(
            "CAL-331",
            "a count of successes must lie between 0 and the number of trials",
            cause="at least one count is negative, larger than its n, or not finite",
            fix="pass successes <= n; with weights, counts from effective_counts",
        )
    return np.clip(s, 0.0, total), total
