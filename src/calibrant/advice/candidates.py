"""A proposed rule made ready to be judged: damped, limited, and its effect measured."""

from __future__ import annotations

from dataclasses import dataclass

from calibrant.advice import aims, damping, effects
from calibrant.artifacts import document
from calibrant.decisions import costs as costing
from calibrant.stats import cohorts as stacked
from calibrant.streams import policies


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that may be rolled out. ``share`` of the proposed change is in it; ``cohorts`` is the share it touches."""

    rule: effects.Rule
    digest: str
    effect: effects.Effect
    share: float
    shift: float
    cohorts: float
    same_map: bool
    aim: aims.Aim | None = None


def prepare(
    present: effects.Rule,
    proposed: effects.Rule,
    *,
    judged: stacked.Cohorts,
    policy: policies.AdvicePolicy,
    rows_per_day: float | None = None,
    level: float = 0.95,
) -> Candidate | None:
    """The damped rule with its effect on ``judged``, pairs that the proposal was not fitted to.

    None where the policy leaves no part of the way (see ``damping.damp``). ``digest`` names what would be rolled out:
    the map and, where there is one, its threshold.
    """
    damped = damping.damp(present.calibrator, proposed.calibrator, share=policy.damping, max_shift=policy.max_shift)
    if damped is None:
        return None
    threshold = proposed.threshold
    if threshold is not None and present.threshold is not None:
        limit = policy.max_threshold_step
        threshold = damping.step(present.threshold, threshold, share=policy.damping, max_step=limit)
    rule = effects.Rule(damped.calibrator, threshold)
    found = effects.effect(judged, present, rule, costs=costs(policy), level=level)
    shift = damping.largest_shift(present.calibrator, rule.calibrator)
    return Candidate(
        rule,
        digest(rule),
        found,
        damped.share,
        shift,
        damping.changed_share(present.calibrator, rule.calibrator),
        same_map=shift == 0.0,
        aim=_aim(judged, present, rule, policy, rows_per_day, level),
    )


def _aim(
    judged: stacked.Cohorts,
    present: effects.Rule,
    rule: effects.Rule,
    policy: policies.AdvicePolicy,
    rows_per_day: float | None,
    level: float,
) -> aims.Aim | None:
    """What the thresholds are for, on pooled pairs as each rule would score them."""
    if present.threshold is None or rule.threshold is None:
        return None
    before, after = (effects.served(judged, one.calibrator) for one in (present, rule))
    return aims.aimed(
        (before, present.threshold), (after, rule.threshold), policy, rows_per_day=rows_per_day, level=level
    )


def digest(rule: effects.Rule) -> str:
    """What a rule is called: the digest of its map, and its threshold where it has one."""
    name = document.map_digest(rule.calibrator)
    return name if rule.threshold is None else f"{name}>={rule.threshold!r}"


def costs(policy: policies.AdvicePolicy) -> costing.Costs | None:
    """The costs of decisions that the policy declares; None without both harms."""
    if policy.cost_fp is None or policy.cost_fn is None:
        return None
    return costing.Costs(policy.cost_fp, policy.cost_fn, policy.cost_action or 0.0)
