"""The world: what has changed since, and what only seems to."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Final

from calibrant.diagnosis.check import Check, Seen, saw
from calibrant.diagnosis.facts import Drift, Events, Evidence
from calibrant.evidence import drift as comparing
from calibrant.stats import results
from calibrant.streams.declaration import Stream

_US: Final = timedelta(microseconds=1)
#: The share of a change that one step must hold to have come at once.
AT_ONCE: Final = 0.6
#: A fall of the AUC that matters, as in the advice.
RANKING: Final = 0.02


def _changed(found: Drift, name: comparing.Name) -> Seen | None:
    """A change beyond the tolerance that the season does not explain."""
    seasonal = found.season
    if name not in found.before.changed or (seasonal is not None and name not in seasonal.changed):
        return None
    effect = next(one.effect for one in (seasonal or found.before).changes if one.name == name)
    assert isinstance(effect, results.Estimate)
    return saw(f"{comparing.WORDS[name]} is {effect.value:.3g} since the window before", change=effect.value)


def base_rate(found: Drift) -> Seen | None:
    return _changed(found, "base_rate")


def scores(found: Drift) -> Seen | None:
    return _changed(found, "scores")


def meaning(found: Drift) -> Seen | None:
    return _changed(found, "curve")


def sudden(found: Drift, evidence: Evidence) -> Seen | None:
    worst = found.before if found.season is None else found.season
    gaps = [one.gap for one in evidence.slices]
    if worst.severity != "severe" or "curve" not in worst.changed or len(gaps) < 3:
        return None
    jump = max((later - earlier for earlier, later in pairwise(gaps)), key=abs)
    if abs(jump) < AT_ONCE * (max(gaps) - min(gaps)):
        return None
    return saw(f"from one part of the window to the next, scores went off by {abs(jump):.3g} more", jump=jump)


def season(found: Drift) -> Seen | None:
    if found.season is None or found.before.verdict != "drifted" or found.season.verdict != "stable":
        return None
    return saw(
        "compared with the window before, the stream has drifted; compared with the same season before, it has not",
        changes=len(found.before.changed),
    )


def ranking(found: Drift) -> Seen | None:
    lost = found.ranking_lost
    if not isinstance(lost, results.Estimate) or lost.low is None or lost.low <= RANKING:
        return None
    return saw(f"the AUC fell by {lost.value:.3f}, at least by {lost.low:.3f}", auc_lost=lost.value)


def silent(stream: Stream, events: Events) -> Seen | None:
    if events.last_at_us is None:
        return saw("not one prediction has come", predictions=0)
    quiet = events.now_us - events.last_at_us
    if quiet <= stream.policies.watch.silence // _US:
        return None
    return saw(f"the last prediction is {quiet / 60e6:.0f} minutes old", silent_minutes=quiet / 60e6)


CHECKS: Final = (
    Check(
        "CHK-401",
        "base-rate-moved",
        "Positives have become rarer or more common",
        "world",
        "ticket",
        "The share of positives changed at every score alike: another market, another season, another attacker.",
        "A new intercept is enough where nothing else changed; thresholds from costs stay right behind it.",
        ("drift",),
        base_rate,
        cause="prior shift",
    ),
    Check(
        "CHK-402",
        "scores-moved",
        "Other cases come than before",
        "world",
        "note",
        "The mix of scores changed. By itself that makes no score wrong: nothing is rolled back for it.",
        "Check alert volume and capacity; refit only if the meaning of scores changed too (CHK-403).",
        ("drift",),
        scores,
        cause="covariate shift",
    ),
    Check(
        "CHK-403",
        "meaning-changed",
        "The same score means something else",
        "world",
        "ticket",
        "The relation of score and outcome changed: the world did, or the model was replaced behind its name.",
        "Refit on a window after the change, and prove the map on later rows; retrain if the ranking fell (CHK-406).",
        ("drift",),
        meaning,
        cause="concept drift",
    ),
    Check(
        "CHK-404",
        "sudden-change",
        "A large change came at once",
        "world",
        "page",
        "Deployments, incidents and attacks change scores within hours; slow causes do not.",
        "Compare with what was deployed then. Roll back if it was an artifact; do not refit on an incident.",
        ("drift", "evidence"),
        sudden,
        cause="concept drift",
    ),
    Check(
        "CHK-405",
        "season-taken-for-drift",
        "A season looks like drift",
        "world",
        "note",
        "The reference is of another season, so that every weekend or winter raises the alarm anew.",
        "Compare with the same season: policies.watch.season, or drift --season.",
        ("drift",),
        season,
    ),
    Check(
        "CHK-406",
        "ranking-lost",
        "Scores tell less than they did",
        "world",
        "ticket",
        "Features have lost their meaning or are missing. A map keeps the order of scores and cannot bring it back.",
        "Retrain the model, and look for features that went missing; a new map only keeps the odds honest meanwhile.",
        ("drift",),
        ranking,
        cause="concept drift",
    ),
    Check(
        "CHK-407",
        "predictions-stopped",
        "Predictions have stopped coming",
        "world",
        "page",
        "The sender, the network or the consumer failed. No data is no good news: alerts stay as they are, rollouts "
        "wait.",
        "Look at the sender and the consumer (calibrant status); what was acknowledged is safe, send the rest again.",
        ("stream", "events"),
        silent,
        cause="telemetry loss",
    ),
)
