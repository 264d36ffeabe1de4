"""Labels drawn anew: what outcomes would have been, had a given set of probabilities been right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibrant.stats import summary as summaries

Floats = NDArray[np.float64]


def label_sums(summary: summaries.Summary, probabilities: Floats, *, draws: int, rng: np.random.Generator) -> Floats:
    """Weighted label sums of every cell under independent 0/1 labels, shape (draws, k).

    Parameters
    ----------
    summary
        Any grid.
    probabilities
        Shape (k,), in [0, 1]: the chance of a positive label in each cell.
    draws
        How many times.
    rng
        The only source of randomness.

    Notes
    -----
    Bin(n, q) per cell. With weights the deviation n q - Bin(n, q) is scaled by sqrt(sum w^2 / n), which gives
    the right mean and variance, and the right law where all weights of a cell are equal.

    Examples
    --------
    >>> one = summaries.summarise([0.5, 0.5], [0, 1])
    >>> label_sums(one, np.array([1.0]), draws=3, rng=np.random.default_rng(0)).ravel()
    array([2., 2., 2.])
    """
    q = np.clip(probabilities, 0.0, 1.0)
    drawn = rng.binomial(summary.n, q, size=(draws, len(q))).astype(np.float64)
    drawn -= summary.n * q
    drawn *= np.sqrt(summary.ww / summary.n)
    drawn += summary.w * q
    return drawn
