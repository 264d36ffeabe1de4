"""The commands from files to files: what they print, write and return."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from calibrant import cli
from calibrant.calibrators import by_cohort, codec, identity

OK = ["--score", "p", "--label", "y"]


class Ran:
    """Exit code and output of one command."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code = cli.invoke(arguments)
        told = capsys.readouterr()
        self.out, self.err = told.out, told.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def test_check_prints_a_table_and_the_verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Findings are exit 1; the table names every cohort and the measures that decide."""
    ran = Ran(capsys, "check", "rows.csv", *OK, "--cohort", "country")
    assert ran.code == 1
    assert ran.out.startswith("MISCALIBRATED  n = 3,000")
    for word in ("country=DE", "country=FR", "calibration slope", "ECCE", "of a perfect model"):
        assert word in ran.out
    assert ran.err == ""


def test_check_json_is_the_document(folder: Path, capsys: pytest.CaptureFixture[str], data: pl.DataFrame) -> None:
    """Plain numbers agree with the rows; cohorts are objects; equal inputs of another format give equal numbers."""
    ran = Ran(capsys, "check", "rows.csv", *OK, "--cohort", "country", "--json")
    overall = ran.json["overall"]
    p, y = data["p"].to_numpy(), data["y"].to_numpy()
    assert overall["n"] == 3_000
    assert overall["brier"] == pytest.approx(float(np.mean((p - y) ** 2)), abs=1e-12)
    assert overall["base_rate"] == pytest.approx(float(y.mean()), abs=1e-12)
    verdicts = {each["cohort"]["country"]: each["verdict"] for each in ran.json["cohorts"]}
    assert verdicts["DE"] == "miscalibrated"
    assert verdicts["FR"] != "miscalibrated"
    other = Ran(capsys, "check", "rows.parquet", *OK, "--cohort", "country", "--json").json
    other["about"]["source"] = ran.json["about"]["source"]
    assert other == ran.json


def test_check_of_a_good_cohort_is_not_a_finding(
    folder: Path, capsys: pytest.CaptureFixture[str], data: pl.DataFrame
) -> None:
    """Calibrated scores with rows enough: exit 0, or 3 with the reason when rows do not suffice."""
    good = data.filter(pl.col("country") == "FR").drop("country")
    pl.concat([good] * 12).write_parquet("good.parquet")
    assert Ran(capsys, "check", "good.parquet", *OK, "--tolerance", ".05").code == 0
    good[:300].write_parquet("few.parquet")
    few = Ran(capsys, "check", "few.parquet", *OK, "--json")
    assert few.code == 3
    assert few.err.startswith("CAL-320")
    assert few.json["verdict"] == "insufficient"


def test_weights_are_used(folder: Path, capsys: pytest.CaptureFixture[str], data: pl.DataFrame) -> None:
    """A weighted base rate is the weighted mean of labels."""
    ran = Ran(capsys, "check", "rows.csv", *OK, "--weight", "w", "--json")
    expected = float(np.average(data["y"], weights=data["w"]))
    assert ran.json["overall"]["base_rate"] == pytest.approx(expected, abs=1e-12)


def test_skipped_rows_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Skipping is only on request, and says how many rows, why and where."""
    with (folder / "rows.csv").open("a") as file:
        file.write("x,high,1,1.0,DE,2026-03-01T00:00:00\nx,0.5,,1.0,DE,2026-03-01T00:00:00\n")
    assert Ran(capsys, "check", "rows.csv", *OK).code == 2
    ran = Ran(capsys, "check", "rows.csv", *OK, "--skip-bad-rows", "--json")
    assert ran.json["overall"]["n"] == 3_000
    assert ran.json["about"]["rows_skipped"] == 2
    assert "skipped 2 of 3,002 rows" in ran.err
    assert "row 3,001 (line 3,002)" in ran.err


def test_recommend_writes_a_map_that_transform_applies(
    folder: Path, capsys: pytest.CaptureFixture[str], data: pl.DataFrame
) -> None:
    """The file holds the proved map; transform adds its values and check likes them better."""
    ran = Ran(capsys, "recommend", "rows.csv", *OK, "--cohort", "country", "--time", "at", "-o", "c.json", "--json")
    assert ran.code == 0
    assert ran.json["action"] == "apply"
    document = codec.loads((folder / "c.json").read_bytes())
    assert codec.digest(document) == ran.json["digest"]
    assert ran.json["after"]["overall"]["log_loss"] < ran.json["before"]["overall"]["log_loss"]

    assert Ran(capsys, "transform", "c.json", "rows.parquet", "--score", "p", "-o", "out.parquet").code == 0
    out = pl.read_parquet("out.parquet")
    assert out.columns == [*data.columns, "calibrated"]
    assert out.drop("calibrated").equals(data)
    map_, p = document.calibrator, data["p"].to_numpy()
    expected = map_.apply(p, [data["country"].to_numpy()]) if isinstance(map_, by_cohort.ByCohort) else map_.apply(p)
    np.testing.assert_array_equal(out["calibrated"].to_numpy(), expected)

    check = ["--label", "y", "--json"]
    before = Ran(capsys, "check", "out.parquet", "--score", "p", *check).json["overall"]
    after = Ran(capsys, "check", "out.parquet", "--score", "calibrated", *check).json["overall"]
    assert abs(after["slope"]["value"] - 1) < abs(before["slope"]["value"] - 1)


def test_recommend_table_names_candidates_and_threshold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people: what to do, why, the candidates, and the threshold from costs 1 to 4."""
    ran = Ran(capsys, "recommend", "rows.csv", *OK, "--cost-fp", "1", "--cost-fn", "4")
    assert ran.code == 0
    assert ran.out.startswith(("APPLY", "KEEP"))
    for word in ("identity", "platt", "threshold 0.2", "held-out rows"):
        assert word in ran.out


def test_recommend_by_capacity_counts_days(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --time the rows per day are counted: 144 a day, 14 alerts are about a tenth."""
    ran = Ran(capsys, "recommend", "rows.csv", *OK, "--time", "at", "--capacity", "14", "--json")
    assert ran.json["threshold"]["expected"]["alert_rate"]["value"] == pytest.approx(0.1, abs=0.02)


def test_a_precision_that_cannot_be_proved(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An aim out of reach is inconclusive: exit 3, and nothing is written."""
    ran = Ran(capsys, "recommend", "rows.csv", *OK, "--precision", ".9999", "-o", "c.json")
    assert ran.code == 3
    assert ran.err.startswith("CAL-321")
    assert not (folder / "c.json").exists()


def test_report_is_one_small_file(folder: Path, capsys: pytest.CaptureFixture[str], data: pl.DataFrame) -> None:
    """The page holds the verdict and loads nothing from elsewhere."""
    data.write_ndjson("rows.jsonl")
    ran = Ran(capsys, "report", "rows.jsonl", *OK, "--cohort", "country", "--no-advice", "-o", "report.html")
    assert ran.code == 1
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert len(page) < 2_000_000
    assert "iscalibrated" in page
    assert "http-equiv" in page
    assert "<script src" not in page
    assert "wrote report.html" in ran.err


def test_report_with_advice(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page holds the recommendation and says on what it was proved."""
    ran = Ran(capsys, "report", "rows.csv", *OK, "--time", "at", "-o", "report.html", "--json")
    assert ran.code == 1
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "platt" in page
    assert ran.json["overall"]["n"] == 3_000


def test_drift_between_halves_and_against_itself(
    folder: Path, capsys: pytest.CaptureFixture[str], data: pl.DataFrame
) -> None:
    """The same window is stable; the same scores with other labels have drifted."""
    data.with_columns(y=1 - pl.col("y")).write_csv("other.csv")
    ran = Ran(capsys, "drift", "rows.csv", "other.csv", *OK, "--cohort", "country", "--json")
    assert ran.code == 1
    assert ran.json["changes"]["scores"]["outcome"] == "unchanged"
    assert ran.json["changes"]["curve"]["outcome"] == "changed"
    assert {each["cohort"]["country"]: each["verdict"] for each in ran.json["cohorts"]} == {
        "DE": "drifted",
        "FR": "drifted",
    }
    table = Ran(capsys, "drift", "rows.csv", "rows.csv", *OK, "--time", "at", "--tolerance", ".1")
    assert table.code == 0
    assert "day-of-week" in table.out
    assert table.out.startswith("STABLE")


@pytest.mark.parametrize("target", ["python", "sql"])
def test_export_to_standard_output_and_file(target: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text on standard output equals the file, and the proof is in --json."""
    (folder / "c.json").write_bytes(codec.dumps(codec.Document(identity.Identity())))
    text = Ran(capsys, "export", "c.json", "--to", target)
    assert text.code == 0
    written = Ran(capsys, "export", "c.json", "--to", target, "-o", "out.txt", "--json")
    assert (folder / "out.txt").read_text(encoding="utf-8") == text.out
    assert written.json["proof"]["largest_difference"] <= written.json["proof"]["bound"]
    assert "largest difference" in written.err


def test_transform_of_many_files(folder: Path, capsys: pytest.CaptureFixture[str], data: pl.DataFrame) -> None:
    """A pattern is one stream: all rows in order, text as it was."""
    (folder / "c.json").write_bytes(codec.dumps(codec.Document(identity.Identity())))
    data[:10].write_csv("part-1.csv")
    data[10:30].write_csv("part-2.csv")
    ran = Ran(capsys, "transform", "c.json", "part-*.csv", "--score", "p", "-o", "out.csv", "--json")
    assert ran.json["rows"] == 30
    out = pl.read_csv("out.csv", infer_schema=False)
    assert out["id"].to_list() == data["id"][:30].to_list()
    assert out["calibrated"].cast(float).to_list() == data["p"][:30].to_list()
