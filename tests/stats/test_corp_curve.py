"""The reliability curve's blocks, and that both bands cover what they say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrant import errors
from calibrant.stats import corp, corp_curve, results, summary


def curve(one: summary.Summary) -> corp_curve.Curve:
    found = corp_curve.curve(one)
    assert isinstance(found, corp_curve.Curve)
    return found


def band(found: corp_curve.Band | results.Insufficient) -> corp_curve.Band:
    assert isinstance(found, corp_curve.Band)
    return found


def atoms(rng: np.random.Generator, n: int, rate: NDArray[np.float64]) -> summary.Summary:
    """Rows at the scores .1, .3, .5, .7, .9, which come true at ``rate``."""
    which = rng.integers(0, 5, n)
    return summary.summarise(np.linspace(0.1, 0.9, 5)[which], rng.random(n) < rate[which], grid="distinct")


def test_blocks() -> None:
    """Blocks do not overlap, rise strictly, keep all rows, and hold the PAV fit of every score in them."""
    rng = np.random.default_rng(0)
    p, w = np.round(rng.random(300), 2), rng.uniform(0.5, 2.0, 300)
    one = summary.summarise(p, rng.random(300) < p, weights=w, grid="distinct")
    found = curve(one)
    assert (found.low <= found.high).all()
    assert (found.low[1:] > found.high[:-1]).all()
    assert (np.diff(found.rate) > 0).all()
    assert found.n.sum() == 300
    assert found.w.sum() == pytest.approx(w.sum())
    block = np.searchsorted(found.low, one.score, side="right") - 1
    np.testing.assert_allclose(found.rate[block], corp.recalibrated(one), atol=1e-12)


def test_consistency_band_holds_right_models() -> None:
    """At each score the curve of a right model is inside in about 90 % of samples."""
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(80):
        one = atoms(rng, 400, np.linspace(0.1, 0.9, 5))
        limits = band(corp_curve.consistency_band(one, rng=rng, draws=100))
        fitted = corp.recalibrated(one)
        inside.append((limits.low <= fitted) & (fitted <= limits.high))
    assert 0.85 <= np.mean(inside) <= 0.97


def test_consistency_band_shows_wrong_models() -> None:
    """The curve of a model that is .15 off leaves the band."""
    rng = np.random.default_rng(2)
    one = atoms(rng, 4000, np.linspace(0.1, 0.9, 5) - np.array([0, 0.15, 0.15, 0.15, 0]))
    limits = band(corp_curve.consistency_band(one, rng=rng))
    np.testing.assert_array_equal(corp.recalibrated(one)[1:4] < limits.low[1:4], [True, True, True])


def test_confidence_band_holds_the_truth() -> None:
    """At each score the true rate is inside in about 90 % of samples, right model or not."""
    rng = np.random.default_rng(3)
    rate = np.array([0.02, 0.25, 0.45, 0.5, 0.8])
    inside = []
    for _ in range(80):
        one = atoms(rng, 400, rate)
        limits = band(corp_curve.confidence_band(one, rng=rng, draws=100))
        inside.append((limits.low <= rate) & (rate <= limits.high))
    assert 0.83 <= np.mean(inside) <= 0.97


def test_bands_rise_and_stay_within_range() -> None:
    """Limits are non-decreasing in the score, inside [0, 1], one for every cell; weights are allowed."""
    rng = np.random.default_rng(4)
    p = rng.random(500)
    one = summary.summarise(p, rng.random(500) < p, weights=rng.uniform(0.1, 9.0, 500))
    for make in (corp_curve.consistency_band, corp_curve.confidence_band):
        found = band(make(one, rng=rng, draws=50, level=0.95))
        assert found.low.shape == found.high.shape == one.keys.shape
        assert (np.diff(found.low) >= -1e-12).all()
        assert (np.diff(found.high) >= -1e-12).all()
        assert found.low.min() >= 0.0
        assert found.high.max() <= 1.0
        assert (found.low <= found.high).all()


def test_same_seed_same_band() -> None:
    """All randomness comes from the generator."""
    one = atoms(np.random.default_rng(5), 100, np.linspace(0.1, 0.9, 5))
    first, second = (band(corp_curve.consistency_band(one, rng=np.random.default_rng(6))) for _ in range(2))
    np.testing.assert_array_equal(first.low, second.low)


def test_no_rows_and_no_level() -> None:
    """No rows are insufficient; a level outside (0, 1) is wrong use."""
    rng = np.random.default_rng(0)
    for found in (corp_curve.curve(summary.empty()), corp_curve.consistency_band(summary.empty(), rng=rng)):
        assert found == results.Insufficient(0, 1)
    with pytest.raises(errors.UsageError):
        corp_curve.confidence_band(summary.summarise([0.5], [1]), rng=rng, level=1.0)
