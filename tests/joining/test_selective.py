"""Label bias by score, and what inverse propensities put right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from calibrant.joining import reference, selective
from calibrant.stats import results
from calibrant.streams import declaration

RULE = declaration.LabelContract(timedelta(seconds=1))


def alarms(seeds: int, rows: int, chance: Any) -> int:
    """How many of so many windows are called biased."""
    count = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        scores = rng.beta(0.6, 2.0, rows).round(2 if seed % 2 else 12)
        found = selective.coverage_of(scores, rng.random(rows) < chance(scores))
        count += isinstance(found, selective.Coverage) and found.verdict == "biased"
    return count


@pytest.mark.parametrize("share", [0.03, 0.5, 0.95])
def test_false_alarms_are_at_most_one_in_a_hundred(share: float) -> None:
    """Windows of 5,000 rows with labels missing at random: within what 1 % allows over 600 windows (p = .999)."""
    assert alarms(600, 5_000, lambda scores: np.full(len(scores), share)) <= 14


@pytest.mark.theory
@pytest.mark.parametrize(("rows", "share"), [(300, 0.2), (1_000, 0.05), (5_000, 0.1), (5_000, 0.9)])
def test_false_alarms_by_simulation(rows: int, share: float) -> None:
    """6,000 windows each: at most 1 %, also in small windows and at the ends."""
    assert alarms(6_000, rows, lambda scores: np.full(len(scores), share)) <= 60


@pytest.mark.parametrize(
    "chance",
    [
        lambda scores: np.where(scores > np.quantile(scores, 0.9), 0.30, 0.95),
        lambda scores: np.where(scores > np.quantile(scores, 0.5), 0.95, 0.30),
        lambda scores: 0.95 - 0.65 * scores,
    ],
    ids=["blocked", "only the suspicious", "slope"],
)
def test_bias_is_flagged_within_5000_rows(chance: Any) -> None:
    """Coverage of 30 % here and 95 % there is found in every one of 50 windows."""
    assert alarms(50, 5_000, chance) == 50


def test_nothing_to_test_is_said() -> None:
    """Too few rows, all labelled, or none: insufficient, never even."""
    rng = np.random.default_rng(1)
    scores = rng.random(1_000)
    for some, labelled in ((scores[:50], np.ones(50, bool)), (scores, scores >= 0), (scores, scores < 0)):
        assert isinstance(selective.coverage_of(some, labelled), results.Insufficient)


def test_a_single_score_is_no_pattern() -> None:
    """Equal scores cannot be told apart."""
    found = selective.coverage_of(np.full(1_000, 0.3), np.arange(1_000) % 2 == 0)
    assert isinstance(found, results.Insufficient)


def feed(rows: int, seed: int) -> reference.Pairs:
    """Outcomes depend on what the score does not know; a reviewer who does labels the bad ones more often."""
    rng = np.random.default_rng(seed)
    hidden = rng.random(rows) < 0.5
    outcome = rng.random(rows) < np.where(hidden, 0.5, 0.1)
    chance = np.where(hidden, 0.9, 0.3)
    labelled = np.flatnonzero(rng.random(rows) < chance)
    names = np.array([f"p{number}" for number in range(rows)])
    predictions = pa.table({"id": names, "at_us": np.arange(rows), "score": np.full(rows, 0.3)})
    labels = pa.table(
        {
            "prediction": names[labelled], "at_us": labelled + 1, "value": outcome[labelled].astype(float),
            "propensity": chance[labelled],
        }
    )  # fmt: skip
    return reference.pairs(predictions, labels, rule=RULE, as_of_us=10**12)


def test_inverse_propensities_put_the_mean_right() -> None:
    """The score is right on average; the labelled alone say it is too low by .1, and the gap is shown."""
    found = selective.reweighted(feed(20_000, 3))
    assert isinstance(found.plain, results.Estimate)
    assert isinstance(found.weighted, results.Estimate)
    assert isinstance(found.gap, results.Estimate)
    assert found.plain.low is not None
    assert found.plain.low > 0.08
    assert found.weighted.low is not None
    assert found.weighted.high is not None
    assert found.weighted.low < 0.0 < found.weighted.high
    assert found.gap.high is not None
    assert found.gap.high < 0.0
    assert found.gap.value == pytest.approx(found.weighted.value - found.plain.value)


@pytest.mark.theory
def test_the_weighted_interval_covers() -> None:
    """500 streams: the truth, 0, is inside the 95 % interval in at least 93 %."""
    inside = 0
    for seed in range(500):
        weighted = selective.reweighted(feed(1_000, seed)).weighted
        assert isinstance(weighted, results.Estimate)
        assert weighted.low is not None
        assert weighted.high is not None
        inside += weighted.low <= 0.0 <= weighted.high
    assert inside >= 465


def test_coverage_of_a_join_looks_at_matured_predictions() -> None:
    """Immature ones have no label yet, which is no bias."""
    rows = 4_000
    rng = np.random.default_rng(5)
    scores = np.sort(rng.random(rows))
    names = [f"p{number}" for number in range(rows)]
    predictions = pa.table({"id": names, "at_us": np.arange(rows) * 1_000_000, "score": scores})
    some = np.flatnonzero((rng.random(rows) < 0.5) & (np.arange(rows) < 2_000))
    labels = pa.table(
        {"prediction": [names[one] for one in some], "at_us": some * 1_000_000, "value": np.ones(len(some))}
    )
    found = selective.coverage(reference.pairs(predictions, labels, rule=RULE, as_of_us=2_000 * 1_000_000))
    assert isinstance(found, selective.Coverage)
    assert sum(band.predictions for band in found.bands) in (2_000, 1_999, 2_001)
    assert found.verdict == "even"
