"""The commands on streams, from a folder with nothing to evidence, as a person would type them."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from calibrant import cli, wiring
from calibrant.cli import root
from calibrant.testing import clocks

START = datetime(2026, 3, 1, tzinfo=UTC)
DECLARATION = """\
apiVersion: calibrant/v1
kind: Stream
metadata: {name: fraud, owner: team, runbook: "https://example.org", description: Blocks payments.}
spec:
  labels: {horizon: 2d}
  cohorts: [{field: country, cap: 5}]
"""


class Ran:
    """Exit code and output of one command."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code = cli.invoke(arguments)
        told = capsys.readouterr()
        self.out, self.err = told.out, told.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> clocks.FakeClock:
    """Ten days after the first event."""
    clock = clocks.FakeClock(int((START + timedelta(days=10)).timestamp() * 1e6))
    monkeypatch.setattr(wiring, "clock", lambda: clock)
    return clock


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: clocks.FakeClock) -> Path:
    """A project with one stream, a file of 1,200 predictions (scores too extreme) and one of their labels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(wiring.STORE_VARIABLE, raising=False)
    streams = tmp_path / "calibrant.d" / "streams"
    streams.mkdir(parents=True)
    (streams / "fraud.yaml").write_text(DECLARATION)
    rng = np.random.default_rng(2)
    predictions, labels = [], []
    for number in range(1_200):
        truth = rng.normal(0, 1)
        at = START + timedelta(minutes=5 * number)
        country = ("DE", "FR")[number % 2]
        score = 1 / (1 + np.exp(-2.5 * truth))
        event = {
            "id": f"p{number}",
            "at": at.isoformat(),
            "score": score,
            "model": "m",
            "cohorts": {"country": country},
        }
        predictions.append(json.dumps(event))
        outcome = {
            "prediction": f"p{number}",
            "value": int(rng.random() < 1 / (1 + np.exp(-truth))),
            "at": (at + timedelta(hours=30)).isoformat(),
        }
        labels.append(json.dumps(outcome))
    (tmp_path / "p.jsonl").write_text("\n".join(predictions))
    (tmp_path / "l.jsonl").write_text("\n".join(labels))
    return tmp_path


@pytest.fixture
def filled(project: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Everything ingested."""
    assert Ran(capsys, "ingest", "fraud", "p.jsonl").code == 0
    assert Ran(capsys, "labels", "fraud", "l.jsonl").code == 0
    return project


def test_from_nothing_to_a_linted_declaration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """init writes an example that lints clean; a second init leaves it; a mistake is told with its line."""
    monkeypatch.chdir(tmp_path)
    made = Ran(capsys, "init", "fraud", "--json")
    assert made.code == 0
    path = Path(made.json["declaration"])
    assert path == Path("calibrant.d/streams/fraud.yaml")
    assert Ran(capsys, "lint", str(path)).code == 0
    text = path.read_text()
    again = Ran(capsys, "init", "fraud")
    assert (again.code, path.read_text()) == (2, text)
    assert again.err.startswith("CAL-496")
    path.write_text(text.replace("horizon:", "horizont:"))
    wrong = Ran(capsys, "lint", str(path))
    assert wrong.code == 1
    assert "did you mean horizon" in wrong.out
    assert f"{path}: error" in wrong.out
    document = Ran(capsys, "lint", str(path), "--json").json
    assert document["errors"] == sum(one["severity"] == "error" for one in document["findings"]) > 0
    assert Ran(capsys, "init", "../evil").code == 2
    assert not (tmp_path / "evil.yaml").exists()


def test_ingest_counts_exactly_and_again_is_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 when all was taken, also when it was there already; exit 1 when something was refused, which is named."""
    first = Ran(capsys, "ingest", "fraud", "p.jsonl", "--json")
    assert first.code == 0
    assert {name: first.json[name] for name in ("items", "accepted", "rejected")} == {
        "items": 1_200, "accepted": 1_200, "rejected": 0,
    }  # fmt: skip
    again = Ran(capsys, "ingest", "fraud", "p.jsonl")
    assert again.code == 0
    assert "nothing new: all 1,200 predictions were there already" in again.err
    bad = (project / "p.jsonl").read_text().splitlines()[0].replace('"model": "m"', '"model": "n"')
    (project / "bad.jsonl").write_text(bad + '\n{"id": "x", "at": "2026-03-01T00:00:00Z", "score": "0.5"}\n')
    refused = Ran(capsys, "ingest", "fraud", "bad.jsonl", "--json")
    assert refused.code == 1
    assert (refused.json["conflicting"], refused.json["rejected"], refused.json["accepted"]) == (1, 1, 0)
    assert "item 2: CAL-375 score" in refused.err
    assert [one["code"] for one in refused.json["named"]] == ["CAL-483", "CAL-375"]


def test_check_of_a_stream(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict of the matured pairs, by cohort, with what it rests on; equal to that of a joined file."""
    ran = Ran(capsys, "check", "--stream", "fraud")
    assert ran.code == 1
    assert ran.out.startswith("MISCALIBRATED  n = 1,200")
    assert "stream fraud as of 2026-03-11T00:00:00Z: 100.0 % of 1,200 predictions have matured" in ran.out
    assert "100.0 % of the matured ones have an outcome" in ran.out
    assert "country=DE" in ran.out
    document = Ran(capsys, "check", "--stream", "fraud", "--cohort", "model", "--json").json
    assert document["about"]["pairs"] == document["overall"]["n"] == 1_200
    assert [one["cohort"] for one in document["cohorts"]] == [{"model": "m"}]
    outcome = {
        one["prediction"]: one["value"] for one in map(json.loads, (filled / "l.jsonl").read_text().splitlines())
    }
    with (filled / "joined.csv").open("w") as file:
        file.write("p,y\n")
        for one in map(json.loads, (filled / "p.jsonl").read_text().splitlines()):
            file.write(f"{one['score']!r},{outcome[one['id']]}\n")
    joined = Ran(capsys, "check", "joined.csv", "--score", "p", "--label", "y", "--json").json
    for name in ("n", "base_rate", "mean_score", "brier", "log_loss"):
        assert document["overall"][name] == pytest.approx(joined["overall"][name], rel=1e-9)


def test_windows_and_as_of(filled: Path, capsys: pytest.CaptureFixture[str], clock: clocks.FakeClock) -> None:
    """A window counts its own; as of a time nothing is known that was received after it."""
    half = Ran(capsys, "check", "--stream", "fraud", "--from", "2026-03-02", "--to", "2026-03-03T12:00:00Z", "--json")
    assert half.json["about"]["predictions"] == 432
    before = Ran(capsys, "check", "--stream", "fraud", "--as-of", "2026-03-05", "--json")
    assert before.code == 3
    assert before.json["about"]["predictions"] == 0
    then = "2026-03-11T00:00:00Z"
    document = Ran(capsys, "check", "--stream", "fraud", "--json").json
    clock.advance(days=3)
    revised = {"prediction": "p7", "value": 1, "at": "2026-03-02T00:00:00Z", "source": "second", "revision": 9}
    other = revised | {"prediction": "p8", "value": 0}
    (filled / "more.jsonl").write_text(json.dumps(revised) + "\n" + json.dumps(other))
    assert Ran(capsys, "labels", "fraud", "more.jsonl").code == 0
    again = Ran(capsys, "check", "--stream", "fraud", "--as-of", then, "--json").json
    assert again["overall"] == document["overall"]
    assert again["about"] == document["about"]


def test_a_report_of_a_stream(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One page, with the matured share in its caption."""
    ran = Ran(capsys, "report", "--stream", "fraud", "-o", "report.html")
    assert ran.code == 1
    page = (filled / "report.html").read_text()
    assert "Calibration of stream fraud" in page
    assert "100.0% of labels matured" in page
    assert "Apply the map" in page
    assert "calibrant recommend --stream fraud -o calibrator.json" in page
    without = Ran(capsys, "report", "--stream", "fraud", "-o", "report.html", "--no-advice")
    assert without.code == 1
    page = (filled / "report.html").read_text()
    assert "Apply the map" not in page
    assert "calibrant recommend --stream fraud: looks for a map" in page


def test_a_map_for_a_stream(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fitted on the raw scores of the earlier days, judged on the latest ones, and delivered on the stream's scale."""
    ran = Ran(capsys, "recommend", "--stream", "fraud", "-o", "map.json", "--cost-fp", "1", "--cost-fn", "4", "--json")
    assert ran.code == 0
    assert ran.json["action"] == "apply"
    told = ran.json["provenance"]
    assert (told["source"], told["rows"], told["rows_judged"]) == ("stream fraud", 1_200, 48 + 288)
    assert told["judged_from"].startswith("2026-03-04T00:00")
    assert ran.json["after"]["overall"]["log_loss"] < ran.json["before"]["overall"]["log_loss"]
    assert ran.json["threshold"]["value"] > 0
    document = json.loads((filled / "map.json").read_text())
    assert document["digest"] == ran.json["digest"]
    earlier = Ran(capsys, "recommend", "--stream", "fraud", "--to", "2026-03-03", "--cohort", "model", "--json")
    assert (earlier.json["provenance"]["rows"], earlier.json["provenance"]["rows_judged"]) == (576, 173)
    before = Ran(capsys, "recommend", "--stream", "fraud", "--as-of", "2026-03-04")
    assert before.code == 3
    assert "0 rows, at least 50" in before.err
    assert Ran(capsys, "recommend", "--stream", "fraud", "--to", "2026-03-01T01:00:00Z").code == 3
    assert Ran(capsys, "recommend", "--stream", "fraud", "p.jsonl").err.startswith("CAL-495")
    assert Ran(capsys, "recommend", "p.jsonl", "--score", "score").code == 2


def test_status(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lag, maturity and counts; as JSON too."""
    ran = Ran(capsys, "status", "fraud")
    assert ran.code == 0
    for word in ("predictions", "1,200", "orphans", "median 1.2 d", "labelled by age", "100.0 %"):
        assert word in ran.out
    document = Ran(capsys, "status", "fraud", "--json").json
    assert document["counts"]["labels"] == 1_200
    assert document["label_lag_seconds"]["0.5"] == 30 * 3_600
    assert document["join"]["labelled"] == 1_200


def test_label_tasks_come_back_as_labels(
    project: Path, capsys: pytest.CaptureFixture[str], clock: clocks.FakeClock
) -> None:
    """A list is written, filled in, sent as labels and weighted; the unweighted figure stands beside."""
    assert Ran(capsys, "ingest", "fraud", "p.jsonl").code == 0
    clock.us = int((START + timedelta(days=1.9)).timestamp() * 1e6)
    ran = Ran(capsys, "label-tasks", "fraud", "-n", "60", "-o", "tasks.csv", "--seed", "3", "--json")
    assert ran.code == 0
    assert ran.json["tasks"] == sum(ran.json["by_reason"].values()) == 60
    rows = list(csv.DictReader((project / "tasks.csv").read_text().splitlines()))
    outcome = {one["prediction"]: one for one in map(json.loads, (project / "l.jsonl").read_text().splitlines())}
    for row in rows:
        row |= {"value": str(outcome[row["prediction"]]["value"]), "at": outcome[row["prediction"]]["at"]}
    with (project / "done.csv").open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert Ran(capsys, "labels", "fraud", "done.csv").code == 0
    clock.advance(days=20)
    plain = Ran(capsys, "check", "--stream", "fraud", "--json").json
    weighted = Ran(capsys, "check", "--stream", "fraud", "--weighting", "inverse-propensity", "--json").json
    assert plain["about"]["pairs"] == weighted["about"]["pairs"] == 60
    assert weighted["about"]["base_rate_unweighted"] == pytest.approx(plain["overall"]["base_rate"])
    assert weighted["overall"]["effective_n"] < 60
    assert weighted["about"]["selection_gap"] != 0
    none_left = Ran(capsys, "label-tasks", "fraud", "-o", "tasks.csv")
    assert (none_left.code, none_left.err[:7]) == (2, "CAL-485")


def test_a_formula_never_reaches_a_spreadsheet(
    project: Path, capsys: pytest.CaptureFixture[str], clock: clocks.FakeClock
) -> None:
    """An id that begins like one is not written to CSV, and is to JSON lines, unchanged."""
    (project / "f.jsonl").write_text('{"id": "=cmd()", "at": "2026-03-10T23:00:00Z", "score": 0.5}')
    assert Ran(capsys, "ingest", "fraud", "f.jsonl").code == 0
    refused = Ran(capsys, "label-tasks", "fraud", "-o", "tasks.csv")
    assert (refused.code, refused.err[:7]) == (2, "CAL-493")
    assert not (project / "tasks.csv").exists()
    assert Ran(capsys, "label-tasks", "fraud", "-o", "tasks.jsonl").code == 0
    assert json.loads((project / "tasks.jsonl").read_text())["prediction"] == "=cmd()"


def test_verify_summaries(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pending before the first check, equal after it."""
    assert Ran(capsys, "verify-summaries", "fraud", "--json").json["pending"] == 5
    assert Ran(capsys, "check", "--stream", "fraud").code == 1
    ran = Ran(capsys, "verify-summaries", "fraud", "--json")
    assert (ran.code, ran.json["checked"], ran.json["pending"], ran.json["differences"]) == (0, 5, 0, [])
    assert Ran(capsys, "verify-summaries", "fraud").out.startswith("5 partitions with 1,200 predictions checked")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ingest", "frad", "p.jsonl"], "CAL-486"),
        (["ingest", "fraud", "nothing.jsonl"], "CAL-101"),
        (["status", "fraud"], "CAL-111"),
        (["check", "--stream", "fraud"], "CAL-111"),
        (["check", "--stream", "fraud", "--as-of", "yesterday"], "CAL-488"),
        (["check", "--stream", "fraud", "--from", "2026-03-02", "--to", "2026-03-01"], "CAL-490"),
        (["check", "p.jsonl", "--stream", "fraud"], "CAL-495"),
        (["check", "--stream", "fraud", "--score", "p"], "CAL-495"),
        (["check", "p.jsonl", "--score", "p", "--label", "y", "--as-of", "2026-03-02"], "CAL-494"),
        (["check"], "CAL-420"),
        (["check", "p.jsonl", "--score", "p"], "CAL-420"),
        (["labels", "fraud", "l.jsonl", "--column", "id"], "CAL-498"),
        (["lint", "nothing.yaml"], "CAL-120"),
        (["label-tasks", "fraud", "-n", "0", "-o", "x.csv"], "CAL-420"),
    ],
)
def test_mistakes_are_told_in_three_lines(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: str
) -> None:
    """Exit 2, the code first, a cause and a fix, nothing on standard output."""
    ran = Ran(capsys, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(code)
    assert len(ran.err.strip().splitlines()) <= 6
    assert "fix:" in ran.err


def test_a_declaration_under_another_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is called like its stream, or it is refused."""
    (project / "calibrant.d/streams/other.yaml").write_text(DECLARATION)
    assert Ran(capsys, "ingest", "other", "p.jsonl").err.startswith("CAL-487")


def test_masking_needs_its_key(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it nothing is taken; with it the identifier is not in the store."""
    declared = DECLARATION + "  context: {hmac: [account]}\n  unit: account\n"
    (project / "calibrant.d/streams/fraud.yaml").write_text(declared)
    event = {"id": "p", "at": "2026-03-01T00:00:00Z", "score": 0.5, "context": {"account": "SECRET-ACCOUNT"}}
    (project / "one.jsonl").write_text(json.dumps(event))
    monkeypatch.delenv(wiring.KEY_VARIABLE, raising=False)
    assert Ran(capsys, "ingest", "fraud", "one.jsonl").err.startswith("CAL-489")
    monkeypatch.setenv(wiring.KEY_VARIABLE, "0123456789abcdef")
    assert Ran(capsys, "ingest", "fraud", "one.jsonl").code == 0
    held = b"".join(path.read_bytes() for path in (project / "calibrant.d/store").rglob("*") if path.is_file())
    assert b"SECRET-ACCOUNT" not in held


def test_the_store_is_named_by_option_or_environment(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder is another project."""
    (project / "elsewhere/streams").mkdir(parents=True)
    (project / "elsewhere/streams/fraud.yaml").write_text(DECLARATION)
    assert Ran(capsys, "ingest", "fraud", "p.jsonl", "--store", "elsewhere").code == 0
    assert Ran(capsys, "status", "fraud").err.startswith("CAL-111")
    monkeypatch.setenv(wiring.STORE_VARIABLE, "elsewhere")
    assert Ran(capsys, "status", "fraud", "--json").json["counts"]["predictions"] == 1_200


@pytest.mark.parametrize(
    "name", ["init", "lint", "ingest", "labels", "status", "label-tasks", "verify-summaries", "check", "report"]
)
def test_every_help_has_two_examples(name: str) -> None:
    """And says what its exit codes mean."""
    command = root.calibrant.get_command(click.Context(root.calibrant), name)
    assert command is not None
    assert command.epilog is not None
    assert command.epilog.count(f"  calibrant {name} ") >= 2
    assert "Exit codes:" in command.epilog
