"""The choice between maps: what it promises, by simulation; quick here, at full size as theory."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from calibrant import errors
from calibrant.calibrators import identity, scales
from calibrant.fitting import selection
from calibrant.stats import results, summary

Rows = tuple[np.ndarray, np.ndarray]


def draw(name: str, n: int, rng: np.random.Generator) -> Rows:
    """Scores and labels of a world: calibrated, overconfident, shifted, ..."""
    mean, spread, truth = WORLDS[name]
    x = rng.normal(mean, spread, n)
    return scales.expit(x), rng.random(n) < scales.expit(truth(x))


WORLDS: dict[str, tuple[float, float, Callable[[np.ndarray], np.ndarray]]] = {
    "calibrated": (0.0, 1.5, lambda x: x),
    "calibrated and rare": (-2.5, 1.2, lambda x: x),
    "overconfident": (0.0, 2.5, lambda x: x / 2),
    "underconfident": (0.0, 0.7, lambda x: 2 * x),
    "slightly off": (0.0, 1.5, lambda x: 0.85 * x),
    "shifted": (-1.0, 1.2, lambda x: x + 0.5),
    "bent": (0.0, 1.5, lambda x: x + 0.25 * x * x - 0.3),
}


def log_loss(q: np.ndarray, y: np.ndarray) -> float:
    return float(-np.mean(np.where(y, np.log(q), np.log1p(-q))))


def small_sample_record(world: str, n: int, seeds: int) -> tuple[Counter[str], int]:
    """Methods chosen, and how often the choice is worse than raw on 20,000 fresh rows."""
    methods: Counter[str] = Counter()
    worse = 0
    for seed in range(seeds):
        rng = np.random.default_rng([seed, n])
        found = selection.select(*draw(world, n, rng), seed=seed)
        methods[found.method] += 1
        p, y = draw(world, 20_000, rng)
        q = found.calibrator.apply(p)
        assert np.isfinite(log_loss(q, y))
        worse += log_loss(q, y) > log_loss(p, y)
    return methods, worse


@pytest.mark.parametrize("world", ["calibrated", "overconfident", "shifted"])
@pytest.mark.parametrize("n", [50, 100])
def test_few_rows(world: str, n: int) -> None:
    """40 seeds: identity or Platt, hardly ever worse than raw, no infinite log loss."""
    methods, worse = small_sample_record(world, n, 40)
    assert methods["identity"] + methods["platt"] == 40
    assert worse <= 4


@pytest.mark.theory
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("n", [50, 75, 100])
def test_few_rows_at_full_size(world: str, n: int) -> None:
    """200 seeds: identity or Platt in at least 95 %, worse than raw on fresh rows in at most 5 %."""
    methods, worse = small_sample_record(world, n, 200)
    assert methods["identity"] + methods["platt"] >= 190
    assert worse <= 10


def claims(world: str, n: int, seeds: int, *, permute: bool) -> int:
    """How often a gain is claimed although there is none to be had by calibration."""
    claimed = 0
    for seed in range(seeds):
        rng = np.random.default_rng([seed, n, 7])
        p, y = draw(world, n, rng)
        y = rng.permutation(y) if permute else rng.random(n) < p
        found = selection.select(p, y, seed=seed)
        gained = isinstance(found.gain, results.Estimate) and found.gain.low is not None and found.gain.low > 0
        assert gained == (found.method != "identity")
        claimed += gained
    return claimed


@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize("permute", [True, False])
def test_nothing_to_gain(n: int, permute: bool) -> None:
    """Permuted labels, or labels drawn from the scores: no gain is claimed (40 seeds)."""
    assert claims("overconfident", n, 40, permute=permute) <= 4


@pytest.mark.theory
@pytest.mark.parametrize("n", [100, 400, 2000, 8000])
@pytest.mark.parametrize("permute", [True, False])
def test_nothing_to_gain_at_full_size(n: int, permute: bool) -> None:
    """200 seeds (40 at 8,000 rows, where all methods compete): claims in at most 5 %."""
    seeds = 40 if n == 8000 else 200
    assert claims("overconfident", n, seeds, permute=permute) <= 0.05 * seeds


def test_permuted_labels_are_named() -> None:
    """The reason says that scores do not rank; the constant that would lower the log loss is not sold as a gain."""
    rng = np.random.default_rng(0)
    p, y = draw("calibrated", 3000, rng)
    found = selection.select(p, rng.permutation(y))
    assert isinstance(found.calibrator, identity.Identity)
    assert isinstance(found.gain, results.Insufficient)
    assert "do not rank" in found.reason


def test_anti_ranking_is_named() -> None:
    """Labels the wrong way round are reported, not repaired."""
    p, y = draw("calibrated", 3000, np.random.default_rng(1))
    found = selection.select(p, ~y)
    assert found.method == "identity"
    assert "wrong way round" in found.reason


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        ("calibrated", {"identity"}),
        ("overconfident", {"temperature"}),
        ("shifted", {"intercept"}),
        ("bent", {"beta", "quadratic_logit"}),
    ],
)
def test_the_simplest_sufficient_map_is_chosen(world: str, expected: set[str]) -> None:
    """4,000 rows of a known world."""
    found = selection.select(*draw(world, 4000, np.random.default_rng(2)))
    assert found.method in expected
    assert found.calibrator.kind == found.method


def test_flexible_truths_get_flexible_maps() -> None:
    """A shape that no two- or three-parameter family has, with enough rows."""
    rng = np.random.default_rng(3)
    x = rng.normal(0, 2, 60_000)
    y = rng.random(60_000) < scales.expit(2.5 * np.tanh(x) + 0.8 * np.sin(2 * x))
    found = selection.select(scales.expit(x), y)
    assert found.method in {"monotone_spline", "centered_isotonic", "isotonic", "venn_abers"}
    assert [c.method for c in found.candidates] == ["identity", *(m for m in selection.METHODS if m in names(found))]


def names(found: selection.Selection) -> set[str]:
    return {candidate.method for candidate in found.candidates}


@pytest.mark.parametrize(
    ("n", "positives", "expected"),
    [
        (100, 50, {"platt"}),
        (300, 150, {"intercept", "temperature", "platt"}),
        (3000, 1500, {"intercept", "temperature", "platt", "beta", "quadratic_logit"}),
        (9000, 4500, set(selection.METHODS)),
        (9000, 12, {"platt"}),
    ],
)
def test_candidates_by_informative_rows(n: int, positives: int, expected: set[str]) -> None:
    """Twelve positives do not become many because there are nine thousand rows."""
    labels = np.zeros(n)
    labels[:positives] = 1
    data = summary.summarise(np.linspace(0.01, 0.99, n), labels)
    assert set(selection.candidates_for(selection.informative_rows(data))) == expected


def test_the_gain_is_about_what_fresh_rows_show() -> None:
    """The stated interval (each end at 97.5 %, shared) covers the gain on fresh rows, but for chance."""
    inside = 0
    for seed in range(20):
        rng = np.random.default_rng([seed, 11])
        found = selection.select(*draw("overconfident", 1500, rng), seed=seed)
        p, y = draw("overconfident", 100_000, rng)
        gain = log_loss(p, y) - log_loss(found.calibrator.apply(p), y)
        assert isinstance(found.gain, results.Estimate)
        assert found.gain.low is not None
        assert found.gain.high is not None
        inside += found.gain.low <= gain <= found.gain.high
    assert inside >= 18


def test_weights_in_another_unit_change_nothing() -> None:
    """w -> c w."""
    p, y = draw("overconfident", 1000, np.random.default_rng(4))
    w = np.random.default_rng(5).gamma(2.0, size=1000)
    one, other = (selection.select(p, y, weights=c * w) for c in (1.0, 1e4))
    assert one.method == other.method == "temperature"
    assert isinstance(one.gain, results.Estimate)
    assert isinstance(other.gain, results.Estimate)
    assert one.gain.low == pytest.approx(other.gain.low)


def test_rows_of_weight_zero_are_not_there() -> None:
    """Adding them changes neither rows nor the choice."""
    p, y = draw("overconfident", 1000, np.random.default_rng(6))
    w = np.append(np.ones(1000), np.zeros(5))
    found = selection.select(np.append(p, np.full(5, 0.5)), np.append(y, np.ones(5)), weights=w)
    assert found.rows == pytest.approx(1000)
    assert found.method == "temperature"


def test_scale_and_seed() -> None:
    """Raw logits give the same map as their probabilities; one seed gives one answer."""
    p, y = draw("overconfident", 1000, np.random.default_rng(7))
    raw = scales.logit(p)
    found = selection.select(raw, y, scale=scales.Scale("logit"), seed=3)
    same = selection.select(p, y, seed=3)
    assert found.calibrator.scale == scales.Scale("logit")
    np.testing.assert_allclose(found.calibrator.apply(raw), same.calibrator.apply(p), atol=1e-9)


def test_groups_make_it_careful() -> None:
    """Ten units of 200 rows whose rates differ: by rows a shift looks proved, by groups it is not."""
    careless = careful = 0
    select = functools.partial(selection.select, methods=["intercept"])
    for seed in range(20):
        rng = np.random.default_rng([seed, 13])
        unit = np.repeat(np.arange(10), 200)
        x = rng.normal(0, 1, 2000)
        y = rng.random(2000) < scales.expit(x + rng.normal(0, 1.2, 10)[unit])
        careless += select(scales.expit(x), y, seed=seed).method != "identity"
        careful += select(scales.expit(x), y, groups=unit, seed=seed).method != "identity"
    assert careful <= 2
    assert careless >= 6


def test_in_time_only_later_rows_judge() -> None:
    """A shift that has turned round by the later rows cannot be proved on them."""
    rng = np.random.default_rng(8)
    x = rng.normal(-1, 1, 3000)
    when = np.arange(3000)
    y = rng.random(3000) < scales.expit(x + np.where(when < 1000, 0.8, -0.8))
    found = selection.select(scales.expit(x), y, times=when, methods=["intercept"])
    assert found.scheme == "time"
    constant = rng.random(3000) < scales.expit(x + 0.8)
    stable = selection.select(scales.expit(x), constant, times=when, methods=["intercept"])
    assert stable.method == "intercept"
    assert "later rows" in stable.reason
    assert isinstance(found.candidates[1].gain, results.Estimate)
    assert found.candidates[1].gain.value < stable.candidates[1].gain.value


def test_summaries_of_folds_are_enough() -> None:
    """``select_from`` on dyadic summaries of folds finds what rows find."""
    p, y = draw("overconfident", 50_000, np.random.default_rng(9))
    parts = list(summary.summarise(p, y, groups=np.arange(50_000) % 5).groups())
    assert selection.select_from(parts).method == selection.select(p, y).method == "temperature"


def test_what_cannot_be_judged_stays_raw() -> None:
    """Five rows, one class, one fold: identity with Insufficient and a reason, not an error and not a zero."""
    five = selection.select([0.1, 0.4, 0.5, 0.7, 0.9], [0, 0, 1, 0, 1])
    one_class = selection.select(np.linspace(0.1, 0.9, 100), np.zeros(100))
    constant = selection.select(np.full(100, 0.3), np.arange(100) % 2)
    lone = selection.select_from([summary.summarise(*draw("calibrated", 500, np.random.default_rng(10)))])
    for found in (five, one_class, constant, lone):
        assert found.method == "identity"
        assert isinstance(found.gain, results.Insufficient)
        assert found.reason


def test_refusals_are_data() -> None:
    """A parabola that would fall is listed with code and cause."""
    rng = np.random.default_rng(12)
    x = rng.normal(0, 1.5, 4000)
    y = rng.random(4000) < scales.expit(1.5 * np.tanh(1.5 * x) - 0.5 * (x < -2.5) * (x + 2.5))
    found = selection.select(scales.expit(x), y, methods=["platt", "quadratic_logit"])
    assert {refusal.code for refusal in found.refusals} <= {"CAL-506"}
    assert {c.method for c in found.candidates} | {r.method for r in found.refusals} == {
        "identity",
        "platt",
        "quadratic_logit",
    }
    json.dumps(found.to_dict(), allow_nan=False)


def test_unknown_methods_are_named() -> None:
    """A typing mistake is wrong use."""
    p, y = draw("calibrated", 500, np.random.default_rng(13))
    with pytest.raises(errors.UsageError, match="CAL-462"):
        selection.select(p, y, methods=["plat"])
