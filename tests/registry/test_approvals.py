"""Four eyes: other people, one digest, one target, one use, one deadline."""

from __future__ import annotations

import pytest

from calibrant import errors
from calibrant.registry import approvals, artifacts, bindings, environments, principals

DAY = 86_400_000_000


def who(registry, name: str) -> principals.Principal:
    return principals.read(registry.the("principal", name))


def test_an_approved_artifact_is_promoted_once(registry) -> None:
    """Request, approval by another person, promotion; the approval is used up."""
    registry.ask("fraud@1", "r1", by=who(registry, "pia"))
    registry.decide("r1", "approve", by=who(registry, "ada"))
    registry.promote("fraud@1", "r1", by=who(registry, "otto"))
    assert bindings.read(registry.binding()).champion.artifact == "fraud@1"
    assert approvals.read(registry.the("approval", "r1")).state == "used"
    registry.apply(bindings.rollback(registry.binding(), history=registry.history("binding", "fraud/production")))
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        registry.promote("fraud@1", "r1")


def test_nobody_approves_alone(registry) -> None:
    """Not the proposer, not who drafted, not a service of theirs, not one person twice by two keys."""
    both = registry.person("sam", "proposer", "approver", "operator")
    bot = registry.service("sams-bot", "sam", "approver")
    registry.ask("fraud@1", "r1", by=both)
    for one in (both, bot):
        with pytest.raises(errors.ForbiddenError, match="CAL-904"):
            registry.decide("r1", "approve", by=one)
    pias_bot = registry.service("pias-bot", "pia", "approver")
    with pytest.raises(errors.ForbiddenError, match="CAL-904"):
        registry.decide("r1", "approve", by=pias_bot)
    registry.apply(environments.declare(registry.the("environment", "production"), "production", approvals=2))
    registry.ask("fraud@2", "r2", by=both)
    ada, adas_bot = who(registry, "ada"), registry.service("adas-bot", "ada", "approver")
    registry.decide("r2", "approve", by=ada)
    assert approvals.read(registry.the("approval", "r2")).state == "requested"
    for one in (ada, adas_bot):
        with pytest.raises(errors.ForbiddenError, match="CAL-905"):
            registry.decide("r2", "approve", by=one)
    registry.decide("r2", "approve", by=registry.person("eve", "approver"))
    assert approvals.read(registry.the("approval", "r2")).state == "approved"


def test_roles_decide_who_may_approve(registry) -> None:
    """An admin, an operator and the proposer's colleague without the role are refused by the matrix."""
    registry.ask("fraud@1", "r1", by=who(registry, "pia"))
    for name in ("root", "otto"):
        with pytest.raises(errors.ForbiddenError, match="CAL-901"):
            registry.decide("r1", "approve", by=who(registry, name))


def test_what_was_looked_at_must_be_what_was_asked(registry) -> None:
    """A swapped artifact or evidence digest is refused."""
    registry.ask("fraud@1", "r1", by=who(registry, "pia"))
    asked = approvals.read(registry.the("approval", "r1"))
    for digest, evidence in ((asked.digest, "sha256:00"), ("sha256:00", asked.evidence)):
        with pytest.raises(errors.RefusedError, match="CAL-926"):
            approvals.decide(
                registry.the("approval", "r1"), "approve", by=who(registry, "ada"), digest=digest, evidence=evidence,
                now_us=registry.now,
            )  # fmt: skip


def test_an_approval_is_for_one_artifact_one_place_one_slot(registry) -> None:
    """Using it for another artifact, slot or stream is refused."""
    registry.ask("fraud@1", "r1", by=who(registry, "pia"))
    registry.decide("r1", "approve", by=who(registry, "ada"))
    with pytest.raises(errors.RefusedError, match="CAL-927"):
        registry.promote("fraud@2", "r1")
    with pytest.raises(errors.RefusedError, match="CAL-927"):
        registry.promote("fraud@1", "r1", slot="challenger")
    registry.apply(environments.declare(None, "staging", approvals=1))
    with pytest.raises(errors.RefusedError, match="CAL-927"):
        bindings.promote(
            None, artifact=registry.the("artifact", "fraud@1"), environment=registry.the("environment", "staging"),
            approval=registry.the("approval", "r1"), now_us=registry.now,
        )  # fmt: skip


def test_an_approval_goes_stale_when_the_target_moves(registry) -> None:
    """Another promotion in between makes it worthless."""
    for artifact, name in (("fraud@1", "r1"), ("fraud@2", "r2")):
        registry.ask(artifact, name, by=who(registry, "pia"))
        registry.decide(name, "approve", by=who(registry, "ada"))
    registry.promote("fraud@1", "r1")
    with pytest.raises(errors.RefusedError, match="CAL-928"):
        registry.promote("fraud@2", "r2")


def test_deadlines_hold_for_deciding_and_for_using(registry) -> None:
    """At its deadline a request cannot be decided, and an approval cannot be used."""
    registry.ask("fraud@1", "r1", by=who(registry, "pia"))
    registry.ask("fraud@1", "r2", by=who(registry, "pia"))
    registry.decide("r1", "approve", by=who(registry, "ada"))
    registry.now += DAY
    with pytest.raises(errors.RefusedError, match="CAL-929"):
        registry.promote("fraud@1", "r1")
    with pytest.raises(errors.RefusedError, match="CAL-929"):
        registry.decide("r2", "approve", by=who(registry, "ada"))
    with pytest.raises(errors.UsageError, match="CAL-945"):
        approvals.request(
            "r3", artifact=registry.the("artifact", "fraud@1"), target="fraud/production", target_revision=0,
            slot="champion", needs=1, by=who(registry, "pia"), now_us=registry.now, expires_us=registry.now,
        )  # fmt: skip


def test_declined_and_withdrawn_requests_allow_nothing(registry) -> None:
    """One voice against ends it; whoever asked may take it back, once."""
    registry.ask("fraud@1", "r1", by=who(registry, "pia"))
    registry.decide("r1", "decline", by=who(registry, "ada"))
    registry.ask("fraud@1", "r2", by=who(registry, "pia"))
    registry.apply(approvals.withdraw(registry.the("approval", "r2")))
    for name in ("r1", "r2"):
        with pytest.raises(errors.RefusedError, match="CAL-920"):
            registry.promote("fraud@1", name)
        with pytest.raises(errors.RefusedError, match="CAL-920"):
            registry.decide(name, "approve", by=who(registry, "ada"))
        with pytest.raises(errors.RefusedError, match="CAL-920"):
            approvals.withdraw(registry.the("approval", name))


def test_production_takes_an_approval_and_approval_takes_evidence(registry) -> None:
    """Without a request nothing is promoted; without evidence nothing can be asked for."""
    with pytest.raises(errors.RefusedError, match="CAL-930"):
        registry.promote("fraud@1", None)
    bare = registry.signed(evidence=None)
    with pytest.raises(errors.RefusedError, match="CAL-925"):
        registry.ask(bare, "r1", by=who(registry, "pia"))


def test_an_approval_survives_being_written_down(registry) -> None:
    """read(to_body) is the identity."""
    registry.ask("fraud@1", "r1", by=who(registry, "pia"))
    registry.decide("r1", "approve", by=who(registry, "ada"))
    found = registry.the("approval", "r1")
    assert approvals.read(found).to_body() == found.body
    assert artifacts.read(registry.the("artifact", "fraud@1")).to_body() == registry.the("artifact", "fraud@1").body
