"""What a change would do, on pairs it was not fitted to."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from calibrant import errors
from calibrant.advice import effects
from calibrant.calibrators import by_cohort, identity, logistic
from calibrant.decisions import costs
from calibrant.stats import cohorts as stacked
from calibrant.stats import results
from calibrant.stats import summary as summaries

RNG = np.random.default_rng(3)
SCORES = RNG.random(2_000).round(3)
LABELS = (RNG.random(2_000) < SCORES**1.5).astype(float)
COUNTRY = RNG.integers(0, 2, 2_000)


def pairs() -> stacked.Cohorts:
    rows = summaries.summarise(SCORES, LABELS, groups=COUNTRY, group_count=2, grid="distinct")
    return stacked.Cohorts(("model", "country"), (("m", "de"), ("m", "fr")), rows)


def test_gains_are_differences_of_the_losses_that_scikit_learn_computes() -> None:
    """Log loss and Brier score of rows, before less after; the interval holds the difference."""
    map_ = logistic.Platt(1.2, -0.3)
    found = effects.effect(pairs(), effects.Rule(identity.Identity()), effects.Rule(map_))
    clipped = np.clip(SCORES, 1e-15, 1 - 1e-15)
    expected = metrics.log_loss(LABELS, clipped) - metrics.log_loss(LABELS, map_.apply(SCORES))
    brier = metrics.brier_score_loss(LABELS, SCORES) - metrics.brier_score_loss(LABELS, map_.apply(SCORES))
    assert isinstance(found.gain, results.Estimate)
    assert isinstance(found.brier_gain, results.Estimate)
    assert found.gain.value == pytest.approx(expected, abs=1e-9)
    assert found.brier_gain.value == pytest.approx(brier, abs=1e-12)
    assert (found.rows, found.flips) == (2_000, None)


def test_flips_and_costs_are_those_of_counting_rows() -> None:
    """Every row whose decision changes, and what both decisions cost."""
    map_, prices = logistic.Platt(1.0, -1.0), costs.Costs(1.0, 5.0, 0.2)
    found = effects.effect(
        pairs(), effects.Rule(identity.Identity(), 0.5), effects.Rule(map_, 0.2), costs=prices
    )  # fmt: skip
    acts, will = SCORES >= 0.5, map_.apply(SCORES) >= 0.2

    def cost(decision: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
        return float(np.where(decision, 0.2 + (1 - LABELS) * 1.0, LABELS * 5.0).mean())

    assert (found.flips, found.starts) == (int((acts != will).sum()), int((~acts & will).sum()))
    assert isinstance(found.cost_gain, results.Estimate)
    assert found.cost_gain.value == pytest.approx(cost(acts) - cost(will), abs=1e-12)


def test_a_map_by_cohort_answers_each_cohort() -> None:
    """As applied to rows; the fields may be some of those that the pairs are by."""
    member = (("fr",), logistic.Platt(1.0, 1.0))
    map_ = by_cohort.ByCohort(("country",), logistic.Platt(1.0, 0.0), (member,))
    names = np.where(COUNTRY == 1, "fr", "de")
    found = effects.effect(pairs(), effects.Rule(identity.Identity()), effects.Rule(map_))
    expected = metrics.brier_score_loss(LABELS, SCORES) - metrics.brier_score_loss(LABELS, map_.apply(SCORES, [names]))
    assert isinstance(found.brier_gain, results.Estimate)
    assert found.brier_gain.value == pytest.approx(expected, abs=1e-12)
    strange = by_cohort.ByCohort(("device",), logistic.Platt(1.0, 0.0), ())
    with pytest.raises(errors.UsageError, match="CAL-466"):
        effects.answers(strange, pairs())


def test_few_rows_show_nothing() -> None:
    """Insufficient, never a number that looks like one."""
    rows = summaries.summarise(SCORES[:20], LABELS[:20], grid="distinct")
    few = stacked.Cohorts(("model",), (("m",),), rows)
    found = effects.effect(few, effects.Rule(identity.Identity(), 0.5), effects.Rule(logistic.Platt(2.0, 0.0), 0.4))
    assert found.gain == results.Insufficient(20, effects.FEWEST)
    assert not effects.excludes_less_than(found.gain, -1.0)
    assert found.to_dict()["gain"] == {"insufficient": "rows", "have": 20, "need": 50}
