"""Laws that hold for every map of a probability."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.calibrators import (
    beta,
    blocks,
    calibrator,
    linear,
    logistic,
    quadratic,
    scales,
    spline,
    steps,
    venn_abers,
)

#: What one unit in the last place of a logarithm can do to an answer.
ROUNDING = 4e-16

unit = st.floats(0.0, 1.0)
some = st.floats(-20.0, 20.0)
positive = st.floats(0.01, 50.0)


@st.composite
def sorted_columns(draw: st.DrawFn, columns: int) -> tuple[tuple[float, ...], ...]:
    """Strictly rising knots and non-decreasing columns, all in [0, 1]."""
    knots = sorted(draw(st.sets(st.one_of(unit, st.integers(0, 64).map(lambda i: i / 64)), min_size=1, max_size=12)))
    values = [sorted(draw(st.lists(unit, min_size=len(knots), max_size=len(knots)))) for _ in range(columns)]
    return tuple(knots), *(tuple(column) for column in values)


@st.composite
def splines(draw: st.DrawFn) -> spline.MonotoneSpline:
    """Slopes of at most three times the smaller neighbouring rise: enough to rise everywhere."""
    size = draw(st.integers(2, 6))
    knots = np.cumsum(draw(st.lists(st.floats(0.1, 5.0), min_size=size, max_size=size))) - 8.0
    values = np.cumsum(draw(st.lists(st.floats(0.0, 5.0), min_size=size, max_size=size))) - 8.0
    rises = np.diff(values) / np.diff(knots)
    limits = 3.0 * np.minimum(np.append(rises, rises[-1]), np.append(rises[0], rises))
    shares = np.array(draw(st.lists(st.floats(0.0, 1.0), min_size=size, max_size=size)))
    return spline.MonotoneSpline(tuple(knots), tuple(values), tuple(shares * limits))


def quadratics(constant: float, linear_: float, quadratic_: float, low: float, width: float) -> Any:
    steepest = max(-2.0 * quadratic_ * low, -2.0 * quadratic_ * (low + width), 0.0)
    return quadratic.QuadraticLogit(constant, linear_ + steepest, quadratic_, low, low + width)


maps = st.one_of(
    st.builds(logistic.Intercept, some),
    st.builds(logistic.Platt, positive, some),
    st.builds(logistic.Temperature, positive),
    st.builds(beta.Beta, st.floats(0.0, 20.0), st.floats(0.0, 20.0), some),
    st.builds(quadratics, some, st.floats(0.0, 5.0), st.floats(-2.0, 2.0), st.floats(-10.0, 5.0), st.floats(0.1, 10.0)),
    sorted_columns(1).map(lambda columns: steps.Isotonic(*columns)),
    sorted_columns(1).map(lambda columns: linear.CenteredIsotonic(*columns)),
    sorted_columns(2).map(
        lambda c: venn_abers.VennAbers(c[0], tuple(map(min, c[1], c[2])), tuple(map(max, c[1], c[2])))
    ),
    splines(),
)
score_lists = st.lists(st.one_of(unit, st.floats(0.0, 1e-15), st.floats(1.0 - 1e-14, 1.0)), min_size=2, max_size=40)


@given(maps, score_lists)
@settings(max_examples=250, deadline=None)
def test_monotone_and_in_the_unit_interval(map_: Any, scores: list[float]) -> None:
    """Larger scores never get smaller answers, answers are probabilities."""
    x = np.sort(np.array([0.0, 5e-324, *scores, *np.nextafter(scores, 1.0), 0.5, 1.0]))
    q = map_.apply(x)
    assert np.all(np.diff(q) >= -ROUNDING)
    assert np.all((q >= 0.0) & (q <= 1.0))


@given(maps)
@settings(max_examples=200, deadline=None)
def test_equal_maps_are_one(map_: Any) -> None:
    """Equality and hash go by value, and survive copying and another process."""
    map_.apply([0.3])  # fills the caches, which must not count
    again = pickle.loads(pickle.dumps(map_))
    for other in (dataclasses.replace(map_), copy.deepcopy(map_), again):
        assert other == map_
        assert hash(other) == hash(map_)
    assert map_ != dataclasses.replace(map_, scale=scales.Scale("percent"))


@given(sorted_columns(2), score_lists)
@settings(deadline=None)
def test_venn_abers_interval_holds_the_answer(columns: Any, scores: list[float]) -> None:
    """p0 <= p <= p1 at every score."""
    knots, one, two = columns
    map_ = venn_abers.VennAbers(knots, tuple(map(min, one, two)), tuple(map(max, one, two)))
    lower, upper = map_.interval(scores)
    assert np.all(lower <= upper)
    merged = map_.apply(scores)
    assert np.all((merged >= lower - ROUNDING) & (merged <= upper + ROUNDING))


def test_protocol_and_immutability(binary_map: Any) -> None:
    """Every map has kind, scale and apply, and cannot be changed."""
    assert isinstance(binary_map, calibrator.Calibrator)
    for field in dataclasses.fields(binary_map):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(binary_map, field.name, 0.0)


def test_shape_is_kept(binary_map: Any) -> None:
    """Any shape in, the same shape out; a scalar gives a 0-d array; nothing is written into the input."""
    scores = np.linspace(0.1, 0.9, 24).reshape(2, 3, 4)
    kept = scores.copy()
    assert binary_map.apply(scores).shape == (2, 3, 4)
    assert np.array_equal(binary_map.apply(scores.T), binary_map.apply(scores).T)
    assert np.array_equal(scores, kept)
    scalar = binary_map.apply(0.5)
    assert isinstance(scalar, np.ndarray)
    assert scalar.shape == ()
    assert binary_map.apply([]).shape == (0,)
    assert scalar == binary_map.apply([0.5])[0]


def test_result_is_a_new_array(binary_map: Any) -> None:
    """Even the identity answers with an array of its own."""
    scores = np.array([0.25, 0.5])
    assert not np.shares_memory(binary_map.apply(scores), scores)


def test_blocks_join(binary_map: Any) -> None:
    """A row's answer does not depend on where it lies in a long array."""
    low, high = (max(-40.0, binary_map.scale.range[0]), min(40.0, binary_map.scale.range[1]))
    scores = np.random.default_rng(1).uniform(low, high, 2 * blocks.BLOCK + 17)
    long = binary_map.apply(scores)
    assert np.allclose(long[::1000], [binary_map.apply(score) for score in scores[::1000]], rtol=0, atol=1e-15)


def test_ends_and_missing(binary_map: Any) -> None:
    """The ends of the scale (infinite log-odds too) give finite answers, NaN stays NaN."""
    low, high = binary_map.scale.range
    at_low, at_high, missing = binary_map.apply([low, high, np.nan])
    assert 0.0 <= at_low <= at_high <= 1.0
    assert np.isnan(missing)


def test_scales_agree() -> None:
    """The same map says the same on a probability, its percentage, its log-odds and a shifted margin."""
    p = np.linspace(0.001, 0.999, 999)
    x = np.log(p / (1.0 - p))
    raw = {"probability": p, "percent": 100.0 * p, "logit": x, "unbounded:3,2": 3.0 + 2.0 * x}
    for build in (
        lambda s: logistic.Intercept(0.3, s),
        lambda s: logistic.Platt(1.3, 0.2, s),
        lambda s: logistic.Temperature(0.7, s),
        lambda s: beta.Beta(1.2, 0.4, -0.3, s),
        lambda s: quadratic.QuadraticLogit(-0.2, 1.0, 0.05, -3.0, 3.0, s),
        lambda s: linear.CenteredIsotonic((0.2, 0.6), (0.1, 0.7), s),
        lambda s: spline.MonotoneSpline((-1.0, 2.0), (-1.0, 1.5), (0.5, 0.5), s),
    ):
        answers = [build(scales.Scale.parse(text)).apply(scores) for text, scores in raw.items()]
        for answer in answers[1:]:
            assert np.abs(answer - answers[0]).max() < 1e-14


def test_log_odds_are_not_sent_through_a_probability() -> None:
    """Far out in the upper tail a logit keeps its digits, which 1 - 1e-14 would have lost."""
    x = np.array([-32.5, 32.5])
    q = logistic.Platt(0.01, 0.0, scales.Scale("logit")).apply(x)
    assert np.abs(q - 1.0 / (1.0 + np.exp(-0.01 * x))).max() < 1e-16
