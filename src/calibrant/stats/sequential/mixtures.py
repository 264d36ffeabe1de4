"""Wealth of a bet on a mean, as a formula of three sums: the gamma-exponential mixture and its boundary."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaln

Floats = NDArray[np.float64]

#: Halvings of a bracket: the boundary is found to the last bits.
HALVINGS = 100


def log_wealth(deviation: ArrayLike, variance: ArrayLike, *, bound: float, rho: float) -> Floats:
    """log of the gamma-exponential mixture m(s, v); any shape.

    Parameters
    ----------
    deviation
        s = sum (X - m), in the unit of X.
    variance
        v = sum (X - c)^2 >= 0, c any number known before each X; here c = 0.
    bound
        X - c is never below -bound; positive.
    rho
        Where the mixture is tightest, in units of v; positive.

    Notes
    -----
    For 0 <= l < 1 / bound, exp(l s - psi(l) v) with psi(l) = (-log(1 - bound l) - bound l) / bound^2 is a
    supermartingale if the conditional mean of X is at most m (Fan, Grama and Liu 2015). Mixed over l by a gamma
    density it becomes, in units of the bound,

        m(s, v) = C(rho) Gamma(v + rho) P(v + rho, s + v + rho) / (s + v + rho)^(v + rho) exp(s + v),
        C(rho) = rho^rho / (Gamma(rho) P(rho, rho)),  P the regularised lower incomplete gamma function.

    Wealth too small for a double is 0, its logarithm -infinity.

    References
    ----------
    Howard, Ramdas, McAuliffe and Sekhon 2021, doi:10.1214/20-AOS1991, proposition 9 and theorem 4.

    Examples
    --------
    >>> float(log_wealth(0.0, 0.0, bound=1.0, rho=2.0))
    0.0
    """
    s = np.asarray(deviation, np.float64) / bound
    v = np.asarray(variance, np.float64) / bound**2
    r = rho / bound**2
    shape = v + r
    at = np.maximum(s + shape, 1e-9 * shape)
    constant = r * np.log(r) - gammaln(r) - _log_gammainc(np.asarray(r), np.asarray(r))
    return np.asarray(constant + gammaln(shape) + _log_gammainc(shape, at) - shape * np.log(at) + at - r)


def _log_gammainc(shape: Floats, at: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(gammainc(shape, at)))


def boundary(variance: ArrayLike, *, alpha: float, bound: float, rho: float) -> Floats:
    """u(v), any shape: the deviation at which the wealth is 1 / alpha; in the unit of X.

    P(some time: sum (X - m) >= u(sum X^2)) <= alpha if the conditional means are at most m.

    Examples
    --------
    >>> float(boundary(100.0, alpha=0.05, bound=1.0, rho=best_rho(100.0, alpha=0.05)).round(2))
    30.24
    """
    v = np.asarray(variance, np.float64)
    target = -np.log(alpha)
    high = np.sqrt(2.0 * target * (v + rho)) + 2.0 * target * bound
    while (short := log_wealth(high, v, bound=bound, rho=rho) < target).any():
        high = np.where(short, 2.0 * high, high)
    low = np.zeros_like(v)
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        beyond = log_wealth(middle, v, bound=bound, rho=rho) >= target
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        if np.all(high - low <= 1e-12 * high):
            break
    return np.asarray(high)


def best_rho(variance: float, *, alpha: float) -> float:
    """The rho that makes the boundary about smallest at one sum of squares.

    Notes
    -----
    v / (2 log(1 / (2 alpha)) + log(1 + 2 log(1 / (2 alpha)))), that of the one-sided normal mixture (Howard et al.
    2021, section 3.5); a rho that is wrong by a factor of ten costs about a tenth of the width.
    """
    doubled = 2.0 * np.log(1.0 / (2.0 * min(alpha, 0.25)))
    return float(variance / (doubled + np.log1p(doubled)))
