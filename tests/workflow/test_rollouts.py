"""Rollouts on a real store: each turn has its entries, going back needs nothing, two controllers never both move."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from calibrant import errors
from calibrant.audit import entries
from calibrant.registry import approvals, bindings, environments
from calibrant.rollout import plans, readings, turns
from calibrant.workflow import history, leases, ledger, promotions, rollout_record, rollouts

DAY = 86_400_000_000
HOUR = 3_600_000_000
TARGET = "fraud/production"
GUARDS = ("paired_loss", "sample_ratio", "mean_score")


def plan(**changes: Any) -> plans.Plan:
    made = {
        "mode": "auto", "weights": (10_000, 500_000), "shadow_us": HOUR, "hold_us": HOUR, "bake_us": HOUR,
        "deadline_us": 30 * DAY, "cooldown_us": DAY, "matured": 1_000, **changes,
    }  # fmt: skip
    return plans.Plan(**made)


class Crew:
    """An office where rollouts are made."""

    def __init__(self, office: Any, approvals: int) -> None:
        self.office = office
        self.kept = office.project.contents()
        with office.open() as (book, alice):
            found = book.reader.get("environment", "production")
            book.execute(alice, environments.declare(found, "production", approvals=approvals))

    def start(self, artifact: str, **changes: Any) -> rollouts.Told:
        given = {name: changes.pop(name) for name in ("override", "reason") if name in changes}
        with self.office.open(changes.pop("by", "otto")) as (book, who):
            return rollouts.start(
                book, self.kept, artifact, "production", plan=plan(**changes), by=who, now_us=self.office.now, **given
            )

    def state(self) -> Any:
        with self.office.project.control_reader() as reader:
            return rollouts.get(reader, TARGET).state

    def binding(self) -> bindings.Binding:
        with self.office.project.control_reader() as reader:
            return promotions.bound(reader, TARGET).binding

    def look(self, verdict: readings.Verdict = "passed", **more: Any) -> rollouts.Told:
        """An hour later."""
        self.office.clock.advance(seconds=3_600)
        with self.office.open("otto") as (book, otto):
            return self.looked(book, otto, verdict, **more)

    def looked(self, book: Any, who: Any, verdict: readings.Verdict = "passed", **more: Any) -> rollouts.Told:
        stage = rollouts.get(book.reader, TARGET).state.stage
        given = [
            readings.Reading(
                one, "matured" if one == "paired_loss" else "label_free", verdict, 5_000, self.office.now, stage, 500
            )
            for one in GUARDS
        ]
        return rollouts.look(book, self.kept, TARGET, by=who, now_us=self.office.now, given=given, **more)

    def say(self, word: rollouts.Word, *, by: str = "otto", **more: Any) -> rollouts.Told:
        with self.office.open(by) as (book, who):
            return rollouts.say(book, TARGET, word, by=who, now_us=self.office.now, **more)

    def until(self, phase: str) -> Any:
        for _ in range(20):
            if self.state().phase == phase:
                return self.state()
            self.look()
        raise AssertionError(self.state())

    @contextmanager
    def controller(self, name: str):
        """A ledger under a lease."""
        with self.office.project.open_control() as store:
            lease = leases.take(store, TARGET, holder=name, now_us=self.office.now)
            with self.office.open("otto") as (book, otto):
                yield None if lease is None else replace(book, fence=(lease.requirement(),)), otto, lease


@pytest.fixture
def crew(office: Any) -> Crew:
    """Nobody is asked for approval; fraud@1 serves, fraud@2 and fraud@3 are signed."""
    made = Crew(office, approvals=0)
    one = office.signed(1)
    office.signed(2)
    office.signed(3)
    with office.open("otto") as (book, otto):
        promotions.promote(book, made.kept, one, "production", by=otto, now_us=office.now)
    return made


def test_the_whole_way(crew: Crew) -> None:
    """From start to everybody, by looks alone; the log verifies, and each turn has one entry of its own."""
    crew.start("fraud@2", reason="drift in March")
    told = crew.look()
    assert (told.state.phase, told.turned) == ("shadowing", 2)
    crew.until("completed")
    assert crew.binding().champion.artifact == "fraud@2"
    assert crew.binding().challenger is None
    assert crew.office.sound()
    with crew.office.project.control_reader() as reader:
        record = rollout_record.record(reader, TARGET)
        assert [one.state.phase for one in record] == [
            "pending", "awaiting_start", "shadowing", "progressing", "progressing", "promoting", "baking", "completed",
        ]  # fmt: skip
        assert record[0].said == "drift in March"
        assert {one.action for one in record} == {"rollout.start", "rollout.advance"}
        told = [entries.loads(data) for data in reader.entries()]
    turned = [one for one in told if one.kind == "rollout"]
    assert len(turned) == len(record)


def test_arms_that_serving_processes_follow(crew: Crew) -> None:
    """None before the canary and after the end, the same salt all the way."""

    def arms():
        with crew.office.project.control_reader() as reader:
            return rollout_record.arms(reader, TARGET)

    assert arms() is None
    crew.start("fraud@2")
    crew.until("progressing")
    first = arms()
    assert (first.salt, first.width, first.canary.artifact, first.rest.artifact) == (
        "fraud/production/1", 10_000, "fraud@2", "fraud@1",
    )  # fmt: skip
    crew.until("completed")
    assert arms() is None


@pytest.mark.parametrize("phase", ["shadowing", "progressing", "baking", "completed"])
def test_a_word_takes_it_back_at_once(crew: Crew, phase: str) -> None:
    """One call, without readings, approvals or the artifact's bytes: the binding is what it was."""
    before = crew.binding()
    crew.start("fraud@2")
    crew.until(phase)
    for path in (crew.office.project.folder / "contents").rglob("*"):
        if path.is_file():
            path.unlink()
    told = crew.say("rollback", reason="pager")
    assert (told.state.phase, told.turned) == ("rolled_back", 2)
    assert crew.binding() == before
    assert crew.say("rollback").turned == 0
    assert crew.office.sound()


def test_a_failed_guard_takes_it_back_in_one_look(crew: Crew) -> None:
    """And then it cools down."""
    before = crew.binding()
    crew.start("fraud@2")
    crew.until("progressing")
    told = crew.look("failed")
    assert (told.state.phase, told.state.reason) == ("rolled_back", "paired_loss failed")
    assert crew.binding() == before
    with pytest.raises(errors.RefusedError, match="CAL-935"):
        crew.start("fraud@2")
    with pytest.raises(errors.UsageError, match="CAL-955"):
        crew.start("fraud@2", override=True)
    with pytest.raises(errors.ForbiddenError):
        crew.start("fraud@2", override=True, reason="the guard was wrong")
    assert crew.start("fraud@2", override=True, reason="the guard was wrong", by="bob").state.number == 2


def test_bytes_are_verified_before_anybody_is_exposed(crew: Crew) -> None:
    """A candidate whose bytes changed on the disk is not taken any further."""
    crew.start("fraud@2")
    crew.until("shadowing")
    digest = crew.office.status("fraud@2").digest
    (path,) = [one for one in (crew.office.project.folder / "contents").rglob("*")
               if one.is_file() and one.name and digest.endswith(one.name)]  # fmt: skip
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"fraud", b"frauD", 1))
    with pytest.raises(errors.CalibrantError):
        crew.look()
    assert crew.state().phase == "shadowing"


def test_a_candidate_that_expires_or_is_deprecated(crew: Crew) -> None:
    """It ends, with the reason, instead of failing at each look."""
    from calibrant.workflow import artifact_files

    crew.start("fraud@2")
    crew.until("progressing")
    with crew.office.open("otto") as (book, otto):
        artifact_files.deprecate(book, "fraud@2", by=otto)
    told = crew.look()
    assert told.state.phase == "rolled_back"
    assert "fraud@2 is deprecated" in told.state.reason


def test_approvals_in_an_environment_that_asks(crew: Crew) -> None:
    """Before the canary and before promotion other people agree; each approval is used up with its step."""
    with crew.office.open() as (book, alice):
        found = book.reader.get("environment", "production")
        book.execute(alice, environments.declare(found, "production", approvals=1))
    crew.start("fraud@2")
    used = []
    for _ in range(12):
        state = crew.look().state
        if "awaiting_approval" in state.holds:
            with crew.office.open("bob") as (book, bob):
                name = turns.approval_name(state, promotions.bound(book.reader, TARGET).revision)
                asked = approvals.read(book.reader.get("approval", name))
                promotions.decide(
                    book, name, "approve", by=bob, digest=asked.digest, evidence=asked.evidence or "",
                    now_us=crew.office.now,
                )  # fmt: skip
            used.append((name, asked.slot))
    assert crew.state().phase == "completed"
    assert [slot for _, slot in used] == ["challenger", "champion"]
    with crew.office.project.control_reader() as reader:
        assert [approvals.read(reader.get("approval", name)).state for name, _ in used] == ["used", "used"]
        live = history.tenures(reader, TARGET)[-1]
        assert [one.person for one in live.approvers] == ["bob"], "the history of the binding knows who agreed"


def test_who_runs_it_does_not_talk_the_guards_down(crew: Crew) -> None:
    """An override is an approver's, with a reason, and only for this stage."""
    crew.start("fraud@2")
    crew.until("shadowing")
    with pytest.raises(errors.ForbiddenError):
        crew.say("override", reason="I know better")
    with pytest.raises(errors.UsageError, match="CAL-955"):
        crew.say("override", by="bob", reason=" ")
    crew.say("override", by="bob", reason="the shadow was offline")
    told = crew.look("immature")
    assert (told.state.phase, told.state.reason) == ("progressing", "a person overrode the guards")
    assert crew.look("immature").state.phase == "progressing"
    with pytest.raises(errors.RefusedError, match="CAL-939"):
        crew.say("override", by="bob", reason="again", stage=told.state.stage - 1)


def test_words_that_come_too_late(crew: Crew) -> None:
    """They are refused with the phase that it is in; the same word again is fine."""
    crew.start("fraud@2")
    assert crew.say("pause").turned == 1
    assert crew.say("pause").turned == 0
    assert crew.say("resume").turned == 1
    assert crew.say("abort").state.phase == "aborted"
    with pytest.raises(errors.RefusedError, match="CAL-939"):
        crew.say("pause")
    crew.start("fraud@3")
    crew.until("completed")
    with pytest.raises(errors.RefusedError, match="CAL-939"):
        crew.say("abort")


def test_started_twice(crew: Crew) -> None:
    """A command that is delivered twice starts one rollout."""
    first = crew.start("fraud@2")
    before = crew.office.size()
    with pytest.raises(errors.RefusedError, match="CAL-937"):
        crew.start("fraud@2")
    assert (crew.state(), crew.office.size()) == (first.state, before)


def test_a_word_ends_what_was_left_half_way(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process died between restoring and confirming: the same word again confirms it."""
    crew.start("fraud@2")
    crew.until("progressing")
    with monkeypatch.context() as patched:
        patched.setattr(rollouts, "_confirmed", lambda *_, **__: None)
        assert crew.say("rollback").state.phase == "rolling_back"
    assert crew.binding().champion.artifact == "fraud@1"
    told = crew.say("rollback")
    assert (told.state.phase, told.turned) == ("rolled_back", 1)


def test_two_controllers(crew: Crew) -> None:
    """Invariant 15: without the lease nothing moves; a holder that slept through its end is refused by the store."""
    crew.start("fraud@2")
    crew.until("shadowing")
    crew.office.clock.advance(seconds=3_600)
    with crew.controller("one") as (one, otto, _):
        with crew.controller("two") as (two, _, lease):
            assert two is None
            assert lease is None
        crew.office.clock.advance(seconds=120)
        with crew.controller("two") as (two, also, lease):
            assert lease is not None
            told = crew.looked(two, also)
            assert (told.state.phase, told.turned) == ("progressing", 1)
        before = crew.office.size()
        crew.office.clock.advance(seconds=3_600)
        with pytest.raises(errors.ConflictError):
            crew.looked(one, otto)
        assert (crew.state().step, crew.office.size()) == (0, before)


def test_five_controllers_at_once(crew: Crew) -> None:
    """Without any lease, compare and swap alone: each stage is passed once, whoever is quicker."""
    crew.start("fraud@2")
    barrier, lost = threading.Barrier(5), []

    def controller() -> None:
        barrier.wait()
        while True:
            with crew.office.open("otto") as (book, otto):
                if not rollouts.get(book.reader, TARGET).state.running:
                    return
                try:
                    crew.looked(book, otto)
                except errors.ConflictError as error:
                    lost.append(error.code)
            crew.office.clock.advance(seconds=1_200)

    threads = [threading.Thread(target=controller) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert set(lost) <= {"CAL-911"}
    with crew.office.project.control_reader() as reader:
        told = [one.state for one in rollout_record.record(reader, TARGET)]
    passed = [(one.stage, one.phase, one.step) for one in told]
    assert [phase for index, (stage, phase, _) in enumerate(passed) if not index or stage != passed[index - 1][0]] == [
        "pending", "awaiting_start", "shadowing", "progressing", "progressing", "promoting", "baking", "completed",
    ]  # fmt: skip
    assert told[-1].phase == "completed"
    assert crew.office.sound()


def test_a_word_is_said_again_when_somebody_was_quicker(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback is meant whatever the rollout did meanwhile; an advance is about what was seen."""
    crew.start("fraud@2")
    crew.until("shadowing")
    execute = ledger.Ledger.execute

    def late(self: Any, principal: Any, command: Any, **more: Any) -> Any:
        monkeypatch.setattr(ledger.Ledger, "execute", execute)
        crew.looked(self, principal)
        return execute(self, principal, command, **more)

    crew.office.clock.advance(seconds=3_600)
    monkeypatch.setattr(ledger.Ledger, "execute", late)
    assert crew.say("rollback").state.phase == "rolled_back"
    with crew.office.project.control_reader() as reader:
        phases = [one.state.phase for one in rollout_record.record(reader, TARGET)]
    assert phases[-3:] == ["progressing", "rolling_back", "rolled_back"]
    crew.start("fraud@3")
    crew.until("shadowing")
    crew.office.clock.advance(seconds=3_600)
    monkeypatch.setattr(ledger.Ledger, "execute", late)
    with pytest.raises(errors.ConflictError):
        crew.say("advance")


def test_a_second_place_that_fails_leaves_nothing_half_done(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rollout and the binding move together or not at all."""
    from calibrant.storage.audit_copy import folder, limit

    crew.start("fraud@2")
    crew.until("shadowing")
    before = crew.state(), crew.binding()

    def refused(*_: object, **__: object) -> None:
        raise limit.refused("made up")

    with monkeypatch.context() as patched:
        patched.setattr(folder.FolderCopy, "intend", refused)
        with pytest.raises(errors.AuditCopyError):
            crew.look()
    assert (crew.state(), crew.binding()) == before
    assert crew.look().state.phase == "progressing"
    assert crew.office.sound()
