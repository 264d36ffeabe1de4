"""The whole rollout as a state machine: people, guards, clocks and other hands do anything, in any order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from calibrant import errors
from calibrant.registry import approvals, artifacts, bindings, environments
from calibrant.rollout import exposure, going_back, plans, readings, signals, states, turns
from calibrant.serving import assign

TARGET = "fraud/production"
HOUR = 3_600_000_000
GUARDS = ("paired_loss", "sample_ratio", "mean_score")
VERDICTS = st.sampled_from(["passed"] * 6 + ["failed", "inconclusive", "error", "immature"])
ROWS = st.sampled_from([5_000] * 6 + [0, 20, 999])
POSITIVES = st.sampled_from([500] * 6 + [0, 5_000, None])


@st.composite
def any_readings(draw: st.DrawFn) -> tuple[tuple[str, str, int, int | None, int], ...]:
    """Some guards, mostly good; now and then one is missing, is of another stage or rests on nothing."""
    if draw(st.integers(0, 2)):
        return tuple((guard, "passed", 5_000, 500, 0) for guard in GUARDS)
    return tuple(
        (guard, draw(VERDICTS), draw(ROWS), draw(POSITIVES), draw(st.sampled_from([0, 0, 0, -1])))
        for guard in draw(st.lists(st.sampled_from(GUARDS), unique=True))
    )


class Rollouts(RuleBasedStateMachine):
    """Refusals are fine, broken promises are not."""

    new = staticmethod(lambda: None)

    def __init__(self) -> None:
        super().__init__()
        self.world = type(self).new()
        self.foreign_hand = False
        self.looks_back = 0

    @property
    def state(self) -> states.Rollout | None:
        return self.world.state if self.world.get("rollout", TARGET) else None

    # ------------------------------------------------------------------ what happens

    def hear(self, signal: signals.Signal) -> None:
        """Each signal arrives twice."""
        before, bound = self.state, self.world.binding
        try:
            made = self.world.hear(signal)
        except errors.RefusedError:
            assert (self.state, self.world.binding) == (before, bound)
            return
        if made is None:
            assert (self.state, self.world.binding) == (before, bound)
            return
        assert sum(one.kind == "rollout" for one in made.command.changes) == 1, "one entry for each transition"
        assert self.state.stage - before.stage <= 1 + (self.state.phase == "rolling_back")
        self.check(signal, before)
        again = self.state, self.world.binding, len(self.world.pages)
        assert self.world.hear(signal) is None, "hearing it twice is hearing it once"
        assert (self.state, self.world.binding, len(self.world.pages)) == again

    def check(self, signal: signals.Signal, before: states.Rollout) -> None:
        after = self.state
        grew = (before.phase, before.step) != (after.phase, after.step) and after.phase in ("progressing", "promoting")
        if grew:
            assert isinstance(signal, signals.Look)
            assert before.overridden or all(self.passed(before, signal, guard) for guard in self.guards(before))
            assert not before.paused
            assert signal.freeze is None
            assert before.overridden or signal.at_us >= before.entered_us + HOUR
            assert before.plan.mode != "manual" or before.released
            needs = before.plan.mode == "approve" or (
                signal.voices and (before.phase == "shadowing" or after.phase == "promoting")
            )
            assert signal.answer == "approved" or not needs
        if after.phase == "rolling_back" and before.phase != "rolling_back" and after.origin is not None:
            self.check_restored(after)

    def guards(self, state: states.Rollout) -> tuple[str, ...]:
        return GUARDS[:1] if state.phase == "shadowing" else GUARDS

    def passed(self, state: states.Rollout, look: signals.Look, guard: str) -> bool:
        """Said again without the code under test."""
        found = [one for one in look.readings if one.guard == guard and one.stage == state.stage]
        enough = 1_000 if guard == "paired_loss" else 100
        return any(
            one.verdict == "passed"
            and one.n >= enough
            and (guard != "paired_loss" or (one.positives is not None and 0 < one.positives < one.n))
            for one in found
        )

    def check_restored(self, state: states.Rollout) -> None:
        """Invariant 7; what was revoked meanwhile does not come back."""
        before = [one for one in self.world.history("binding", TARGET) if one.revision == state.origin]
        content = bindings.read(before[0]) if before else bindings.EMPTY
        held = {one.artifact for one in (content.champion, content.challenger, content.shadow) if one}
        if not held & set(self.world.place().unfit):
            assert self.world.binding == content

    # ------------------------------------------------------------------ rules

    @initialize(hours=st.integers(0, 8), mode=st.sampled_from(["auto", "auto", "approve"]))
    def a_rollout_is_on_its_way(self, hours: int, mode: str) -> None:
        self.world.start("fraud@2", mode=mode)
        if hours:
            self.all_is_well(hours)

    @rule(microseconds=st.sampled_from([1, HOUR, HOUR, 2 * HOUR, 24 * HOUR, 150 * HOUR]))
    def time_passes(self, microseconds: int) -> None:
        self.world.now += microseconds

    @precondition(lambda self: self.state is None or not self.state.running or self.world.now % 3 == 0)
    @rule(index=st.integers(1, 3), mode=st.sampled_from(["auto", "auto", "approve", "manual"]), override=st.booleans())
    def somebody_starts(self, index: int, mode: str, override: bool) -> None:
        before, now = self.state, self.world.now
        digest = artifacts.read(self.world.the("artifact", f"fraud@{index}")).digest
        resting = [one for one in (before.setbacks if before else ()) if one.digest == digest]
        try:
            self.world.start(f"fraud@{index}", mode=mode, override=override)
        except errors.RefusedError:
            return
        assert before is None or not before.running
        assert override or all(one.times < 2 and one.until_us <= now for one in resting), "invariant 14"
        self.foreign_hand = False

    @precondition(lambda self: self.state is not None)
    @rule(given=any_readings(), freeze=st.sampled_from([None] * 5 + ["Fri 16:00/Mon 08:00"]),
          exhausted=st.sampled_from([False] * 4 + [True]), wait=st.sampled_from([0, HOUR, HOUR]))  # fmt: skip
    def a_controller_looks(self, given: tuple, freeze: str | None, exhausted: bool, wait: int) -> None:
        self.world.now += wait
        stage = self.state.stage
        made = tuple(
            readings.Reading(guard, "matured" if guard == "paired_loss" else "label_free", verdict, n, 0, stage + late,
                             positives)
            for guard, verdict, n, positives, late in given
        )  # fmt: skip
        self.looks_back = self.looks_back + 1 if self.state.phase == "rolling_back" else 0
        self.hear(self.world.look(made, freeze=freeze, exhausted=exhausted))

    @precondition(lambda self: self.state is not None and self.state.running)
    @rule(hours=st.integers(1, 6))
    def all_is_well(self, hours: int) -> None:
        """Hours of good looks, with people who say yes: otherwise hardly any run would see a promotion."""
        for _ in range(hours):
            if not self.state.running:
                return
            self.world.now += HOUR
            made = tuple(
                readings.Reading(guard, "matured" if guard == "paired_loss" else "label_free", "passed", 5_000, 0,
                                 self.state.stage, 500)
                for guard in GUARDS
            )  # fmt: skip
            self.looks_back = self.looks_back + 1 if self.state.phase == "rolling_back" else 0
            self.hear(self.world.look(made))
            asked = self.world.get("approval", turns.approval_name(self.state, self.world.place().revision))
            if asked is not None and approvals.read(asked).state == "requested":
                self.world.approve()

    @precondition(lambda self: self.state is not None)
    @rule(what=st.sampled_from(["pause", "resume", "resume", "abort", "back", "advance", "advance", "late"]))
    def a_person_speaks(self, what: str) -> None:
        now, stage = self.world.now, self.state.stage
        bound = exposure.bound(self.state, self.world.place())
        self.hear({
            "pause": signals.Pause(now),
            "resume": signals.Resume(now),
            "abort": signals.Abort(now, bound),
            "back": signals.RollBack(now, bound),
            "advance": signals.Advance(stage, now),
            "late": signals.Advance(stage - 1, now, override=True),
        }[what])  # fmt: skip

    @precondition(lambda self: self.state is not None)
    @rule()
    def a_person_overrides(self) -> None:
        self.hear(signals.Advance(self.state.stage, self.world.now, override=True))

    @precondition(lambda self: any(kind == "approval" for kind, _ in self.world.revisions))
    @rule(verdict=st.sampled_from(["approve", "approve", "approve", "decline"]))
    def ada_decides(self, verdict: approvals.Verdict) -> None:
        name = [name for kind, name in self.world.revisions if kind == "approval"][-1]
        if approvals.read(self.world.the("approval", name)).state == "requested":
            try:
                self.world.decide(name, verdict)
            except errors.RefusedError:
                return

    @rule(approvals=st.integers(0, 1))
    def the_environment_changes(self, approvals: int) -> None:
        found = self.world.the("environment", "production")
        self.world.apply(environments.declare(found, "production", approvals=approvals))

    @rule(what=st.sampled_from(["promote", "rollback", "shadow"]), index=st.integers(1, 3),
          luck=st.integers(0, 3))  # fmt: skip
    def another_hand(self, what: str, index: int, luck: int) -> None:
        if luck:  # now and then
            return
        found = self.world.get("binding", TARGET)
        try:
            if what == "promote":
                self.world.promote(f"fraud@{index}")
            elif what == "rollback":
                history, unfit = self.world.history("binding", TARGET), self.world.unfit()
                self.world.apply(bindings.rollback(found, history=history, unfit=unfit))
            else:
                self.world.apply(
                    bindings.shadow(
                        found, artifact=self.world.the("artifact", f"fraud@{index}"), stream="fraud",
                        environment="production", now_us=self.world.now,
                    )
                )  # fmt: skip
        except errors.RefusedError:
            return
        self.foreign_hand = True

    @rule(index=st.integers(1, 3), luck=st.integers(0, 9))
    def somebody_revokes(self, index: int, luck: int) -> None:
        if luck == 0 and artifacts.read(self.world.the("artifact", f"fraud@{index}")).state == "signed":
            self.world.revoke(f"fraud@{index}")
            self.foreign_hand = True

    # ------------------------------------------------------------------ promises

    @invariant()
    def nothing_serves_that_must_not(self) -> None:
        binding = self.world.binding
        for ref in (binding.champion, binding.challenger, binding.shadow):
            assert ref is None or artifacts.read(self.world.the("artifact", ref.artifact)).state == "signed"

    @invariant()
    def arms_are_alike(self) -> None:
        """Control and canary have one width, and both hold what is bound."""
        arms = None if self.state is None else exposure.arms(self.state, self.world.binding)
        if arms is not None:
            assert 0 < arms.width <= assign.HALF
            slots = (None, self.world.binding.champion, self.world.binding.challenger)
            assert {arms.canary, arms.control, arms.rest} <= set(slots)

    @invariant()
    def what_ended_exposes_nobody(self) -> None:
        state = self.state
        if state is None or state.running or self.foreign_hand:
            return
        binding = self.world.binding
        assert binding.challenger is None
        assert (binding.champion == state.candidate) == (state.phase == "completed")

    @invariant()
    def going_back_ends(self) -> None:
        """Invariant 6: in so many looks it is restored, or somebody was woken up."""
        assert self.looks_back <= going_back.TRIES + 1

    @invariant()
    def what_runs_says_why_it_waits(self) -> None:
        state = self.state
        if state is not None:
            assert not state.paused or "manual" in state.holds or state.phase in ("pending", "rolling_back")
            assert state.running or not state.holds or state.phase == "pending"


def test_no_order_of_signals_breaks_a_promise(worlds) -> None:
    """Weights rise only after a pass; going back is exact, bounded and always possible; twice is once."""
    machine = type("Machine", (Rollouts,), {"new": staticmethod(worlds)})
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=50, deadline=None))


@pytest.mark.theory
def test_no_order_of_signals_breaks_a_promise_thoroughly(worlds) -> None:
    """The same, longer."""
    machine = type("Machine", (Rollouts,), {"new": staticmethod(worlds)})
    run_state_machine_as_test(machine, settings=settings(max_examples=10_000, stateful_step_count=50, deadline=None))


def test_freezes_and_budgets_stop_going_on_and_never_going_back(world) -> None:
    """A budget stops only what has not begun."""
    world.start("fraud@2")
    assert world.looks(exhausted=True).holds == ("budget",)
    world.until("shadowing")
    assert world.looks(freeze="2026-12-24/2026-12-27").holds == ("freeze",)
    assert world.looks(exhausted=True).phase == "progressing"
    world.looks("failed", freeze="2026-12-24/2026-12-27", exhausted=True)
    assert world.state.phase == "rolling_back"


def test_undecided_is_never_shipped(world) -> None:
    """At the deadline it ends: aborted before anybody was exposed, rolled back afterwards."""
    world.start("fraud@2")
    world.until("shadowing")
    world.now += 200 * HOUR
    state = world.looks("inconclusive")
    assert (state.phase, state.reason) == ("aborted", "undecided at the deadline")
    world.start("fraud@3")
    world.until("progressing")
    world.now += 200 * HOUR
    assert world.looks("immature").phase == "rolling_back"
    assert world.looks().reason == "undecided at the deadline"


def test_paused_and_resumed(world) -> None:
    """It waits for whoever paused it, and can still be taken back."""
    world.start("fraud@2")
    world.until("progressing")
    world.hear(signals.Pause(world.now))
    assert world.looks().holds == ("manual",)
    world.hear(signals.Resume(world.now))
    assert world.looks().step == 1
    world.hear(signals.Pause(world.now))
    world.looks("failed")
    assert (world.state.phase, world.state.paused) == ("rolling_back", False)


def test_an_override_is_said_and_does_not_override_failure(world) -> None:
    """It helps against waiting, once; not against a guard that failed, a pause or a freeze."""
    world.start("fraud@2")
    world.until("shadowing")
    word = signals.Advance(world.state.stage, world.now, override=True)
    made = world.hear(word)
    assert [one.action for one in made.command.changes] == ["rollout.override"]
    world.hear(world.look(freeze="Fri 16:00/Mon 08:00"))
    assert world.state.holds == ("freeze",)
    world.hear(world.look())
    assert (world.state.phase, world.state.reason) == ("progressing", "a person overrode the guards")
    assert world.hear(world.look()) is not None
    assert set(world.state.holds) == {"immature", "step_hold"}
    world.hear(signals.Advance(world.state.stage, world.now, override=True))
    world.looks("failed")
    assert world.state.phase == "rolling_back"


def test_numbers_that_move_are_not_put_on_record(world) -> None:
    """A look that says the same with more rows writes no entry; another verdict does."""
    world.start("fraud@2")
    world.until("shadowing")
    world.looks("immature")
    entries = len(world.history("rollout", TARGET))
    world.looks("immature")
    assert len(world.history("rollout", TARGET)) == entries
    world.looks("inconclusive")
    assert len(world.history("rollout", TARGET)) == entries + 1


def test_approvals_and_actions_are_named(world) -> None:
    """Requests have a name of their own for each stage and each revision of the binding."""
    world.start("fraud@2")
    state = world.until("shadowing")
    assert turns.approval_name(state, 7) == f"fraud/production/1/{state.stage}/7"
    assert plans.SAMPLE_RATIO in {one.name for one in plans.GUARDS}
