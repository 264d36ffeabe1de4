"""Logistic regression of grouped labels on a few columns, by Newton's method; the engine under slope, Platt and beta.

Both forms work on grouped binary data: k distinct scores, each with a total weight and a weighted label sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators import scales

Floats = NDArray[np.float64]

MAX_STEPS = 100
#: Steps between which groups that are done drop out.
ROUND = 5
TOLERANCE = 1e-12
#: Smallest eigenvalue of the information, per row, below which the classes count as separated.
SEPARATED = 1e-9
#: A sum of a million terms is known to this relative precision: a smaller loss of likelihood is no loss.
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class LogisticFit:
    """Coefficients, shape (d,), their inverse information matrix, shape (d, d), and whether Newton converged.

    Not converged means that no finite maximum exists (separated classes) or that the columns are collinear.
    """

    coefficients: Floats
    covariance: Floats
    converged: bool


def fit(design: Floats, label_sums: Floats, weights: Floats, *, offset: Floats | None = None) -> LogisticFit:
    """Maximise sum wy * eta - w * log(1 + exp(eta)), eta = offset + design @ coefficients.

    Parameters
    ----------
    design
        Shape (k, d); give the intercept a column of ones.
    label_sums, weights
        Shape (k,), 0 <= label_sums <= weights.
    offset
        Shape (k,), a fixed part of the log-odds.

    Notes
    -----
    Newton with step halving on a concave likelihood (McCullagh and Nelder 1989, ch. 4). The covariance is the
    inverse Fisher information, which takes weights for counts: with survey or importance weights rescale them
    to the effective sample size first.

    Examples
    --------
    >>> found = fit(np.ones((1, 1)), np.array([3.0]), np.array([4.0]))
    >>> round(float(found.coefficients[0]), 6), found.converged   # log(3)
    (1.098612, True)
    """
    base = np.zeros(len(weights)) if offset is None else offset
    beta = np.zeros(design.shape[1])
    eta = base
    value = _likelihood(eta, label_sums, weights)
    information = np.eye(len(beta))
    converged = False
    for _ in range(MAX_STEPS):
        q = scales.expit(eta)
        gradient = design.T @ (label_sums - weights * q)
        information = (design.T * (weights * q * (1.0 - q))) @ design
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            break
        decrement = float(gradient @ step)
        if not np.isfinite(decrement) or np.abs(step).max() > 1e6:
            break
        if decrement <= TOLERANCE:
            converged, beta = True, beta + step
            break
        size = 1.0
        while True:
            trial = base + design @ (beta + size * step)
            reached = _likelihood(trial, label_sums, weights)
            if reached >= value - ROUNDING * abs(value) or size < 1e-8:
                break
            size /= 2.0
        beta, eta, value = beta + size * step, trial, reached
    # separated classes: the likelihood has no maximum, the information vanishes on the way to infinity
    converged = converged and bool(np.linalg.eigvalsh(information)[0] > SEPARATED * weights.sum())
    covariance = np.asarray(np.linalg.inv(information)) if converged else np.full_like(information, np.inf)
    return LogisticFit(beta, covariance, converged)


def _likelihood(eta: Floats, label_sums: Floats, weights: Floats) -> float:
    return float(label_sums @ eta - weights @ np.logaddexp(0.0, eta))


@dataclass(frozen=True, slots=True)
class LineFits:
    """Intercept and slope per group, shape (g, 2); covariances, shape (g, 2, 2); which groups converged, (g,)."""

    coefficients: Floats
    covariance: Floats
    converged: NDArray[np.bool_]


def fit_lines(x: Floats, label_sums: Floats, weights: Floats, starts: NDArray[np.int64]) -> LineFits:
    """The two-column fit (1, x) for many groups at once: Newton on all groups together.

    Parameters
    ----------
    x, label_sums, weights
        Shape (k,), the groups one after the other.
    starts
        Shape (g,), where each group begins; every group has at least one entry.

    Notes
    -----
    Groups that separate (or have one distinct x) do not converge and say so; the others are not touched by them.
    """
    g = len(starts)
    lengths = np.diff(np.append(starts, len(x)))
    beta, information = np.zeros((g, 2)), np.ones((g, 3))
    converged, left = np.zeros(g, bool), np.arange(g)
    for _ in range(0, MAX_STEPS, ROUND):
        if not len(left):
            break
        # most groups are done after a few steps: the later ones only touch the cells of those that are left
        cells = slice(None) if len(left) == g else np.repeat(np.isin(np.arange(g), left), lengths)
        begins = np.cumsum(lengths[left]) - lengths[left]
        beta[left], information[left], done, unfinished = _newton(
            x[cells], label_sums[cells], weights[cells], begins, beta[left]
        )
        converged[left] = done
        left = left[unfinished]
    v, vx, vxx = information.T
    converged &= v > SEPARATED * np.add.reduceat(weights, starts)
    determinant = np.where(converged, v * vxx - vx * vx, 1.0)
    covariance = np.stack([np.stack([vxx, -vx], 1), np.stack([-vx, v], 1)], 1) / determinant[:, None, None]
    covariance[~converged] = np.inf
    return LineFits(beta, covariance, converged)


def _newton(
    x: Floats, label_sums: Floats, weights: Floats, starts: NDArray[np.int64], beta: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """A few Newton steps on all groups: lines, (sum v, sum v x, sum v x^2), which converged, which may go on."""
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(x))))
    converged, active = np.zeros(len(starts), bool), np.ones(len(starts), bool)

    def totals(values: Floats) -> Floats:
        return np.add.reduceat(values, starts)

    def likelihood(at: Floats) -> Floats:
        eta = at[group, 0] + at[group, 1] * x
        return totals(label_sums * eta - weights * np.logaddexp(0.0, eta))

    value = likelihood(beta)
    information = np.ones((len(starts), 3))
    for _ in range(ROUND):
        q = scales.expit(beta[group, 0] + beta[group, 1] * x)
        residual, v = label_sums - weights * q, weights * q * (1.0 - q)
        g0, g1 = totals(residual), totals(residual * x)
        a, b, c = totals(v), totals(v * x), totals(v * x * x)
        information[active] = np.stack([a, b, c], axis=1)[active]
        determinant = a * c - b * b
        solvable = determinant > 1e-12 * a * c
        step = np.stack([c * g0 - b * g1, a * g1 - b * g0], axis=1) / np.where(solvable, determinant, 1.0)[:, None]
        decrement = g0 * step[:, 0] + g1 * step[:, 1]
        done = active & solvable & (decrement <= TOLERANCE)
        converged |= done
        beta = np.where(done[:, None], beta + step, beta)
        active &= solvable & ~done & (np.abs(step).max(axis=1) < 1e3)
        if not active.any():
            break
        size = np.where(active, 1.0, 0.0)
        for _ in range(30):
            reached = likelihood(beta + size[:, None] * step)
            worse = active & (reached < value - ROUNDING * np.abs(value))
            if not worse.any():
                break
            size = np.where(worse, size / 2.0, size)
        beta, value = beta + size[:, None] * step, np.where(active, reached, value)
    return beta, information, converged, active
