"""Cross-fitting on summaries equals cross-fitting on rows."""

from __future__ import annotations

import numpy as np
import pytest

from calibrant.calibrators import scales
from calibrant.fitting import crossfit, folds, platt
from calibrant.stats import summary


def rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return scales.expit(x), (rng.random(n) < scales.expit(0.5 * x)).astype(float)


def split(p: np.ndarray, y: np.ndarray, w: np.ndarray | None, codes: np.ndarray) -> list[summary.Summary]:
    return list(summary.summarise(p, y, weights=w, groups=codes, grid="distinct").groups())


def log_loss(q: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -(y * np.log(q) + (1 - y) * np.log1p(-q))


@pytest.mark.parametrize("scheme", ["rows", "time"])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_the_same_done_on_rows(scheme: folds.Scheme, weighted: bool) -> None:
    """Answers, mean difference, and (without weights exactly) its standard error."""
    p, y = rows(400)
    w = np.random.default_rng(1).choice([1.0, 2.0], 400) if weighted else None
    codes = np.arange(400) // 100 if scheme == "time" else np.arange(400) % 4
    found = crossfit.judge(split(p, y, w, codes), {"platt": platt.fit}, scheme=scheme)
    paired = crossfit.compare(found, found.answers["identity"], found.answers["platt"], "log", clustered=False)
    d, v = [], []
    weights = np.ones(400) if w is None else w
    for k in range(1 if scheme == "time" else 0, 4):
        training, test = (codes < k) if scheme == "time" else (codes != k), codes == k
        data = summary.summarise(p[training], y[training], weights=weights[training], grid="distinct")
        q = platt.fit(data).apply(p[test])
        d.append(log_loss(p[test], y[test]) - log_loss(q, y[test]))
        v.append(weights[test])
    d, v = np.concatenate(d), np.concatenate(v)
    assert paired.mean == pytest.approx(np.average(d, weights=v), abs=1e-12)
    if not weighted:
        assert paired.error == pytest.approx(d.std(ddof=1) / np.sqrt(len(d)), rel=1e-9)
    else:
        mean = np.average(d, weights=v)
        rows_ = v.sum() ** 2 / (v * v).sum()
        expected = np.sqrt((v**2 * (d - mean) ** 2).sum() / v.sum() ** 2 * rows_ / (rows_ - 1))
        assert paired.error == pytest.approx(expected, rel=0.15)


def test_brier_too() -> None:
    """The mean cross-fitted Brier score equals the row-wise one."""
    p, y = rows(300)
    codes = np.arange(300) % 3
    found = crossfit.judge(split(p, y, None, codes), {}, scheme="rows")
    assert crossfit.mean_loss(found, "identity", "brier") == pytest.approx(np.mean((p - y) ** 2))


def test_training_never_holds_the_judged_fold() -> None:
    """Training summary and judged fold add up to all rows."""
    p, y = rows(300)
    parts = split(p, y, None, np.arange(300) % 3)
    total = crossfit.merged(parts)
    for training, k in crossfit.trainings(parts, "rows"):
        both = training + parts[k]
        assert (both.n == total.n).all()
        np.testing.assert_allclose(both.sums, total.sums, atol=1e-12)


def test_clustered_error_sees_what_rows_hide() -> None:
    """If folds differ as wholes, the error between folds counts: five folds are five observations."""
    rng = np.random.default_rng(2)
    p = rng.random(1000)
    codes = np.arange(1000) % 5
    y = (rng.random(1000) < scales.expit(scales.logit(p) + np.array([-2, -1, 0, 1, 2.0])[codes])).astype(float)
    found = crossfit.judge(split(p, y, None, codes), {}, scheme="rows")
    up = scales.expit(scales.logit(found.answers["identity"]) + 0.5)
    loose, strict = (
        crossfit.compare(found, found.answers["identity"], up, "log", clustered=clustered)
        for clustered in (False, True)
    )
    assert strict.mean == loose.mean
    assert strict.error > 3 * loose.error
    assert strict.freedom == 4


def test_a_refusal_in_one_fold_refuses_the_method() -> None:
    """The error is kept, not raised."""
    p, y = rows(300)
    y[100:] = 0
    found = crossfit.judge(split(p, y, None, np.arange(300) // 100), {"platt": platt.fit}, scheme="rows")
    assert "platt" not in found.answers
    assert found.refused["platt"].code == "CAL-502"
