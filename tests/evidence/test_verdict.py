"""The rule that decides: levels, power, and what is said when data are missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.calibrators.scales import expit, logit
from calibrant.evidence import verdict
from calibrant.stats import summary


def stack(n: int, groups: int, truth, seed: int = 0) -> summary.Summary:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 3, n * groups)
    y = rng.random(n * groups) < truth(p)
    return summary.summarise(p, y, groups=np.repeat(np.arange(groups), n), group_count=groups)


def outcomes(data: summary.Summary, **options) -> list[str]:
    return [found.outcome for found in verdict.judge(data, **options)]


@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_calibrated_scores_are_rarely_called_miscalibrated(n):
    """Each file judged alone: at most 1 in 100 here, the level being 1 in 20 at the edge of the tolerance."""
    data = stack(n, 300 if n < 10_000 else 60, lambda p: p)
    alone = [verdict.judge(group)[0].outcome for group in data.groups()]
    assert alone.count("miscalibrated") <= 0.01 * len(alone) + 1


def test_at_the_edge_of_the_tolerance_the_level_is_kept():
    """A model off by exactly the tolerance everywhere is called miscalibrated in about 1 of 20 files or fewer."""
    data = stack(2000, 400, lambda p: np.minimum(p + 0.02, 1.0))
    p_values = np.array([verdict.judge(group)[0].p_value for group in data.groups()])
    assert (p_values < 0.05).mean() <= 0.075


def test_enough_calibrated_rows_are_called_calibrated():
    """Ten thousand calibrated rows nearly always earn the verdict; two hundred never do."""
    many = outcomes(stack(10_000, 60, lambda p: p))
    assert many.count("calibrated") >= 57
    assert set(outcomes(stack(200, 100, lambda p: p))) <= {"insufficient", "miscalibrated"}


@pytest.mark.parametrize(
    ("truth", "n"),
    [
        (lambda p: expit(0.5 + logit(p)), 2000),
        (lambda p: expit(0.6 * logit(p) - 0.5), 4000),
        (lambda p: np.clip(p + 0.1 * np.sin(8 * p), 0, 1), 6000),
    ],
)
def test_a_distortion_is_found_and_explained(truth, n):
    """Shift, slope and a wave: found in nearly every file, with reasons."""
    found = verdict.judge(stack(n, 50, truth))
    assert sum(one.outcome == "miscalibrated" for one in found) >= 48
    assert all(len(one.reasons) >= 2 for one in found if one.outcome == "miscalibrated")


def test_a_thousand_healthy_cohorts_raise_few_alarms():
    """Benjamini-Hochberg over cohorts: a healthy family has hardly ever a finding."""
    families = [outcomes(stack(300, 1000, lambda p: p, seed)) for seed in range(5)]
    assert sum("miscalibrated" in family for family in families) <= 1


def test_few_rows_are_insufficient():
    """Five rows decide nothing, whatever they look like."""
    found = verdict.judge(summary.summarise([0.9, 0.9, 0.8, 0.95, 0.9], [0, 0, 0, 0, 0]))[0]
    assert found.outcome == "insufficient"
    assert "at least 50" in found.reasons[0]


def test_a_tolerance_wider_than_the_base_rate_decides_nothing():
    """Where always saying 0 would pass, 'calibrated' would be an empty word."""
    rng = np.random.default_rng(1)
    p = rng.beta(1, 999, 100_000)
    rare = summary.summarise(p, rng.random(100_000) < p)
    assert outcomes(rare) == ["insufficient"]
    assert "smaller tolerance" in verdict.judge(rare)[0].reasons[0]
    assert outcomes(rare, tolerance=0.0008) == ["calibrated"]


def test_one_class_can_still_be_miscalibrated():
    """Ten thousand scores of .3 and never a positive: no line can be fitted, ECCE finds it all the same."""
    found = verdict.judge(summary.summarise(np.full(10_000, 0.3), np.zeros(10_000, int)))[0]
    assert found.outcome == "miscalibrated"
    assert any("too high" in reason for reason in found.reasons)


def test_the_missing_number_of_rows_is_about_right():
    """A file of the size asked for is mostly decided."""
    reason = verdict.judge(stack(500, 1, lambda p: p))[0].reasons[0]
    need = int(reason.split("about ")[1].split(" rows")[0].replace(",", ""))
    assert outcomes(stack(2 * need, 40, lambda p: p, 3)).count("calibrated") >= 36


@settings(max_examples=25)
@given(st.floats(0.01, 1000.0), st.integers(0, 10_000))
def test_the_unit_of_weights_does_not_matter(factor, seed):
    """w -> c w changes no verdict and no p-value."""
    rng = np.random.default_rng(seed)
    p = rng.random(400)
    y, w = rng.random(400) < p**1.5, rng.random(400) + 0.2
    one, other = (verdict.judge(summary.summarise(p, y, weights=w * c))[0] for c in (1.0, factor))
    assert one.outcome == other.outcome
    assert one.p_value == pytest.approx(other.p_value, rel=1e-6, abs=1e-12)
