"""Many tests at once: Benjamini-Hochberg for p-values, e-BH for e-values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors

Floats = NDArray[np.float64]


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjusted p-values: rejecting where they are <= q keeps the false discovery rate at or below q.

    Parameters
    ----------
    p_values
        Shape (m,), each in [0, 1]. NaN stands for a test that was not done: it stays NaN and does not count.

    Returns
    -------
    adjusted
        Shape (m,), each in [0, 1], in the order given.

    Raises
    ------
    ValueRangeError
        CAL-332 for numbers outside [0, 1].

    Notes
    -----
    With the p-values in rising order, adjusted_i = min over j >= i of min(1, m p_j / j). Holds for independent
    and for positively dependent tests.

    References
    ----------
    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5])
    array([0.04      , 0.05333333, 0.05333333, 0.5       ])
    """
    p = np.asarray(p_values, np.float64)
    done = np.flatnonzero(~np.isnan(p))
    if len(done) and not (p[done].min() >= 0.0 and p[done].max() <= 1.0):
        raise errors.ValueRangeError(
            "CAL-332",
            "p-values must lie in [0, 1]",
            cause=f"they reach from {p[done].min()} to {p[done].max()}",
            fix="pass p-values, not test statistics",
        )
    adjusted = np.full(len(p), np.nan)
    order = done[np.argsort(p[done], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def e_bh(e_values: ArrayLike, *, rate: float) -> NDArray[np.bool_]:
    """Which hypotheses e-BH rejects: the false discovery rate is at most ``rate`` under any dependence.

    Parameters
    ----------
    e_values
        Shape (m,), each >= 0 (infinity allowed): expectation at most 1 if its hypothesis is true.
    rate
        Allowed false discovery rate, in (0, 1).

    Returns
    -------
    rejected
        Shape (m,), bool.

    Raises
    ------
    ValueRangeError
        CAL-333 for negative e-values or NaN.
    UsageError
        CAL-452 for a rate outside (0, 1).

    Notes
    -----
    Rejects the k largest, k the largest number with k e_(k) / m >= 1 / rate, e in falling order. No assumption
    on dependence, and e-processes may be read at any time.

    References
    ----------
    Wang and Ramdas 2022, doi:10.1111/rssb.12489.

    Examples
    --------
    >>> e_bh([100.0, 1.0, 45.0, 0.2], rate=0.05)
    array([ True, False,  True, False])
    """
    e = np.asarray(e_values, np.float64)
    if len(e) and not e.min() >= 0.0:
        raise errors.ValueRangeError(
            "CAL-333",
            "e-values must not be negative",
            cause=f"{int((~(e >= 0.0)).sum())} of {len(e)} are negative or NaN",
            fix="pass e-values, not their logarithms",
        )
    if not 0.0 < rate < 1.0:
        raise errors.UsageError(
            "CAL-452",
            f"{rate!r} is not a false discovery rate",
            cause="the rate lies strictly between 0 and 1",
            fix="write it as a share, for example 0.05",
        )
    order = np.argsort(-e, kind="stable")
    passing = np.flatnonzero(np.arange(1, len(e) + 1) * e[order] * rate >= len(e))
    rejected = np.zeros(len(e), bool)
    if len(passing):
        rejected[order[: passing[-1] + 1]] = True
    return rejected
