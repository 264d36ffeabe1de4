"""Counts that are looked at again and again: are two arms alike in size, is a rate above its limit?

Both are functions of the counts alone: no state is kept, and each look holds together with all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincc, betaln, xlog1py, xlogy
from scipy.stats import chi2

from calibrant import errors

#: How many rows the belief about the share of an arm is worth: shares within 3.5 points of the planned one.
STRENGTH = 200.0
#: Jeffreys' prior for a rate.
PRIOR = (0.5, 0.5)
HALVINGS = 60


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """``share`` of the canary as seen; ``p_value`` holds at any time, ``one_look`` (chi-squared) for one look only."""

    share: float
    e_value: float
    p_value: float
    one_look: float


def sample_ratio(canary: int, control: int, *, planned: float = 0.5) -> SampleRatio:
    """Are units split between two arms as planned? If not, nothing that compares them can be believed.

    Parameters
    ----------
    canary, control
        Units (not requests) of each arm so far.
    planned
        The canary's share of the two, in (0, 1).

    Notes
    -----
    e = B(a + n1, b + n0) / (B(a, b) planned^n1 (1 - planned)^n0), a beta mixture of likelihood ratios with
    a + b = 200 centred at the plan; p = min(1, 1 / e), by Ville at any time. Units are assigned independently.

    References
    ----------
    Lindon and Malek 2022, arXiv:2011.03567; Fabijan et al. 2019, doi:10.1145/3292500.3330722.

    Examples
    --------
    >>> sample_ratio(500, 500).p_value, sample_ratio(600, 400).p_value < 1e-6
    (1.0, True)
    """
    _check(canary, canary + control, planned, "planned")
    n = canary + control
    a, b = STRENGTH * planned, STRENGTH * (1.0 - planned)
    ratio = betaln(a + canary, b + control) - betaln(a, b) - xlogy(canary, planned) - xlog1py(control, -planned)
    log_e = float(ratio)
    square = (canary - n * planned) ** 2 / (n * planned * (1.0 - planned)) if n else 0.0
    share = canary / n if n else planned
    return SampleRatio(share, _exp(log_e), min(1.0, _exp(-log_e)), float(chi2.sf(square, 1)))


def rate_above(hits: int, trials: int, *, limit: float) -> float:
    """e-value against "the rate is at most ``limit``", which may be read at any time: a guard fails at 1 / alpha.

    Parameters
    ----------
    hits, trials
        So far.
    limit
        In (0, 1).

    Notes
    -----
    The mixture of (q / limit)^hits ((1 - q) / (1 - limit))^misses over q > limit with density proportional to
    Beta(1/2, 1/2); each of them is a supermartingale for every rate up to the limit, also for one that moves.

    References
    ----------
    Howard, Ramdas, McAuliffe and Sekhon 2021, doi:10.1214/20-AOS1991 (beta-binomial mixture).

    Examples
    --------
    >>> rate_above(1, 100, limit=0.02) < 1.0, rate_above(10, 100, limit=0.02) > 20.0
    (True, True)
    """
    _check(hits, trials, limit, "limit")
    a, b = PRIOR
    misses = trials - hits
    with np.errstate(divide="ignore"):
        tail = np.log(betaincc(a + hits, b + misses, limit)) - np.log(betaincc(a, b, limit))
    ratio = betaln(a + hits, b + misses) - betaln(a, b) - xlogy(hits, limit) - xlog1py(misses, -limit)
    return _exp(float(ratio + tail))


def rate_interval(hits: int, trials: int, *, alpha: float = 0.05) -> tuple[float, float]:
    """An interval that contains a constant rate at all times at once with probability 1 - alpha.

    Notes
    -----
    All r with B(1/2 + hits, 1/2 + misses) / B(1/2, 1/2) < r^hits (1 - r)^misses / alpha (Robbins 1970,
    doi:10.1214/aoms/1177696786).

    Examples
    --------
    >>> low, high = rate_interval(10, 100)
    >>> round(low, 3), round(high, 3)
    (0.029, 0.228)
    """
    _check(hits, trials, alpha, "alpha")
    a, b = PRIOR
    misses = trials - hits
    mixed = betaln(a + hits, b + misses) - betaln(a, b) + np.log(alpha)

    def outside(rate: float) -> bool:
        return bool(mixed >= xlogy(hits, rate) + xlog1py(misses, -rate))

    best = hits / trials if trials else 0.5
    return _end(best, 0.0, outside), _end(best, 1.0, outside)


def _end(inside: float, far: float, outside: Callable[[float], bool]) -> float:
    """Where the interval ends between a rate inside it and the end of the scale."""
    if not outside(far):
        return far
    for _ in range(HALVINGS):
        middle = (inside + far) / 2.0
        inside, far = (inside, middle) if outside(middle) else (middle, far)
    return far


def _exp(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.exp(value))


def _check(hits: int, trials: int, share: float, name: str) -> None:
    if not (0 <= hits <= trials and 0.0 < share < 1.0):
        raise errors.UsageError(
            "CAL-470",
            "these counts do not make a test",
            cause=f"{hits} of {trials}, {name}={share}",
            fix=f"pass counts with 0 <= hits <= trials, and {name} strictly between 0 and 1",
        )
