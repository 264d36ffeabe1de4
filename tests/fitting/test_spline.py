"""The monotone spline: its truths, its constraint, its retreat to a line."""

from __future__ import annotations

import numpy as np
import pytest

from calibrant.calibrators import scales
from calibrant.fitting import platt, spline
from calibrant.stats import summary


def draw(truth: object, n: int, seed: int) -> summary.Summary:
    rng = np.random.default_rng(seed)
    x = rng.normal(-0.5, 1.5, n)
    return summary.summarise(scales.expit(x), rng.random(n) < scales.expit(truth(x)))  # type: ignore[operator]


def test_a_line_stays_a_line() -> None:
    """Where Platt is the truth, the spline agrees with it to the noise of Platt itself."""
    data = draw(lambda x: 0.2 + 0.7 * x, 20_000, 0)
    at = scales.expit(np.linspace(-4, 3, 50))
    assert np.abs(spline.fit(data).apply(at) - platt.fit(data).apply(at)).max() < 0.015


@pytest.mark.parametrize(
    "truth",
    [
        lambda x: 1.5 * np.tanh(x),
        lambda x: np.where(x > 0, 2 * x, 0.3 * x),
        lambda x: x**3 / 4,
    ],
)
def test_bends_are_found(truth: object) -> None:
    """Shapes that no line can follow: at most a third of Platt's squared error is left."""
    data = draw(truth, 100_000, 1)
    x = np.random.default_rng(2).normal(-0.5, 1.5, 20_000)
    target = scales.expit(truth(x))  # type: ignore[operator]
    bent, straight = (fit(data).apply(scales.expit(x)) for fit in (spline.fit, platt.fit))
    assert np.mean((bent - target) ** 2) < np.mean((straight - target) ** 2) / 3


def test_never_falls_where_the_data_fall() -> None:
    """A dip in the truth becomes a flat stretch: slopes are held at 0."""
    data = draw(lambda x: np.where(np.abs(x) < 1, -0.8 * x, x), 100_000, 3)
    found = spline.fit(data)
    assert min(found.slopes) == 0.0
    q = found.apply(scales.expit(np.linspace(-8, 8, 2001)))
    assert (np.diff(q) >= 0).all()


def test_is_the_penalised_maximum() -> None:
    """Gradient conditions at the solution: zero where a slope is free, not positive where it is held at 0."""
    data = spline.grouped.read(draw(lambda x: np.where(np.abs(x) < 1, -0.8 * x, x), 50_000, 4))
    knots = spline._knots(data)
    design = spline._design(data.x, knots)
    penalty = np.zeros((len(knots) + 1, len(knots) + 1))
    beta, _ = spline._maximise(data, design, penalty, np.zeros(len(knots) + 1))
    gradient = design.T @ (data.wy - data.w * scales.expit(design @ beta))
    free = np.append(True, beta[1:] > 0)
    assert np.abs(gradient[free]).max() < 1e-2
    assert (gradient[~free] <= 1e-6).all()
    assert (~free).any()


def test_design_is_the_integral_of_the_slope() -> None:
    """Column sums are x - first knot (slope 1 everywhere), and the curve is the one the calibrator draws."""
    knots = np.array([-2.0, -0.5, 1.0, 1.5])
    x = np.linspace(-4, 4, 33)
    design = spline._design(x, knots)
    np.testing.assert_allclose(design[:, 1:].sum(axis=1), x - knots[0], atol=1e-12)
    slopes = np.array([0.2, 1.0, 0.0, 3.0])
    rises = np.diff(knots) * (slopes[1:] + slopes[:-1]) / 2
    values = np.append(0.0, np.cumsum(rises))
    curve = spline.maps.MonotoneSpline(tuple(knots), tuple(values), tuple(slopes))
    np.testing.assert_allclose(scales.logit(curve.apply(scales.expit(x))), design[:, 1:] @ slopes, atol=1e-9)
