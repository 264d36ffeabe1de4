"""Seeded mistakes: each ends in at most six lines with code, cause and fix, the right exit code, and no output file."""

# ruff: noqa: E501  # the table of mistakes has one line for each

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from calibrant import cli
from calibrant.calibrators import canonical, codec, logistic

RNG = np.random.default_rng(20)
ROWS = 200
P = RNG.random(ROWS).round(4)
Y = (RNG.random(ROWS) < P).astype(int)


def frame(**columns: object) -> pl.DataFrame:
    """Two hundred good rows, with columns replaced or added."""
    good = {"p": P, "y": Y, "w": np.ones(ROWS), "country": RNG.choice(["DE", "FR"], ROWS)}
    return pl.DataFrame(good | columns)


def changed(values: np.ndarray, row: int, value: object) -> list[object]:
    """The values with one of them replaced; rows count from 1."""
    out: list[object] = values.tolist()
    out[row - 1] = value
    return out


def csv(data: pl.DataFrame) -> bytes:
    return data.write_csv().encode()


def half_parquet(folder: Path) -> None:
    frame().write_parquet(folder / "whole.parquet")
    (folder / "a.parquet").write_bytes((folder / "whole.parquet").read_bytes()[:-40])
    (folder / "whole.parquet").unlink()


def calibrator() -> bytes:
    return codec.dumps(codec.Document(logistic.Platt(0.8, -0.1)))


def newer_schema() -> bytes:
    """A calibrator of the next version, otherwise as it should be."""
    return canonical.dumps(json.loads(calibrator()) | {"schema": "calibrant.calibrator/2"}) + b"\n"


class Mistake(NamedTuple):
    """What somebody did, what is on the disk, what was typed, and what must come of it."""

    name: str
    files: dict[str, bytes | Callable[[Path], None]]
    command: str
    exit_code: int
    code: str
    hint: str


OK = "--score p --label y"
GOOD = csv(frame())
TEXT = GOOD.decode()
CALIBRATED = {"c.json": calibrator(), "a.csv": GOOD}

MISTAKES = [
    Mistake("missing file", {"preds.csv": GOOD}, f"check pred.csv {OK}", 2, "CAL-101", "did you mean 'preds.csv'"),
    Mistake("pattern without files", {}, f"check 'day-*.csv' {OK}", 2, "CAL-101", "pattern"),
    Mistake("a spreadsheet", {"a.xlsx": b"PK"}, f"check a.xlsx {OK}", 2, "CAL-102", ".csv"),
    Mistake("one JSON array", {"a.json": b'[{"p": 1}]'}, f"check a.json {OK}", 2, "CAL-102", "jq"),
    Mistake("empty file", {"a.csv": b""}, f"check a.csv {OK}", 2, "CAL-103", "empty"),
    Mistake("header alone", {"a.csv": b"p,y\n"}, f"check a.csv {OK}", 2, "CAL-103", "no rows"),
    Mistake("truncated Parquet", {"a.parquet": half_parquet}, f"check a.parquet {OK}", 2, "CAL-104", "truncated"),
    Mistake("CSV named Parquet", {"a.parquet": GOOD}, f"report a.parquet {OK} -o o.html", 2, "CAL-104", "Parquet"),
    Mistake("ragged row", {"a.csv": GOOD + b"0.5\n"}, f"check a.csv {OK}", 2, "CAL-105", "line 202"),
    Mistake("broken JSON line", {"a.jsonl": b'{"p": .5'}, f"check a.jsonl {OK}", 2, "CAL-106", "line 1"),
    Mistake("a folder", {}, f"check . {OK}", 2, "CAL-107", "folder"),
    Mistake("not UTF-8", {"a.csv": GOOD + b"0.5,\xe9,1,DE\n"}, f"check a.csv {OK}", 2, "CAL-108", "UTF-8"),
    Mistake("missing column", {"a.csv": GOOD}, "check a.csv --score P --label y", 2, "CAL-201", "did you mean 'p'"),
    Mistake("missing cohort", {"a.csv": GOOD}, f"check a.csv {OK} --cohort contry", 2, "CAL-201", "'country'"),
    Mistake(
        "semicolons", {"a.csv": TEXT.replace(",", ";").encode()}, f"check a.csv {OK}", 2, "CAL-201", "semicolons"
    ),
    Mistake("doubled column", {"a.csv": b"p,p,y\n.1,.2,1\n"}, f"check a.csv {OK}", 2, "CAL-202", "twice"),
    Mistake(
        "labels as text",
        {"a.csv": csv(frame(y=["yes" if y else "no" for y in Y]))},
        f"check a.csv {OK}",
        2,
        "CAL-203",
        "1 for yes",
    ),
    Mistake("a word among scores", {"a.csv": csv(frame(p=[*map(str, P[:-1]), "high"]))}, f"check a.csv {OK}", 2, "CAL-204", "row 200 (line 201)"),
    Mistake("mixed types", {"a.jsonl": b'{"p":0.5,"y":1}\n{"p":"a","y":0}\n'}, f"check a.jsonl {OK}", 2, "CAL-205", "row 2"),
    Mistake(
        "unreadable time",
        {"a.csv": csv(frame(at=["soon"] * ROWS))},
        f"recommend a.csv {OK} --time at -o o.json",
        2,
        "CAL-206",
        "ISO 8601",
    ),
    Mistake("one column twice", {"a.csv": GOOD}, "check a.csv --score p --label p", 2, "CAL-207", "two things"),
    Mistake("swapped columns", {"a.csv": GOOD}, "check a.csv --score y --label p", 2, "CAL-208", "exchange"),
    Mistake("result there already", CALIBRATED | {"a.csv": csv(frame(calibrated=P))}, "transform c.json a.csv --score p -o o.csv", 2, "CAL-210", "calibrated"),
    Mistake("p above 1", {"a.csv": csv(frame(p=changed(P, 7, 1.2)))}, f"check a.csv {OK}", 2, "CAL-302", "row 7 (line 8)"),
    Mistake("p below 0", {"a.csv": csv(frame(p=changed(P, 9, -0.1)))}, f"report a.csv {OK} -o o.html", 2, "CAL-302", "row 9"),
    Mistake("percent", {"a.csv": csv(frame(p=P * 100))}, f"check a.csv {OK}", 2, "CAL-304", "--scale percent"),
    Mistake("negative weight", {"a.csv": csv(frame(w=changed(np.ones(ROWS), 3, -1.0)))}, f"check a.csv {OK} --weight w", 2, "CAL-305", "row 3"),
    Mistake("NaN score", {"a.csv": csv(frame(p=changed(P, 5, float("nan"))))}, f"check a.csv {OK}", 2, "CAL-307", "row 5"),
    Mistake("infinite score", CALIBRATED | {"a.csv": csv(frame(p=changed(P, 5, float("inf"))))}, "transform c.json a.csv --score p -o o.csv", 2, "CAL-307", "row 5"),
    Mistake("empty score", {"a.csv": csv(frame(p=changed(P, 5, None)))}, f"drift a.csv a.csv {OK}", 2, "CAL-307", "row 5"),
    Mistake("three classes", {"a.csv": csv(frame(y=changed(Y, 4, 2)))}, f"check a.csv {OK}", 2, "CAL-308", "row 4"),
    Mistake("null label", {"a.csv": csv(frame(y=changed(Y, 4, None)))}, f"check a.csv {OK}", 2, "CAL-309", "row 4"),
    Mistake("all weights zero", {"a.csv": csv(frame(w=np.zeros(ROWS)))}, f"check a.csv {OK} --weight w", 2, "CAL-310", "200"),
    Mistake("one class", {"a.csv": csv(frame(y=np.zeros(ROWS, int)))}, f"report a.csv {OK} -o o.html", 2, "CAL-311", "all labels"),
    Mistake("constant scores", {"a.csv": csv(frame(p=np.full(ROWS, 0.3)))}, f"check a.csv {OK}", 2, "CAL-312", "0.3"),
    Mistake("five rows: check", {"a.csv": csv(frame()[:5])}, f"check a.csv {OK}", 3, "CAL-320", "5 rows"),
    Mistake("five rows: report", {"a.csv": csv(frame()[:5])}, f"report a.csv {OK} -o o.html", 3, "CAL-320", "5 rows"),
    Mistake("five rows: recommend", {"a.csv": csv(frame()[:5])}, f"recommend a.csv {OK} -o o.json", 3, "CAL-320", "5 rows"),
    Mistake("two aims", {"a.csv": GOOD}, f"recommend a.csv {OK} --precision .9 --capacity 5 -o o.json", 2, "CAL-401", "--precision, --capacity"),
    Mistake("half of the costs", {"a.csv": GOOD}, f"recommend a.csv {OK} --cost-fp 1 -o o.json", 2, "CAL-401", "--cost-fn"),
    Mistake("unknown scale", {"a.csv": GOOD}, f"check a.csv {OK} --scale percentage", 2, "CAL-402", "percent"),
    Mistake("unknown option", {"a.csv": GOOD}, f"check a.csv {OK} --cohorts c", 2, "CAL-420", "--cohort?"),
    Mistake("unknown command", {}, "chek a.csv", 2, "CAL-420", "calibrant check"),
    Mistake("no label named", {"a.csv": GOOD}, "check a.csv --score p", 2, "CAL-420", "--label"),
    Mistake("tolerance of 2", {"a.csv": GOOD}, f"check a.csv {OK} --tolerance 2", 2, "CAL-420", "tolerance"),
    Mistake("output without format", CALIBRATED, "transform c.json a.csv --score p -o out", 2, "CAL-421", ".parquet"),
    Mistake("capacity without days", {"a.csv": GOOD}, f"recommend a.csv {OK} --capacity 5 -o o.json", 2, "CAL-429", "--time"),
    Mistake("folder to write is missing", CALIBRATED, "transform c.json a.csv --score p -o no/o.csv", 2, "CAL-110", "folder"),
    Mistake("calibrator missing", {"a.csv": GOOD}, "transform c.json a.csv --score p -o o.csv", 2, "CAL-101", "c.json"),
    Mistake("rows for calibrator", {"a.csv": GOOD}, "transform a.csv a.csv --score p -o o.csv", 2, "CAL-611", "recommend"),
    Mistake("newer calibrator", CALIBRATED | {"c.json": newer_schema()}, "transform c.json a.csv --score p -o o.csv", 2, "CAL-612", "upgrade"),
    Mistake("one byte changed", CALIBRATED | {"c.json": calibrator().replace(b"0.8", b"0.9")}, "transform c.json a.csv --score p -o o.csv", 2, "CAL-614", "digest"),
    Mistake("one byte changed: export", {"c.json": calibrator().replace(b"-0.1", b"-0.2")}, "export c.json --to python -o o.py", 2, "CAL-614", "digest"),
    Mistake("ONNX to a terminal", {"c.json": calibrator()}, "export c.json --to onnx", 2, "CAL-428", "-o"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name for mistake in MISTAKES])
def test_mistake(
    mistake: Mistake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Few lines, code, cause, fix, exit code; nothing written and no traceback."""
    monkeypatch.chdir(tmp_path)
    for name, content in mistake.files.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        else:
            content(tmp_path)
    before = sorted(tmp_path.iterdir())
    exit_code = cli.invoke(shlex.split(mistake.command))
    told = capsys.readouterr()
    lines = told.err.strip().splitlines()
    assert exit_code == mistake.exit_code, told.err
    assert lines[0].startswith(f"{mistake.code}: "), told.err
    assert lines[1].startswith("cause: ")
    assert lines[2].startswith("fix: ")
    assert len(lines) <= 6
    assert mistake.hint in told.err
    assert "Traceback" not in told.err
    assert sorted(tmp_path.iterdir()) == before
    if exit_code == 2:
        assert told.out == ""


def test_every_flipped_byte_of_a_calibrator_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever byte of the file is changed, transform writes nothing and exits with 2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes(b"p\n0.5\n")
    good = calibrator()
    for position in range(len(good)):
        spoiled = bytearray(good)
        spoiled[position] ^= 1
        (tmp_path / "c.json").write_bytes(bytes(spoiled))
        assert cli.invoke(["transform", "c.json", "a.csv", "--score", "p", "-o", "o.csv"]) == 2
        assert capsys.readouterr().err.startswith("CAL-61")
    assert not (tmp_path / "o.csv").exists()


def test_a_bad_row_far_down_leaves_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that fails after many good batches leaves the old output as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("calibrant.frames.delimited.BLOCK", 1 << 10)
    (tmp_path / "c.json").write_bytes(calibrator())
    (tmp_path / "a.csv").write_bytes(b"p\n" + b"0.5\n" * 5_000 + b"7\n")
    (tmp_path / "o.csv").write_bytes(b"old")
    assert cli.invoke(["transform", "c.json", "a.csv", "--score", "p", "-o", "o.csv"]) == 2
    assert (tmp_path / "o.csv").read_bytes() == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.csv", "c.json", "o.csv"]
