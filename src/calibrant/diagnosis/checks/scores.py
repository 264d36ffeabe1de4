"""Scores: are they right, and is what is measured enough to say so?"""

from __future__ import annotations

import math
from typing import Final

from calibrant.diagnosis.check import Check, Seen, saw, share
from calibrant.diagnosis.checks.labels import FEWEST
from calibrant.diagnosis.facts import Events, Evidence, History
from calibrant.stats import results
from calibrant.streams.declaration import Stream

#: Refused events that nobody minds, as a share.
REFUSED: Final = 0.01
#: Predictions that may lack the score that acted.
UNRECORDED: Final = 0.05
_LOGISTIC_OF_ONE: Final = 1.0 / (1.0 + math.exp(-1.0))


def off(evidence: Evidence) -> Seen | None:
    found = evidence.served.overall.verdict
    if found.outcome != "miscalibrated":
        return None
    return saw("; ".join(found.reasons), p_value=found.p_value, tolerance=evidence.served.tolerance)


def one_number(evidence: Evidence) -> Seen | None:
    whole = evidence.served.overall
    ece = whole.ece.get(10)
    if whole.verdict.outcome != "miscalibrated" or not isinstance(ece, results.Estimate):
        return None
    if ece.value > evidence.served.tolerance:
        return None
    return saw(
        f"ECE with ten bins is {ece.value:.4f}, within the tolerance, and yet: {whole.verdict.reasons[0]}",
        ece=ece.value,
        tolerance=evidence.served.tolerance,
    )


def hidden_in_time(evidence: Evidence) -> Seen | None:
    current = [one for one in evidence.slices if one.current]
    apart = [one for one in current if one.outcome == "miscalibrated"]
    if not apart or evidence.served.overall.verdict.outcome == "miscalibrated":
        return None
    worst = max(apart, key=lambda one: abs(one.gap))
    return saw(
        f"{len(apart)} of {len(current)} parts of the window are off, by up to {abs(worst.gap):.3g}, "
        "and the whole window is not",
        parts_off=len(apart),
        largest_gap=worst.gap,
    )


def too_short(evidence: Evidence) -> Seen | None:
    whole = evidence.served.overall
    if whole.verdict.outcome != "insufficient":
        return None
    return saw(whole.verdict.reasons[0], n=whole.n)


def wrong_scale(stream: Stream, events: Events, evidence: Evidence) -> Seen | None:
    bad = share(events.join.invalid, events.join.predictions)
    if events.join.predictions >= FEWEST and bad > REFUSED:
        return saw(f"{bad:.1%} of the scores lie outside the scale {stream.scale}", outside_share=bad)
    if evidence.served.overall.n < FEWEST:
        return None
    low, high = evidence.lowest, evidence.highest
    squashed = stream.scale.kind in ("logit", "unbounded") and str(stream.scale) in ("logit", "unbounded:0.0,1.0")
    if squashed and low >= 0.5 and high <= _LOGISTIC_OF_ONE:
        return saw("all scores are between 0 and 1 on a scale of log-odds: they look like probabilities", highest=high)
    if stream.scale.kind == "percent" and high <= 0.01:
        return saw("all scores are between 0 and 1 on a scale of per cent: they look like probabilities", highest=high)
    return None


def refused(events: Events) -> Seen | None:
    came = events.join.predictions + events.rejected
    part = share(events.rejected, came)
    if came < FEWEST or part <= REFUSED:
        return None
    return saw(f"{part:.1%} of what was sent was refused ({events.rejected:,} items)", refused_share=part)


def served_unknown(events: Events, history: History) -> Seen | None:
    has = share(events.served, events.join.predictions)
    if history.champion is None or events.join.predictions < FEWEST or has >= 1.0 - UNRECORDED:
        return None
    return saw(
        f"{history.champion.name} is bound, and {has:.0%} of the predictions say what score was served",
        served_share=has,
    )


def decisions_unknown(events: Events, history: History) -> Seen | None:
    has = share(events.decided, events.join.predictions)
    champion = history.champion
    if champion is None or champion.threshold is None or events.join.predictions < FEWEST or has >= 1.0 - UNRECORDED:
        return None
    return saw(f"{has:.0%} of the predictions say what was decided", decided_share=has)


def imprecise(stream: Stream, evidence: Evidence) -> Seen | None:
    aim, found = stream.policies.advice.precision, evidence.precision
    if aim is None or not isinstance(found, results.Estimate) or found.high is None or found.high >= aim:
        return None
    return saw(
        f"{found.value:.1%} of what is acted on is positive, at most {found.high:.1%}; the aim is {aim:.0%}",
        precision=found.value,
        aim=aim,
    )


CHECKS: Final = (
    Check(
        "CHK-201",
        "scores-off",
        "Scores do not mean what they say",
        "scores",
        "ticket",
        "Whatever acts on these scores acts on wrong odds: false alarms where they are too high, missed cases where "
        "they are too low.",
        "See what calibrant recommend would do about it, and roll that out: calibrant rollout.",
        ("evidence",),
        off,
    ),
    Check(
        "CHK-202",
        "one-number-hides",
        "A single number says that all is well",
        "scores",
        "note",
        "Binned errors average neighbours that are wrong in opposite directions, and depend on where the bins lie.",
        "Watch several measures that see different things: ECCE and the slope beside ECE, and the verdict above all.",
        ("evidence",),
        one_number,
    ),
    Check(
        "CHK-203",
        "average-hides-time",
        "A long window hides days that were off",
        "scores",
        "ticket",
        "Errors of opposite sign cancel when weeks are pooled, and a bad day is thin among many good ones.",
        "Look at the parts by themselves (calibrant check --from --to), and watch shorter slices beside the window.",
        ("evidence",),
        hidden_in_time,
    ),
    Check(
        "CHK-204",
        "window-too-short",
        "There are too few outcomes for a verdict",
        "scores",
        "note",
        "With few rows every number jumps from look to look, and each jump looks like news.",
        "Widen policies.watch.window, or a larger tolerance if you can live with it; until then nothing is decided.",
        ("evidence",),
        too_short,
        cause="sparsity",
    ),
    Check(
        "CHK-205",
        "scores-on-another-scale",
        "Scores are not on the declared scale",
        "scores",
        "page",
        "A model or a sender was changed: per cent became shares, or log-odds became probabilities.",
        "Correct the sender, or the scale in the declaration; the raw scores are kept, so past windows can be judged "
        "again.",
        ("stream", "events", "evidence"),
        wrong_scale,
        cause="scale mismatch",
    ),
    Check(
        "CHK-206",
        "events-refused",
        "Events are refused at the door",
        "scores",
        "ticket",
        "A sender writes something that no honest number can be made of. What is refused is missing everywhere.",
        "See the codes with calibrant status, explain one with calibrant explain CODE, and send the items again.",
        ("events",),
        refused,
        cause="telemetry loss",
    ),
    Check(
        "CHK-207",
        "served-score-unknown",
        "Raw and served scores cannot be compared",
        "scores",
        "note",
        "Predictions carry the raw score alone, so nobody can tell a map that hurts from a model that does.",
        "Send served and artifact with every prediction, beside the raw score.",
        ("events", "history"),
        served_unknown,
    ),
    Check(
        "CHK-208",
        "decisions-unknown",
        "Nobody records what was decided",
        "scores",
        "note",
        "Without the decision neither the precision of alerts nor the cost of mistakes can be followed.",
        "Send decision and threshold with every prediction.",
        ("events", "history"),
        decisions_unknown,
    ),
    Check(
        "CHK-209",
        "alerts-imprecise",
        "Too few of the alerts are right",
        "scores",
        "ticket",
        "The threshold was chosen on scores that meant something else, or positives have become rarer. People stop "
        "looking at alerts that are mostly wrong.",
        "Choose the threshold anew on calibrated scores: calibrant recommend --precision.",
        ("stream", "evidence"),
        imprecise,
    ),
    Check(
        "CHK-251",
        "alerts-acted-upon",
        "Nobody says which alerts helped",
        "scores",
        "note",
        "An alert that leads to nothing is noise, and only whoever got it can tell.",
        "Let people mark alerts as useful or not, and send the marks as labels of their own stream.",
        asks="Do those who get alerts say whether each was worth it, and is that share looked at?",
    ),
)
