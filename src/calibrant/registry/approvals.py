"""Approval by other people: bound to the artifact's and the evidence's digest, the target, its revision and a deadline.

Who proposes does not approve, and neither does who drafted; two principals of one person are one person. An approval is
used once: the promotion that it allows uses it up in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from calibrant import errors
from calibrant.registry import artifacts, principals, refusals, resources

KIND: Final = "approval"

Slot = Literal["champion", "challenger"]
State = Literal["requested", "approved", "declined", "used", "withdrawn"]
Verdict = Literal["approve", "decline"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person said, through which principal."""

    principal: str
    person: str
    verdict: Verdict
    at_us: int


@dataclass(frozen=True, slots=True)
class Approval:
    """A request and what was said to it. ``target`` is a binding, at the revision that the requester saw."""

    name: str
    artifact: str
    digest: str
    evidence: str | None
    target: str
    slot: Slot
    target_revision: int
    proposed_by: str
    drafted_by: str
    needs: int
    expires_us: int
    state: State = "requested"
    decisions: tuple[Decision, ...] = ()

    def to_body(self) -> dict[str, Any]:
        return {
            "artifact": self.artifact,
            "digest": self.digest,
            "evidence": self.evidence,
            "target": self.target,
            "slot": self.slot,
            "target_revision": self.target_revision,
            "proposed_by": self.proposed_by,
            "drafted_by": self.drafted_by,
            "needs": self.needs,
            "expires_us": self.expires_us,
            "state": self.state,
            "decisions": [
                {"principal": one.principal, "person": one.person, "verdict": one.verdict, "at_us": one.at_us}
                for one in self.decisions
            ],
        }


def read(found: resources.Resource) -> Approval:
    """The approval that a resource describes."""
    assert found.body is not None
    body = dict(found.body)
    decisions = tuple(Decision(**one) for one in body.pop("decisions"))
    return Approval(name=found.name, decisions=decisions, **body)


def request(
    name: str,
    *,
    artifact: resources.Resource,
    target: str,
    target_revision: int,
    slot: Slot,
    needs: int,
    by: principals.Principal,
    now_us: int,
    expires_us: int,
) -> resources.Command:
    """Ask for approval of one artifact in one place, until a deadline."""
    status = artifacts.demand_servable(artifact, now_us=now_us)
    if expires_us <= now_us:
        raise errors.UsageError(
            "CAL-945", "the request would have expired already", cause="its deadline has passed", fix="give it time"
        )
    if status.evidence is None:
        raise errors.RefusedError(
            "CAL-925",
            f"{status.name} has no evidence to approve",
            cause="it was drafted without a validation",
            fix="draft it with its evidence: calibrant artifact draft --evidence",
        )
    asked = Approval(
        name, status.name, status.digest, status.evidence, target, slot, target_revision, by.person, status.drafted_by,
        needs, expires_us,
    )  # fmt: skip
    change = resources.Change(
        KIND, name, resources.ABSENT, asked.to_body(), "approval.request", evidence=(status.digest, status.evidence)
    )
    return resources.Command(
        (change,), (resources.Requirement(artifacts.KIND, artifact.name, artifact.revision),)
    )  # fmt: skip


def decide(
    found: resources.Resource,
    verdict: Verdict,
    *,
    by: principals.Principal,
    digest: str,
    evidence: str,
    now_us: int,
    reason: str | None = None,
) -> resources.Command:
    """Approve or decline. ``digest`` and ``evidence`` are of what the person looked at: those of the request."""
    asked = read(found)
    _demand_open(asked, now_us)
    if digest != asked.digest or evidence != asked.evidence:
        raise errors.RefusedError(
            "CAL-926",
            "what was looked at is not what was asked for",
            cause=f"request {asked.name} is about another artifact or other evidence",
            fix="look at the request again: calibrant approval show",
        )
    if by.person in (asked.proposed_by, asked.drafted_by):
        raise errors.ForbiddenError(
            "CAL-904",
            f"{by.name} cannot approve this",
            cause=f"{by.person} proposed or drafted it, and approval takes another person",
            fix="ask somebody else who may approve",
        )
    if any(one.person == by.person for one in asked.decisions):
        raise errors.ForbiddenError(
            "CAL-905", f"{by.person} has decided on this already", cause="each person has one voice",
            fix="ask somebody else who may approve",
        )  # fmt: skip
    said = (*asked.decisions, Decision(by.name, by.person, verdict, now_us))
    state: State = "requested"
    if verdict == "decline":
        state = "declined"
    elif len(said) >= asked.needs:
        state = "approved"
    return _to(found, replace(asked, decisions=said, state=state), "approval.decide", reason)


def withdraw(found: resources.Resource, *, reason: str | None = None) -> resources.Command:
    """Take a request back before it was used."""
    asked = read(found)
    if asked.state not in ("requested", "approved"):
        raise refusals.wrong_state(f"request {asked.name}", asked.state, needs="open", fix="nothing is left to do")
    return _to(found, replace(asked, state="withdrawn"), "approval.withdraw", reason)


def use(
    found: resources.Resource,
    *,
    artifact: artifacts.Status,
    target: str,
    target_revision: int,
    slot: Slot,
    now_us: int,
    needs: int,
) -> resources.Change:
    """The change that uses an approval up; RefusedError unless it is approved, in time, and for exactly this.

    ``needs`` are the voices that the environment asks for now, which may be more than when it was asked for.
    """
    asked = read(found)
    if asked.state != "approved":
        raise refusals.wrong_state(
            f"request {asked.name}", asked.state, needs="approved", fix="wait for approval, or ask for it again"
        )
    _demand_in_time(asked, now_us)
    if asked.needs < needs:
        raise errors.RefusedError(
            "CAL-930",
            f"{target} takes approval by {needs} persons",
            cause=f"request {asked.name} was approved when {asked.needs} were enough",
            fix="ask for it again: calibrant approval request",
        )
    same = (asked.artifact, asked.digest, asked.evidence, asked.target, asked.slot) == (
        artifact.name, artifact.digest, artifact.evidence, target, slot,
    )  # fmt: skip
    if not same:
        raise errors.RefusedError(
            "CAL-927",
            "this approval is for something else",
            cause=f"request {asked.name} is about {asked.artifact} as {asked.slot} of {asked.target}",
            fix="ask for approval of what is to be done",
        )
    if asked.target_revision != target_revision:
        raise errors.RefusedError(
            "CAL-928",
            f"{target} has changed since this was approved",
            cause=f"approved at revision {asked.target_revision}, now {target_revision}",
            fix="ask for approval again: the effect may be another one now",
        )
    return _to(found, replace(asked, state="used"), "binding.promote", None).changes[0]


def _demand_open(asked: Approval, now_us: int) -> None:
    if asked.state != "requested":
        raise refusals.wrong_state(f"request {asked.name}", asked.state, needs="open", fix="ask for approval again")
    _demand_in_time(asked, now_us)


def _demand_in_time(asked: Approval, now_us: int) -> None:
    if now_us >= asked.expires_us:
        raise errors.RefusedError(
            "CAL-929", f"request {asked.name} has expired", cause="its deadline passed", fix="ask for approval again"
        )


def _to(found: resources.Resource, after: Approval, action: str, reason: str | None) -> resources.Command:
    evidence = (after.digest,) if after.evidence is None else (after.digest, after.evidence)
    return resources.Command(
        (resources.Change(KIND, found.name, found.revision, after.to_body(), action, reason, evidence),)
    )
