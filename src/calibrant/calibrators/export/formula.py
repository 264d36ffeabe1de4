"""A map of one score as a small expression tree: written once, printed for every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np

from calibrant import errors
from calibrant.calibrators import (
    affine,
    beta,
    blocks,
    identity,
    kinds,
    linear,
    logistic,
    piecewise,
    quadratic,
    quantile,
    scales,
    spline,
    steps,
    venn_abers,
)

#: Engines raise or overflow beyond exp(709); the logistic function is 0 or 1 to 300 digits long before.
STEEPEST = 700.0


@dataclass(frozen=True)
class Score:
    """The raw score."""


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Add:
    left: Node
    right: Node


@dataclass(frozen=True)
class Subtract:
    left: Node
    right: Node


@dataclass(frozen=True)
class Multiply:
    left: Node
    right: Node


@dataclass(frozen=True)
class Divide:
    left: Node
    right: Node


@dataclass(frozen=True)
class Log:
    x: Node


@dataclass(frozen=True)
class Logistic:
    """1 / (1 + exp(-x)); x within STEEPEST of 0."""

    x: Node


@dataclass(frozen=True)
class Clip:
    x: Node
    low: float
    high: float


@dataclass(frozen=True)
class Steps:
    """values[number of edges <= x]; one value more than edges."""

    x: Node
    edges: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Polyline:
    """Straight between (knot, value) pairs, constant outside."""

    x: Node
    knots: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Cubic:
    """Polynomials in x - origin, one per interval between knots and one beyond each end.

    ``pieces`` are (origin, constant, linear, quadratic, cubic), one more than knots; continuous.
    """

    x: Node
    knots: tuple[float, ...]
    pieces: tuple[tuple[float, float, float, float, float], ...]


Node: TypeAlias = (
    Score | Number | Add | Subtract | Multiply | Divide | Log | Logistic | Clip | Steps | Polyline | Cubic
)  # fmt: skip


@dataclass(frozen=True)
class Formula:
    """A tree and the closed interval of raw scores on which it is the map."""

    root: Node
    low: float
    high: float


#: Maps of one number to one number, those that have a formula.
Single: TypeAlias = (
    identity.Identity | logistic.Intercept | logistic.Platt | logistic.Temperature | beta.Beta
    | quadratic.QuadraticLogit | steps.Isotonic | linear.CenteredIsotonic | venn_abers.VennAbers
    | spline.MonotoneSpline | affine.Affine | piecewise.Piecewise | quantile.QuantileMap
)  # fmt: skip


def of(calibrator: kinds.Kind) -> Formula:
    """The formula of a map of one score; UsageError for a map that needs more than one number."""
    if not isinstance(calibrator, Single):
        raise errors.UsageError(
            "CAL-432",
            f"a {calibrator.kind} map has no export of this form",
            cause="it reads more than one number per row",
            fix="export it to another target, or use its JSON form with calibrant",
        )
    match calibrator:
        case affine.Affine():
            line = Add(Multiply(Score(), Number(calibrator.slope)), Number(calibrator.intercept))
            return Formula(line, -np.inf, np.inf)
        case piecewise.Piecewise():
            return Formula(Polyline(Score(), calibrator.knots, calibrator.values), -np.inf, np.inf)
        case quantile.QuantileMap():
            return Formula(Polyline(Score(), calibrator.levels, calibrator.values), 0.0, 1.0)
        case _:
            return Formula(_of_probability(calibrator), *calibrator.scale.range)


def _of_probability(
    calibrator: identity.Identity | logistic.Intercept | logistic.Platt | logistic.Temperature | beta.Beta
    | quadratic.QuadraticLogit | steps.Isotonic | linear.CenteredIsotonic | venn_abers.VennAbers
    | spline.MonotoneSpline,
) -> Node:  # fmt: skip
    scale = calibrator.scale
    match calibrator:
        case identity.Identity():
            return probability(scale)
        case logistic.Intercept() | logistic.Platt() | logistic.Temperature():
            steepest = abs(calibrator.intercept) + calibrator.slope * blocks.LIMIT
            line = Multiply(log_odds(scale), Number(calibrator.slope))
            return squash(Add(line, Number(calibrator.intercept)), steepest)
        case beta.Beta():
            return _beta(calibrator)
        case quadratic.QuadraticLogit():
            x = Clip(log_odds(scale), calibrator.low, calibrator.high)
            slope = Add(Multiply(x, Number(calibrator.quadratic)), Number(calibrator.linear))
            ends = [
                (calibrator.quadratic * end + calibrator.linear) * end + calibrator.constant
                for end in (calibrator.low, calibrator.high)
            ]
            return squash(Add(Multiply(slope, x), Number(calibrator.constant)), max(map(abs, ends)))
        case steps.Isotonic():
            return Steps(Score(), raw_edges(scale, calibrator.thresholds[1:]), calibrator.values)
        case venn_abers.VennAbers():
            return Steps(Score(), raw_edges(scale, calibrator.knots[1:]), calibrator.merged)
        case linear.CenteredIsotonic():
            return Polyline(probability(scale), calibrator.knots, calibrator.values)
        case spline.MonotoneSpline():
            return _spline(calibrator)
        case _:
            assert_never(calibrator)


def _beta(calibrator: beta.Beta) -> Node:
    scale = calibrator.scale
    p: Node
    rest: Node
    if scale.kind in ("probability", "percent"):
        p = Clip(probability(scale), scales.EPSILON, 1.0 - scales.EPSILON)
        rest = Subtract(Number(1.0), p)
    else:
        x = log_odds(scale)
        p, rest = Logistic(x), Logistic(Multiply(Number(-1.0), x))
    up, down = Multiply(Log(p), Number(calibrator.a)), Multiply(Log(rest), Number(calibrator.b))
    steepest = abs(calibrator.c) + (calibrator.a + calibrator.b) * blocks.LIMIT
    return squash(Add(Subtract(up, down), Number(calibrator.c)), steepest)


def _spline(calibrator: spline.MonotoneSpline) -> Node:
    knots = calibrator.knots
    origins = (knots[0], *knots)
    pieces = tuple((origin, *map(float, piece)) for origin, piece in zip(origins, calibrator.pieces, strict=True))
    reach = max(map(abs, calibrator.values)) + max(calibrator.slopes) * (blocks.LIMIT + max(map(abs, knots)))
    return squash(Cubic(log_odds(calibrator.scale), knots, pieces), reach)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------ parts


def probability(scale: scales.Scale) -> Node:
    """The raw score as a number in [0, 1]."""
    match scale.kind:
        case "probability":
            return Score()
        case "percent":
            return Divide(Score(), Number(100.0))
        case "logit" | "unbounded":
            return Logistic(Clip(_centred(scale), -STEEPEST, STEEPEST))
        case _:
            assert_never(scale.kind)


def log_odds(scale: scales.Scale) -> Node:
    """The raw score as log-odds, clipped as ``blocks.log_odds`` does."""
    match scale.kind:
        case "probability" | "percent":
            p = Clip(probability(scale), scales.EPSILON, 1.0 - scales.EPSILON)
            return Log(Divide(p, Subtract(Number(1.0), p)))
        case "logit" | "unbounded":
            return Clip(_centred(scale), -blocks.LIMIT, blocks.LIMIT)
        case _:
            assert_never(scale.kind)


def _centred(scale: scales.Scale) -> Node:
    if scale.kind == "logit":
        return Score()
    return Divide(Subtract(Score(), Number(scale.center)), Number(scale.spread))


def squash(x: Node, steepest: float) -> Node:
    """The logistic function of x, where |x| is at most ``steepest``."""
    return Logistic(Clip(x, -STEEPEST, STEEPEST) if steepest > STEEPEST else x)


def raw_edges(scale: scales.Scale, edges: tuple[float, ...]) -> tuple[float, ...]:
    """For each edge the smallest raw score whose probability reaches it.

    Found by bisection over the doubles with ``apply``'s own arithmetic, so that engines whose exp differs in the
    last bit still step at the same score.
    """
    if scale.kind == "probability" or not edges:
        return edges
    to_probability = identity.Identity(scale).apply
    wanted = np.asarray(edges)
    low, high = (np.full(len(edges), _rank(end)) for end in scale.range)
    while np.any(high - 1 > low):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        reached = to_probability(_double(middle)) >= wanted
        high, low = np.where(reached, middle, high), np.where(reached, low, middle)
    return tuple(_double(high).tolist())


def _rank(value: float) -> np.int64:
    """Doubles in order as integers in order."""
    bits = np.float64(value).view(np.int64)
    return bits if bits >= 0 else -(bits & np.int64(2**63 - 1))


def _double(rank: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> blocks.Floats:
    size = np.abs(rank).view(np.float64)
    return np.where(rank < 0, -size, size)
