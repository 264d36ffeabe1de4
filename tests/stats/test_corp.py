"""CORP: the published figures, row-wise isotonic regression, honest cross-fitting."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from calibrant.stats import corp, results, split, summary

Floats = NDArray[np.float64]
NIAMEY = Path(__file__).parents[1] / "data" / "niamey.csv"
SCORES: tuple[corp.Score, ...] = ("brier", "log")


def sample(seed: int, n: int = 200) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(0.7, 1.5, n), 2)
    return p, (rng.random(n) < 0.1 + 0.8 * p).astype(float), rng.uniform(0.2, 5.0, n)


def parts(found: corp.Decomposition | results.Insufficient) -> tuple[float, float, float, float]:
    assert isinstance(found, corp.Decomposition)
    return found.score, found.mcb, found.dsc, found.unc


def test_published_figures() -> None:
    """Niamey 2016, EMOS: Brier .232, MCB .0183, DSC .0305, UNC .244 to the published digits."""
    with NIAMEY.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    emos = summary.summarise([float(r["EMOS"]) for r in rows], [float(r["obs"]) for r in rows], grid="distinct")
    score, mcb, dsc, unc = parts(corp.corp(emos))
    assert (round(score, 3), round(mcb, 4), round(dsc, 4), round(unc, 3)) == (0.232, 0.0183, 0.0305, 0.244)


@pytest.mark.parametrize("score", SCORES)
def test_row_wise_isotonic_regression(score: corp.Score) -> None:
    """All four parts from scikit-learn's isotonic fit of weighted rows with ties."""
    p, y, w = sample(0)

    def mean(q: Floats) -> float:
        told = np.clip(q, summary.EPSILON, 1 - summary.EPSILON)
        logs = -(y * np.log(told) + (1 - y) * np.log1p(-told))
        return float(np.average((y - q) ** 2 if score == "brier" else logs, weights=w))

    q = IsotonicRegression().fit_transform(p, y, sample_weight=w)
    flat = np.full(len(p), np.average(y, weights=w))
    found = parts(corp.corp(summary.summarise(p, y, weights=w, grid="distinct"), score=score))
    assert found == pytest.approx((mean(p), mean(p) - mean(q), mean(flat) - mean(q), mean(flat)), abs=1e-9)


@given(st.integers(0, 10_000), st.sampled_from(SCORES))
@settings(max_examples=20, deadline=None)
def test_laws(seed: int, score: corp.Score) -> None:
    """The parts add up, mcb and dsc are not negative, and a better fit has nothing left to gain."""
    p, y, w = sample(seed, 60)
    one = summary.summarise(p, y, weights=w, grid="distinct")
    total, mcb, dsc, unc = parts(corp.corp(one, score=score))
    assert total == pytest.approx(mcb - dsc + unc, abs=1e-12)
    assert min(mcb, dsc) >= -1e-12
    again = parts(corp.corp(one.moved(corp.recalibrated(one)), score=score))
    assert again[1:] == pytest.approx((0.0, dsc, unc), abs=1e-9)


@pytest.mark.parametrize("grid", ["dyadic", "distinct"])
@given(seed=st.integers(0, 10_000), unit=st.floats(0.01, 100.0))
@settings(max_examples=15, deadline=None)
def test_invariances(grid: summary.Grid, seed: int, unit: float) -> None:
    """Neither the unit of weight, nor row order, nor cutting into parts changes the parts."""
    p, y, w = sample(seed, 80)
    order = np.random.default_rng(seed).permutation(80)
    expected = parts(corp.corp(summary.summarise(p, y, weights=w, grid=grid)))
    for other in (
        summary.summarise(p, y, weights=unit * w, grid=grid),
        summary.summarise(p[order], y[order], weights=w[order], grid=grid),
        summary.summarise(p[:30], y[:30], weights=w[:30], grid=grid)
        + summary.summarise(p[30:], y[30:], weights=w[30:], grid=grid),
    ):
        assert parts(corp.corp(other)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("score", SCORES)
def test_groups(score: corp.Score) -> None:
    """One pooling pass for all groups gives each group's own parts, also next to groups of one label."""
    p, y, w = sample(1, 300)
    g = np.arange(300) % 7
    y[g == 2], y[g == 3] = 1.0, 0.0
    stacked = summary.summarise(p, y, weights=w, groups=g)
    every = corp.corp_by_group(stacked, score=score)
    for j, one in enumerate(stacked.groups()):
        together = (every.score[j], every.mcb[j], every.dsc[j], every.unc[j])
        assert together == pytest.approx(parts(corp.corp(one, score=score)), abs=1e-9)


def test_the_grid_is_close() -> None:
    """On the dyadic grid all parts are those of the rows to 1e-4."""
    rng = np.random.default_rng(2)
    p = rng.beta(0.7, 1.5, 20_000)
    y = rng.random(20_000) < p**1.2
    rows, cells = (parts(corp.corp(summary.summarise(p, y, grid=grid))) for grid in ("distinct", "dyadic"))  # type: ignore[arg-type]
    assert cells[0] == pytest.approx(rows[0], abs=1e-12)
    assert cells == pytest.approx(rows, abs=3e-4)


def test_cross_fitting_by_hand() -> None:
    """Two folds: each is told the other's isotonic fit, read off linearly and clipped."""
    p, y, w = sample(3, 120)
    halves = [slice(0, 60), slice(60, 120)]
    losses = 0.0
    for held, used in (halves, halves[::-1]):
        fit = IsotonicRegression(out_of_bounds="clip").fit(p[used], y[used], sample_weight=w[used])
        edge = 1 / (w[used].sum() ** 2 / (w[used] ** 2).sum() + 2)
        grid = np.unique(p[used])
        q = np.interp(p[held], grid, np.clip(fit.predict(grid), edge, 1 - edge))
        losses += float(w[held] @ (y[held] - q) ** 2)
    folds = [summary.summarise(p[part], y[part], weights=w[part], grid="distinct") for part in halves]
    score, mcb, dsc, unc = parts(corp.cross_fitted(folds))
    assert score - mcb == pytest.approx(losses / w.sum(), abs=1e-9)
    assert score == pytest.approx(mcb - dsc + unc)


def test_cross_fitting_removes_the_bias() -> None:
    """Right scores: in-sample mcb is well above 0 on average, the cross-fitted one is not and is often negative."""
    rng = np.random.default_rng(4)
    inside, outside = [], []
    for _ in range(60):
        p = rng.beta(0.7, 1.5, 400)
        one = summary.summarise(p, rng.random(400) < p, grid="distinct")
        inside.append(parts(corp.corp(one))[1])
        outside.append(parts(corp.cross_fitted(split.at_random(one, rng=rng)))[1])
    assert np.mean(inside) > 0.003
    assert np.mean(outside) < 0.0
    assert np.min(inside) > 0.0


def test_cross_fitted_log_score_is_finite() -> None:
    """One unlucky row at the end does not cost an infinite loss."""
    p = np.linspace(0.01, 0.99, 40)
    y = (p > 0.5).astype(float)
    y[0] = 1.0
    one = summary.summarise(p, y, grid="distinct")
    found = corp.cross_fitted(split.at_random(one, rng=np.random.default_rng(5)), score="log")
    assert np.isfinite(parts(found)).all()


def test_insufficient() -> None:
    """No rows, and fewer than two folds with rows."""
    assert corp.corp(summary.empty()) == results.Insufficient(0, 1)
    one = summary.summarise([0.5], [1])
    assert corp.cross_fitted([one, summary.empty()]) == results.Insufficient(1, 2, "folds with rows")
