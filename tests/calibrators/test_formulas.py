"""Each map against its definition, written here a second time, and the parameters it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import interpolate, special

from calibrant import errors
from calibrant.calibrators import (
    beta,
    identity,
    linear,
    logistic,
    quadratic,
    scales,
    spline,
    steps,
    venn_abers,
)

P = np.concatenate([np.linspace(0.0, 1.0, 1001), [1e-12, 1e-6, 1.0 - 1e-6, 1.0 - 1e-12]])
INSIDE = np.clip(P, scales.EPSILON, 1.0 - scales.EPSILON)
X = np.log(INSIDE / (1.0 - INSIDE))


def test_logistic_maps_equal_scipy() -> None:
    """Lines in log-odds, with scipy's logistic function."""
    assert np.abs(logistic.Platt(1.7, -0.4).apply(P) - special.expit(1.7 * X - 0.4)).max() < 1e-15
    assert np.abs(logistic.Temperature(2.5).apply(P) - special.expit(X / 2.5)).max() < 1e-15
    assert np.abs(logistic.Intercept(-1.1).apply(P) - special.expit(X - 1.1)).max() < 1e-15
    assert np.abs(logistic.Intercept(650.0).apply(P) - special.expit(X + 650.0)).max() < 1e-15


def test_beta_equals_scipy() -> None:
    """logit q = c + a ln p - b ln(1 - p)."""
    wanted = special.expit(0.3 + 1.4 * np.log(INSIDE) - 0.6 * np.log1p(-INSIDE))
    assert np.abs(beta.Beta(1.4, 0.6, 0.3).apply(P) - wanted).max() < 1e-15


def test_quadratic_equals_scipy() -> None:
    """The parabola inside [low, high], its end values outside."""
    x = np.clip(X, -4.0, 2.0)
    wanted = special.expit(0.1 + 0.9 * x + 0.1 * x * x)
    assert np.abs(quadratic.QuadraticLogit(0.1, 0.9, 0.1, -4.0, 2.0).apply(P) - wanted).max() < 1e-15


def test_spline_equals_scipy() -> None:
    """Hermite pieces inside, lines outside."""
    knots, values, slopes = (-3.0, -1.0, 0.5, 2.0), (-2.0, -1.5, 0.0, 1.0), (0.4, 0.3, 0.9, 0.2)
    inside = interpolate.CubicHermiteSpline(knots, values, slopes)(np.clip(X, -3.0, 2.0))
    wanted = special.expit(inside + 0.4 * np.minimum(X + 3.0, 0.0) + 0.2 * np.maximum(X - 2.0, 0.0))
    assert np.abs(spline.MonotoneSpline(knots, values, slopes).apply(P) - wanted).max() < 1e-15


def test_steps_are_right_continuous() -> None:
    """The threshold itself already has the new value; just below has the old one."""
    thresholds, values = (0.1, 0.4, 0.7), (0.2, 0.3, 0.9)
    map_ = steps.Isotonic(thresholds, values)
    assert map_.apply(thresholds).tolist() == list(values)
    assert map_.apply(np.nextafter(thresholds, 0.0)).tolist() == [0.2, 0.2, 0.3]
    wanted = [values[max(0, sum(t <= p for t in thresholds) - 1)] for p in P]
    assert map_.apply(P).tolist() == wanted


def test_linear_is_numpy_interp() -> None:
    """Exactly numpy's interpolation, knots included."""
    knots, values = (0.1, 0.4, 0.7), (0.2, 0.3, 0.9)
    assert np.array_equal(linear.CenteredIsotonic(knots, values).apply(P), np.interp(P, knots, values))


def test_venn_abers_merges_by_its_formula() -> None:
    """p1 / (1 - p0 + p1), from the two step functions."""
    map_ = venn_abers.VennAbers((0.2, 0.5), (0.1, 0.4), (0.3, 0.8))
    lower, upper = map_.interval(P)
    assert lower.tolist() == steps.Isotonic((0.2, 0.5), (0.1, 0.4)).apply(P).tolist()
    assert np.abs(map_.apply(P) - upper / (1.0 - lower + upper)).max() < 1e-16


def test_identity_is_the_scale() -> None:
    """The identity is exact."""
    assert np.array_equal(identity.Identity().apply(P), P)
    assert identity.Identity(scales.Scale("percent")).apply(12.5) == 0.125


REFUSED: list[Any] = [
    lambda: logistic.Platt(0.0, 1.0),
    lambda: logistic.Platt(-1.0, 1.0),
    lambda: logistic.Platt(float("nan"), 1.0),
    lambda: logistic.Platt(1.0, float("inf")),
    lambda: logistic.Platt("x", 1.0),  # type: ignore[arg-type]
    lambda: logistic.Temperature(0.0),
    lambda: logistic.Temperature(5e-324),
    lambda: logistic.Intercept(float("inf")),
    lambda: beta.Beta(-0.1, 1.0, 0.0),
    lambda: beta.Beta(1.0, -0.1, 0.0),
    lambda: quadratic.QuadraticLogit(0.0, 1.0, 1.0, -2.0, 2.0),
    lambda: quadratic.QuadraticLogit(0.0, 1.0, 0.0, 2.0, 2.0),
    lambda: quadratic.QuadraticLogit(0.0, 1.0, 0.0, -50.0, 2.0),
    lambda: steps.Isotonic((), ()),
    lambda: steps.Isotonic((0.1, 0.1), (0.2, 0.3)),
    lambda: steps.Isotonic((0.1, 0.2), (0.4, 0.3)),
    lambda: steps.Isotonic((0.1, 0.2), (0.4,)),
    lambda: steps.Isotonic((0.1, 1.2), (0.4, 0.5)),
    lambda: steps.Isotonic((0.1, 0.2), (0.4, 1.5)),
    lambda: linear.CenteredIsotonic((0.2, 0.1), (0.2, 0.3)),
    lambda: linear.CenteredIsotonic((0.0, 5e-324), (0.0, 1.0)),
    lambda: venn_abers.VennAbers((0.1,), (0.5,), (0.4,)),
    lambda: venn_abers.VennAbers((0.1, 0.2), (0.5, 0.4), (0.6, 0.7)),
    lambda: spline.MonotoneSpline((0.0,), (0.0,), (1.0,)),
    lambda: spline.MonotoneSpline((0.0, 1.0), (0.0, 1.0), (9.0, 9.0)),
    lambda: spline.MonotoneSpline((0.0, 1.0), (0.0, 1.0), (-0.1, 1.0)),
    lambda: spline.MonotoneSpline((0.0, 1.0), (1.0, 0.0), (1.0, 1.0)),
    lambda: spline.MonotoneSpline((0.0, 5e-324), (0.0, 1.0), (1.0, 1.0)),
]


@pytest.mark.parametrize("build", REFUSED)
def test_illegal_parameters_are_refused(build: Any) -> None:
    """A map that would turn the ranking round, or is not a number, cannot be made."""
    with pytest.raises(errors.ArtifactError) as caught:
        build()
    assert caught.value.code == "CAL-610"


def test_parameters_become_plain_floats() -> None:
    """Arrays and integers are taken and kept as floats; minus zero becomes zero."""
    map_ = steps.Isotonic(np.array([0, 0.5]), np.array([0.25, 1], np.float32))  # type: ignore[arg-type]
    assert map_ == steps.Isotonic((0.0, 0.5), (0.25, 1.0))
    assert {type(value) for value in (*map_.thresholds, *map_.values)} == {float}
    assert str(logistic.Platt(1, -0.0).intercept) == "0.0"
