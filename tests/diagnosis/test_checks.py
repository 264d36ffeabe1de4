"""Each check that data can decide finds its cause when that is injected, and finds nothing in a healthy stream."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from calibrant.calibrators import scales
from calibrant.diagnosis import catalogue, facts
from calibrant.evidence import assess
from calibrant.joining import joined
from calibrant.stats import cohorts as stacked
from calibrant.stats import results
from calibrant.stats import summary as summaries
from calibrant.streams import declaration, policies
from calibrant.testing import drift as injecting
from calibrant.testing.healthy import DAY_US, NOW_US, STREAM, WINDOW_US, champion, history, step

Gather = Callable[..., Any]
RNG = np.random.default_rng(7)
RECENT = injecting.Where(start_us=WINDOW_US)


def codes(found: facts.Facts) -> set[str]:
    return {one.check.code for one in catalogue.look(found).findings}


def with_policy(**changed: Any) -> declaration.Stream:
    """The stream with other policies: ``advice={...}``, ``watch={...}``."""
    known = {
        name: dataclasses.replace(getattr(STREAM.policies, name), **values) for name, values in changed.items()
    }  # fmt: skip
    return dataclasses.replace(STREAM, policies=dataclasses.replace(STREAM.policies, **known))


def evidence_of(scores: Any, labels: Any, groups: Any = None) -> facts.Evidence:
    """Evidence of made-up pairs."""
    count = None if groups is None else int(groups.max()) + 1
    rows = summaries.summarise(scores, labels, groups=groups, group_count=count, grid="distinct")
    whole = rows
    cohorts = None
    if groups is not None:
        cohorts = stacked.Cohorts(("carrier",), tuple((f"{one:04}",) for one in range(int(groups.max()) + 1)), rows)
        whole = cohorts.pooled()
    served = assess.assess(whole, cohorts, tolerance=STREAM.policies.watch.tolerance, resamples=20)
    return facts.Evidence(served, float(np.min(scores)), float(np.max(scores)))


def estimate(value: float, reach: float = 0.005) -> results.Estimate:
    return results.Estimate(value, value - reach, value + reach, 0.95, "wald")


# ---------------------------------------------------------------- injected into events

Inject = Callable[[injecting.Feed], injecting.Feed]


def second_opinion(feed: injecting.Feed) -> injecting.Feed:
    """Every third prediction is labelled by a second source, which says the opposite in every fifth case."""
    from calibrant.events import batch
    from calibrant.events.label import Label
    from calibrant.testing import made_up

    rows = feed.labels.slice(0, feed.labels.num_rows).to_pylist()[::3]
    start = made_up.START_US
    more = [
        Label(
            one["prediction"],
            1.0 - one["value"] if place % 5 == 0 else one["value"],
            made_up.at((one["at_us"] - start) / DAY_US),
            source="b",
        )
        for place, one in enumerate(rows)
    ]
    return dataclasses.replace(feed, labels=pa.concat_tables([feed.labels, batch.LabelBatch.of(more).table]))


def lag(days: float) -> Inject:
    fixed = injecting.Lag(days)
    return lambda feed: injecting.labels_lagging(feed, positive=fixed, negative=fixed, rng=RNG)


EVENTS: dict[str, tuple[Inject, dict[str, Any]]] = {
    "CHK-101": (lag(3.0), {}),
    "CHK-102": (lambda feed: injecting.labels_dropped(feed, 0.7, rng=RNG), {}),
    "CHK-103": (
        lambda feed: injecting.labels_dropped(feed, rng=RNG, where=injecting.Where(WINDOW_US + 2 * DAY_US)), {}
    ),
    "CHK-104": (lambda feed: injecting.labels_biased(feed, edges=[0.5], coverage=[0.3, 0.95], rng=RNG), {}),
    "CHK-105": (second_opinion, {}),
    "CHK-106": (lag(-0.25), {}),
    "CHK-108": (lambda feed: injecting.telemetry_lost(feed, 0.2, rng=RNG), {}),
    "CHK-206": (lambda feed: feed, {"refused": 200}),
    "CHK-303": (lambda feed: injecting.cohorts_renamed(feed, "carrier", {"AA": " aa"}, share=0.3, rng=RNG), {}),
    "CHK-304": (
        lambda feed: feed, {"stream": dataclasses.replace(STREAM, cohorts=(declaration.CohortField("carrier", 2),))}
    ),
    "CHK-305": (lambda feed: injecting.cohorts_renamed(feed, "carrier", {"AA": ""}, share=0.5, rng=RNG), {}),
    "CHK-407": (
        lambda feed: injecting.telemetry_lost(feed, rng=RNG, where=injecting.Where(start_us=NOW_US - DAY_US // 4)), {}
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", EVENTS)
def test_what_is_done_to_events_is_found(
    code: str, feed: injecting.Feed, counted: Gather, healthy: facts.Facts
) -> None:
    """Labels late, missing, stopped, one-sided, contradicting, too early, orphaned; events refused, renamed, lost."""
    inject, options = EVENTS[code]
    found = counted(inject(feed), **options)
    assert code in codes(dataclasses.replace(healthy, events=found))


# ---------------------------------------------------------------- injected into scores

SHIFTED: dict[str, tuple[Inject, declaration.Stream]] = {
    "CHK-201 CHK-403": (lambda feed: injecting.logit_shifted(feed, 1.2, where=RECENT), STREAM),
    "CHK-404": (
        lambda feed: injecting.logit_shifted(feed, 1.5, where=RECENT), with_policy(watch={"tolerance": 0.03})
    ),
    "CHK-203": (
        lambda feed: injecting.logit_shifted(
            injecting.logit_shifted(feed, 0.9, where=injecting.Where(WINDOW_US, WINDOW_US + 2 * DAY_US)),
            -0.9,
            where=injecting.Where(WINDOW_US + 2 * DAY_US),
        ),
        STREAM,
    ),
    "CHK-301 CHK-302 CHK-308": (
        lambda feed: injecting.logit_shifted(
            injecting.logit_shifted(feed, 1.2, where=injecting.Where(cohorts=(("carrier", "AA"),))),
            -1.2,
            where=injecting.Where(cohorts=(("carrier", "DL"),)),
        ),
        STREAM,
    ),
    "CHK-401": (lambda feed: injecting.base_rate_shifted(feed, -1.2, rng=RNG, where=RECENT), STREAM),
    "CHK-402": (lambda feed: injecting.covariate_shifted(feed, 3.0, rng=RNG, where=RECENT), STREAM),
}  # fmt: skip


@pytest.mark.parametrize(
    "expected", [pytest.param(one, marks=[] if "201" in one else pytest.mark.theory) for one in SHIFTED]
)
def test_what_is_done_to_scores_is_found(
    expected: str, feed: injecting.Feed, gather: Gather, healthy: facts.Facts
) -> None:
    """Shifted at once, shifted to and fro, by cohort to both sides; another base rate, another mix."""
    inject, stream = SHIFTED[expected]
    found = gather(inject(feed), stream=stream)
    seen = codes(dataclasses.replace(healthy, evidence=found.evidence, drift=found.drift))
    assert set(expected.split()) <= seen
    if expected == "CHK-402":
        assert not seen & {"CHK-201", "CHK-403", "CHK-404"}, "another mix of cases makes no score wrong"


# ---------------------------------------------------------------- everything else

Change = Callable[[facts.Facts], facts.Facts]


def seen_in(**sections: Any) -> Change:
    """Healthy facts with some sections replaced."""
    return lambda healthy: dataclasses.replace(healthy, **sections)


def events_with(**changed: Any) -> Change:
    def apply(healthy: facts.Facts) -> facts.Facts:
        assert healthy.events is not None
        return dataclasses.replace(healthy, events=dataclasses.replace(healthy.events, **changed))

    return apply


def evidence_with(stream: declaration.Stream = STREAM, **changed: Any) -> Change:
    def apply(healthy: facts.Facts) -> facts.Facts:
        assert healthy.evidence is not None
        return dataclasses.replace(
            healthy, stream=stream, evidence=dataclasses.replace(healthy.evidence, **changed)
        )  # fmt: skip

    return apply


def steps(*each: facts.Step) -> Change:
    return seen_in(history=history(steps=each))


def policy(**advice: Any) -> declaration.Stream:
    return with_policy(advice=advice)


def season_only(healthy: facts.Facts) -> facts.Facts:
    """Another mix of cases than before, the same as in the season before."""
    from calibrant.evidence import drift

    rng = np.random.default_rng(1)
    scores = rng.random(6_000)
    labels = rng.random(6_000) < scores
    low, high = (summaries.summarise(scores[part], labels[part]) for part in (scores < 0.7, scores > 0.3))
    other = drift.compare(low, high, tolerance=0.08, replicates=20)
    assert healthy.drift is not None
    return dataclasses.replace(healthy, drift=facts.Drift(other, healthy.drift.before))


def perfect() -> facts.Evidence:
    scores = RNG.random(2_000)
    return evidence_of(scores, scores > 0.5)


def cancelling_within_a_bin() -> facts.Evidence:
    """Neighbouring scores in one bin of ten, wrong in opposite directions."""
    scores = np.repeat([0.61, 0.69], 4_000)
    return evidence_of(scores, RNG.random(8_000) < np.repeat([0.36, 0.94], 4_000))


def tiny_cohorts() -> facts.Evidence:
    groups = np.arange(3_000) % 200
    scores = RNG.random(3_000)
    return evidence_of(scores, RNG.random(3_000) < scores, groups)


def few() -> facts.Evidence:
    scores = RNG.random(60)
    return evidence_of(scores, RNG.random(60) < scores)


def probabilities_as_logits() -> facts.Evidence:
    scores = 1.0 / (1.0 + np.exp(-RNG.random(2_000)))
    return evidence_of(scores, RNG.random(2_000) < 0.5)


CHANGED: dict[str, Change] = {
    "CHK-107": seen_in(evidence=perfect()),
    "CHK-202": seen_in(evidence=cancelling_within_a_bin()),
    "CHK-204": seen_in(evidence=few()),
    "CHK-205": seen_in(
        evidence=probabilities_as_logits(),
        stream=dataclasses.replace(STREAM, scale=scales.Scale("logit")),
    ),
    "CHK-207": events_with(served=100),
    "CHK-208": lambda healthy: dataclasses.replace(
        events_with(decided=0)(healthy), history=history(champion=champion(threshold=0.5)), stream=policy(precision=0.6)
    ),
    "CHK-209": evidence_with(policy(precision=0.9), precision=estimate(0.6)),
    "CHK-306": seen_in(evidence=tiny_cohorts()),
    "CHK-307": seen_in(stream=dataclasses.replace(STREAM, cohorts=())),
    "CHK-405": season_only,
    "CHK-406": lambda healthy: dataclasses.replace(
        healthy, drift=dataclasses.replace(healthy.drift, ranking_lost=estimate(0.08))  # type: ignore[type-var]
    ),
    "CHK-501": seen_in(history=history(champion=champion(sealed_us=NOW_US - 200 * DAY_US))),
    "CHK-502": seen_in(history=history(champion=champion(kind="isotonic", rows=100))),
    "CHK-503": evidence_with(live_gain=estimate(-0.02)),
    "CHK-504": seen_in(history=history(champion=champion(signatures=0, state="sealed"))),
    "CHK-505": seen_in(history=history(champion=champion(expires_us=NOW_US + DAY_US))),
    "CHK-506": seen_in(history=history(champion=champion(threshold=0.2, objective="recall>=0.99"))),
    "CHK-507": evidence_with(policy(capacity=50.0), alert_rate=estimate(0.3)),
    "CHK-508": seen_in(history=history(champion=champion(kind="isotonic", knots=20_000))),
    "CHK-509": seen_in(history=history(champion=None, drafted=0, steps=())),
    "CHK-601": steps(step(3), step(2.9, version=2), step(2.8, version=3), step(2.7, version=4)),
    "CHK-602": steps(step(9), step(8, action="rollback"), step(7, version=2), step(6, action="rollback")),
    "CHK-603": steps(*(step(20 - day, threshold=0.5 + 0.1 * (day % 2)) for day in range(6))),
    "CHK-604": steps(step(9), step(3, version=2, tried=False)),
    "CHK-605": seen_in(history=history(approvals=0)),
    "CHK-606": steps(*(step(20 - 2 * day, said=False) for day in range(4))),
    "CHK-607": seen_in(history=history(uncovered=12, uncovered_since_us=NOW_US - 3 * DAY_US)),
    "CHK-608": events_with(
        arms=(
            facts.Arm("canary", 500, {"carrier=AA": 400, "carrier=DL": 100}),
            facts.Arm("control", 500, {"carrier=AA": 250, "carrier=DL": 250}),
        )
    ),
    "CHK-609": events_with(arms=(facts.Arm("canary", 50, {}), facts.Arm("control", 50, {})), in_both_arms=1),
    "CHK-610": steps(*(step(40 - 5 * day, by_person=True) for day in range(7))),
    "CHK-611": seen_in(stream=policy(mode="auto", cooldown=timedelta(minutes=5))),
    "CHK-612": seen_in(
        history=history(
            steps=tuple(step(day) for day in (20, 15, 10, 5)),
            fired_us=tuple(NOW_US - day * DAY_US + 60_000_000 for day in (20, 15, 10, 5)),
        )
    ),
    "CHK-701": seen_in(watching=facts.Watching(NOW_US, NOW_US - DAY_US)),
    "CHK-702": seen_in(stream=dataclasses.replace(STREAM, retention=timedelta(days=30))),
    "CHK-703": seen_in(stream=dataclasses.replace(STREAM, policies=policies.Policies())),
    "CHK-704": seen_in(stream=dataclasses.replace(STREAM, owner=" ")),
    "CHK-705": seen_in(stream=dataclasses.replace(STREAM, runbook="")),
    "CHK-706": seen_in(stream=dataclasses.replace(STREAM, context=declaration.ContextPolicy(allow=("card_number",)))),
}  # fmt: skip


@pytest.mark.parametrize("code", CHANGED)
def test_each_other_cause_is_found(code: str, healthy: facts.Facts) -> None:
    """One thing is made wrong in facts that are well otherwise."""
    assert code in codes(CHANGED[code](healthy))


def test_a_healthy_stream_has_no_findings(healthy: facts.Facts) -> None:
    """Every check was looked at, and none says anything."""
    looked = catalogue.look(healthy)
    assert [(one.check.code, one.text) for one in looked.findings] == []
    assert looked.unknown == ()


def test_every_check_that_data_can_decide_has_its_cause_injected() -> None:
    """A new check needs a case above."""
    injected = {*EVENTS, *CHANGED, *(code for several in SHIFTED for code in several.split())}
    assert injected == {one.code for one in catalogue.ALL if one.decide is not None}


def test_a_canary_of_one_mix_is_like_the_rest(healthy: facts.Facts) -> None:
    """Arms that differ by chance are no finding: fewer than one in a hundred of a thousand draws."""
    from calibrant.diagnosis.checks import trials

    rng, alarms = np.random.default_rng(4), 0
    assert healthy.events is not None
    for _ in range(1_000):
        drawn = [dict(zip("ABC", rng.multinomial(400, [0.6, 0.39, 0.01]).tolist(), strict=True)) for _ in range(2)]
        arms = tuple(facts.Arm(name, 400, mix) for name, mix in zip(("canary", "control"), drawn, strict=True))
        alarms += trials.unlike(dataclasses.replace(healthy.events, arms=arms)) is not None
    assert alarms <= 10


def test_labels_in_daily_batches_have_not_stopped(feed: injecting.Feed, counted: Gather, healthy: facts.Facts) -> None:
    """All labels of a day come at its end: a silence of twenty hours is usual, one of two days is not."""
    at = feed.labels["at_us"].to_numpy()
    place = feed.labels.schema.get_field_index("at_us")
    batches = pa.array((at // DAY_US + 1) * DAY_US)
    daily = dataclasses.replace(
        feed, labels=feed.labels.set_column(place, feed.labels.schema.field(place), batches)
    )  # fmt: skip
    for hours, stopped in ((20, False), (48, True)):
        now_us = NOW_US + hours * DAY_US // 24
        found = counted(daily, now_us=now_us)
        last = dataclasses.replace(found, last_label_us=NOW_US, last_at_us=now_us)
        assert ("CHK-103" in codes(dataclasses.replace(healthy, events=last))) == stopped


def test_few_events_alarm_nobody(healthy: facts.Facts) -> None:
    """Shares of a handful of events are no findings about labels."""
    assert healthy.events is not None
    tiny = dataclasses.replace(
        healthy.events, join=joined.JoinCounts(predictions=10, labelled=1, unlabelled=9, matched=1, late=9, early=1)
    )
    assert not {code for code in codes(dataclasses.replace(healthy, events=tiny)) if code < "CHK-2"} - {"CHK-103"}
