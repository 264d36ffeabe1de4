"""Labels: do they come, in time, from everybody, and do they say the same?"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from calibrant.diagnosis.check import Check, Seen, saw, share
from calibrant.diagnosis.facts import Events, Evidence
from calibrant.joining import selective
from calibrant.stats import results
from calibrant.streams.declaration import Stream

_US: Final = timedelta(microseconds=1)
#: Events below which a share says nothing.
FEWEST: Final = 100
#: Late, early, orphaned or contradicting labels that nobody minds, as a share.
FEW: Final = 0.02
#: A score that ranks better than this has seldom been found by honest means.
TOO_GOOD: Final = 0.995


def late(stream: Stream, events: Events) -> Seen | None:
    limit = (stream.policies.watch.lag or stream.labels.horizon) // _US
    slow = events.lag_us.get(0.9, 0)
    after = share(events.join.late, events.join.matched)
    if events.join.matched < FEWEST or (slow <= limit and after <= FEW):
        return None
    days = slow / 86_400e6
    return saw(
        f"a tenth of the labels take longer than {days:.1f} days, and {after:.1%} come after the horizon",
        p90_days=days,
        late_share=after,
        limit_days=limit / 86_400e6,
    )


def missing(stream: Stream, events: Events) -> Seen | None:
    has = share(events.join.pairs, events.join.matured)
    if events.join.matured < FEWEST or has >= stream.policies.watch.coverage:
        return None
    asked = stream.policies.watch.coverage
    return saw(
        f"{has:.1%} of {events.join.matured:,} matured predictions have an outcome; {asked:.0%} are asked for",
        labelled_share=has,
        matured=events.join.matured,
    )


def stopped(stream: Stream, events: Events) -> Seen | None:
    if stream.labels.implicit_negative or events.last_at_us is None or events.first_at_us is None:
        return None
    if events.last_label_us is None:
        waited = events.now_us - events.first_at_us
        if waited <= stream.labels.horizon // _US or events.join.matured < FEWEST:
            return None
        return saw("not one label has come, and predictions have matured", matured=events.join.matured)
    silent = events.now_us - events.last_label_us
    # nearly all labels take no longer: those of predictions made since the last label are due, also in daily batches
    usual = events.lag_us.get(0.99, stream.labels.horizon // _US)
    if events.last_at_us <= events.last_label_us or silent <= usual + 2 * (stream.policies.watch.every // _US):
        return None
    return saw(
        f"the last label is {silent / 3_600e6:.1f} hours old, and nearly all come within {usual / 3_600e6:.1f}",
        silent_hours=silent / 3_600e6,
        usual_hours=usual / 3_600e6,
    )


def one_sided(events: Events) -> Seen | None:
    if not isinstance(events.coverage, selective.Coverage) or events.coverage.verdict != "biased":
        return None
    shares = [band.coverage for band in events.coverage.bands]
    return saw(
        f"between {min(shares):.0%} and {max(shares):.0%} of a band of scores are labelled "
        f"(p = {events.coverage.p_value:.2g})",
        least=min(shares),
        most=max(shares),
        p_value=events.coverage.p_value,
    )


def disagreeing(events: Events) -> Seen | None:
    apart = share(events.disagreeing, events.compared)
    open_ = share(events.join.unresolved + events.join.conflicting_labels, events.join.matured)
    if (events.compared < FEWEST or apart <= FEW) and (events.join.matured < FEWEST or open_ <= FEW):
        return None
    return saw(
        f"{apart:.1%} of the predictions that several sources labelled have contradicting labels; "
        f"{open_:.1%} of the matured have no outcome for it",
        disagreeing_share=apart,
        unresolved_share=open_,
        compared=events.compared,
    )


def early(events: Events) -> Seen | None:
    before = share(events.join.early, events.join.matched)
    if events.join.matched < FEWEST or before <= FEW:
        return None
    return saw(f"{before:.1%} of the labels are dated before their prediction", early_share=before)


def too_good(evidence: Evidence) -> Seen | None:
    found = evidence.served.overall.measures.get("auc")
    if not isinstance(found, results.Estimate) or evidence.served.overall.n < FEWEST:
        return None
    # where the classes are separated altogether no interval is known
    if (found.value if found.low is None else found.low) < TOO_GOOD:
        return None
    return saw(f"the scores rank nearly perfectly: AUC {found.value:.4f}", auc=found.value)


def orphans(events: Events) -> Seen | None:
    lost = share(events.orphans, events.labels)
    if events.labels < FEWEST or lost <= FEW:
        return None
    return saw(f"{lost:.1%} of {events.labels:,} labels belong to no prediction that came", orphan_share=lost)


CHECKS: Final = (
    Check(
        "CHK-101",
        "labels-late",
        "Labels come later than they should",
        "labels",
        "ticket",
        "Outcomes are collected in batches or by people who are busy. Until they come, everything that is measured "
        "is about the past, and what comes after the horizon does not count at all.",
        "Stream outcomes instead of collecting them, or raise labels.horizon to what 99 % of them need; a map made "
        "meanwhile rests on matured windows alone.",
        ("stream", "events"),
        late,
        cause="label lag",
    ),
    Check(
        "CHK-102",
        "labels-missing",
        "Too many predictions never get an outcome",
        "labels",
        "ticket",
        "Nobody records the outcome of every decision, so what is measured is about those that were looked at.",
        "Record outcomes where they happen, and label a random sample of the rest: calibrant label-tasks.",
        ("stream", "events"),
        missing,
        cause="label lag",
    ),
    Check(
        "CHK-103",
        "labels-stopped",
        "Labels have stopped coming",
        "labels",
        "page",
        "The job that sends them has failed or waits for something. Evidence grows old without anybody noticing, and "
        "alerts that need labels stay as they are.",
        "Look at the sender and at what was refused (calibrant status); send what is missing again, it counts once.",
        ("stream", "events"),
        stopped,
        cause="telemetry loss",
    ),
    Check(
        "CHK-104",
        "labels-one-sided",
        "Labels are missing by score",
        "labels",
        "ticket",
        "Whoever is acted upon shows no outcome, or only the suspicious are looked at. The labelled are then not like "
        "the rest, and a map fitted to them repeats that.",
        "Label a random sample of every band of scores, send the propensity with each label, and weight by it: "
        "--weighting inverse-propensity.",
        ("events",),
        one_sided,
        cause="label bias",
    ),
    Check(
        "CHK-105",
        "labellers-disagree",
        "Labels of one prediction contradict each other",
        "labels",
        "ticket",
        "Several people or systems label by different rules, or one of them is wrong.",
        "Write down what counts as positive, let a sample be labelled twice, and declare labels.conflicts: "
        "labeler_priority or majority_vote.",
        ("events",),
        disagreeing,
        cause="label bias",
    ),
    Check(
        "CHK-106",
        "labels-before-predictions",
        "Labels are older than their predictions",
        "labels",
        "page",
        "The outcome was known when the score was made: a clock is wrong, ids are used twice, or the model saw the "
        "future.",
        "Compare the clocks and the ids first; if they are right, look for features that are written after the fact, "
        "and retrain without them.",
        ("events",),
        early,
        cause="leakage",
    ),
    Check(
        "CHK-107",
        "scores-know-the-outcome",
        "Scores rank too well to be true",
        "labels",
        "ticket",
        "Something that is known only after the decision has become a feature, or the label is made from the score.",
        "Take out features one by one until the ranking falls; check that labels do not follow from the decision.",
        ("evidence",),
        too_good,
        cause="leakage",
    ),
    Check(
        "CHK-108",
        "labels-without-predictions",
        "Labels belong to no prediction",
        "labels",
        "ticket",
        "Ids differ between the system that scores and the one that labels, or predictions were lost on the way.",
        "Compare the ids of both, send lost predictions again, and raise labels.orphans if they only come late.",
        ("events",),
        orphans,
        cause="telemetry loss",
    ),
    Check(
        "CHK-151",
        "labelling-rules",
        "Nobody wrote down what a positive is",
        "labels",
        "note",
        "Labels of people drift when the rule is in their heads. Data show a contradiction only where two of them "
        "label the same case.",
        "Write one page with examples, and let a tenth of a sample be labelled twice every month.",
        asks="Is there a written rule for labels, and is a sample of them labelled twice?",
    ),
)
