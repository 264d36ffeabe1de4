"""The commands on a real PostgreSQL server: CALIBRANT_STORE names it, everything else is as with a folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant import cli, wiring
from calibrant.testing import clocks

START = datetime(2026, 3, 1, tzinfo=UTC)
PREDICTIONS = 600


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: str, capsys: pytest.CaptureFixture[str]
) -> clocks.FakeClock:
    """A folder with two files of events and an empty database of its own, six days after the first event."""
    import psycopg

    told = dict(part.split("=", 1) for part in postgres.split())
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE commands")
    address = f"postgresql://{told['user']}@{told['host']}:{told['port']}/commands"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(wiring.STORE_VARIABLE, address)
    clock = clocks.FakeClock(int((START + timedelta(days=6)).timestamp() * 1e6))
    monkeypatch.setattr(wiring, "clock", lambda: clock)
    rng = np.random.default_rng(8)
    predictions, labels = [], []
    for number in range(PREDICTIONS):
        at, score = START + timedelta(minutes=5 * number), float(rng.uniform(0.05, 0.95))
        predictions.append({"id": f"p{number}", "at": at.isoformat(), "score": score, "model": "m"})
        value = int(rng.random() < 0.5 + 0.2 * (score - 0.5))
        labels.append({"prediction": f"p{number}", "value": value, "at": (at + timedelta(hours=1)).isoformat()})
    for name, events in (("p.jsonl", predictions), ("l.jsonl", labels)):
        (tmp_path / name).write_text("\n".join(map(json.dumps, events)))
    del capsys
    return clock


def test_from_nothing_to_evidence(
    project: clocks.FakeClock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """init, ingest twice, labels, status, check now and as of before the labels, verify-summaries."""

    def run(*arguments: str) -> tuple[int, Any]:
        code = cli.invoke([*arguments, "--json"])
        told = capsys.readouterr()
        assert told.out, told.err
        return code, json.loads(told.out)

    assert cli.invoke(["init", "fraud"]) == 0
    capsys.readouterr()
    declaration = tmp_path / "calibrant.d/streams/fraud.yaml"
    declaration.write_text(
        "apiVersion: calibrant/v1\nkind: Stream\n"
        'metadata: {name: fraud, owner: team, runbook: "https://example.org", description: Blocks payments.}\n'
        "spec:\n  labels: {horizon: 2d}\n"
    )
    assert cli.invoke(["lint", str(declaration)]) == 0
    capsys.readouterr()
    code, first = run("ingest", "fraud", "p.jsonl")
    assert (code, first["accepted"], first["duplicate"]) == (0, PREDICTIONS, 0)
    code, again = run("ingest", "fraud", "p.jsonl")
    assert (code, again["accepted"], again["duplicate"]) == (0, 0, PREDICTIONS)
    before = START + timedelta(days=6, seconds=1)
    project.advance(days=1)
    code, labelled = run("labels", "fraud", "l.jsonl")
    assert (code, labelled["accepted"]) == (0, PREDICTIONS)
    code, status = run("status", "fraud")
    assert code == 0
    assert (status["counts"]["predictions"], status["counts"]["labels"]) == (PREDICTIONS, PREDICTIONS)
    assert status["join"]["labelled"] == PREDICTIONS
    code, now = run("check", "--stream", "fraud")
    assert code == 1
    assert now["about"]["predictions"] == PREDICTIONS
    code, past = run("check", "--stream", "fraud", "--as-of", before.isoformat())
    assert (code, past["about"]["predictions"], past["about"]["matured"]) == (3, PREDICTIONS, PREDICTIONS)
    assert (past["about"]["pairs"], now["about"]["pairs"]) == (0, PREDICTIONS)
    code, verified = run("verify-summaries", "fraud")
    assert (code, verified["differences"], verified["damaged"]) == (0, [], [])
    assert verified["checked"] >= 3
    assert not (tmp_path / "calibrant.d/store").exists()
