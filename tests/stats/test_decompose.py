"""The split of a change: parts add up, pure shifts are recognised, tests keep their level, intervals cover."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import chi2

from calibrant import errors
from calibrant.stats import decompose, distance, results, summary

Kind = Literal["none", "prior", "covariate", "concept", "shape"]


def window(
    rng: np.random.Generator, n: int, kind: Kind, *, weighted: bool = False, grid: summary.Grid = "dyadic"
) -> summary.Summary:
    """Rows of the reference, or of a window after one pure shift from it."""
    size = 6 * n if kind == "prior" else n
    p = rng.beta(1.2, 2.4, size) if kind != "covariate" else rng.beta(1.8, 2.0, size)
    line = {"concept": (0.8, 0.8), "shape": (0.2, 0.4)}.get(kind, (0.2, 0.8))
    y = rng.random(size) < expit(line[0] + line[1] * logit(p))
    if kind == "prior":
        keep = np.flatnonzero(rng.random(size) < np.where(y, 1.0, 0.6))[:n]
        p, y = p[keep], y[keep]
    return summary.summarise(p, y, weights=rng.gamma(3.0, 1.0, n) if weighted else None, grid=grid)


def split(reference: summary.Summary, current: summary.Summary, *, replicates: int = 20) -> decompose.Decomposition:
    """The decomposition, which must be there."""
    found = decompose.decompose(reference, current, replicates=replicates, rng=np.random.default_rng(1))
    assert isinstance(found, decompose.Decomposition)
    return found


def values(parts: decompose.Parts) -> list[float]:
    """Prior, covariate, concept."""
    return [parts.prior.value, parts.covariate.value, parts.concept.value]


@settings(deadline=None, max_examples=8)
@given(
    seed=st.integers(0, 1000),
    kind=st.sampled_from(["none", "prior", "covariate", "concept", "shape"]),
    weighted=st.booleans(),
    grid=st.sampled_from(["dyadic", "distinct"]),
)
def test_parts_add_up(seed: int, kind: Kind, weighted: bool, grid: summary.Grid) -> None:
    """prior + covariate + concept is the observed change of base rate, of log loss and of the ICI."""
    rng = np.random.default_rng(seed)
    r = window(rng, 400, "none", weighted=weighted, grid=grid)
    c = window(rng, 300, kind, weighted=weighted, grid=grid)
    found = split(r, c)
    for parts in (found.base_rate, found.log_loss, found.calibration):
        assert sum(values(parts)) == pytest.approx(parts.total.value, abs=1e-12)
    change = distance.base_rate_change(r, c)
    assert isinstance(change, results.Estimate)
    assert found.base_rate.total.value == pytest.approx(change.value, abs=1e-12)
    loss = [float(each.total("loss")[0] / each.total("w")[0]) for each in (r, c)]
    assert found.log_loss.total.value == pytest.approx(loss[1] - loss[0], abs=1e-12)


@pytest.mark.parametrize(("kind", "index"), [("prior", 0), ("covariate", 1), ("concept", 2)])
def test_a_pure_shift_is_given_to_its_kind(kind: Kind, index: int) -> None:
    """With 100,000 rows one part takes the change of the base rate and of the ICI, up to noise of .01."""
    rng = np.random.default_rng(2)
    found = split(window(rng, 100_000, "none"), window(rng, 100_000, kind))
    for parts in (found.base_rate, found.calibration):
        others = [abs(value) for i, value in enumerate(values(parts)) if i != index]
        assert max(others) < 0.01
    assert abs(values(found.base_rate)[index]) > 0.08


def test_the_prior_shift_is_read_from_curve_and_mix() -> None:
    """Negatives kept with chance .6: both readings are log(1/.6), within .05, and so is their mean."""
    rng = np.random.default_rng(3)
    found = split(window(rng, 200_000, "none"), window(rng, 200_000, "prior"))
    for shift in (found.prior_shift, found.curve_shift, found.mix_shift):
        assert shift.value == pytest.approx(np.log(1 / 0.6), abs=0.05)


def test_a_change_of_shape_changes_the_curve_but_hardly_the_rate() -> None:
    """Another slope: the mean change of the curve is the true one, and it is called concept in the log loss."""
    rng = np.random.default_rng(4)
    found = split(window(rng, 100_000, "none"), window(rng, 100_000, "shape"))
    p = rng.beta(1.2, 2.4, 200_000)
    truth = np.abs(expit(0.2 + 0.4 * logit(p)) - expit(0.2 + 0.8 * logit(p))).mean()
    assert found.curve_change.value == pytest.approx(truth, abs=0.006)
    assert found.log_loss.concept.value > 0.8 * found.log_loss.total.value > 0.0


def test_a_window_and_itself() -> None:
    """Nothing changed: every number is 0 and both p-values are 1."""
    same = window(np.random.default_rng(5), 1_000, "none", grid="distinct")
    found = split(same, same)
    for parts in (found.base_rate, found.log_loss, found.calibration):
        assert values(parts) == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
    tested = decompose.curve_test(same, same)
    assert isinstance(tested, decompose.CurveTest)
    assert tested.p_value == pytest.approx(1.0, abs=1e-6)


def test_the_unit_of_weights_does_not_matter() -> None:
    """w -> c w in one window changes neither parts nor p-values."""
    rng = np.random.default_rng(6)
    p, y, w = rng.beta(1.2, 2.4, 800), rng.random(800) < 0.4, rng.gamma(3.0, 1.0, 800)
    r = window(rng, 800, "none", weighted=True)
    plain, scaled = (summary.summarise(p, y, weights=unit * w) for unit in (1.0, 40.0))
    first, second = split(r, plain), split(r, scaled)
    assert values(first.base_rate) == pytest.approx(values(second.base_rate), abs=1e-9)
    assert first.log_loss.concept.low == pytest.approx(second.log_loss.concept.low, abs=1e-9)
    tests = [decompose.curve_test(r, each) for each in (plain, scaled)]
    assert isinstance(tests[0], decompose.CurveTest)
    assert isinstance(tests[1], decompose.CurveTest)
    assert tests[0].p_value == pytest.approx(tests[1].p_value, rel=1e-6)


def test_likelihood_ratio_on_two_scores_is_that_of_two_tables() -> None:
    """With two distinct scores the curve is free: the statistic is G^2 of two 2 x 2 tables, on two degrees."""
    p = np.array([0.2, 0.7])
    positives, totals = np.array([[20, 66], [40, 60]]), np.array([[100, 100], [120, 90]])

    def likelihood(k: np.ndarray, n: np.ndarray) -> float:
        return float(np.sum(k * np.log(k / n) + (n - k) * np.log(1 - k / n)))

    g2 = 2 * (likelihood(positives, totals) - likelihood(positives.sum(0), totals.sum(0)))
    windows = [
        summary.summarise(np.repeat(p, n), np.concatenate([np.arange(m) < s for s, m in zip(k, n, strict=True)]))
        for k, n in zip(positives, totals, strict=True)
    ]
    found = decompose.curve_test(*windows)
    assert isinstance(found, decompose.CurveTest)
    assert found.statistic == pytest.approx(g2, abs=1e-6)
    assert found.degrees == 2
    assert found.p_value == pytest.approx(chi2.sf(g2, 2), abs=1e-9)


def test_uninformative_scores_support_no_prior_shift() -> None:
    """Two scores of one rate say nothing of the base rate: its change is all concept."""
    p = np.tile([0.3, 0.6], 500)
    r, c = (summary.summarise(p, np.arange(1000) // 2 % 10 < k) for k in (3, 5))
    assert values(split(r, c).base_rate) == pytest.approx([0.0, 0.0, 0.2], abs=1e-6)


def test_what_is_missing_is_said() -> None:
    """Few rows or one label in either window are Insufficient; too few replicates are an error."""
    rng = np.random.default_rng(7)
    good, few = window(rng, 300, "none"), window(rng, 10, "none")
    negatives = summary.summarise(np.linspace(0, 1, 100), np.zeros(100))
    for pair in ((good, few), (few, good), (negatives, good), (good, negatives), (summary.empty(), good)):
        assert isinstance(decompose.decompose(*pair, replicates=20, rng=rng), results.Insufficient)
        assert isinstance(decompose.curve_test(*pair), results.Insufficient)
    with pytest.raises(errors.UsageError, match="CAL-453"):
        decompose.decompose(good, good, replicates=5, rng=rng)


def test_level_of_the_curve_test() -> None:
    """Curve unchanged, 150 pairs of 800 rows, half of them with other scores: p-values below .05 in 1 to 10 %."""
    rng = np.random.default_rng(8)
    found = []
    for i in range(150):
        tested = decompose.curve_test(window(rng, 800, "none"), window(rng, 800, "covariate" if i % 2 else "none"))
        assert isinstance(tested, decompose.CurveTest)
        found.append([tested.p_value, tested.shape_p_value])
    rejected = (np.array(found) < 0.05).mean(0)
    assert ((rejected >= 0.01) & (rejected <= 0.10)).all()


@pytest.mark.theory
@pytest.mark.parametrize("kind", ["prior", "covariate", "concept"])
def test_coverage_of_the_parts(kind: Kind) -> None:
    """60 pairs of 5,000 rows: intervals of total and parts of the base rate hold the truth in at least 82 %."""
    rng = np.random.default_rng(9)
    names = ("total", "prior", "covariate", "concept")
    rates = [float(each.total("wy")[0] / 1e6) for each in (window(rng, 1_000_000, k) for k in ("none", kind))]
    truth = {name: rates[1] - rates[0] if name in ("total", kind) else 0.0 for name in names}
    hits = dict.fromkeys(names, 0)
    for _ in range(60):
        found = decompose.decompose(window(rng, 5_000, "none"), window(rng, 5_000, kind), replicates=60, rng=rng)
        assert isinstance(found, decompose.Decomposition)
        for name in names:
            part = getattr(found.base_rate, name)
            hits[name] += part.low - 1e-9 <= truth[name] <= part.high + 1e-9
    assert min(hits.values()) >= 0.82 * 60
