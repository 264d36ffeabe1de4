"""Bindings: promotion, exact rollback, revocation, and the states of artifacts; then all of it as a state machine."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from calibrant import errors
from calibrant.registry import approvals, artifacts, bindings, environments, principals

TARGET = "fraud/production"


def promoted(registry, *names: str) -> None:
    """Each in turn, with approval."""
    for artifact in names:
        request = f"r{registry.entries}"
        registry.ask(artifact, request, by=principals.read(registry.the("principal", "pia")))
        registry.decide(request, "approve", by=principals.read(registry.the("principal", "ada")))
        registry.promote(artifact, request)


def rolled_back(registry) -> None:
    registry.apply(bindings.rollback(registry.binding(), history=registry.history("binding", TARGET)))


def revoked(registry, name: str) -> None:
    """As the workflow does it: the artifact and every binding, in one command."""
    found = registry.the("artifact", name)
    command = artifacts.revoke(found, reason="it hurts")
    unfit = {one.name for one in registry.all("artifact") if one.body["state"] == "revoked"} | {name}
    changes = [
        bindings.without(one, history=registry.history("binding", one.name), unfit=unfit, reason="it hurts")
        for one in registry.all("binding")
    ]
    registry.apply(type(command)((*command.changes, *(one for one in changes if one)), command.requires))


def test_rollback_restores_the_content_before_to_the_last_byte(registry) -> None:
    """Two promotions and two rollbacks: the digests are those from before, back to the empty binding."""
    promoted(registry, "fraud@1", "fraud@2")
    first, second = registry.history("binding", TARGET)
    rolled_back(registry)
    assert registry.binding().digest == first.digest
    assert registry.binding().revision == second.revision + 1
    rolled_back(registry)
    assert registry.binding().body == bindings.EMPTY.to_body()
    with pytest.raises(errors.RefusedError, match="CAL-931"):
        rolled_back(registry)


def test_a_challenger_that_wins_leaves_its_slot(registry) -> None:
    """Champion and challenger are never the same artifact after a promotion; the shadow stays."""
    registry.apply(
        bindings.shadow(
            None, artifact=registry.the("artifact", "fraud@2"), stream="fraud", environment="production",
            now_us=registry.now,
        )
    )  # fmt: skip
    registry.ask("fraud@1", "r1", by=principals.read(registry.the("principal", "pia")), slot="challenger")
    registry.decide("r1", "approve", by=principals.read(registry.the("principal", "ada")))
    registry.promote("fraud@1", "r1", slot="challenger")
    assert bindings.read(registry.binding()).challenger.artifact == "fraud@1"
    promoted(registry, "fraud@1")
    after = bindings.read(registry.binding())
    assert (after.champion.artifact, after.challenger, after.shadow.artifact) == ("fraud@1", None, "fraud@2")
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        registry.promote("fraud@1", None)


def test_only_signed_artifacts_in_time_of_the_right_stream_are_bound(registry) -> None:
    """Drafts, sealed, deprecated, revoked and expired ones are refused, and those of other streams."""
    status = artifacts.Status("fraud", 3, "draft", "sha256:d3", "sha256:e3", None, registry.now + 10, "pia")
    registry.apply(artifacts.draft(status))
    registry.apply(environments.declare(registry.the("environment", "production"), "production", approvals=0))

    def refused(code: str) -> None:
        with pytest.raises(errors.RefusedError, match=code):
            registry.promote("fraud@3", None)

    refused("CAL-920")
    registry.apply(artifacts.seal(registry.the("artifact", "fraud@3"), digest="sha256:d3"))
    refused("CAL-920")
    registry.apply(artifacts.sign(registry.the("artifact", "fraud@3"), digest="sha256:d3", bundle="sha256:b3"))
    registry.now += 10
    refused("CAL-924")
    registry.now -= 10
    with pytest.raises(errors.RefusedError, match="CAL-932"):
        bindings.shadow(
            None, artifact=registry.the("artifact", "fraud@3"), stream="churn", environment="production",
            now_us=registry.now,
        )  # fmt: skip
    registry.apply(artifacts.deprecate(registry.the("artifact", "fraud@3"), reason=None))
    refused("CAL-920")


def test_artifacts_only_go_forward(registry) -> None:
    """Sealed bytes are not drafted anew, signed ones not sealed again, and a signature is over the sealed bytes."""
    found = registry.the("artifact", "fraud@1")
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        artifacts.draft(artifacts.read(found), found=found)
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        artifacts.seal(found, digest="sha256:00")
    with pytest.raises(errors.RefusedError, match="CAL-923"):
        artifacts.sign(found, digest="sha256:00", bundle="sha256:b2")
    revoked(registry, "fraud@1")
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        artifacts.revoke(registry.the("artifact", "fraud@1"), reason=None)
    assert artifacts.next_version(registry.all("artifact")) == 3


def test_revoking_takes_it_out_of_every_binding(registry) -> None:
    """The champion goes back to what was before; a shadow's slot is emptied and its champion stays."""
    promoted(registry, "fraud@1", "fraud@2")
    registry.apply(
        bindings.shadow(
            None, artifact=registry.the("artifact", "fraud@2"), stream="fraud", environment="staging",
            now_us=registry.now,
        )
    )  # fmt: skip
    revoked(registry, "fraud@2")
    assert bindings.read(registry.binding()).champion.artifact == "fraud@1"
    assert bindings.read(registry.get("binding", "fraud/staging")).shadow is None
    revoked(registry, "fraud@1")
    assert bindings.read(registry.binding()).champion is None


def test_rolling_back_passes_over_what_was_revoked(registry) -> None:
    """With the one before revoked, the one before that comes back."""
    third = registry.signed()
    promoted(registry, "fraud@1", "fraud@2", third)
    revoked(registry, "fraud@2")
    registry.apply(
        bindings.rollback(registry.binding(), history=registry.history("binding", TARGET), unfit={"fraud@2"})
    )
    assert bindings.read(registry.binding()).champion.artifact == "fraud@1"


def test_two_promotions_from_one_state_cannot_both_happen(registry) -> None:
    """Compare and swap: the second of two commands made from the same revision is refused."""
    registry.apply(environments.declare(registry.the("environment", "production"), "production", approvals=0))
    both = [
        bindings.promote(
            None, artifact=registry.the("artifact", name), environment=registry.the("environment", "production"),
            approval=None, now_us=registry.now,
        )
        for name in ("fraud@1", "fraud@2")
    ]  # fmt: skip
    registry.apply(both[0])
    with pytest.raises(errors.ConflictError):
        registry.apply(both[1])


def test_a_binding_cannot_serve_what_was_revoked_meanwhile(registry) -> None:
    """The promotion requires the artifact as it was read."""
    registry.apply(environments.declare(registry.the("environment", "production"), "production", approvals=0))
    command = bindings.promote(
        None, artifact=registry.the("artifact", "fraud@1"), environment=registry.the("environment", "production"),
        approval=None, now_us=registry.now,
    )  # fmt: skip
    revoked(registry, "fraud@1")
    with pytest.raises(errors.ConflictError):
        registry.apply(command)


class Release(RuleBasedStateMachine):
    """People do anything in any order; refusals are fine, broken promises are not."""

    new = staticmethod(lambda: None)

    def __init__(self) -> None:
        super().__init__()
        self.registry = type(self).new()
        self.people = {one: principals.read(self.registry.the("principal", one)) for one in ("pia", "ada", "otto")}
        self.people["sam"] = self.registry.person("sam", "proposer", "approver", "operator")
        self.people["sams-bot"] = self.registry.service("sams-bot", "sam", "proposer", "approver", "operator")

    def attempt(self, do) -> None:
        before = self.registry.entries
        try:
            do()
        except errors.RefusedError:
            assert self.registry.entries == before

    some_artifact = st.integers(0, 5)
    somebody = st.sampled_from(["pia", "ada", "otto", "sam", "sams-bot"])

    def artifact(self, index: int) -> str:
        names = sorted(one.name for one in self.registry.all("artifact"))
        return names[index % len(names)]

    @precondition(lambda self: len(self.registry.all("artifact")) < 6)
    @rule()
    def signs_another(self) -> None:
        self.registry.signed(by="sam")

    @rule(index=some_artifact, who=somebody, slot=st.sampled_from(["champion", "challenger"]))
    def asks(self, index: int, who: str, slot: approvals.Slot) -> None:
        name = f"r{self.registry.entries:05}"
        self.attempt(lambda: self.registry.ask(self.artifact(index), name, by=self.people[who], slot=slot))

    @rule(index=st.integers(0, 50), who=somebody, verdict=st.sampled_from(["approve", "approve", "decline"]))
    def decides(self, index: int, who: str, verdict: approvals.Verdict) -> None:
        asked = sorted(one.name for one in self.registry.all("approval"))
        if asked:
            name = asked[-1 - index % min(3, len(asked))]
            self.attempt(lambda: self.registry.decide(name, verdict, by=self.people[who]))

    @rule(index=st.integers(0, 50), who=somebody)
    def promotes(self, index: int, who: str) -> None:
        asked = sorted(one.name for one in self.registry.all("approval"))
        if asked:
            approval = approvals.read(self.registry.the("approval", asked[-1 - index % min(3, len(asked))]))
            self.attempt(
                lambda: self.registry.promote(approval.artifact, approval.name, by=self.people[who], slot=approval.slot)
            )

    @rule(index=some_artifact, slot=st.sampled_from(["champion", "champion", "challenger"]))
    def goes_the_proper_way(self, index: int, slot: approvals.Slot) -> None:
        name = f"r{self.registry.entries:05}"
        pia, ada, otto = (self.people[one] for one in ("pia", "ada", "otto"))
        self.attempt(lambda: self.registry.ask(self.artifact(index), name, by=pia, slot=slot))
        if self.registry.get("approval", name):
            self.registry.decide(name, "approve", by=ada)
            self.attempt(lambda: self.registry.promote(self.artifact(index), name, by=otto, slot=slot))

    @rule()
    def rolls_back(self) -> None:
        if self.registry.binding():
            self.attempt(lambda: rolled_back_fit(self.registry))

    @rule(index=some_artifact)
    def revokes(self, index: int) -> None:
        self.attempt(lambda: revoked(self.registry, self.artifact(index)))

    @rule(microseconds=st.sampled_from([1, 3_600_000_000, 86_400_000_000]))
    def time_passes(self, microseconds: int) -> None:
        self.registry.now += microseconds

    @invariant()
    def nothing_serves_that_must_not(self) -> None:
        binding = bindings.read(self.registry.binding())
        for ref in (binding.champion, binding.challenger, binding.shadow):
            if ref is not None:
                status = artifacts.read(self.registry.the("artifact", ref.artifact))
                assert status.state in ("signed", "deprecated")
                assert status.digest == ref.digest

    @invariant()
    def every_promotion_has_two_people(self) -> None:
        used = [approvals.read(one) for one in self.registry.all("approval") if one.body["state"] == "used"]
        promotions = sum(
            one.body["former"] is not None and one.body["former"] == one.revision - 1
            for one in self.registry.history("binding", TARGET)
        )
        assert len(used) >= promotions
        for one in used:
            approvers = {said.person for said in one.decisions if said.verdict == "approve"}
            assert approvers - {one.proposed_by, one.drafted_by}


def rolled_back_fit(registry) -> None:
    unfit = {one.name for one in registry.all("artifact") if one.body["state"] == "revoked"}
    registry.apply(bindings.rollback(registry.binding(), history=registry.history("binding", TARGET), unfit=unfit))


def test_no_order_of_commands_breaks_a_promise(new_registry) -> None:
    """What serves is signed, and every promotion had another person, whatever people try."""
    machine = type("Machine", (Release,), {"new": staticmethod(new_registry)})
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))


@pytest.mark.theory
def test_no_order_of_commands_breaks_a_promise_thoroughly(new_registry) -> None:
    """The same, longer."""
    machine = type("Machine", (Release,), {"new": staticmethod(new_registry)})
    run_state_machine_as_test(machine, settings=settings(max_examples=2_000, stateful_step_count=50, deadline=None))
