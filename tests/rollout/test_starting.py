"""What may be rolled out, and when: one at a time, and not what was just taken back."""

from __future__ import annotations

import pytest

from calibrant import errors

DAY = 24 * 3_600_000_000


def failed(world, artifact: str, **changes) -> None:
    world.start(artifact, **changes)
    world.until("progressing")
    world.looks("failed")
    assert world.looks().phase == "rolled_back"


def test_one_at_a_time(world) -> None:
    """The next one begins when this one has ended, with the next number: other units are in its canary."""
    world.start("fraud@2")
    with pytest.raises(errors.RefusedError, match="CAL-937"):
        world.start("fraud@3")
    world.until("completed")
    world.start("fraud@3")
    assert world.state.name == "fraud/production/2"


def test_what_serves_already_or_stands_in_the_way(world) -> None:
    """The champion, and a challenger that somebody bound by hand."""
    with pytest.raises(errors.RefusedError, match="CAL-920"):
        world.start("fraud@1")
    from calibrant.registry import bindings

    world.apply(
        bindings.promote(
            world.get("binding", "fraud/production"), artifact=world.the("artifact", "fraud@3"), approval=None,
            environment=world.the("environment", "production"), now_us=world.now, slot="challenger",
        )
    )  # fmt: skip
    with pytest.raises(errors.RefusedError, match="CAL-938"):
        world.start("fraud@2")


def test_nobody_can_be_asked_about_what_has_no_evidence(worlds) -> None:
    """It is refused at once, not after the shadow."""
    world = worlds(approvals=1)
    bare = world.signed(evidence=None)
    with pytest.raises(errors.RefusedError, match="CAL-925"):
        world.start(bare)
    open_world = worlds()
    open_world.start(open_world.signed(evidence=None))
    assert open_world.state.phase == "pending"


def test_cooling_down_and_latched(world) -> None:
    """Invariant 14: after a day it may be tried again; after the second time only a person's word helps."""
    failed(world, "fraud@2")
    until = world.state.setbacks[0].until_us
    with pytest.raises(errors.RefusedError, match="CAL-935"):
        world.start("fraud@2")
    world.now = until - 1
    with pytest.raises(errors.RefusedError, match="CAL-935"):
        world.start("fraud@2")
    world.now = until
    failed(world, "fraud@2")
    second = world.state.setbacks[0]
    assert second.times == 2
    world.now += 1_000 * DAY
    with pytest.raises(errors.RefusedError, match="CAL-936"):
        world.start("fraud@2")
    world.start("fraud@2", override=True)
    world.looks("failed")
    world.until("shadowing")
    world.looks("failed")
    assert world.state.phase == "aborted"
    assert world.state.setbacks[0].times == 3


def test_cooling_down_doubles(world) -> None:
    """The second time is twice as long as the first."""
    waits = []
    for _ in range(2):
        failed(world, "fraud@2", cooldown_us=DAY)
        turned = world.history("rollout", "fraud/production")[-2].at_us
        waits.append(world.state.setbacks[0].until_us - turned)
        world.now = world.state.setbacks[0].until_us
    assert waits == [DAY, 2 * DAY]


def test_other_artifacts_are_not_concerned(world) -> None:
    """A setback belongs to one artifact."""
    failed(world, "fraud@2")
    world.start("fraud@3")
    assert world.state.phase == "pending"
