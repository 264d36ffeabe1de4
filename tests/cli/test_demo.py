"""The demo is the story that the README promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calibrant import cli
from calibrant.calibrators import codec


@pytest.mark.theory
def test_demo_finds_repairs_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some weeks through the loop; and without it, later months get better by a map of earlier ones, per carrier."""
    monkeypatch.chdir(tmp_path)
    assert cli.invoke(["demo", "--json", "--days", "40"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["audit"]["sound"]
    assert any("rollout of flights@1: completed" in line for line in found["story"])
    assert [month["name"] for month in found["months"]] == ["201303", "all"]
    assert all((tmp_path / name).exists() for name in found["files"])
    before, after = (found["recommendation"][name]["overall"] for name in ("before", "after"))
    assert before["n"] == 109_619
    assert before["verdict"] == "miscalibrated"
    assert after["log_loss"] < before["log_loss"] - 0.01
    assert len(found["evidence"]["cohorts"]) == 16
    document = codec.loads((tmp_path / "demo" / "calibrator.json").read_bytes())
    assert document.calibrator.kind == "by_cohort"
    assert (tmp_path / "demo" / "report.html").stat().st_size < 2_000_000
    assert (
        cli.invoke(["transform", "demo/calibrator.json", "demo/flights.parquet", "--score", "score", "-o", "o.csv"])
        == 0
    )
