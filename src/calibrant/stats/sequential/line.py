"""A line in log-odds that follows the labels: one Newton step for each block of rows, for many groups at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: No step is longer in either coefficient, so that a few strange rows cannot throw the line out of reach.
LONGEST_STEP = 1.0


@dataclass(frozen=True, slots=True)
class Prior:
    """Where the line starts and is drawn back to: (intercept, slope), and how firmly, per coefficient."""

    line: tuple[float, float]
    precision: tuple[float, float]

    def information(self, groups: int) -> Floats:
        """The three entries (1, x, x^2) of the precision matrix, shape (3, groups)."""
        return np.repeat([[self.precision[0]], [0.0], [self.precision[1]]], groups, axis=1)


def newton(
    line: Floats, information: Floats, *, gradient: Floats, curvature: Floats, prior: Prior, kept: ArrayLike
) -> tuple[Floats, Floats]:
    """The line and its information after one more block.

    Parameters
    ----------
    line
        Intercepts and slopes before, shape (2, g); the block's sums were taken at this line.
    information
        Entries (1, x, x^2) of the precision matrix before, shape (3, g).
    gradient
        sum u (y - q) (1, x), shape (2, g).
    curvature
        sum u q (1 - q) (1, x, x^2), shape (3, g).
    prior
        What remains where labels are forgotten.
    kept
        The share of the old information that still counts, in [0, 1]; a number or shape (g,).

    Notes
    -----
    H <- kept H + (1 - kept) H0 + curvature; line <- line + H^-1 (gradient + (1 - kept) H0 (line0 - line)).
    One Newton step of exponentially weighted logistic regression with a Gaussian prior; with kept = 1 the online
    Newton step of Gupta and Ramdas 2023 (arXiv:2305.00070), with the Hessian in place of the outer product.

    Examples
    --------
    >>> prior = Prior((0.0, 1.0), (4.0, 4.0))
    >>> sums = {"gradient": np.array([[2.0], [0.0]]), "curvature": np.zeros((3, 1))}
    >>> moved, _ = newton(np.array([[0.0], [1.0]]), prior.information(1), **sums, prior=prior, kept=1.0)
    >>> moved[:, 0].tolist()
    [0.5, 1.0]
    """
    g = line.shape[1]
    share = np.asarray(kept, np.float64)
    first = prior.information(g)
    made = share * information + (1.0 - share) * first + curvature
    away = np.array(prior.line)[:, None] - line
    pull = gradient + (1.0 - share) * first[[0, 2]] * away
    a, b, c = made
    determinant = a * c - b * b
    step = np.stack([c * pull[0] - b * pull[1], a * pull[1] - b * pull[0]]) / determinant
    return line + np.clip(step, -LONGEST_STEP, LONGEST_STEP), made
