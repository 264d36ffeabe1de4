"""One example of every kind of calibrator, on every scale where the scale changes what is computed."""

from __future__ import annotations

from typing import Any

import pytest

from calibrant.calibrators import (
    affine,
    beta,
    by_cohort,
    identity,
    linear,
    logistic,
    multiclass,
    piecewise,
    quadratic,
    quantile,
    scales,
    spline,
    steps,
    venn_abers,
)

KNOTS = (0.0, 1e-9, 0.1, 0.25, 0.5, 0.9, 1.0 - 1e-9)
VALUES = (0.0, 0.01, 0.01, 0.2, 0.7, 0.8, 1.0)
SCALES = ("probability", "percent", "logit", "unbounded:3,2")


def binary(scale: scales.Scale) -> list[Any]:
    """All maps of one probability."""
    return [
        identity.Identity(scale),
        logistic.Intercept(-0.7, scale),
        logistic.Platt(1.3, 0.2, scale),
        logistic.Platt(60.0, -1.0, scale),
        logistic.Temperature(1.7, scale),
        beta.Beta(1.2, 0.4, -0.3, scale),
        beta.Beta(0.0, 0.0, 0.5, scale),
        quadratic.QuadraticLogit(-0.2, 1.0, 0.05, -6.0, 6.0, scale),
        steps.Isotonic(KNOTS, VALUES, scale),
        steps.Isotonic((0.3,), (0.4,), scale),
        linear.CenteredIsotonic(KNOTS, VALUES, scale),
        linear.CenteredIsotonic((0.3,), (0.4,), scale),
        venn_abers.VennAbers(KNOTS, tuple(0.8 * v for v in VALUES), VALUES, scale),
        spline.MonotoneSpline((-4.0, -1.0, 0.5, 3.0), (-3.0, -1.0, -1.0, 4.0), (0.5, 0.0, 0.0, 2.0), scale),
    ]


def cohorts() -> list[Any]:
    """Maps by cohort: lines, mixed kinds, two fields with hostile names and values, none."""
    line, de, fr = logistic.Platt(1.0, 0.1), ("DE",), ("FR",)
    nasty = "O'Brien\"; -- \\ \n{}"
    return [
        by_cohort.ByCohort(("country",), line, ((de, logistic.Platt(2.0, 0.0)), (fr, logistic.Intercept(1.0)))),
        by_cohort.ByCohort(("country",), line, ((de, beta.Beta(1.0, 2.0, 0.0)), (fr, steps.Isotonic(KNOTS, VALUES)))),
        by_cohort.ByCohort(
            ("a'b", 'c"d'), line, (((nasty, "é"), logistic.Temperature(2.0)), (("", "é"), logistic.Temperature(3.0)))
        ),
        by_cohort.ByCohort(("country",), line, ()),
    ]  # fmt: skip


def others() -> list[Any]:
    """Maps of class scores, measurements, levels and intervals."""
    return [
        multiclass.MulticlassTemperature(1.3),
        multiclass.MulticlassTemperature(0.8, 0.01, scales.Scale("percent")),
        multiclass.VectorScaling((1.0, 2.0, 0.5), (0.0, 0.1, -0.2)),
        multiclass.MatrixScaling(((1.0, 0.1), (0.2, 1.5)), (0.0, 0.3), 1.2, 0.02, scales.Scale("logit")),
        affine.Affine(1.8, 32.0),
        piecewise.Piecewise((-3.0, 1.0, 7.0), (0.0, 2.0, 9.0)),
        quantile.QuantileMap((0.0, 0.3, 1.0), (0.0, 0.5, 1.0)),
        quantile.ConformalShift(1.0, 2.5, 0.1),
    ]


BINARY = [map_ for text in SCALES for map_ in binary(scales.Scale.parse(text))]


def name(calibrator: Any) -> str:
    return f"{calibrator.kind}-{getattr(calibrator, 'scale', 'raw')}"


@pytest.fixture(params=BINARY, ids=name)
def binary_map(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=cohorts(), ids=name)
def cohort_map(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=[*BINARY, *cohorts(), *others()], ids=name)
def any_map(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(
    params=[*binary(scales.Scale()), *binary(scales.Scale("logit"))[4:6], *cohorts(), *others()[:-1]], ids=name
)
def exportable_map(request: pytest.FixtureRequest) -> Any:
    return request.param
