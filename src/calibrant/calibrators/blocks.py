"""Passing over scores in blocks that stay in the cache, in place: what makes ``apply`` as fast as numpy's exp.

All kernels share one clipping rule: probabilities are kept in [EPSILON, 1 - EPSILON] before a logarithm, and
log-odds in [-LIMIT, LIMIT], the log-odds of those ends. Scores that are given as log-odds are not sent through
a probability and back, so nothing is lost in the upper tail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.calibrators import scales

Floats: TypeAlias = NDArray[np.float64]
#: Reads a block of raw scores (first argument), writes results into the second, may scribble on the third.
Kernel: TypeAlias = Callable[[Floats, Floats, Floats], None]

#: 64 KiB of doubles: three blocks fit the second-level cache.
BLOCK = 1 << 13
#: The log-odds of 1 - EPSILON.
LIMIT = float(scales.logit(np.array(1.0)))


def each(scores: ArrayLike, kernel: Kernel) -> Floats:
    """Run a kernel over all scores; the result has their shape, a scalar gives a 0-d array."""
    raw = np.asarray(scores, dtype=np.float64)
    flat = raw.reshape(-1)
    out = np.empty(flat.shape)
    work = np.empty(min(BLOCK, len(flat)))
    with np.errstate(over="ignore", under="ignore"):
        for start in range(0, len(flat), BLOCK):
            block = flat[start : start + BLOCK]
            kernel(block, out[start : start + BLOCK], work[: len(block)])
    return out.reshape(raw.shape)


def probability(scale: scales.Scale, raw: Floats, out: Floats) -> None:
    """Write raw scores into ``out`` as probabilities, not clipped."""
    match scale.kind:
        case "probability":
            np.copyto(out, raw)
        case "percent":
            np.divide(raw, 100.0, out=out)
        case "logit" | "unbounded":
            _centred(scale, raw, out)
            logistic(out)
        case _:
            assert_never(scale.kind)


def log_odds(scale: scales.Scale, raw: Floats, out: Floats, work: Floats) -> None:
    """Write raw scores into ``out`` as log-odds in [-LIMIT, LIMIT]."""
    match scale.kind:
        case "probability" | "percent":
            odds(scale, raw, out, work)
            np.log(out, out=out)
        case "logit" | "unbounded":
            _centred(scale, raw, out)
            _clip(out, -LIMIT, LIMIT)
        case _:
            assert_never(scale.kind)


def odds(scale: scales.Scale, raw: Floats, out: Floats, work: Floats) -> None:
    """Write p / (1 - p) of clipped probabilities into ``out``; only for probability and percent scales."""
    probability(scale, raw, out)
    _clip(out, scales.EPSILON, 1.0 - scales.EPSILON)
    np.subtract(1.0, out, out=work)
    np.divide(out, work, out=out)


def both_logs(scale: scales.Scale, raw: Floats, out: Floats, work: Floats) -> None:
    """Write ln p into ``out`` and ln (1 - p) into ``work``, p clipped."""
    match scale.kind:
        case "probability" | "percent":
            probability(scale, raw, out)
            _clip(out, scales.EPSILON, 1.0 - scales.EPSILON)
            np.subtract(1.0, out, out=work)
        case "logit" | "unbounded":
            log_odds(scale, raw, out, work)
            np.negative(out, out=work)
            logistic(out)
            logistic(work)
        case _:
            assert_never(scale.kind)
    np.log(out, out=out)
    np.log(work, out=work)


def logistic(x: Floats) -> None:
    """1 / (1 + exp(-x)), in place."""
    np.negative(x, out=x)
    logistic_of_negative(x)


def logistic_of_negative(x: Floats) -> None:
    """1 / (1 + exp(x)), in place; for callers who have folded the minus sign into their coefficients."""
    np.exp(x, out=x)
    x += 1.0
    np.divide(1.0, x, out=x)


def _centred(scale: scales.Scale, raw: Floats, out: Floats) -> None:
    if scale.kind == "unbounded":
        np.subtract(raw, scale.center, out=out)
        out /= scale.spread
    else:
        np.copyto(out, raw)


def _clip(x: Floats, low: float, high: float) -> None:
    np.maximum(x, low, out=x)
    np.minimum(x, high, out=x)
