"""The debiased l2 error: pairs, unbiasedness, coverage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrant.stats import debiased, results, summary

Floats = NDArray[np.float64]
BINS: tuple[debiased.Bins, ...] = ("mass", "width")
FORMS: tuple[debiased.Form, ...] = ("u", "kumar")


def l2(one: summary.Summary, **options: object) -> results.Estimate:
    found = debiased.l2_error(one, **options)  # type: ignore[arg-type]
    assert isinstance(found, debiased.DebiasedError)
    return found.squared


def test_mean_over_pairs() -> None:
    """The U form is the mean of (y_i - p_i)(y_j - p_j) over all pairs of a bin, by a loop over pairs."""
    rng = np.random.default_rng(0)
    p = rng.random(60)
    y = (rng.random(60) < p).astype(float)
    expected = 0.0
    for b in range(5):
        d = (y - p)[(p * 5).astype(int) == b]
        expected += len(d) / 60 * np.mean([x * z for x, z in itertools.permutations(d, 2)])
    for grid in ("dyadic", "distinct"):
        one = summary.summarise(p, y, grid=grid)
        assert l2(one, count=5, bins="width").value == pytest.approx(expected, abs=1e-12)


def test_published_form() -> None:
    """Kumar's form by a loop over bins: plug-in less ybar (1 - ybar) / (n - 1)."""
    rng = np.random.default_rng(1)
    p = np.sort(rng.random(150))
    y = (rng.random(150) < p**1.5).astype(float)
    expected = 0.0
    for chunk in np.split(np.arange(150), 15):
        rate = y[chunk].mean()
        expected += ((rate - p[chunk].mean()) ** 2 - rate * (1 - rate) / 9) / 15
    assert l2(summary.summarise(p, y, grid="distinct"), form="kumar").value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("unit", [0.01, 7.0])
def test_unit_of_weight(unit: float) -> None:
    """Weights times c change nothing."""
    rng = np.random.default_rng(2)
    p, w = rng.random(300), rng.uniform(0.5, 2.0, 300)
    y = rng.random(300) < p
    found, scaled = (l2(summary.summarise(p, y, weights=c * w)) for c in (1.0, unit))
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx((found.value, found.low, found.high), abs=1e-9)


def test_what_is_shown() -> None:
    """The root of max(0, squared), ends likewise; a negative square is shown as 0."""
    low = debiased.DebiasedError(results.Estimate(-0.01, -0.02, 0.04, 0.95, "score")).root
    assert (low.value, low.low, low.high) == pytest.approx((0.0, 0.0, 0.2))


def test_insufficient() -> None:
    """Without two rows in any bin nothing can be said; single rows beside full bins count as 0."""
    spread = summary.summarise([0.1, 0.5, 0.9], [0, 1, 1])
    assert debiased.l2_error(spread, bins="width") == results.Insufficient(1.0, 2, "effective rows in a bin")
    both = summary.summarise([0.05] * 4 + [0.95], [1, 1, 1, 1, 0])
    assert l2(both, count=10, bins="width").value == pytest.approx(0.8 * 0.95**2)


@pytest.mark.parametrize("bins", BINS)
def test_unbiased_where_the_plug_in_is_not(bins: debiased.Bins) -> None:
    """Calibrated Beta(.5, .5) scores, n = 1,000, 15 bins: mean 0 to 2e-4; the plug-in shows .0019 (equal mass)."""
    rng = np.random.default_rng(3)
    found: dict[str, list[float]] = {"u": [], "kumar": [], "plug-in": []}
    for _ in range(400):
        p = rng.beta(0.5, 0.5, 1000)
        y = rng.random(1000) < p
        one = summary.summarise(p, y)
        for form in FORMS:
            found[form].append(l2(one, form=form, bins=bins).value)
        order = np.argsort(p)
        found["plug-in"].append(float(np.mean([(y - p)[part].mean() ** 2 for part in np.array_split(order, 15)])))
    assert abs(np.mean(found["u"])) < 2e-4
    assert abs(np.mean(found["kumar"])) < 2e-4
    assert np.mean(found["plug-in"]) == pytest.approx(0.0019, abs=2e-4)


@pytest.mark.theory
@pytest.mark.parametrize("power", [1.0, 1.3, 2.0])
def test_interval_covers(power: float) -> None:
    """Ends at level .95 hold the squared error of the bins in .92 to .985 of samples, calibrated or not."""
    rng = np.random.default_rng(4)
    big = np.sort(rng.beta(0.5, 0.5, 300_000))
    truth = float(np.mean([(part**power - part).mean() ** 2 for part in np.array_split(big, 15)]))
    inside = 0
    for _ in range(500):
        p = rng.beta(0.5, 0.5, 1000)
        found = l2(summary.summarise(p, rng.random(1000) < p**power))
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    assert 0.92 <= inside / 500 <= 0.985
