"""Random splits of a summary: parts that add up, and that follow the law of dealing out rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant import errors
from calibrant.stats import split, summary


@pytest.mark.parametrize("grid", ["dyadic", "distinct"])
@given(seed=st.integers(0, 10_000), folds=st.integers(2, 7))
@settings(max_examples=20, deadline=None)
def test_parts_add_up(grid: summary.Grid, seed: int, folds: int) -> None:
    """The folds' sum is the whole, in counts exactly and in every sum to rounding; sizes differ by one row at most."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(0.5, 0.5, 97), 3)
    whole = summary.summarise(p, rng.random(97) < p, grid=grid)
    parts = split.at_random(whole, folds=folds, rng=rng)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    np.testing.assert_array_equal(total.keys, whole.keys)
    np.testing.assert_array_equal(total.n, whole.n)
    np.testing.assert_allclose(total.sums, whole.sums, rtol=1e-9, atol=1e-12)
    sizes = [int(part.rows[0]) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    for part in parts:
        part.check()


def test_each_part_is_a_summary_of_rows() -> None:
    """On the distinct grid every sum of a fold is that of the rows its counts stand for."""
    rng = np.random.default_rng(0)
    p = np.round(rng.random(300), 2)
    whole = summary.summarise(p, rng.random(300) < p, grid="distinct")
    for part in split.at_random(whole, folds=3, rng=rng):
        ones = part.wy.astype(int)
        rows = np.concatenate([np.repeat(part.score, part.n - ones), np.repeat(part.score, ones)])
        labels = np.repeat([0, 1], [int((part.n - ones).sum()), int(ones.sum())])
        expected = summary.summarise(rows, labels, grid="distinct")
        np.testing.assert_allclose(part.sums, expected.sums, rtol=1e-9, atol=1e-9)


def test_law_of_dealing_out() -> None:
    """Positives of one cell in the first fold: mean and variance of the hypergeometric distribution."""
    rng = np.random.default_rng(1)
    whole = summary.summarise([0.2] * 30 + [0.8] * 10, [1] * 20 + [0] * 10 + [1] * 10)
    drawn = [split.at_random(whole, folds=4, rng=rng)[0].wy[0] for _ in range(1000)]
    assert np.mean(drawn) == pytest.approx(10 * 20 / 40, abs=0.25)
    assert np.var(drawn) == pytest.approx(10 * 0.5 * 0.5 * 30 / 39, rel=0.2)


@pytest.mark.parametrize(
    ("labels", "weights", "folds"),
    [([0, 1], [2.0, 2.0], 2), ([0.5, 1.0], None, 2), ([0, 1], None, 3), ([0, 1], None, 1)],
)
def test_what_cannot_be_split(labels: list[float], weights: list[float] | None, folds: int) -> None:
    """Weights, rates, one fold and more folds than rows are refused."""
    whole = summary.summarise([0.2, 0.8], labels, weights=weights)
    with pytest.raises(errors.UsageError, match="CAL-465"):
        split.at_random(whole, folds=folds, rng=np.random.default_rng(0))
