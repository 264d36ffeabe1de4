"""Bindings: which artifact is champion, challenger and shadow of a stream in an environment.

A binding without a champion serves the identity. Each promotion keeps the revision that it came from; rolling back
makes the content of that revision the current one again, to the last byte, and needs nobody's approval.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from calibrant import errors
from calibrant.registry import approvals, artifacts, environments, resources

KIND: Final = "binding"

Slot = Literal["champion", "challenger", "shadow"]
SLOTS: Final[tuple[Slot, ...]] = ("champion", "challenger", "shadow")


@dataclass(frozen=True, slots=True)
class Ref:
    """An artifact by name and digest."""

    artifact: str
    digest: str


@dataclass(frozen=True, slots=True)
class Binding:
    """``former`` is the revision that rolling back restores; 0 is the empty binding, before there was any."""

    champion: Ref | None = None
    challenger: Ref | None = None
    shadow: Ref | None = None
    former: int | None = None

    def to_body(self) -> dict[str, Any]:
        slots: dict[str, Any] = {slot: _written(getattr(self, slot)) for slot in SLOTS}
        return {**slots, "former": self.former}


EMPTY: Final = Binding()


def name(stream: str, environment: str) -> str:
    """What a binding is called.

    >>> name("fraud", "production")
    'fraud/production'
    """
    return f"{stream}/{environment}"


def read(found: resources.Resource | None) -> Binding:
    """The binding that a resource describes; empty where there is none."""
    if found is None or found.body is None:
        return EMPTY
    slots: dict[str, Any] = {slot: _read(found.body[slot]) for slot in SLOTS}
    return Binding(**slots, former=found.body["former"])


def promote(
    found: resources.Resource | None,
    *,
    artifact: resources.Resource,
    environment: resources.Resource,
    approval: resources.Resource | None,
    now_us: int,
    slot: approvals.Slot = "champion",
    reason: str | None = None,
) -> resources.Command:
    """Make an artifact champion (or challenger), with the approval that the environment asks for, used up by this.

    A challenger that becomes champion leaves its slot.
    """
    status = artifacts.demand_servable(artifact, now_us=now_us)
    target, revision = name(status.stream, environment.name), _revision(found)
    if found is not None and found.name != target:
        raise _other_stream(status, found.name)
    before, ref = read(found), Ref(status.name, status.digest)
    if getattr(before, slot) == ref:
        raise errors.RefusedError(
            "CAL-920",
            f"{status.name} is {slot} of {target} already",
            cause="this promotion, or another one of the same artifact, was made before",
            fix="see by whom and when: calibrant binding history",
        )
    used: tuple[resources.Change, ...] = ()
    if environments.approvals(environment):
        if approval is None:
            raise errors.RefusedError(
                "CAL-930",
                f"{target} takes approval by another person",
                cause=f"the environment {environment.name} asks for {environments.approvals(environment)}",
                fix="ask for it: calibrant approval request",
            )
        used = (
            approvals.use(
                approval, artifact=status, target=target, target_revision=revision, slot=slot, now_us=now_us,
                needs=environments.approvals(environment),
            ),
        )  # fmt: skip
    after = replace(before, former=revision)
    if slot == "champion":
        after = replace(after, champion=ref, challenger=None if before.challenger == ref else before.challenger)
    else:
        after = replace(after, challenger=ref)
    evidence = tuple(one for one in (status.digest, status.evidence) if one)
    change = resources.Change(KIND, target, revision, after.to_body(), "binding.promote", reason, evidence)
    return resources.Command(
        (change, *used),
        (
            resources.Requirement(artifacts.KIND, artifact.name, artifact.revision),
            resources.Requirement(environments.KIND, environment.name, environment.revision),
        ),
    )


def shadow(
    found: resources.Resource | None,
    *,
    artifact: resources.Resource | None,
    stream: str,
    environment: str,
    now_us: int,
    reason: str | None = None,
) -> resources.Command:
    """Let an artifact see every score and act on none, or (None) stop that. Needs no approval: nothing acts on it."""
    target, ref = name(stream, environment), None
    requires: tuple[resources.Requirement, ...] = ()
    if artifact is not None:
        status = artifacts.demand_servable(artifact, now_us=now_us)
        if status.stream != stream:
            raise _other_stream(status, stream)
        ref = Ref(status.name, status.digest)
        requires = (resources.Requirement(artifacts.KIND, artifact.name, artifact.revision),)
    after = replace(read(found), shadow=ref)
    return resources.Command(
        (resources.Change(KIND, target, _revision(found), after.to_body(), "binding.assign", reason),), requires
    )


def follow(
    found: resources.Resource, *, child: resources.Resource, now_us: int, reason: str | None = None
) -> resources.Command:
    """Put a child of the champion in its place: a map that moved by itself, within the envelope of its anchor.

    That it is within is for whoever holds the documents to check (``artifacts.envelope``). Rolling back still leads to
    what was before the anchor: a child is no promotion.
    """
    before, status = read(found), artifacts.demand_servable(child, now_us=now_us)
    if before.champion is None or status.parent != before.champion.digest:
        raise errors.RefusedError(
            "CAL-956",
            f"{status.name} does not follow the champion of {found.name}",
            cause="its parent is another artifact",
            fix="make the child of what serves now, or promote it",
        )
    after = replace(before, champion=Ref(status.name, status.digest))
    change = resources.Change(
        KIND, found.name, found.revision, after.to_body(), "binding.follow", reason, (status.digest,)
    )
    return resources.Command(
        (change,), (resources.Requirement(artifacts.KIND, child.name, child.revision),)
    )  # fmt: skip


def rollback(
    found: resources.Resource,
    *,
    history: Sequence[resources.Resource],
    unfit: Collection[str] = (),
    reason: str | None = None,
    rests_on: tuple[str, ...] = (),
) -> resources.Command:
    """Restore exactly the content from before the last promotion; ``history`` holds all revisions of the binding.

    ``unfit`` are the names of artifacts that must not serve any more (revoked): content with one of them as champion is
    passed over for what was before it.
    """
    former = read(found).former
    if former is None:
        raise errors.RefusedError(
            "CAL-931",
            f"{found.name} has nothing to go back to",
            cause="no promotion is left to undo",
            fix="promote another artifact, or revoke the one that hurts",
        )
    after = _newest_fit(_at(history, former), history, unfit)
    change = resources.Change(KIND, found.name, found.revision, after.to_body(), "binding.rollback", reason, rests_on)
    return resources.Command((change,))


def without(
    found: resources.Resource, *, history: Sequence[resources.Resource], unfit: Collection[str], reason: str | None
) -> resources.Change | None:
    """The change that takes artifacts out of a binding; None if it holds none of them.

    An unfit champion takes the binding back to what was before it; other slots are only emptied. ``unfit`` are the
    names of all artifacts that must not serve, not only of the one that is revoked now.
    """
    before = read(found)
    after = _newest_fit(before, history, unfit)
    if after == before:
        return None
    return resources.Change(KIND, found.name, found.revision, after.to_body(), "binding.rollback", reason)


def _newest_fit(binding: Binding, history: Sequence[resources.Resource], unfit: Collection[str]) -> Binding:
    """This content or the newest before it that has no unfit champion, with unfit ones taken out of other slots."""
    while binding.champion is not None and binding.champion.artifact in unfit:
        binding = EMPTY if binding.former is None else _at(history, binding.former)
    kept = {slot: getattr(binding, slot) for slot in SLOTS}
    return replace(binding, **{slot: None for slot, ref in kept.items() if ref is not None and ref.artifact in unfit})


def _revision(found: resources.Resource | None) -> int:
    return resources.ABSENT if found is None else found.revision


def _at(history: Sequence[resources.Resource], revision: int) -> Binding:
    """The content of a revision; revision 0 is the empty binding."""
    return next((read(one) for one in history if one.revision == revision), EMPTY)


def _written(ref: Ref | None) -> dict[str, str] | None:
    return None if ref is None else {"artifact": ref.artifact, "digest": ref.digest}


def _read(found: Mapping[str, str] | None) -> Ref | None:
    return None if found is None else Ref(found["artifact"], found["digest"])


def _other_stream(status: artifacts.Status, stream: str) -> errors.RefusedError:
    return errors.RefusedError(
        "CAL-932",
        f"{status.name} is not an artifact of {stream}",
        cause=f"it was fitted on the scores of {status.stream}",
        fix=f"choose an artifact of {stream}",
    )
