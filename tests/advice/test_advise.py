"""Advice: a pure function of facts, policy and memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from calibrant.advice import advise, candidates, effects, hysteresis, memory
from calibrant.calibrators import identity, logistic
from calibrant.stats import cohorts as stacked
from calibrant.stats import results
from calibrant.stats import summary as summaries
from calibrant.streams import policies

DAY_US = 86_400_000_000
NOW = 100 * DAY_US
POLICY = policies.AdvicePolicy(max_shift=0.5)
ENOUGH = advise.Labels(pairs=5_000, coverage=0.9, one_sided=False, least=500, least_coverage=0.5)
ACTING = memory.Memory(hysteresis.Gate(acting=True, turned_us=0))
PRESENT = effects.Rule(identity.Identity())


def pairs(shift: float = 0.8, n: int = 4_000) -> stacked.Cohorts:
    """Scores that say too much by ``shift`` in log-odds."""
    rng = np.random.default_rng(5)
    truth = rng.normal(-0.5, 1.2, n)
    labels = rng.random(n) < 1.0 / (1.0 + np.exp(-truth))
    scores = 1.0 / (1.0 + np.exp(-(truth + shift)))
    return stacked.Cohorts(("model",), (("m",),), summaries.summarise(scores, labels, grid="distinct"))


def estimate(value: float, reach: float = 0.001) -> results.Estimate:
    return results.Estimate(value, value - reach, value + reach, 0.9, "wald")


def candidate(policy: policies.AdvicePolicy = POLICY, shift: float = 0.8) -> candidates.Candidate:
    found = candidates.prepare(
        PRESENT, effects.Rule(logistic.Intercept(-shift)), judged=pairs(shift), policy=policy
    )  # fmt: skip
    assert found is not None
    return found


def facts(**changed: object) -> advise.Facts:
    return replace(
        advise.Facts(estimate(0.1), miscalibrated=True, labels=ENOUGH, champion="now", candidate=candidate()),
        **changed,  # type: ignore[arg-type]
    )


def advice(found: advise.Facts, policy: policies.AdvicePolicy = POLICY, before: memory.Memory = ACTING) -> object:
    return advise.advise(found, policy, before, now_us=NOW)[0]


def test_a_map_that_gains_is_recommended_with_its_effect() -> None:
    """The gain is material, nothing holds it, and the numbers are those of held-out pairs."""
    found, _ = advise.advise(facts(), POLICY, ACTING, now_us=NOW)
    assert (found.action, found.ready, found.digest) == ("new_artifact", True, candidate().digest)
    assert found.effect is not None
    gain = found.effect.gain
    assert isinstance(gain, results.Estimate)
    assert gain.low is not None
    assert 0.0 < gain.low < gain.value < 0.2
    assert found.shift == pytest.approx(0.197, abs=0.005)


def test_nothing_is_done_before_enough_readings() -> None:
    """Three readings in a row, then it acts; each is remembered."""
    kept, actions = memory.Memory(), []
    for day in range(4):
        found, kept = advise.advise(facts(), POLICY, kept, now_us=NOW + day * DAY_US)
        actions.append(found.action)
    assert actions == ["none", "none", "new_artifact", "new_artifact"]


def test_going_back_comes_first_and_is_held_by_nothing() -> None:
    """During a freeze, in a cooldown, latched, without labels: what hurts is taken back."""
    policy = policies.AdvicePolicy(freezes=("1970-01-01/2970-01-01",))
    latched = memory.Memory(changed_us=NOW).taken_back("a", NOW).taken_back("b", NOW)
    found, _ = advise.advise(
        facts(undo=estimate(0.02), labels=replace(ENOUGH, pairs=0)), policy, latched, now_us=NOW
    )  # fmt: skip
    assert (found.action, found.ready, found.digest) == ("roll_back", True, "now")


def test_what_might_not_hurt_is_not_taken_back() -> None:
    """An interval that holds zero is no proof; nor is having nothing to go back to."""
    generous = replace(POLICY, least_gain=-0.5)
    for undo in (estimate(0.02, reach=0.03), estimate(-0.1), results.Insufficient(3, 50), None):
        found, _ = advise.advise(facts(undo=undo), generous, ACTING, now_us=NOW)
        assert found.action != "roll_back"


@pytest.mark.parametrize(
    "labels",
    [replace(ENOUGH, one_sided=True), replace(ENOUGH, coverage=0.3), replace(ENOUGH, pairs=20)],
    ids=["one-sided", "too few have one", "too few"],
)
def test_without_labels_that_stand_for_all_labels_are_asked_for(labels: advise.Labels) -> None:
    """Whatever a candidate promises on them."""
    found, _ = advise.advise(facts(labels=labels), POLICY, ACTING, now_us=NOW)
    assert found.action == "collect_labels"
    assert not found.ready


def test_no_data_begins_nothing_and_one_sided_labels_are_no_data() -> None:
    """The gate keeps its state without a reading."""
    quiet = memory.Memory()
    for found in (facts(departure=results.Insufficient(3, 50)), facts(labels=replace(ENOUGH, one_sided=True))):
        kept = quiet
        for day in range(5):
            said, kept = advise.advise(found, POLICY, kept, now_us=NOW + day * DAY_US)
            assert said.action in ("none", "collect_labels")
        assert kept.gate == hysteresis.QUIET


def test_each_obstacle_holds_and_says_until_when() -> None:
    """Cooldown, freeze, latch, bar, and too many cohorts at once: told, and not done."""
    policy = policies.AdvicePolicy(max_shift=0.5, freezes=("1970-04-01/1970-04-30",), blast_radius=0.5)
    digest = candidate().digest
    before = replace(ACTING, changed_us=NOW - DAY_US // 2)
    before = before.taken_back(digest, NOW - 2).taken_back("other", NOW - 1)
    found, _ = advise.advise(facts(), policy, before, now_us=NOW)
    assert found.action == "new_artifact"
    assert not found.ready
    holds = {one.obstacle: one.until_us for one in found.holds}
    assert holds == {
        "latched": None,
        "cooldown": NOW - 1 + DAY_US,
        "freeze": 120 * DAY_US,
        "barred": NOW - 2 + DAY_US,
        "blast_radius": None,
    }


def test_an_effect_that_could_be_nothing_is_not_material() -> None:
    """The same map on scores that are right, and a policy that asks for more than there is."""
    right = candidates.prepare(PRESENT, effects.Rule(logistic.Intercept(0.02)), judged=pairs(0.0), policy=POLICY)
    found, _ = advise.advise(facts(candidate=right), POLICY, ACTING, now_us=NOW)
    assert [one.obstacle for one in found.holds] == ["no_material_effect"]
    greedy = replace(POLICY, least_gain=0.5)
    found, _ = advise.advise(facts(), greedy, ACTING, now_us=NOW)
    assert [one.obstacle for one in found.holds] == ["no_material_effect"]


def test_a_limit_shrinks_the_change_and_a_limit_too_fine_forbids_it() -> None:
    """At most max_shift; damping is told where no part of the way is left."""
    limited = replace(POLICY, max_shift=0.05)
    found = candidate(limited)
    assert found.shift <= 0.05
    assert 0.2 < found.share < 0.3
    said, _ = advise.advise(facts(candidate=None, undamped=True), POLICY, ACTING, now_us=NOW)
    assert [one.obstacle for one in said.holds] == ["damping"]


def test_a_model_that_tells_less_is_to_be_retrained() -> None:
    """A map that gains is rolled out all the same, and the model is named besides."""
    lost = estimate(0.08)
    with_map, _ = advise.advise(facts(ranking_lost=lost), POLICY, ACTING, now_us=NOW)
    assert (with_map.action, with_map.also) == ("new_artifact", ("retrain",))
    without, _ = advise.advise(facts(ranking_lost=lost, candidate=None), POLICY, ACTING, now_us=NOW)
    assert without.action == "retrain"
    no_map, _ = advise.advise(facts(candidate=None), POLICY, ACTING, now_us=NOW)
    assert no_map.action == "retrain"


def test_a_threshold_moves_alone_when_its_cost_falls_or_its_aim_is_missed() -> None:
    """The map stays; the step is limited; the decisions that flip are counted."""
    costly = policies.AdvicePolicy(cost_fp=1.0, cost_fn=9.0)
    moved = candidates.prepare(
        effects.Rule(identity.Identity(), 0.5), effects.Rule(identity.Identity(), 0.1), judged=pairs(0.0), policy=costly
    )
    found, _ = advise.advise(facts(candidate=moved), costly, ACTING, now_us=NOW)
    assert (found.action, found.ready) == ("new_threshold", True)
    assert moved is not None
    assert moved.rule.threshold == pytest.approx(0.4)
    assert found.effect is not None
    assert found.effect.flips == found.effect.starts
    assert found.effect.flips is not None
    assert 0 < found.effect.flips < 4_000
    precise = policies.AdvicePolicy(precision=0.8, max_threshold_step=0.5)
    moved = candidates.prepare(
        effects.Rule(identity.Identity(), 0.5),
        effects.Rule(identity.Identity(), 0.8),
        judged=pairs(0.0),
        policy=precise,
    )
    found, _ = advise.advise(facts(candidate=moved), precise, ACTING, now_us=NOW)
    assert found.ready
    assert "the precision of 0.8 that is missed" in found.reasons[0]


def test_the_same_facts_give_the_same_advice_and_it_is_json() -> None:
    """Nothing depends on anything but the arguments."""
    first, second = (advise.advise(facts(), POLICY, ACTING, now_us=NOW) for _ in range(2))
    assert first[0].to_dict() == second[0].to_dict()
    assert first[1] == second[1]
    assert first[0].to_dict()["schema"] == "calibrant.advice/1"


def test_a_month_at_the_threshold_changes_at_most_daily_and_ends_latched() -> None:
    """Each change is taken back half a day later: after two of them nothing is ready until a person acts."""
    rng, known = np.random.default_rng(1), facts()
    kept, ready, last = memory.Memory(), 0, -2 * DAY_US
    for step in range(30 * 24):
        now_us = NOW + step * DAY_US // 24
        departure = estimate(float(POLICY.enter + 0.05 * rng.random()))
        found, kept = advise.advise(replace(known, departure=departure), POLICY, kept, now_us=now_us)
        if found.ready:
            assert now_us - last >= DAY_US
            last, ready = now_us, ready + 1
            kept = kept.changed(now_us).taken_back(f"digest-{ready}", now_us + 1)
    assert ready == 2
    assert kept.latched
    assert timedelta(days=1) == POLICY.cooldown
