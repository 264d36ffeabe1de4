"""The demo is the story that the README promises."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from calibrant import cli
from calibrant.calibrators import codec


@pytest.mark.theory
def test_demo_finds_repairs_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Later months get better by a map of earlier ones, per carrier; within a minute of processor time."""
    monkeypatch.chdir(tmp_path)
    started = time.process_time()
    assert cli.run(["demo", "--json"]) == 0
    assert time.process_time() - started < 60
    found = json.loads(capsys.readouterr().out)
    before, after = (found["recommendation"][name]["overall"] for name in ("before", "after"))
    assert before["n"] == 109_619
    assert before["verdict"] == "miscalibrated"
    assert after["log_loss"] < before["log_loss"] - 0.01
    assert len(found["evidence"]["cohorts"]) == 16
    document = codec.loads((tmp_path / "demo" / "calibrator.json").read_bytes())
    assert document.calibrator.kind == "by_cohort"
    assert (tmp_path / "demo" / "report.html").stat().st_size < 2_000_000
    assert (
        cli.run(["transform", "demo/calibrator.json", "demo/flights.parquet", "--score", "score", "-o", "o.csv"]) == 0
    )
