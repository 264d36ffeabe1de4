"""Cohorts: what the whole hides, and cohorts that are not what they seem."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from calibrant.diagnosis.check import Check, Seen, saw, share
from calibrant.diagnosis.checks.labels import FEWEST
from calibrant.diagnosis.facts import Events, Evidence, History
from calibrant.evidence import assess
from calibrant.stats import results
from calibrant.streams.declaration import Stream

#: Predictions whose cohort may be missing, or past the cap, as a share.
FEW: Final = 0.05
#: The share of rows in cohorts without a verdict from which on cohorts are too small to be watched one by one.
SPARSE: Final = 0.5


def _off(evidence: Evidence) -> list[assess.CohortEvidence]:
    """Cohorts that are off; they come strongest first, so the first that is not ends the list."""
    found = []
    for one in evidence.served.cohorts:
        if one.measurement.verdict.outcome != "miscalibrated":
            break
        found.append(one)
    return found


def _gap(one: assess.CohortEvidence) -> float:
    """Mean score less base rate: above 0 where scores are too high."""
    score, rate = (one.measurement.measures.get(name) for name in ("mean_score", "base_rate"))
    known = isinstance(score, results.Estimate) and isinstance(rate, results.Estimate)
    return score.value - rate.value if known else 0.0  # type: ignore[union-attr]


def _names(found: Sequence[assess.CohortEvidence]) -> str:
    shown = [" ".join(f"{field}={value or '(missing)'}" for field, value in one.cohort.items()) for one in found[:3]]
    return ", ".join(shown) + (" and others" if len(found) > 3 else "")


def hidden(evidence: Evidence) -> Seen | None:
    found = _off(evidence)
    if not found or evidence.served.overall.verdict.outcome == "miscalibrated":
        return None
    return saw(f"the whole is not off, {len(found)} cohorts are: {_names(found)}", cohorts_off=len(found))


def cancelling(evidence: Evidence) -> Seen | None:
    found = _off(evidence)
    tolerance = evidence.served.tolerance
    high, low = ([one for one in found if sign * _gap(one) > tolerance] for sign in (1.0, -1.0))
    if not high or not low:
        return None
    return saw(
        f"scores are too high in {_names(high)} and too low in {_names(low)}: pooled, that cancels",
        too_high=len(high),
        too_low=len(low),
    )


def misspelt(events: Events) -> Seen | None:
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for field, values in events.values.items():
        for value in values:
            alike[field, "".join(unicodedata.normalize("NFKC", value).casefold().split())].append(value)
    doubled = {key: names for key, names in alike.items() if len(names) > 1 and key[1]}
    if not doubled:
        return None
    (field, _), names = max(doubled.items(), key=lambda one: sum(events.values[one[0][0]][name] for name in one[1]))
    shown = " and ".join(repr(name) for name in sorted(names)[:3])
    return saw(f"{len(doubled)} values come in several spellings: {field} {shown}", doubled=len(doubled), field=field)


def overflowing(events: Events) -> Seen | None:
    past = {field: share(n, events.join.pairs) for field, n in events.overflow.items()}
    field = max(past, key=lambda one: past[one], default=None)
    if field is None or events.join.pairs < FEWEST or past[field] <= FEW:
        return None
    return saw(f"{past[field]:.1%} of the pairs have a {field} past its cap", field=field, share=past[field])


def untagged(events: Events) -> Seen | None:
    lacking = {field: share(values.get("", 0), sum(values.values())) for field, values in events.values.items()}
    field = max(lacking, key=lambda one: lacking[one], default=None)
    if field is None or events.join.predictions < FEWEST or lacking[field] <= FEW:
        return None
    return saw(f"{lacking[field]:.1%} of the predictions have no {field}", field=field, share=lacking[field])


def sparse(evidence: Evidence) -> Seen | None:
    cohorts = evidence.served.cohorts
    if len(cohorts) < 2:
        return None
    total = open_ = 0
    for one in cohorts:
        total += one.measurement.n
        open_ += one.measurement.n if one.measurement.verdict.outcome == "insufficient" else 0
    part = share(open_, total)
    if total < FEWEST or part <= SPARSE:
        return None
    return saw(
        f"{part:.0%} of the rows lie in cohorts that are too small for a verdict; there are {len(cohorts):,}",
        cohorts=len(cohorts),
        undecided_share=part,
    )


def undeclared(stream: Stream) -> Seen | None:
    if stream.cohorts:
        return None
    return saw("the stream declares no cohorts, so only the whole is watched", cohorts=0)


def one_map(evidence: Evidence, history: History) -> Seen | None:
    found = _off(evidence)
    champion = history.champion
    if champion is None or champion.by_cohort or len(found) < 2:
        return None
    return saw(
        f"{champion.name} is one map for all, and {len(found)} cohorts are off behind it: {_names(found)}",
        cohorts_off=len(found),
    )


CHECKS: Final = (
    Check(
        "CHK-301",
        "whole-hides-cohorts",
        "The whole is right and cohorts are not",
        "cohorts",
        "ticket",
        "Users live in a cohort, not in the average. The verdict of the whole is that of its largest parts.",
        "Fit maps by cohort: name the fields in policies.advice.by, or with recommend --cohort.",
        ("evidence",),
        hidden,
        cause="cohort misalignment",
    ),
    Check(
        "CHK-302",
        "cohorts-cancel",
        "Cohorts are wrong in opposite directions",
        "cohorts",
        "ticket",
        "What is too high in one is too low in another. No map for all can repair both, and the aggregate looks well.",
        "Fit maps by cohort, and do not promote on the strength of the aggregate.",
        ("evidence",),
        cancelling,
        cause="cohort misalignment",
    ),
    Check(
        "CHK-303",
        "cohort-misspelt",
        "One cohort comes under several names",
        "cohorts",
        "ticket",
        "Senders write the same value differently. Each spelling has its own evidence, and misses the other's map.",
        "Agree on one spelling at the senders; events that were kept stay under the name that they came with.",
        ("events",),
        misspelt,
        cause="cohort misalignment",
    ),
    Check(
        "CHK-304",
        "cohort-past-its-cap",
        "A cohort field has more values than expected",
        "cohorts",
        "ticket",
        "An identifier or free text was declared as a cohort. What is past the cap is counted together and hides "
        "whatever is in it.",
        "Declare a coarser field, or raise its cap if the values are real groups.",
        ("events",),
        overflowing,
        cause="cohort misalignment",
    ),
    Check(
        "CHK-305",
        "cohort-missing",
        "Predictions come without their cohort",
        "cohorts",
        "ticket",
        "A sender does not know the field or leaves it out for some; those predictions are watched as one group.",
        "Add the field at the sender. Cohorts come from the prediction alone, labels cannot add them.",
        ("events",),
        untagged,
        cause="cohort misalignment",
    ),
    Check(
        "CHK-306",
        "cohorts-sparse",
        "Cohorts are too small to be watched",
        "cohorts",
        "note",
        "Crossing many fields leaves a handful of outcomes in each: their largest errors are noise.",
        "Declare fewer or coarser fields, or a longer policies.watch.window; maps by cohort shrink to the pooled one.",
        ("evidence",),
        sparse,
        cause="sparsity",
    ),
    Check(
        "CHK-307",
        "cohorts-undeclared",
        "Nobody said which groups matter",
        "cohorts",
        "note",
        "Without cohorts nobody sees who bears the errors, and fairness between groups cannot be judged.",
        "Declare the fields that decisions should be fair to, with a cap each: spec.cohorts.",
        ("stream",),
        undeclared,
    ),
    Check(
        "CHK-308",
        "one-map-for-all",
        "One map serves cohorts that differ",
        "cohorts",
        "ticket",
        "The same score means different things in different groups; one map can only be right on average.",
        "Fit maps by cohort: policies.advice.by. They are used only where they are proved better than the pooled one.",
        ("evidence", "history"),
        one_map,
        cause="cohort misalignment",
    ),
)
