"""How a rollout begins: one at a time for a stream in an environment, and not with what was just taken back."""

from __future__ import annotations

from calibrant import errors
from calibrant.registry import artifacts, bindings, environments, resources
from calibrant.rollout import plans, setbacks, states


def start(
    found: resources.Resource | None,
    *,
    artifact: resources.Resource,
    binding: resources.Resource | None,
    environment: resources.Resource,
    plan: plans.Plan,
    now_us: int,
    override: bool = False,
    reason: str | None = None,
    rests_on: tuple[str, ...] = (),
) -> resources.Command:
    """Begin to roll an artifact out. ``override``: a person takes up what cools down or is latched.

    ``rests_on`` are digests of what it was decided on, beside the artifact and its evidence.
    """
    status = artifacts.demand_servable(artifact, now_us=now_us)
    target = bindings.name(status.stream, environment.name)
    before = None if found is None else states.read(found)
    _demand_ended(before, target)
    now, candidate = bindings.read(binding), bindings.Ref(status.name, status.digest)
    _demand_room(now, candidate, target)
    if plan.mode == "approve" or environments.approvals(environment):
        _demand_evidence(status)
    remembered = () if before is None else before.setbacks
    if not override:
        setbacks.demand_rested(remembered, candidate.digest, artifact=status.name, now_us=now_us)
    begun = states.Rollout(
        target=target,
        number=1 if before is None else before.number + 1,
        candidate=candidate,
        incumbent=now.champion,
        plan=plan,
        started_us=now_us,
        entered_us=now_us,
        setbacks=remembered,
    )
    evidence = tuple(one for one in (status.digest, status.evidence, *rests_on) if one)
    change = resources.Change(
        states.KIND,
        target,
        resources.ABSENT if found is None else found.revision,
        begun.to_body(),
        "rollout.override" if override else "rollout.start",
        reason,
        evidence,
    )
    return resources.Command(
        (change,), (resources.Requirement(artifacts.KIND, artifact.name, artifact.revision),)
    )  # fmt: skip


def _demand_ended(before: states.Rollout | None, target: str) -> None:
    if before is not None and (before.running or before.phase == "rollback_failed"):
        raise errors.RefusedError(
            "CAL-937",
            f"a rollout of {target} is under way",
            cause=f"{before.name} of {before.candidate.artifact} is {before.phase}",
            fix="let it end, or end it: calibrant rollout abort, calibrant rollout rollback",
        )


def _demand_room(now: bindings.Binding, candidate: bindings.Ref, target: str) -> None:
    if candidate == now.champion:
        raise errors.RefusedError(
            "CAL-920",
            f"{candidate.artifact} is champion of {target} already",
            cause="it serves everybody",
            fix="nothing is left to do",
        )
    if now.challenger is not None:
        raise errors.RefusedError(
            "CAL-938",
            f"{target} has a challenger already",
            cause=f"{now.challenger.artifact} was bound there by hand",
            fix="promote it or roll it back first: calibrant binding",
        )


def _demand_evidence(status: artifacts.Status) -> None:
    if status.evidence is None:
        raise errors.RefusedError(
            "CAL-925",
            f"{status.name} has no evidence to approve",
            cause="it was drafted without a validation, and people will be asked before it serves anybody",
            fix="draft it with its evidence: calibrant artifact draft --evidence",
        )
