"""Empirical Bayes for many logistic lines at once: each cohort's line, drawn towards what cohorts have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators import scales

Floats = NDArray[np.float64]

#: The prior of the first pass: intercept and slope around (0, 1), wide, but enough for a cohort of one class.
START_MEAN = np.array([0.0, 1.0])
START_SPREAD = np.diag([1.0, 0.25])
#: Variances between cohorts below this are none.
FLOOR = 1e-8
EM_STEPS = 60
#: The population is learnt from at most so many cohorts, evenly spaced: more would not move mu and T visibly.
POPULATION = 20_000
ROUNDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Posterior lines per cohort: ``lines`` (g, 2) intercept and slope, ``covariance`` (g, 2, 2).

    ``mean`` (2,) and ``between`` (2, 2) describe the cohorts as a population: mu and T.
    """

    lines: Floats
    covariance: Floats
    mean: Floats
    between: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Curvature:
    """Each cohort's log-likelihood as a parabola: -(theta' information theta) / 2 + theta' score.

    Symmetric 2x2 information as (aa, ab, bb), each (g,); score (g, 2).
    """

    aa: Floats
    ab: Floats
    bb: Floats
    score: Floats

    def posterior(self, mean: Floats, precision: Floats) -> tuple[Floats, Floats]:
        """Posterior means (g, 2) and covariances (g, 2, 2) under one normal prior."""
        aa, ab, bb = self.aa + precision[0, 0], self.ab + precision[0, 1], self.bb + precision[1, 1]
        determinant = aa * bb - ab * ab
        covariance = np.empty((len(aa), 2, 2))
        covariance[:, 0, 0], covariance[:, 1, 1] = bb / determinant, aa / determinant
        covariance[:, 0, 1] = covariance[:, 1, 0] = -ab / determinant
        r0, r1 = self.score[:, 0] + precision[0] @ mean, self.score[:, 1] + precision[1] @ mean
        lines = np.stack([(bb * r0 - ab * r1) / determinant, (aa * r1 - ab * r0) / determinant], axis=1)
        return lines, covariance

    def some(self, most: int) -> Curvature:
        """At most so many of the cohorts, evenly spaced."""
        each = slice(None, None, -(-len(self.aa) // most))
        return Curvature(self.aa[each], self.ab[each], self.bb[each], self.score[each])


def fit(x: Floats, label_sums: Floats, weights: Floats, starts: NDArray[np.int64]) -> Lines:
    """Posterior intercept and slope of every cohort.

    Parameters
    ----------
    x
        Shape (k,), log-odds of the pooled map, cohort after cohort.
    label_sums, weights
        Shape (k,), in effective rows.
    starts
        Shape (g,), where each cohort begins.

    Notes
    -----
    theta_j ~ N(mu, T); the likelihood of each cohort is taken as a parabola around the current posterior mode,
    so that cohorts whose own fit does not exist (one class, separated, one score) take part with what they
    know. EM for (mu, T) on the parabolas (Dempster, Laird, Rubin 1977), parabolas renewed until the modes stand
    still: penalised quasi-likelihood (Breslow and Clayton 1993, doi:10.1080/01621459.1993.10594284). It is known
    to draw mu towards 0 by some per cent where cohorts have only about ten rows each.

    Examples
    --------
    >>> x = np.tile([-1.0, 1.0], 3)
    >>> found = fit(x, np.array([27, 73, 30, 70, 25, 75.0]), np.full(6, 100.0), np.array([0, 2, 4]))
    >>> found.lines.round(1).tolist()   # three cohorts that agree: one line
    [[-0.0, 1.0], [-0.0, 1.0], [-0.0, 1.0]]
    """
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(x))))
    lines = np.tile(START_MEAN, (len(starts), 1))
    mean, between = START_MEAN, START_SPREAD
    for _ in range(6):
        parabola = _curvature(x, label_sums, weights, starts, group, lines)
        moved, covariance = parabola.posterior(mean, _inverse(between))
        # a long step may leave the region where the parabola holds
        step = np.clip(moved - lines, -2.0, 2.0)
        lines = lines + step
        if np.abs(step).max() < 1e-3:
            break
    for _ in range(ROUNDS):
        parabola = _curvature(x, label_sums, weights, starts, group, lines)
        mean, between = _population(parabola.some(POPULATION), mean, between)
        moved, covariance = parabola.posterior(mean, _inverse(between))
        step = np.clip(moved - lines, -2.0, 2.0)
        lines = lines + step
        if np.abs(step).max() < 1e-3:
            break
    return Lines(lines, covariance, mean, between)


def _curvature(
    x: Floats,
    label_sums: Floats,
    weights: Floats,
    starts: NDArray[np.int64],
    group: NDArray[np.int64],
    lines: Floats,
) -> Curvature:
    """Parabolas that touch each cohort's log-likelihood at its line.

    Rows told wrongly get the curvature of the bound of Jaakkola and Jordan (2000), tanh(eta/2) / (2 eta), in place
    of q (1 - q): a row that was all but excluded has a slope without curvature, and would pull without end.
    """
    eta = lines[group, 0] + lines[group, 1] * x
    q = scales.expit(eta)
    residual, variance = label_sums - weights * q, q * (1.0 - q)
    far = np.maximum(np.abs(eta), 1e-3)
    wrong = np.where(eta > 0.0, weights - label_sums, label_sums)
    v = weights * variance + wrong * np.maximum(np.tanh(0.5 * far) / (2.0 * far) - variance, 0.0)
    vx = v * x
    aa, ab, bb = (np.add.reduceat(values, starts) for values in (v, vx, vx * x))
    g0, g1 = np.add.reduceat(residual, starts), np.add.reduceat(residual * x, starts)
    score = np.stack([g0 + aa * lines[:, 0] + ab * lines[:, 1], g1 + ab * lines[:, 0] + bb * lines[:, 1]], axis=1)
    return Curvature(aa, ab, bb, score)


def _population(found: Curvature, mean: Floats, between: Floats) -> tuple[Floats, Floats]:
    """EM for mu and T, in leaps: SQUAREM (Varadhan and Roland 2008, doi:10.1111/j.1467-9469.2007.00585.x).

    EM creeps when cohorts are small; every third step extrapolates the two before it, where that is a covariance.
    """
    at = _packed(mean, between)
    for _ in range(EM_STEPS):
        first = _em_step(found, at)
        second = _em_step(found, first)
        r, v = first - at, second - 2.0 * first + at
        if np.abs(second - first).max() <= 1e-5 * max(1e-2, float(np.abs(second[2:]).max())):
            return second[:2], _covariance(second)
        length = max(1.0, float(np.sqrt(r @ r / max(float(v @ v), 1e-300))))
        leap = at + 2.0 * length * r + length**2 * v
        proper = leap[2] > FLOOR and leap[4] > FLOOR and leap[2] * leap[4] > leap[3] ** 2 * (1.0 + 1e-9)
        at = _em_step(found, leap) if proper else second
    return at[:2], _covariance(at)


def _em_step(found: Curvature, at: Floats) -> Floats:
    """Population of the posterior lines under the population ``at``."""
    lines, covariance = found.posterior(at[:2], _inverse(_covariance(at)))
    mean = lines.mean(axis=0)
    centred = lines - mean
    return _packed(mean, centred.T @ centred / len(lines) + covariance.mean(axis=0) + FLOOR * np.eye(2))


def _packed(mean: Floats, between: Floats) -> Floats:
    """mu and the upper triangle of T, shape (5,)."""
    return np.array([mean[0], mean[1], between[0, 0], between[0, 1], between[1, 1]])


def _covariance(at: Floats) -> Floats:
    return np.array([[at[2], at[3]], [at[3], at[4]]])


def _inverse(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrix), np.float64)
