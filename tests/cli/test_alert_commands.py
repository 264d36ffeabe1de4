"""slo, alert and silence as people type them, from drifting events to a receiver that listens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant import wiring
from calibrant.calibrators import scales
from calibrant.events import batch, columns
from calibrant.testing import receivers

DAY = 86_400_000_000
ROWS, DAYS = 300, 12
STREAM = """apiVersion: calibrant/v1
kind: Stream
metadata: {name: fraud, runbook: "https://example.org/runbooks/fraud"}
spec:
  labels: {horizon: 2d}
  cohorts: [{field: carrier, cap: 10}]
  policies:
    slo: {period: 8d, least: 150}
    alerts: {page: [hook, gone], ticket: [hook], after: 5m}
"""
ALERTS = """apiVersion: calibrant/v1
kind: Alerts
channels:
  - {name: hook, type: slack, url: "http://127.0.0.1:%d/in", networks: [127.0.0.1/32]}
  - {name: gone, type: pagerduty, secret: "env:NOT_SET_ANYWHERE"}
"""


@pytest.fixture
def hook() -> Iterator[receivers.Receiver]:
    """A chat that listens."""
    with receivers.receiver() as made:
        yield made


@pytest.fixture
def drifting(office: Any, hook: receivers.Receiver) -> Any:
    """An office with a stream that has been off for the last four of its twelve days."""
    folder = office.project.folder
    (folder / "streams").mkdir(exist_ok=True)
    (folder / "streams" / "fraud.yaml").write_text(STREAM)
    (folder / "alerts.yaml").write_text(ALERTS % hook.address.port)
    start = office.clock.now_us() // DAY * DAY - DAYS * DAY
    rng = np.random.default_rng(4)
    n = ROWS * DAYS
    at = start + np.arange(n) * (DAY // ROWS)
    p = rng.uniform(0.1, 0.9, n)
    blank = dict.fromkeys(("served", "artifact", "threshold", "decision", "arm", "unit", "weight", "context", "trace"))
    made = columns.Predictions(
        id=[f"p{row:06d}" for row in range(n)], at_us=at, score=p, model=["m"] * n,
        cohorts=[f'{{"carrier":"{"AD"[row % 2]}"}}' for row in range(n)], **blank,
    )  # fmt: skip
    truth = scales.expit(scales.logit(p) + np.where(np.arange(n) // ROWS >= 8, 1.0, 0.0))
    labels = columns.Labels(
        prediction=made.id, at_us=at + DAY, value=(rng.random(n) < truth).astype(float), observed_us=None, source=None,
        revision=None, weight=None, propensity=None,
    )  # fmt: skip
    with office.project.open_store() as store:
        store.append_predictions("fraud", batch.of_predictions(made).table, received_us=office.clock.now_us())
        store.append_labels("fraud", batch.of_labels(labels).table, received_us=office.clock.now_us())
    return office


def test_the_objective_of_a_stream(drifting: Any) -> None:
    """Two bad days of eight: used up, exit code 1; as of before the drift it was whole."""
    ran = drifting.run("slo", "fraud", "--json")
    assert ran.code == 1
    assert [one["state"] for one in ran.json["statuses"]] == ["exhausted"] * 3
    assert ran.json["statuses"][0]["bad"] == 2
    told = drifting.run("slo", "fraud")
    assert "EXHAUSTED" in told.out
    assert "carrier=A" in told.out
    nothing = drifting.run("slo", "fraud", "--as-of", "2020-01-01")
    assert (nothing.code, "CAL-321" in nothing.err) == (3, True)


def test_from_events_to_a_message(drifting: Any, hook: receivers.Receiver) -> None:
    """Pending, firing, told; the secret that is missing keeps nobody else; acknowledged; all on record."""
    assert drifting.run("slo", "fraud", "--alert", "--json", by="otto").json["told"] == []
    drifting.clock.advance(seconds=360)
    told = drifting.run("slo", "fraud", "--alert", "--json", by="otto").json["told"]
    assert {(one["channel"], one["group"], one["result"]) for one in told} == {
        ("hook", "fraud/burn/page", "delivered"), ("gone", "fraud/burn/page", "refused")
    }  # fmt: skip
    assert len(hook.requests) == 1
    assert "FIRING: fraud/burn/page" in hook.requests[0].json["text"]
    listed = drifting.run("alert", "list", "--json")
    assert listed.code == 1
    shown = {(one["labels"]["cohort"], one["labels"]["severity"]): one for one in listed.json["alerts"]}
    assert shown["all", "page"]["not_told_because_of"] == []
    assert shown["all", "page"]["snapshot"]["labelled"] == 8 * ROWS
    assert all(one["not_told_because_of"] for key, one in shown.items() if key != ("all", "page"))
    name = f"fraud/{shown['all', 'page']['fingerprint'][:8]}"
    assert "because of" not in drifting.run("alert", "show", name).out
    assert drifting.run("alert", "acknowledge", name, "--reason", "on it", by="otto").code == 0
    assert drifting.run("alert", "show", name, "--json").json["acknowledged_by"] == "otto"
    log = drifting.run("alert", "deliveries", "fraud").out
    assert "CAL-849" in log
    assert drifting.sound()


def test_who_may_what(drifting: Any) -> None:
    """A viewer looks; alerting, acknowledging and silencing are for operators."""
    assert drifting.run("alert", "list", by="vera").code == 0
    for command in (
        ("slo", "fraud", "--alert"), ("silence", "begin", "stream=fraud"), ("alert", "test", "hook"),
    ):  # fmt: skip
        assert drifting.run(*command, by="vera").refusal == "CAL-901", command


def test_a_silence(drifting: Any, hook: receivers.Receiver) -> None:
    """Nothing is told while it lasts; everything is on record; ending it tells what still fires."""
    name = drifting.run("silence", "begin", "stream=fraud", "--reason", "migration", "--json", by="otto").json[
        "silences"
    ]
    assert [one["state"] for one in name] == ["active"]
    drifting.run("slo", "fraud", "--alert", by="otto")
    drifting.clock.advance(seconds=360)
    drifting.run("slo", "fraud", "--alert", by="otto")
    assert hook.requests == []
    assert drifting.run("alert", "list").code == 1
    assert drifting.run("silence", "end", name[0]["name"], by="otto").code == 0
    assert drifting.run("silence", "list", "--json").json["silences"] == []
    drifting.clock.advance(seconds=60)
    drifting.run("slo", "fraud", "--alert", by="otto")
    assert len(hook.requests) == 1


@pytest.mark.parametrize("wrong", [("stream",), ("stream=a", "stream=b"), ("team=x",)])
def test_labels_that_are_none(drifting: Any, wrong: tuple[str, ...]) -> None:
    """Refused with what would be right."""
    ran = drifting.run("silence", "begin", *wrong, by="otto")
    assert ran.code == 2
    assert ran.refusal in ("CAL-420", "CAL-992")


def test_a_channel_is_tested(drifting: Any, hook: receivers.Receiver) -> None:
    """A made-up alert and its end, really sent; nothing on record; the other channel says what it lacks."""
    size = drifting.size()
    assert drifting.run("alert", "test", "hook", by="otto").code == 0
    assert [one.json["text"].split(":")[0] for one in hook.requests] == ["FIRING", "RESOLVED"]
    gone = drifting.run("alert", "test", "gone", "--json", by="otto")
    assert gone.code == 1
    assert "env:NOT_SET_ANYWHERE" in gone.json["outcomes"][0]["detail"]
    assert drifting.run("alert", "test", "none", by="otto").refusal == "CAL-846"
    assert drifting.size() == size


def test_without_alerts_yaml_nobody_is_told_and_it_is_said(drifting: Any) -> None:
    """The channel of the stream's policy is not declared: refused, in the log."""
    (drifting.project.folder / "alerts.yaml").unlink()
    drifting.run("slo", "fraud", "--alert", by="otto")
    drifting.clock.advance(seconds=360)
    told = drifting.run("slo", "fraud", "--alert", "--json", by="otto").json["told"]
    assert {one["detail"] for one in told} == {"alerts.yaml declares no such channel"}


def test_secrets_come_from_the_environment_or_a_closed_file(tmp_path: Path) -> None:
    """Never from a file that everybody can read."""
    folder = tmp_path / "calibrant.d"
    folder.mkdir()
    secret = tmp_path / "key"
    secret.write_text("R0UT1NG\n")
    text = ALERTS.replace('"env:NOT_SET_ANYWHERE"', f'"file:{secret}"') % 9
    (folder / "alerts.yaml").write_text(text)
    secret.chmod(0o644)
    office = wiring.project(str(folder)).office()
    assert "everybody" in office.broken["gone"]
    secret.chmod(0o640)
    assert set(wiring.project(str(folder)).office().notifiers) == {"hook", "gone"}
    assert office.repeats_us == {}


def test_a_spent_budget_keeps_rollouts_and_an_override_with_a_reason_does_not(drifting: Any) -> None:
    """What is on record decides: nothing before the assessment, refused after it, overridden on record."""
    drifting.signed(1)
    drifting.run("slo", "fraud", "--alert", by="otto")
    refused = drifting.run("rollout", "start", "fraud@1", "production", by="otto")
    assert (refused.code, refused.refusal) == (2, "CAL-990")
    drifting.hire("chief", "operator", "approver")
    reason = ("--override", "--reason", "it repairs the drift")
    assert drifting.run("rollout", "start", "fraud@1", "production", *reason, by="chief").code == 0
    assert drifting.run("rollout", "rollback", "fraud/production", by="otto").code == 0


def test_lint_reads_alerts_yaml_too(drifting: Any) -> None:
    """By its name, with path and line."""
    path = drifting.project.folder / "alerts.yaml"
    assert drifting.run("lint", str(path)).code == 0
    path.write_text(path.read_text().replace("type: pagerduty", "type: pager"))
    wrong = drifting.run("lint", str(path))
    assert wrong.code == 1
    assert "CAL-804 line 5: channels[1].type" in wrong.out
