"""``calibrant rollout`` as people would type it, with a controller that looks in between."""

from __future__ import annotations

from typing import Any

import pytest

from calibrant.cli import rollout as command
from calibrant.registry import environments
from calibrant.rollout import readings
from calibrant.workflow import promotions, rollouts

TARGET = "fraud/production"
YAML = """\
apiVersion: calibrant/v1
kind: Stream
metadata:
  name: fraud
spec:
  labels:
    horizon: 1d
  policies:
    advice:
      mode: {mode}
    rollout:
      weights: [0.01, 0.5]
"""


class Desk:
    """An office with a declared stream and a controller."""

    def __init__(self, office: Any) -> None:
        self.office = office
        one = office.signed(1)
        office.signed(2)
        with office.open() as (book, alice):
            found = book.reader.get("environment", "production")
            book.execute(alice, environments.declare(found, "production", approvals=0))
        with office.open("otto") as (book, otto):
            promotions.promote(book, office.project.contents(), one, "production", by=otto, now_us=office.now)
        self.declare("auto")

    def declare(self, mode: str) -> None:
        path = self.office.project.path_of("fraud")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(YAML.format(mode=mode))

    def rollout(self, *arguments: str, by: str = "otto") -> Any:
        return self.office.run("rollout", *arguments, by=by)

    def look(self, verdict: readings.Verdict = "passed") -> None:
        """A day later."""
        self.office.clock.advance(days=1)
        with self.office.open("otto") as (book, otto):
            stage = rollouts.get(book.reader, TARGET).state.stage
            given = [
                readings.Reading(
                    "paired_loss", "matured", verdict, 5_000, 0, stage, 500, 0.0012, -0.0003, 0.002, 0.002
                ),
                readings.Reading("sample_ratio", "label_free", verdict, 5_000, 0, stage),
                readings.Reading("mean_score", "label_free", verdict, 5_000, 0, stage),
            ]
            rollouts.look(book, self.office.project.contents(), TARGET, by=otto, now_us=self.office.now, given=given)


@pytest.fixture
def desk(office: Any) -> Desk:
    return Desk(office)


def test_the_way_to_everybody(desk: Desk) -> None:
    """Start, look, and a tree of stages with weights, verdicts, numbers and reasons."""
    ran = desk.rollout("start", "fraud@2", "production", "--reason", "March drifted")
    assert ran.code == 0, ran.err
    assert "fraud/production/1: fraud@2 in place of fraud@1, mode auto" in ran.out
    for _ in range(4):
        desk.look()
    ran = desk.rollout("get", TARGET)
    lines = ran.out.splitlines()
    assert [line[3:].split("  ")[0] for line in lines if line[0] in "├└"] == [
        "pending", "awaiting start", "shadowing", "canary 1 %", "canary 50 %", "promoting", "baking, control 10 %",
    ]  # fmt: skip
    assert '"March drifted"' in lines[1]
    assert "paired_loss      passed       n 5,000  positives 500  0.0012 [-0.0003, 0.0020], margin 0.0020" in ran.out
    made = desk.rollout("get", TARGET, "--json").json
    assert (made["schema"], made["phase"], made["weight"]) == ("calibrant.rollout/1", "baking", 100_000)
    assert [one["phase"] for one in made["stages"]][-2:] == ["promoting", "baking"]
    assert len(made["stages"][2]["readings"]) == 3
    desk.look()
    assert desk.rollout("list").out.split()[4:6] != []
    assert desk.rollout("list", "--json").json["rollouts"][0]["phase"] == "completed"


def test_back_by_hand(desk: Desk) -> None:
    """At once, and the tree says why and until when it rests."""
    desk.rollout("start", "fraud@2", "production")
    desk.look()
    desk.look()
    ran = desk.rollout("rollback", TARGET, "--reason", "false alarms doubled")
    assert ran.code == 0
    assert "└─ rolled back" in ran.out
    assert '"false alarms doubled"' in ran.out
    assert "taken back 1 times; rests until" in ran.out
    assert desk.office.run("binding", "show", TARGET).out.startswith("fraud/production (revision 4): champion fraud@1")
    refused = desk.rollout("start", "fraud@2", "production")
    assert (refused.code, refused.refusal) == (2, "CAL-935")
    turns = desk.rollout("history", TARGET, "--json").json["turns"]
    assert [one["action"] for one in turns[-2:]] == ["rollout.rollback", "rollout.rollback"]
    assert turns[-2]["said"] == "false alarms doubled"
    assert desk.office.sound()


def test_mode_manual_and_its_words(desk: Desk) -> None:
    """Pause, resume, advance; who may override; what waits says so."""
    desk.declare("manual")
    desk.rollout("start", "fraud@2", "production")
    desk.look()
    desk.look()
    assert "waits for a person's word" in desk.rollout("get", TARGET).out
    assert desk.rollout("pause", TARGET).code == 0
    assert "whoever paused it" in desk.rollout("get", TARGET).out
    assert desk.rollout("resume", TARGET).code == 0
    assert desk.rollout("advance", TARGET, "--stage", "0").refusal == "CAL-939"
    assert desk.rollout("advance", TARGET).code == 0
    desk.look()
    assert desk.rollout("get", TARGET, "--json").json["phase"] == "progressing"
    denied = desk.rollout("advance", TARGET, "--override", "--reason", "seen by hand")
    assert (denied.code, denied.refusal) == (2, "CAL-901")
    assert desk.rollout("advance", TARGET, "--override", by="bob").refusal == "CAL-955"
    assert desk.rollout("advance", TARGET, "--override", "--reason", "seen by hand", by="bob").code == 0
    desk.look("immature")
    assert "a person overrode the guards" in desk.rollout("get", TARGET).out
    assert desk.rollout("abort", TARGET).code == 0


def test_mode_approve_says_what_is_asked(desk: Desk) -> None:
    """The tree ends with the command that shows the request."""
    desk.declare("approve")
    desk.rollout("start", "fraud@2", "production")
    desk.look()
    desk.look()
    ran = desk.rollout("get", TARGET)
    assert "waits for approval" in ran.out
    asked = ran.out.splitlines()[-1].removeprefix("calibrant approval show ")
    assert desk.office.run("approval", "approve", asked, by="bob").code == 0
    desk.look()
    assert desk.rollout("get", TARGET, "--json").json["phase"] == "progressing"


def test_watching_until_it_ends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree again after each turn; the exit code says how it ended."""
    desk.rollout("start", "fraud@2", "production")
    verdicts = iter(["passed", "passed", "failed"])
    monkeypatch.setattr(command.time, "sleep", lambda _: desk.look(next(verdicts)))
    ran = desk.rollout("get", TARGET, "--watch")
    assert ran.code == 1
    assert ran.out.count("fraud/production/1:") == 4
    assert "└─ rolled back" in ran.out
    assert "paired_loss failed" in ran.out


def test_what_there_is_not(desk: Desk) -> None:
    """No rollout, no stream, no such name."""
    assert desk.rollout("get", TARGET).refusal == "CAL-941"
    assert desk.rollout("history", "fraud/nowhere").refusal == "CAL-941"
    assert desk.rollout("get", "fraud").refusal == "CAL-953"
    assert desk.rollout("start", "churn@1", "production").refusal == "CAL-486"
    assert desk.rollout("list").code == 0
