"""A rollout with its binding, from start to end and back from everywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calibrant import errors
from calibrant.registry import artifacts, bindings
from calibrant.rollout import exposure, going_back, signals, states, turns

TARGET = "fraud/production"


def slots(world) -> tuple:
    found = world.binding
    return tuple(None if one is None else one.artifact for one in (found.champion, found.challenger, found.shadow))


def origin(world) -> bindings.Binding:
    return next(
        bindings.read(one) for one in world.history("binding", TARGET) if one.revision == world.state.origin
    )  # fmt: skip


def test_the_whole_way(world) -> None:
    """Shadow, two steps, promotion, baking with a control arm, and the end; each phase binds what it should."""
    world.start("fraud@2")
    seen = []
    while world.state.running:
        state = world.looks()
        arms = exposure.arms(state, world.binding)
        seen.append((state.phase, state.step, *slots(world), None if arms is None else arms.width))
    assert seen == [
        ("awaiting_start", 0, "fraud@1", None, None, None),
        ("shadowing", 0, "fraud@1", None, "fraud@2", None),
        ("progressing", 0, "fraud@1", "fraud@2", None, 10_000),
        ("progressing", 1, "fraud@1", "fraud@2", None, 500_000),
        ("promoting", 1, "fraud@2", "fraud@1", None, 100_000),
        ("baking", 1, "fraud@2", "fraud@1", None, 100_000),
        ("completed", 1, "fraud@2", None, None, None),
    ]
    actions = [one.phase for one in map(states.read, world.history("rollout", TARGET))]
    assert actions == ["pending", *(one[0] for one in seen)]


def test_who_gets_what_while_it_bakes(world) -> None:
    """Everybody gets the new champion but the control arm."""
    world.start("fraud@2")
    state = world.until("baking")
    arms = exposure.arms(state, world.binding)
    assert (arms.canary.artifact, arms.control.artifact, arms.rest.artifact) == ("fraud@2", "fraud@1", "fraud@2")
    revoked = replace(world.binding, challenger=None)
    assert exposure.arms(state, revoked) is None, "a control arm that was revoked is no arm"


@pytest.mark.parametrize("phase", ["shadowing", "progressing", "promoting", "baking"])
@pytest.mark.parametrize("how", ["guard", "person"])
def test_back_from_everywhere(world, phase: states.Phase, how: str) -> None:
    """Invariant 7: the binding is what it was, to the last byte, and a second hearing changes nothing."""
    world.start("fraud@2")
    before = world.until(phase)
    if how == "person" or phase == "promoting":
        world.hear(signals.RollBack(world.now))
    else:
        world.looks("failed")
    assert world.get("binding", TARGET).body == origin(world).to_body()
    expected = "aborted" if (phase, how) == ("shadowing", "guard") else "rolling_back"
    assert world.state.phase == expected
    assert world.hear(signals.RollBack(world.now)) is None
    if expected == "rolling_back":
        assert world.looks().phase == "rolled_back"
    harmless = phase == "shadowing" and how == "person"
    assert [one.times for one in world.state.setbacks] == ([] if harmless else [1])
    assert world.state.origin == before.origin


def test_back_to_where_nothing_was_bound(worlds) -> None:
    """Without a champion the identity serves, and comes back."""
    world = worlds()
    world.revisions.pop(("binding", TARGET))
    world.start("fraud@2")
    arms = exposure.arms(world.until("progressing"), world.binding)
    assert (arms.control, arms.rest, arms.canary.artifact) == (None, None, "fraud@2")
    world.looks("failed")
    assert world.get("binding", TARGET).body == bindings.EMPTY.to_body()
    assert world.looks().phase == "rolled_back"


def test_undone_after_it_was_completed(world) -> None:
    """A person may take a completed rollout back, unless something else serves by now."""
    world.start("fraud@2")
    world.until("completed")
    world.hear(signals.RollBack(world.now, exposure.bound(world.state, world.place())))
    assert slots(world) == ("fraud@1", None, None)
    assert world.looks().phase == "rolled_back"
    world.start("fraud@3")
    world.until("completed")
    world.promote("fraud@1")
    assert world.hear(signals.RollBack(world.now, exposure.bound(world.state, world.place()))) is None


def test_rolled_back_by_hand(world) -> None:
    """``calibrant binding rollback`` ends a rollout: the canary's step leads back to before the rollout."""
    world.start("fraud@2")
    world.until("progressing")
    world.apply(bindings.rollback(world.the("binding", TARGET), history=world.history("binding", TARGET)))
    assert slots(world) == ("fraud@1", None, None)
    state = world.looks()
    assert (state.phase, state.setbacks[0].times) == ("rolled_back", 1)


@pytest.mark.parametrize("phase", ["shadowing", "progressing", "baking"])
def test_another_hand(world, phase: states.Phase) -> None:
    """Who promotes something else meanwhile ends the rollout; the candidate leaves what it was put in."""
    world.start("fraud@2")
    world.until(phase)
    world.promote("fraud@3")
    assert world.looks().phase == "superseded"
    assert slots(world) == ("fraud@3", None if phase != "baking" else "fraud@1", None)


def test_another_shadow_is_nobodys_concern(world) -> None:
    """While the canary runs, people may shadow something else; rolling back is still exact."""
    world.start("fraud@2")
    world.until("progressing")
    world.apply(
        bindings.shadow(
            world.get("binding", TARGET), artifact=world.the("artifact", "fraud@3"), stream="fraud",
            environment="production", now_us=world.now,
        )
    )  # fmt: skip
    assert world.looks().step == 1
    world.looks("failed")
    assert world.get("binding", TARGET).body == origin(world).to_body()


def test_another_challenger(world) -> None:
    """Bound by hand during shadow it ends the rollout; while it bakes it stays when the rollout is completed."""

    def bound_by_hand(artifact: str) -> None:
        world.apply(
            bindings.promote(
                world.get("binding", TARGET), artifact=world.the("artifact", artifact), approval=None,
                environment=world.the("environment", "production"), now_us=world.now, slot="challenger",
            )
        )  # fmt: skip

    world.start("fraud@2")
    world.until("shadowing")
    bound_by_hand("fraud@3")
    assert world.looks().phase == "superseded"
    assert slots(world) == ("fraud@1", "fraud@3", None)
    world.apply(bindings.rollback(world.the("binding", TARGET), history=world.history("binding", TARGET)))
    world.start("fraud@2")
    world.until("baking")
    bound_by_hand("fraud@3")
    assert exposure.arms(world.state, world.binding) is None
    world.until("completed")
    assert slots(world) == ("fraud@2", "fraud@3", None)


def test_a_revoked_candidate(world) -> None:
    """Revoked while it is a canary: out of the binding at once, and the rollout ends."""
    world.start("fraud@2")
    world.until("progressing")
    world.revoke("fraud@2")
    assert world.looks().phase == "superseded"
    assert slots(world) == ("fraud@1", None, None)


def test_a_revoked_incumbent_does_not_come_back(world) -> None:
    """Rolling back passes over what was revoked for what was before it."""
    world.start("fraud@2")
    world.until("baking")
    world.apply(artifacts.revoke(world.the("artifact", "fraud@1"), reason=None))
    world.looks("failed")
    assert slots(world) == (None, None, None)
    assert world.looks().phase == "rolled_back"


@pytest.mark.parametrize(("mode", "environment"), [("approve", 1), ("approve", 0), ("auto", 1)])
def test_approvals(worlds, mode: str, environment: int) -> None:
    """In mode approve each step asks another person; in auto the environment's rule holds where the binding changes."""
    world = worlds(approvals=environment)
    world.start("fraud@2", mode=mode)
    asked = []
    for _ in range(40):
        state = world.looks()
        if "awaiting_approval" in state.holds:
            asked.append((state.phase, state.step))
            again = world.look(readings_of(state))
            assert world.hear(again) is None, "it is asked once"
            world.approve()
        if state.phase == "completed":
            break
    steps = [("shadowing", 0), ("progressing", 0), ("progressing", 1)]
    assert asked == (steps if mode == "approve" else [steps[0], steps[2]])
    used = [found[-1].body["state"] for (kind, _), found in world.revisions.items() if kind == "approval"]
    assert used == ["used"] * len(asked)


def readings_of(state: states.Rollout) -> tuple:
    return tuple(replace(one, stage=state.stage) for one in state.readings)


def test_declined(worlds) -> None:
    """Whoever declines ends it: before exposure it is aborted."""
    world = worlds(approvals=1)
    world.start("fraud@2")
    while "awaiting_approval" not in world.state.holds:
        world.looks()
    state = world.looks(answer="declined")
    assert (state.phase, state.reason) == ("aborted", "approval was declined")
    assert slots(world) == ("fraud@1", None, None)


def test_manual_mode_waits_for_a_word(world) -> None:
    """A word is for one stage, said twice it is said once, and said late it says nothing."""
    world.start("fraud@2", mode="manual")
    world.until("shadowing")
    assert world.looks().holds == ("awaiting_advance",)
    word = signals.Advance(world.state.stage, world.now)
    assert world.hear(word) is not None
    assert world.hear(word) is None
    assert world.looks().phase == "progressing"
    assert world.hear(word) is None
    assert world.looks().holds == ("awaiting_advance",)


def test_a_binding_that_cannot_be_restored(world, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried three times, then somebody is woken up; a person may try again."""
    world.start("fraud@2")
    world.until("progressing")

    def refused(*_: object, **__: object) -> None:
        raise errors.RefusedError("CAL-931", "no", cause="", fix="")

    tried = []

    def counted(*_: object, **__: object) -> None:
        tried.append(world.now)
        refused()

    with monkeypatch.context() as patched:
        patched.setattr(exposure.bindings, "rollback", counted)
        world.looks("failed")
        for _ in range(5):
            world.looks()
    assert len(tried) == going_back.TRIES
    assert world.state.phase == "rollback_failed"
    assert len(world.pages) == 1
    world.hear(signals.RollBack(world.now))
    assert world.looks().phase == "rolled_back"
    assert slots(world) == ("fraud@1", None, None)


def test_a_refusal_of_going_on_is_told(worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only going back swallows a refusal, to try it again."""
    world = worlds()
    world.start("fraud@2")
    world.until("shadowing")
    expired = replace(artifacts.read(world.the("artifact", "fraud@2")), expires_us=1)
    found = world.revisions["artifact", "fraud@2"]
    found[-1] = replace(found[-1], body=expired.to_body())
    with pytest.raises(errors.RefusedError, match="CAL-924"):
        world.looks()
    state = world.looks(unfit="the candidate has expired")
    assert (state.phase, state.reason) == ("aborted", "the candidate has expired")


def test_two_controllers(world, tools) -> None:
    """Invariant 15: of two that have seen the same, one moves it and the other is refused."""
    world.start("fraud@2")
    world.until("shadowing")
    world.now += 2 * 3_600_000_000
    found, place = world.the("rollout", TARGET), world.place()
    look = world.look(tuple(tools.good(world.state.stage)))
    one, other = (
        turns.turn(found, look, place=place, by=None, now_us=world.now) for _ in range(2)
    )  # fmt: skip
    world.apply(one.command)
    with pytest.raises(errors.ConflictError):
        world.apply(other.command)
    assert world.hear(look) is None


def test_bodies_survive_the_trip(world) -> None:
    """A rollout is read back as it was written, also through canonical JSON, which writes 1.0 as 1."""
    import json

    from calibrant.calibrators import canonical

    world.start("fraud@2")
    world.until("progressing")
    world.now += 3_600_000_000
    world.hear(world.look(tuple(replace(one, estimate=1.0, low=-0.5) for one in readings_of(world.state))))
    world.looks("failed")
    for one in world.history("rollout", TARGET):
        state = states.read(one)
        again = states.of_body(json.loads(canonical.dumps(dict(one.body))))
        assert again == state
        assert again.to_body() == one.body


@pytest.mark.parametrize("phase", ["progressing", "baking", "completed"])
def test_rolling_the_binding_back_by_hand_is_exact(world, phase: states.Phase) -> None:
    """``binding rollback`` leads to before the rollout, not to one of its steps; another shadow comes back with it."""
    world.apply(
        bindings.shadow(
            world.get("binding", TARGET), artifact=world.the("artifact", "fraud@3"), stream="fraud",
            environment="production", now_us=world.now,
        )
    )  # fmt: skip
    before = world.binding
    world.start("fraud@2")
    world.until("shadowing")
    assert slots(world)[2] == "fraud@2"
    world.until(phase)
    assert slots(world)[2] == "fraud@3"
    world.apply(bindings.rollback(world.the("binding", TARGET), history=world.history("binding", TARGET)))
    assert world.binding == before
    expected = "completed" if phase == "completed" else "rolled_back"
    assert world.looks().phase == expected
