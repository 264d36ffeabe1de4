"""The Poisson bootstrap on summaries: keeps the sums, equals the bootstrap of rows, covers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant import errors
from calibrant.stats import resampling, results, summary


class Still(np.random.Generator):
    """A source of randomness that always gives the mean."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def poisson(self, lam: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return lam


def rows(seed: int, n: int, *, binary: bool, weighted: bool) -> dict[str, np.ndarray | None]:
    """Scores with ties, labels and weights."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(0.7, 0.9, n), rng.integers(1, 6))
    y = rng.random(n) < p if binary else rng.beta(2.0, 3.0, n)
    return {"scores": p, "labels": y, "weights": rng.gamma(2.0, 1.0, n) if weighted else None}


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 300),
    grid=st.sampled_from(["dyadic", "distinct"]),
    binary=st.booleans(),
    weighted=st.booleans(),
)
def test_the_mean_replicate_is_the_summary(seed: int, n: int, grid: summary.Grid, binary: bool, weighted: bool) -> None:
    """With every Poisson number at its mean, all counts and all nine sums come back."""
    source = summary.summarise(**rows(seed, n, binary=binary, weighted=weighted), grid=grid)  # type: ignore[arg-type]
    (same,) = resampling.draw(source, replicates=1, rng=Still())
    assert np.array_equal(same.keys, source.keys)
    assert np.array_equal(same.n, source.n)
    exact = [summary.SUMS.index(name) for name in ("w", "wy", "wyy", "wp", "wpp", "ww", "wwv", "loss")]
    assert np.allclose(same.sums[exact], source.sums[exact], rtol=1e-9, atol=1e-9)
    assert np.allclose(same.sums[5], source.sums[5], rtol=0 if binary else 0.02, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_same_spread_as_the_bootstrap_of_rows(weighted: bool) -> None:
    """Base rate, Brier score and log loss spread as they do when the rows themselves are drawn."""
    data = rows(3, 400, binary=True, weighted=weighted)
    p, y = data["scores"], data["labels"]
    assert p is not None
    assert y is not None
    w = np.ones(len(p)) if data["weights"] is None else data["weights"]
    rng = np.random.default_rng(4)
    clipped = np.clip(p, summary.EPSILON, 1 - summary.EPSILON)
    losses = np.stack([y * 1.0, (p - y) ** 2, -np.log(np.where(y, clipped, 1 - clipped))])
    counts = rng.poisson(1.0, (2_000, len(p))) * w
    by_row = (counts @ losses.T / counts.sum(1)[:, None]).std(0)
    source = summary.summarise(p, y, weights=data["weights"], grid="distinct")
    drawn = []
    for each in resampling.draw(source, replicates=2_000, rng=rng):
        w_, wy, wyy, _, wpp, wpy, _, _, loss = each.sums.sum(1)
        drawn.append([wy / w_, (wpp - 2 * wpy + wyy) / w_, loss / w_])
    assert np.allclose(np.std(drawn, axis=0), by_row, rtol=0.08)


def base_rate(source: summary.Summary) -> float:
    """The share of positive labels."""
    return float(source.wy.sum() / source.w.sum())


def test_the_scheme_is_named_and_kinds_mirror() -> None:
    """The method says what was done; the basic interval is the percentile one reflected at the estimate."""
    source = summary.summarise(**rows(5, 200, binary=True, weighted=False))  # type: ignore[arg-type]
    made = [
        resampling.poisson_bootstrap(source, base_rate, replicates=100, rng=np.random.default_rng(1), kind=kind)
        for kind in ("percentile", "basic")
    ]
    first, second = made
    assert isinstance(first, results.Estimate)
    assert isinstance(second, results.Estimate)
    assert first.method == "bootstrap (Poisson, percentile, 100 replicates)"
    assert first.low is not None
    assert second.high == pytest.approx(2 * first.value - first.low)


def test_many_distinct_scores_fall_back_to_the_grid() -> None:
    """Beyond the grid's size the replicates are dyadic, the value stays exact, and the method says so."""
    rng = np.random.default_rng(8)
    p = rng.random(20_000)
    source = summary.summarise(p, rng.random(20_000) < p, grid="distinct")
    found = resampling.poisson_bootstrap(source, base_rate, replicates=50, rng=rng)
    assert isinstance(found, results.Estimate)
    assert found.value == base_rate(source)
    assert found.method.endswith("on the dyadic grid)")


def test_what_has_no_value_has_no_interval() -> None:
    """Insufficient is passed on, NaN becomes Insufficient, and undefined replicates cost the interval."""
    source = summary.summarise([0.2, 0.7, 0.9], [0, 1, 1])
    rng = np.random.default_rng(2)
    missing = results.Insufficient(3, 50)
    assert resampling.poisson_bootstrap(source, lambda s: missing, replicates=20, rng=rng) is missing
    nothing = resampling.poisson_bootstrap(source, lambda s: float("nan"), replicates=20, rng=rng)
    assert nothing == results.Insufficient(0, 1, "values of the statistic")
    found = resampling.poisson_bootstrap(
        source, lambda s: float(len(s.keys)) if len(s.keys) == 3 else missing, replicates=100, rng=rng
    )
    assert isinstance(found, results.Estimate)
    assert found.low is None
    assert "undefined" in found.method


def test_too_few_replicates_are_refused() -> None:
    """Nineteen replicates raise CAL-453."""
    with pytest.raises(errors.UsageError, match="CAL-453"):
        resampling.poisson_bootstrap(
            summary.summarise([0.5], [1]), base_rate, replicates=19, rng=np.random.default_rng(0)
        )


@pytest.mark.parametrize("weighted", [False, True])
def test_coverage_of_the_base_rate(weighted: bool) -> None:
    """In 200 samples of 300 rows the 90 % percentile interval holds the true rate 90 % +- 6 % of the time."""
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        p = np.round(rng.beta(1.0, 2.0, 300), 2)
        w = rng.gamma(2.0, 1.0, 300) if weighted else None
        source = summary.summarise(p, rng.random(300) < 0.3, weights=w, grid="distinct")
        found = resampling.poisson_bootstrap(source, base_rate, replicates=80, rng=rng, level=0.9)
        assert isinstance(found, results.Estimate)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.3 <= found.high
    assert abs(hits / 200 - 0.9) < 0.06
