"""``calibrant explain-decision``: what is on record of a change, by hand, by a rollout and by a controller's advice."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from calibrant.calibrators import canonical
from calibrant.registry import artifacts, bindings, environments
from calibrant.rollout import plans, readings
from calibrant.workflow import advice_record, artifact_files, promotions, rollouts

TARGET = "fraud/production"
HOUR = 3_600_000_000
ADVICE = {
    "schema": advice_record.SCHEMA, "stream": "fraud", "environment": "production", "at_us": 1, "mode": "auto",
    "champion": None, "alarms": [{"group": "all", "e_value": 90.0, "p_value": 0.011, "rows": 7_000, "changed": True}],
    "departure": {"value": 0.031, "low": 0.027, "high": 0.036, "level": 0.9, "method": "m"},
    "labels": {"pairs": 7_000, "coverage": 0.97},
    "recommendation": {
        "schema": "calibrant.advice/1", "action": "new_artifact", "reasons": ["It gains."], "digest": None,
        "effect": {
            "gain": {"value": 0.004, "low": 0.002, "high": 0.006, "level": 0.95, "method": "m"},
            "brier_gain": {"value": 0.001}, "cost_gain": None, "rows": 3_200, "flips": 12, "starts": 4,
        },
        "largest_shift": 0.1, "damped_to": 1.0, "holds": [], "also": [],
    },
}  # fmt: skip
EVIDENCE = canonical.dumps(
    {
        "schema": "calibrant.recommendation/1",
        "gain": {"value": 0.005, "low": 0.003, "high": 0.007},
        "before": {"overall": {"n": 2_000}},
    }
)


def explain(office: Any, *options: str, by: str = "vera") -> Any:
    return office.run("explain-decision", TARGET, *options, by=by)


def rolled_out(office: Any) -> str:
    """A rollout that a service began on advice, and that guards let through; the name of what serves."""
    office.hire("robot", "operator", "proposer", owner="otto")
    one = office.signed(1, evidence=EVIDENCE)
    with office.open() as (book, alice):
        found = book.reader.get("environment", "production")
        book.execute(alice, environments.declare(found, "production", approvals=0))
    kept = office.project.contents()
    plan = plans.Plan("auto", (500_000,), HOUR, HOUR, HOUR, 900 * HOUR, 24 * HOUR, 1_000)
    rests_on = (kept.put(canonical.dumps(ADVICE)),)
    with office.open("robot") as (book, robot):
        rollouts.start(
            book, kept, one, "production", plan=plan, by=robot, now_us=office.now, reason="March drifted",
            rests_on=rests_on,
        )  # fmt: skip
        for _ in range(8):
            office.clock.advance(seconds=3_600)
            state = rollouts.get(book.reader, TARGET).state
            given = [
                readings.Reading(
                    each.name, each.kind, "passed", 5_000, office.now, state.stage, 500, 0.003, 0.001, 0.005
                )
                for each in plans.GUARDS
            ]
            rollouts.look(book, kept, TARGET, by=robot, now_us=office.now, given=given)
        assert rollouts.get(book.reader, TARGET).state.phase == "completed"
    return one


def test_a_rollout_tells_all_that_it_rests_on(office: Any) -> None:
    """Advice with its alarms, the gain with its interval and rows, each stage's readings, the service and its owner."""
    one = rolled_out(office)
    told = explain(office, "--json").json
    assert told["binding"]["champion"]["artifact"] == one
    assert told["before"]["champion"] is None
    assert (told["actor"], told["actor_type"], told["answers_for_it"]) == ("robot", "service", "otto")
    assert told["advice"] == json.loads(canonical.dumps(ADVICE))
    assert told["artifact"]["gain"] == {"value": 0.005, "low": 0.003, "high": 0.007}
    assert told["artifact"]["rows_judged"] == 2_000
    assert told["artifact"]["provenance"]["method"] == "platt"
    assert told["rollout"]["is_by_now"] == "completed"
    read = {one["guard"] for turn in told["rollout"]["turns"] for one in turn["readings"]}
    assert read == {"paired_loss", "sample_ratio", "mean_score"}
    words = " ".join(told["in_words"])
    assert "off by 0.031 (0.027 to 0.036)" in words
    assert "all (p 0.011, 7,000 rows)" in words
    assert "0.004 (0.002 to 0.006) nats a row on 3,200 rows not fitted to; 12 decisions flip" in words
    assert "a service that otto answers for" in words


def test_the_turns_are_those_up_to_the_change(office: Any) -> None:
    """The promotion is explained with what was known when it was made, and what became of it."""
    rolled_out(office)
    told = explain(office, "--json").json
    phases = [turn["phase"] for turn in told["rollout"]["turns"]]
    assert phases[0] == "pending"
    assert "shadowing" in phases
    assert "completed" not in phases


def test_a_promotion_by_hand_names_who_approved(office: Any) -> None:
    """No advice, no rollout; the request, who answered it, and the words that were said."""
    office.promote(office.signed(1, evidence=b'{"n":1}\n'), reason="fewer false alarms")
    told = explain(office)
    assert told.code == 0
    assert "fraud@1 was promoted by otto" in told.out
    assert '"fewer false alarms"' in told.out
    assert "bob (approve" in told.out
    assert "No advice of a controller is on record" in told.out
    assert "No validation with a gain is on record" in told.out


def test_at_and_index_name_changes(office: Any) -> None:
    """What was live then; the change with an entry; one or the other."""
    office.clock.advance(days=1)
    first = office.now
    office.promote(office.signed(1, evidence=b'{"n":1}\n'))
    office.clock.advance(days=1)
    office.promote(office.signed(2, evidence=b'{"n":2}\n'))
    with office.open("otto") as (book, otto):
        promotions.rollback(book, TARGET, by=otto)
    from calibrant.cli import control

    assert explain(office, "--at", control.moment(first), "--json").json["binding"]["champion"]["artifact"] == "fraud@1"
    back = explain(office, "--json").json
    assert back["action"] == "binding.rollback"
    assert back["binding"]["champion"]["artifact"] == "fraud@1"
    again = explain(office, "--index", str(back["audit_index"]), "--json").json
    assert again == back
    assert explain(office, "--index", "1", "--at", "2026-03-01").refusal == "CAL-420"


def test_a_map_that_followed_leads_to_its_promotion(office: Any) -> None:
    """The step is explained, and the entry of the promotion that it began from is named."""
    one, kept = office.signed(1), office.project.contents()
    office.promote(one)
    promoted = explain(office, "--json").json["audit_index"]
    with office.open() as (book, alice):
        child = replace(office.drawn_up(2), parent=office.status(one).digest)
        name = artifact_files.draft(book, kept, child, evidence=b"{}\n", by=alice).name
        artifact_files.seal(book, kept, name, by=alice, now_us=office.now)
    with office.open("otto") as (book, otto):
        key = office.project.key("artifacts")
        artifact_files.sign(book, kept, name, key=key, by=otto, now_us=office.now)
        bound, made = book.reader.get(bindings.KIND, TARGET), book.reader.get(artifacts.KIND, name)
        assert bound is not None
        assert made is not None
        book.execute(otto, bindings.follow(bound, child=made, now_us=office.now))
    told = explain(office, "--json").json
    assert (told["action"], told["anchor_audit_index"]) == ("binding.follow", promoted)
    assert told["artifact"]["replaces"] == one
    assert f"explained by --index {promoted}" in explain(office).out
    assert explain(office, "--index", str(promoted), "--json").json["anchor_audit_index"] is None


def test_what_is_not_on_record_is_refused(office: Any) -> None:
    """Nothing was bound, or the entry is of something else."""
    assert explain(office).refusal == "CAL-958"
    office.promote(office.signed(1))
    assert explain(office, "--index", "0").refusal == "CAL-958"
    assert explain(office, "--at", "1999-01-01").code == 2


@pytest.mark.parametrize("lost", ["advice", "artifact"])
def test_lost_bytes_take_only_their_part_away(office: Any, lost: str) -> None:
    """The record is explained without what is not in the contents any more."""
    one = rolled_out(office)
    kept = office.project.folder / "contents"
    status = office.status(one)
    digest = status.digest if lost == "artifact" else None
    for path in sorted(kept.rglob("*")):
        if path.is_file() and (digest or "advice-record").removeprefix("sha256:") in (
            path.name if digest else path.read_text(encoding="utf-8", errors="replace")
        ):
            path.unlink()
    told = explain(office, "--json").json
    if lost == "artifact":
        assert told["artifact"]["provenance"] is None
        assert told["advice"] is not None
    else:
        assert told["advice"] is None
        assert told["artifact"]["provenance"] is not None
