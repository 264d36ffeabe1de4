"""ECCE: the path by a loop, the law of its range, and that tests and bounds keep what they promise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from calibrant import errors
from calibrant.stats import ecce, results, summary

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]
seeds = st.integers(0, 10_000)


def sample(seed: int, n: int = 200) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(0.7, 1.5, n), 2)
    return p, (rng.random(n) < p**1.2).astype(float), rng.uniform(0.2, 5.0, n)


def one_group(one: summary.Summary) -> ecce.Ecce:
    found = ecce.ecce(one)
    assert isinstance(found, ecce.Ecce)
    return found


def test_loop_over_rows() -> None:
    """Value and sigma by a loop over distinct scores, with weights and ties."""
    p, y, w = sample(0)
    path, at = [0.0], 0.0
    for score in sorted(set(p)):
        at += float((w * (y - p))[p == score].sum() / w.sum())
        path.append(at)
    found = one_group(summary.summarise(p, y, weights=w, grid="distinct"))
    assert found.value == pytest.approx(max(path) - min(path), abs=1e-12)
    assert found.sigma == pytest.approx((w**2 @ (p * (1 - p))) ** 0.5 / w.sum(), abs=1e-12)
    assert found.in_sigmas == pytest.approx(found.value / found.sigma)
    assert found.spread >= max(found.sigma, (w**2 @ (y - p) ** 2) ** 0.5 / w.sum()) - 1e-12


def test_the_grid_sees_the_path_at_the_ends_of_cells() -> None:
    """On the dyadic grid the value is at most that of rows, and close; sigma is exact."""
    rng = np.random.default_rng(1)
    p = rng.beta(0.7, 1.5, 8_000)
    y = rng.random(8_000) < p**1.1
    rows, cells = (one_group(summary.summarise(p, y, grid=grid)) for grid in ("distinct", "dyadic"))  # type: ignore[arg-type]
    assert cells.sigma == pytest.approx(rows.sigma, rel=1e-12)
    assert rows.value - 0.1 * rows.sigma <= cells.value <= rows.value + 1e-12


def test_range_law_against_a_long_sum() -> None:
    """The survival function equals 400 terms of the small-x series, on both sides of where the series change."""
    x = np.linspace(0.3, 5.0, 200)
    halves = (np.arange(400) + 0.5) ** 2 * np.pi**2
    terms = (8 / x[:, None] ** 2 + 2 / halves) * np.exp(-2 * halves / x[:, None] ** 2)
    np.testing.assert_allclose(ecce.survival(x), 1 - terms.sum(axis=1), atol=1e-14)


def test_range_law_everywhere() -> None:
    """From 0 to infinity: 1 at 0, falling, continuous at the turn, relatively precise in the far tail."""
    x = np.concatenate([[0.0, 1e-300, 1e-3], np.linspace(0.01, 60, 5000), [1e3, np.inf]])
    with np.errstate(all="raise", under="ignore"):
        tail = ecce.survival(x)
    assert tail[0] == 1.0
    assert tail[-1] == 0.0
    assert (np.diff(tail) <= 1e-15).all()
    beside = ecce.survival([np.nextafter(ecce.TURN, 0), ecce.TURN])
    assert beside[0] == pytest.approx(beside[1], abs=1e-15)
    from scipy.stats import norm

    assert ecce.survival(12.0) == pytest.approx(8 * norm.sf(12.0), rel=1e-12)


def test_range_law_by_random_walks() -> None:
    """8,000 random walks of 2,000 steps have a range above 1.6 as often as the law says, less a step's width."""
    rng = np.random.default_rng(2)
    walk = np.zeros((8_000, 1))
    top = bottom = walk[:, 0]
    for _ in range(200):
        steps = np.cumsum(rng.normal(size=(8_000, 10)), axis=1)
        path = walk[:, -1:] + steps
        top, bottom = np.maximum(top, path.max(axis=1)), np.minimum(bottom, path.min(axis=1))
        walk = path
    ranges = (top - bottom) / 2000**0.5 + 2 * 0.5826 / 2000**0.5  # the overshoot between steps
    assert (ranges > 1.6).mean() == pytest.approx(float(ecce.survival(1.6)), abs=0.018)


def test_quantiles() -> None:
    """F(k) = level; 2.4977 at .95."""
    assert ecce.range_quantile(0.95) == pytest.approx(2.4977, abs=1e-4)
    for level in (0.5, 0.9, 0.999):
        assert float(ecce.survival(ecce.range_quantile(level))) == pytest.approx(1 - level, rel=1e-9)


@pytest.mark.parametrize("grid", ["dyadic", "distinct"])
@given(seed=seeds, unit=st.floats(0.01, 100.0))
@settings(max_examples=20, deadline=None)
def test_invariances(grid: summary.Grid, seed: int, unit: float) -> None:
    """Neither the unit of weight, nor row order, nor cutting into parts changes any number."""
    p, y, w = sample(seed, 100)
    order = np.random.default_rng(seed).permutation(100)
    expected = one_group(summary.summarise(p, y, weights=w, grid=grid))
    for other in (
        summary.summarise(p, y, weights=unit * w, grid=grid),
        summary.summarise(p[order], y[order], weights=w[order], grid=grid),
        summary.summarise(p[:40], y[:40], weights=w[:40], grid=grid)
        + summary.summarise(p[40:], y[40:], weights=w[40:], grid=grid),
    ):
        found = one_group(other)
        for name in ("value", "sigma", "in_sigmas", "p_value", "spread", "tilt"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-7, abs=1e-9)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_groups(seed: int) -> None:
    """All groups at once are each group alone: value, tests and bounds."""
    p, y, w = sample(seed, 120)
    stacked = summary.summarise(p, y, weights=w, groups=np.arange(120) % 5)
    every = ecce.ecce_by_group(stacked)
    for g, one in enumerate(stacked.groups()):
        alone = one_group(one)
        assert every.value[g] == pytest.approx(alone.value, abs=1e-12)
        assert every.p_value[g] == pytest.approx(alone.p_value, rel=1e-9)
        assert every.p_beyond(0.02)[g] == pytest.approx(alone.p_beyond(0.02), rel=1e-9)
        assert every.lower(0.9)[g] == pytest.approx(alone.lower(0.9), abs=1e-12)
        assert every.upper(0.9)[g] == pytest.approx(alone.upper(0.9), abs=1e-12)


def test_tolerance() -> None:
    """1 while the value is within it; the exact p-value at tolerance 0; larger tolerance, larger p."""
    found = one_group(summary.summarise(np.full(1000, 0.3), np.arange(1000) < 360))
    assert found.value == pytest.approx(0.06)
    assert found.p_beyond(0.06 + 1e-9) == 1.0
    assert found.p_beyond(0.0) == pytest.approx(found.p_value)
    ps = [found.p_beyond(tolerance) for tolerance in (0.0, 0.01, 0.02, 0.04)]
    assert ps == sorted(ps)


def test_worst_variance_within_the_tolerance_is_covered() -> None:
    """sigma'^2 is at least the sum of max q (1 - q) over |q - p| <= tolerance, for every score and tolerance."""
    for tolerance in (0.01, 0.1, 0.3):
        for p in np.linspace(0.0, 1.0, 41):
            reach = np.clip(np.linspace(p - tolerance, p + tolerance, 201), 0.0, 1.0)
            bound = p * (1 - p) + tolerance * abs(1 - 2 * p)
            assert bound >= (reach * (1 - reach)).max() - 1e-12


def test_certain_scores() -> None:
    """Scores of 0 and 1: right ones are calibrated, one wrong one is proof; every number is finite."""
    right = one_group(summary.summarise([0.0, 1.0] * 10, [0, 1] * 10))
    wrong = one_group(summary.summarise([0.0, 1.0] * 10, [0, 1] * 9 + [1, 1]))
    assert (right.value, right.p_value) == (0.0, 1.0)
    assert wrong.p_value == 0.0
    assert np.isfinite(wrong.in_sigmas)


def test_insufficient_and_wrong_use() -> None:
    """Below ten effective rows nothing is said; levels and tolerances have their ranges."""
    assert ecce.ecce(summary.summarise([0.5] * 9, [0] * 9)) == results.Insufficient(9.0, 10, "effective rows")
    assert isinstance(ecce.ecce(summary.empty()), results.Insufficient)
    found = one_group(summary.summarise([0.5] * 10, [0] * 10))
    for wrong in (lambda: found.p_beyond(-0.1), lambda: found.upper(1.0), lambda: found.lower(0.1)):
        with pytest.raises(errors.UsageError):
            wrong()


CURVES: dict[str, Curve] = {
    "right": lambda p: p,
    "too flat": lambda p: 0.15 + 0.7 * p,
    "too high": lambda p: np.clip(p + 0.05, 0.0, 1.0),
    "wave": lambda p: np.clip(p + 0.08 * np.sin(9 * p), 0.0, 1.0),
}
SHAPES = {"wide": (0.5, 0.5), "rare": (0.5, 20.0), "very rare": (1.0, 200.0)}


def simulate(shape: tuple[float, float], curve: Curve, n: int, samples: int) -> tuple[ecce.EcceByGroup, Floats]:
    """ECCE of many samples at once, and the true range of each (given its scores)."""
    rng = np.random.default_rng(n)
    p = rng.beta(*shape, (samples, n))
    p.sort(axis=1)
    q = curve(p)
    y = rng.random(q.shape) < q
    groups = np.repeat(np.arange(samples), n)
    stacked = summary.summarise(p.ravel(), y.ravel(), groups=groups, group_count=samples, grid="distinct")
    path = np.cumsum(q - p, axis=1) / n
    true = np.maximum(path.max(axis=1), 0.0) - np.minimum(path.min(axis=1), 0.0)
    return ecce.ecce_by_group(stacked), true


def check(shape: str, curve: str, n: int, samples: int) -> None:
    every, true = simulate(SHAPES[shape], CURVES[curve], n, samples)
    slack = 4 * (0.05 * 0.95 / samples) ** 0.5
    assert (every.lower(0.95) <= true).mean() >= 0.95 - slack
    assert (every.upper(0.95) >= true).mean() >= 0.95 - slack
    if curve == "right":
        assert (every.p_value < 0.05).mean() <= 0.05 + slack
    if curve in ("right", "too high"):  # within .05 of right everywhere
        assert (every.p_beyond(0.05) < 0.05).mean() <= 0.05 + slack


@pytest.mark.parametrize("curve", CURVES)
def test_level_and_coverage(curve: str) -> None:
    """500 samples of 200 rows: level under exact calibration and under the tolerance, coverage of both bounds."""
    check("wide", curve, 200, 500)


@pytest.mark.theory
@pytest.mark.parametrize("n", [10, 50, 200, 2000])
@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("shape", SHAPES)
def test_level_and_coverage_in_depth(shape: str, curve: str, n: int) -> None:
    """The same for 10 to 2,000 rows and for events down to one in 200."""
    check(shape, curve, n, 1000)


def test_power() -> None:
    """A shift of .05 is found at a tolerance of .02 with 5,000 rows in at least nine of ten samples."""
    every, _ = simulate(SHAPES["wide"], CURVES["too flat"], 5000, 60)
    assert (every.p_beyond(0.02) < 0.05).mean() >= 0.9


def test_the_level_is_used() -> None:
    """With many rows the exact test rejects close to 5 % of right models, not far less."""
    every, _ = simulate(SHAPES["wide"], CURVES["right"], 2000, 600)
    assert 0.025 <= (every.p_value < 0.05).mean() <= 0.075
