"""A line in log-odds after a map, written as one map of the same family."""

from __future__ import annotations

import numpy as np

from calibrant import errors
from calibrant.calibrators import beta, calibrator, identity, logistic, quadratic, scales, spline, steps


def after(first: calibrator.Calibrator, *, slope: float, intercept: float) -> calibrator.Calibrator:
    """The map expit(intercept + slope * logit(first(score))) in closed form; ``first`` keeps its scale.

    Parameters
    ----------
    first
        Identity, a line in log-odds, beta, quadratic-logit, monotone spline or isotonic.
    slope
        Positive.

    Raises
    ------
    UsageError
        For a map whose family is not closed under lines in log-odds (centred isotonic, Venn-Abers).

    Examples
    --------
    >>> after(logistic.Platt(2.0, 1.0), slope=0.5, intercept=3.0)
    Platt(slope=1.0, intercept=3.5, scale=Scale(kind='probability', center=0.0, spread=1.0))
    """
    match first:
        case identity.Identity(scale=scale):
            return logistic.Platt(slope, intercept, scale)
        case logistic.Intercept() | logistic.Platt() | logistic.Temperature():
            return logistic.Platt(slope * first.slope, intercept + slope * first.intercept, first.scale)
        case beta.Beta(a=a, b=b, c=c, scale=scale):
            return beta.Beta(slope * a, slope * b, intercept + slope * c, scale)
        case quadratic.QuadraticLogit():
            return quadratic.QuadraticLogit(
                intercept + slope * first.constant,
                slope * first.linear,
                slope * first.quadratic,
                first.low,
                first.high,
                first.scale,
            )
        case spline.MonotoneSpline():
            values = tuple(intercept + slope * value for value in first.values)
            slopes = tuple(slope * value for value in first.slopes)
            return spline.MonotoneSpline(first.knots, values, slopes, first.scale)
        case steps.Isotonic():
            moved = scales.expit(intercept + slope * scales.logit(np.asarray(first.values)))
            return steps.Isotonic(first.thresholds, tuple(moved.tolist()), first.scale)
        case _:
            raise errors.UsageError(
                "CAL-463",
                f"cohort maps cannot be built on a {first.kind} map",
                cause="a line in log-odds after it is not a map of the same kind",
                fix="choose a pooled map among: " + ", ".join(CLOSED),
            )


#: Kinds of map that ``after`` can follow.
CLOSED = (
    "identity",
    "intercept",
    "temperature",
    "platt",
    "beta",
    "quadratic_logit",
    "monotone_spline",
    "isotonic",
)
#: Those of them that are a few numbers each.
SMALL = ("identity", "intercept", "temperature", "platt", "beta", "quadratic_logit")
