"""From evidence and policy to a recommendation: a pure function, so that the same facts give the same advice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from calibrant.advice import effects, hysteresis, memory
from calibrant.advice.candidates import Candidate
from calibrant.advice.recommendation import Action, Hold, Obstacle, Recommendation
from calibrant.stats import results
from calibrant.streams import freezes, policies

_US: Final = timedelta(microseconds=1)
#: A loss of AUC that is beyond this with confidence is a matter of the model, which no map repairs.
RANKING: Final = 0.02


@dataclass(frozen=True, slots=True)
class Labels:
    """``coverage`` is the labelled share of matured predictions; ``one_sided`` if they are missing by score."""

    pairs: int
    coverage: float | None
    one_sided: bool
    least: int
    least_coverage: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a stream now.

    ``departure`` is how far rates are from served scores, in probability: the reading of the hysteresis.
    ``miscalibrated`` says whether the evidence shows that beyond chance. ``undo`` is what the rule before the champion
    would gain over it on pairs since its promotion, in nats a row, with an interval that may be looked at any time;
    None where there is nothing to go back to. ``ranking_lost`` is the fall of the AUC since the champion was fitted.
    ``undamped`` says that a candidate was found and the policy left no part of it.
    """

    departure: results.Measured
    miscalibrated: bool
    labels: Labels
    champion: str | None = None
    candidate: Candidate | None = None
    undamped: bool = False
    undo: results.Measured | None = None
    ranking_lost: results.Measured | None = None


def advise(
    facts: Facts, policy: policies.AdvicePolicy, before: memory.Memory, *, now_us: int
) -> tuple[Recommendation, memory.Memory]:
    """What to do now, and what to remember.

    Going back is looked at first and held by nothing: no freeze, no cooldown, no latch. Everything else waits for
    labels that stand for all, for enough readings in a row, and for an effect that is material with confidence.
    """
    reading = facts.departure.value if isinstance(facts.departure, results.Estimate) else None
    if facts.labels.one_sided:
        reading = None
    after = replace(before, gate=hysteresis.read(before.gate, reading, policy, now_us=now_us))
    if facts.champion is not None and effects.excludes_less_than(facts.undo, 0.0):
        return _undo(facts, facts.champion), after
    if lacking := _lacking(facts.labels):
        return Recommendation("collect_labels", (lacking,)), after
    if not after.gate.acting:
        return Recommendation("none", (_quiet(after.gate, reading, policy),)), after
    found = _change(facts, policy)
    if found.action in ("new_artifact", "new_threshold"):
        found = replace(found, holds=(*found.holds, *_holds(facts, policy, after, now_us)))
    return found, after


def _undo(facts: Facts, champion: str) -> Recommendation:
    assert facts.undo is not None
    reason = f"What served before would have lost less since: {effects.said(facts.undo)} nats a row."
    return Recommendation("roll_back", (reason,), digest=champion)


def _lacking(labels: Labels) -> str | None:
    """Why labels decide nothing yet."""
    if labels.one_sided:
        return "Labels are missing by score: the labelled do not stand for all."
    if labels.coverage is not None and labels.coverage < labels.least_coverage:
        share = f"{labels.coverage:.0%} of matured predictions have a label, {labels.least_coverage:.0%} are asked for"
        return f"Too few labels: {share}."
    if labels.pairs < labels.least:
        return f"{labels.pairs:,} matured pairs, {labels.least:,} are needed."
    return None


def _quiet(gate: hysteresis.Gate, reading: float | None, policy: policies.AdvicePolicy) -> str:
    if reading is None:
        return "There is no reading: nothing is begun or ended without data."
    if gate.run:
        return f"Off by {reading:.3g} in {gate.run} readings in a row; {policy.readings} make it act, after its rest."
    return f"Off by {reading:.3g}, and acting begins above {policy.enter:g}."


def _change(facts: Facts, policy: policies.AdvicePolicy) -> Recommendation:
    """The smallest change that helps, before anything holds it back."""
    lost = effects.excludes_less_than(facts.ranking_lost, RANKING)
    also: tuple[Action, ...] = ("retrain",) if lost else ()
    candidate = facts.candidate
    if candidate is not None and _helps(candidate, policy):
        action: Action = "new_threshold" if candidate.same_map else "new_artifact"
        return Recommendation(
            action,
            (_gains(candidate),),
            candidate.effect,
            candidate.digest,
            candidate.shift,
            candidate.share,
            also=also,
        )
    if lost:
        assert facts.ranking_lost is not None
        fell = f"The AUC fell by {effects.said(facts.ranking_lost)} since the map was fitted"
        return Recommendation("retrain", (f"{fell}: scores tell less than they did, and no map brings that back.",))
    if facts.undamped:
        held = Hold("damping", f"no part of the change moves every score by at most {policy.max_shift:g}")
        return Recommendation("new_artifact", ("A map was found that the policy does not allow.",), holds=(held,))
    if candidate is not None:
        action = "new_threshold" if candidate.same_map else "new_artifact"
        held = Hold("no_material_effect", f"its gain is not above {policy.least_gain:g} nats a row with confidence")
        return Recommendation(
            action, (_gains(candidate),), candidate.effect, candidate.digest, candidate.shift, candidate.share, (held,)
        )
    if facts.miscalibrated:
        return Recommendation("retrain", ("Rates are off beyond chance, and no map improves held-out rows.",))
    return Recommendation("none", ("Acting is due, and there is neither proof of a departure nor a candidate yet.",))


def _helps(candidate: Candidate, policy: policies.AdvicePolicy) -> bool:
    """Whether the effect is material with confidence; a threshold alone gains in cost, or meets an aim now missed."""
    if candidate.same_map:
        aim = candidate.aim is not None and candidate.aim.missed
        return aim or effects.excludes_less_than(candidate.effect.cost_gain, 0.0)
    return effects.excludes_less_than(candidate.effect.gain, policy.least_gain)


def _gains(candidate: Candidate) -> str:
    found = candidate.effect
    parts = [f"{effects.said(found.gain)} nats a row"]
    if found.cost_gain is not None:
        parts.append(f"{effects.said(found.cost_gain)} in cost a row")
    if candidate.aim is not None and candidate.aim.missed:
        reached = f"{effects.said(candidate.aim.before)} before, {effects.said(candidate.aim.after)} after"
        parts.append(f"the {candidate.aim.name} of {candidate.aim.target:g} that is missed ({reached})")
    if found.flips is not None:
        parts.append(f"{found.flips:,} of {found.rows:,} decisions flip")
    what = "A new threshold" if candidate.same_map else "A new map"
    return f"{what} gains {', '.join(parts)}; no score moves by more than {candidate.shift:.3g}."


def _holds(facts: Facts, policy: policies.AdvicePolicy, after: memory.Memory, now_us: int) -> tuple[Hold, ...]:
    """Everything that speaks against doing it now."""
    assert facts.candidate is not None or facts.undamped
    cooldown = policy.cooldown // _US
    found: list[Hold] = []

    def hold(obstacle: Obstacle, reason: str, until_us: int | None = None) -> None:
        found.append(Hold(obstacle, reason, until_us))

    if after.latched:
        hold("latched", f"{memory.LATCH} changes in a row were taken back: a person must look and release it")
    if after.changed_us is not None and now_us < after.changed_us + cooldown:
        hold("cooldown", f"the last change is less than {policy.cooldown} ago", after.changed_us + cooldown)
    frozen = freezes.holding(policy.freezes, now_us)
    if frozen is not None:
        hold("freeze", f"nothing is changed during {frozen[0]}", frozen[1])
    if facts.candidate is None:
        return tuple(found)
    barred = after.barred(facts.candidate.digest, cooldown)
    if after.spent(facts.candidate.digest):
        hold("latched", "this very change was taken back twice: a person must look and release it")
    elif barred is not None and now_us < barred:
        hold("barred", "this very change was taken back before", barred)
    if facts.candidate.cohorts > policy.blast_radius:
        share = f"{facts.candidate.cohorts:.0%} of cohorts would change at once, {policy.blast_radius:.0%} may"
        hold("blast_radius", share)
    return tuple(found)
