"""Pool adjacent violators: the best non-decreasing step function, in blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression


@dataclass(frozen=True, slots=True)
class Blocks:
    """An isotonic fit: block b covers entries ``starts[b]`` up to the next start and has value ``values[b]``.

    ``fitted`` repeats the values for every entry, shape (k,); block weights are in ``weights``.
    """

    starts: NDArray[np.int64]
    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    fitted: NDArray[np.float64]


def pool(means: NDArray[np.float64], weights: NDArray[np.float64]) -> Blocks:
    """Weighted least-squares non-decreasing fit (Ayer et al. 1955); linear time.

    Parameters
    ----------
    means
        Shape (k,), in order of the score, ties already pooled into one entry.
    weights
        Shape (k,), positive.

    Examples
    --------
    >>> pool(np.array([0.0, 1.0, 0.5]), np.ones(3)).fitted
    array([0.  , 0.75, 0.75])
    """
    found = isotonic_regression(means, weights=weights)
    starts = np.asarray(found.blocks[:-1], np.int64)
    return Blocks(starts, found.x[starts], np.asarray(found.weights), np.asarray(found.x))
