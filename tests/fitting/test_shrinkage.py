"""Empirical Bayes on many lines: recovers the population, shrinks by evidence, survives every odd cohort."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad

from calibrant.calibrators import scales
from calibrant.fitting import shrinkage


def world(
    cohorts: int, rows: int, seed: int, sd: tuple[float, float] = (0.4, 0.2)
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows as cells: x, y, w, starts, and the true lines."""
    rng = np.random.default_rng(seed)
    truth = np.stack([rng.normal(0.2, sd[0], cohorts), rng.normal(0.9, sd[1], cohorts)], axis=1)
    x = rng.normal(-0.5, 1.3, cohorts * rows)
    line = np.repeat(truth, rows, axis=0)
    y = (rng.random(len(x)) < scales.expit(line[:, 0] + line[:, 1] * x)).astype(float)
    return x, y, np.ones(len(x)), np.arange(cohorts) * rows, truth


def test_recovers_the_population() -> None:
    """Mean and spread of 1,500 cohorts of 200 rows."""
    x, y, w, starts, _ = world(1500, 200, 0)
    found = shrinkage.fit(x, y, w, starts)
    np.testing.assert_allclose(found.mean, [0.2, 0.9], atol=0.03)
    np.testing.assert_allclose(np.sqrt(np.diag(found.between)), [0.4, 0.2], atol=0.05)


def test_posterior_beats_both_extremes() -> None:
    """Nearer to the truth than no shrinkage (nearly flat prior) and than full shrinkage."""
    x, y, w, starts, truth = world(500, 100, 1)
    found = shrinkage.fit(x, y, w, starts)

    def error(lines: np.ndarray) -> float:
        return float(((lines - truth) ** 2).mean())

    group = np.repeat(np.arange(500), 100)
    free = np.tile(found.mean, (500, 1))
    for _ in range(8):
        parabola = shrinkage._curvature(x, y, w, starts, group, free)
        free = free + np.clip(parabola.posterior(found.mean, np.eye(2) / 100.0)[0] - free, -1, 1)
    assert error(found.lines) < 0.8 * error(free)
    assert error(found.lines) < 0.8 * error(np.tile(found.mean, (500, 1)))


def test_equal_cohorts_are_pooled() -> None:
    """No spread in truth: the lines nearly coincide."""
    x, y, w, starts, _ = world(300, 100, 2, sd=(0.0, 0.0))
    found = shrinkage.fit(x, y, w, starts)
    assert found.lines.std(axis=0).max() < 0.06


def test_odd_cohorts_take_part() -> None:
    """One class, separated, one score, a single row: finite lines near the population."""
    x, y, w, starts, _ = world(50, 200, 3)
    odd = [
        (np.array([-1.0, 0.0, 1.0]), np.zeros(3)),
        (np.array([-1.0, 0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0])),
        (np.array([0.5]), np.array([4.0])),
        (np.array([36.0]), np.array([0.0])),
    ]
    weights = [np.ones(3), np.ones(4), np.array([10.0]), np.array([1.0])]
    lengths = np.cumsum([0] + [len(part[0]) for part in odd])[:-1]
    found = shrinkage.fit(
        np.concatenate([x, *(part[0] for part in odd)]),
        np.concatenate([y, *(part[1] for part in odd)]),
        np.concatenate([w, *weights]),
        np.concatenate([starts, len(x) + lengths]),
    )
    assert np.isfinite(found.lines).all()
    assert np.abs(found.lines[50:] - found.mean).max() < 1.5


def test_posterior_mode_against_integration() -> None:
    """For a cohort of 60 rows the mode is near the exact posterior mean, computed by quadrature."""
    x, y, w, starts, _ = world(100, 60, 4)
    found = shrinkage.fit(x, y, w, starts)
    precision = np.linalg.inv(found.between)
    part = slice(0, 60)

    def density(b: float, a: float) -> float:
        eta = a + b * x[part]
        off = np.array([a, b]) - found.mean
        return float(np.exp(y[part] @ eta - np.logaddexp(0, eta).sum() - off @ precision @ off / 2 + 35.0))

    box = (-1.5, 2.0, -0.5, 2.5)
    total = dblquad(density, *box, epsabs=1e-4, epsrel=1e-4)[0]
    mean_a = dblquad(lambda b, a: a * density(b, a), *box, epsabs=1e-4, epsrel=1e-4)[0] / total
    mean_b = dblquad(lambda b, a: b * density(b, a), *box, epsabs=1e-4, epsrel=1e-4)[0] / total
    np.testing.assert_allclose(found.lines[0], [mean_a, mean_b], atol=0.05)


def test_leaps_reach_the_fixed_point_of_em() -> None:
    """SQUAREM ends where plain EM stands still."""
    x, y, w, starts, _ = world(200, 50, 5)
    group = np.repeat(np.arange(200), 50)
    parabola = shrinkage._curvature(x, y, w, starts, group, np.tile([0.2, 0.9], (200, 1)))
    mean, between = shrinkage._population(parabola, shrinkage.START_MEAN, shrinkage.START_SPREAD)
    at = shrinkage._packed(mean, between)
    for _ in range(3000):
        at = shrinkage._em_step(parabola, at)
    np.testing.assert_allclose(at, shrinkage._packed(mean, between), atol=2e-3)


def test_a_hundred_thousand_cohorts() -> None:
    """Ten cells each; seconds of processor time, generously bounded."""
    import time

    x, y, w, starts, truth = world(100_000, 10, 6)
    start = time.process_time()
    found = shrinkage.fit(x, y, w, starts)
    assert time.process_time() - start < 10.0
    assert ((found.lines - truth) ** 2).mean() < ((found.mean - truth) ** 2).mean()
    assert found.mean == pytest.approx([0.2, 0.9], abs=0.08)  # the known bias of penalised quasi-likelihood
