"""The line that follows labels: it is logistic regression when nothing is forgotten, and the prior when all is."""

from __future__ import annotations

import numpy as np
import pytest

from calibrant.calibrators import scales
from calibrant.stats import logistic
from calibrant.stats.sequential import line

PRIOR = line.Prior((0.0, 1.0), (4.0, 4.0))


def test_comes_to_the_maximum_likelihood_line() -> None:
    """After many blocks of one law, near the fit of all rows at once."""
    rng = np.random.default_rng(1)
    x = rng.normal(0.0, 1.5, (200, 100))
    y = rng.random(x.shape) < scales.expit(-0.5 + 0.7 * x)
    at, information = np.array([[0.0], [1.0]]), PRIOR.information(1)
    for block, labels in zip(x, y, strict=True):
        q = scales.expit(at[0] + at[1] * block)
        v = q * (1.0 - q)
        gradient = np.array([[(labels - q).sum()], [(labels - q) @ block]])
        curvature = np.array([[v.sum()], [v @ block], [v @ block**2]])
        at, information = line.newton(at, information, gradient=gradient, curvature=curvature, prior=PRIOR, kept=1.0)
    columns = np.stack([np.ones(x.size), x.ravel()], axis=1)
    best = logistic.fit(columns, y.ravel().astype(float), np.ones(x.size))
    np.testing.assert_allclose(at[:, 0], best.coefficients, atol=0.02)
    # and it knows how well it knows the line
    np.testing.assert_allclose(information[0, 0], np.linalg.inv(best.covariance)[0, 0], rtol=0.05)


def test_without_labels_it_goes_back() -> None:
    """Forgetting gives the line back to its prior."""
    at, information = np.array([[1.0, -1.0], [0.5, 2.0]]), PRIOR.information(2)
    none, flat = np.zeros((2, 2)), np.zeros((3, 2))
    for _ in range(80):
        at, information = line.newton(at, information, gradient=none, curvature=flat, prior=PRIOR, kept=0.8)
    np.testing.assert_allclose(at, [[0.0, 0.0], [1.0, 1.0]], atol=1e-5)
    np.testing.assert_allclose(information, PRIOR.information(2))


def test_no_step_is_longer_than_one() -> None:
    """A block that says anything at all moves it by one unit of log-odds at most."""
    far, _ = line.newton(
        np.array([[0.0], [1.0]]),
        PRIOR.information(1),
        gradient=np.array([[1e6], [-1e6]]),
        curvature=np.zeros((3, 1)),
        prior=PRIOR,
        kept=1.0,
    )
    assert far[:, 0].tolist() == pytest.approx([1.0, 0.0])
