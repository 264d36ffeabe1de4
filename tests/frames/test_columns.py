"""Reading: every kind of source gives the same checked columns."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from calibrant.calibrators.scales import Scale
from calibrant.frames import columns

ROWS: dict[str, list[Any]] = {
    "p": [0.25, 0.5, 0.125, 1.0],
    "y": [0, 1, 0, 1],
    "w": [1.0, 2.0, 0.0, 0.5],
    "country": ["DE", "NA", "DE", ""],
    "tier": [1, 2, 2, 1],
    "at": ["2026-01-02T03:04:05", "2026-01-01T00:00:00", "2026-01-03T00:00:00", "2026-01-04T12:30:00"],
}


def table() -> pa.Table:
    """The rows as an Arrow table, with times as timestamps."""
    made = pa.table(ROWS)
    return made.set_column(5, "at", made["at"].cast(pa.timestamp("us")))


def as_csv(folder: Path) -> Path:
    """A CSV file with quotes, written by pandas."""
    path = folder / "rows.csv"
    pd.DataFrame(ROWS).to_csv(path, index=False)
    return path


def as_gzip(folder: Path) -> Path:
    path = folder / "rows.csv.gz"
    path.write_bytes(gzip.compress(as_csv(folder).read_bytes()))
    return path


def as_tsv(folder: Path) -> Path:
    path = folder / "rows.tsv"
    pd.DataFrame(ROWS).to_csv(path, index=False, sep="\t")
    return path


def as_json_lines(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    records = [dict(zip(ROWS, values, strict=True)) for values in zip(*ROWS.values(), strict=True)]
    path.write_text("\n\n".join(map(json.dumps, records)))
    return path


def as_parquet(folder: Path) -> Path:
    path = folder / "rows.parquet"
    parquet.write_table(table(), path)
    return path


def split(folder: Path) -> str:
    """Two files under one pattern."""
    parquet.write_table(table().slice(0, 1), folder / "part-1.parquet")
    parquet.write_table(table().slice(1), folder / "part-2.parquet")
    return str(folder / "part-*.parquet")


SOURCES: dict[str, Callable[[Path], Any]] = {
    "csv": as_csv,
    "csv.gz": as_gzip,
    "tsv": as_tsv,
    "jsonl": as_json_lines,
    "parquet": as_parquet,
    "pattern": split,
    "list": lambda folder: [as_parquet(folder)],
    "pandas": lambda _: table().to_pandas(),
    "polars": lambda _: pl.from_arrow(table()),
    "polars lazy": lambda _: pl.DataFrame(pl.from_arrow(table())).lazy(),
    "arrow": lambda _: table(),
    "duckdb": lambda _: duckdb.from_arrow(table()),
    "mapping": lambda _: {**ROWS, "at": np.array(ROWS["at"], "datetime64[us]")},
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_gives_the_same_rows(kind: str, tmp_path: Path) -> None:
    """Scores, labels, weights, cohorts and times are equal to the last bit whatever they came in."""
    rows = columns.read(
        SOURCES[kind](tmp_path), score="p", label="y", weight="w", cohorts=["country", "tier"], time="at"
    )
    assert rows.scores.tolist() == ROWS["p"]
    assert rows.labels.tolist() == ROWS["y"]
    assert rows.labels.dtype == np.int8
    assert rows.weights is not None
    assert rows.weights.tolist() == ROWS["w"]
    assert rows.cohorts["country"].decode().tolist() == ROWS["country"]
    assert rows.cohorts["country"].values == ("", "DE", "NA")
    assert rows.cohorts["tier"].decode().tolist() == ["1", "2", "2", "1"]
    assert rows.times is not None
    assert rows.times.tolist() == np.array(ROWS["at"], "datetime64[us]").tolist()
    assert (rows.read, rows.skipped) == (4, ())


def test_many_blocks_are_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that span many blocks come in order, none lost at the edges; progress ends at the size."""
    monkeypatch.setattr("calibrant.frames.delimited.BLOCK", 1 << 12)
    monkeypatch.setattr("calibrant.frames.json_lines.BLOCK", 1 << 12)
    monkeypatch.setattr("calibrant.frames.parquet.ROWS", 100)
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({"p": rng.random(3_000), "y": rng.integers(0, 2, 3_000), "c": rng.choice(list("xyz"), 3_000)})
    frame.write_csv(tmp_path / "a.csv")
    frame.write_ndjson(tmp_path / "a.jsonl")
    frame.write_parquet(tmp_path / "a.parquet")
    for suffix in ("csv", "jsonl", "parquet"):
        seen: list[tuple[int, int]] = []
        path = tmp_path / f"a.{suffix}"
        rows = columns.read(
            path, score="p", label="y", cohorts=["c"], progress=lambda done, size, seen=seen: seen.append((done, size))
        )
        np.testing.assert_array_equal(rows.scores, frame["p"].to_numpy())
        np.testing.assert_array_equal(rows.labels, frame["y"].to_numpy())
        assert rows.cohorts["c"].decode().tolist() == frame["c"].to_list()
        assert len(seen) > 5
        assert seen[-1] == (path.stat().st_size, path.stat().st_size)


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "parquet"])
def test_standard_input_is_told_by_its_first_bytes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CSV, gzip, JSON lines and Parquet all come through standard input."""
    content = SOURCES[kind](tmp_path).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    rows = columns.read("-", score="p", label="y")
    assert rows.scores.tolist() == ROWS["p"]
    assert rows.source == "standard input"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["0", "1", "1"], [0, 1, 1]),
        (["true", "False", "TRUE"], [1, 0, 1]),
        (["1.0", "0.0", " 1 "], [1, 0, 1]),
    ],
)
def test_labels_in_text_files(words: list[str], expected: list[int], tmp_path: Path) -> None:
    """CSV has no types: 0/1, 0.0/1.0 and true/false in any case are labels, and nothing else is."""
    path = tmp_path / "rows.csv"
    path.write_text("p,y\n" + "".join(f"0.{index},{word}\n" for index, word in enumerate(words, 1)))
    assert columns.read(path, score="p", label="y").labels.tolist() == expected


def test_booleans_are_labels() -> None:
    """A boolean column is a binary outcome."""
    rows = columns.read({"p": [0.1, 0.2], "y": [True, False]}, score="p", label="y")
    assert rows.labels.tolist() == [1, 0]


def test_rates_are_labels_when_declared() -> None:
    """With target="rate" labels are numbers in [0, 1] and stay so."""
    rows = columns.read({"p": [0.1, 0.2], "y": [0.25, 1.0]}, score="p", label="y", target="rate")
    assert rows.labels.tolist() == [0.25, 1.0]


def test_declared_scale_is_kept_and_applied() -> None:
    """Raw scores stay raw; probabilities are made on request."""
    rows = columns.read({"p": [25.0, 50.0], "y": [0, 1]}, score="p", label="y", scale=Scale("percent"))
    assert rows.scores.tolist() == [25.0, 50.0]
    assert rows.probabilities.tolist() == [0.25, 0.5]


def test_cohort_values_are_one_text_whatever_their_type() -> None:
    """1, 1.0 and "1" are one cohort; True is "true"; a missing value is the empty text."""
    frame = pl.DataFrame(
        {"p": [0.1, 0.2], "y": [0, 1], "real": [1.0, None], "flag": [True, False], "day": ["a", None]},
    )
    rows = columns.read(frame, score="p", label="y", cohorts=["real", "flag", "day"])
    assert rows.cohorts["real"].decode().tolist() == ["1", ""]
    assert rows.cohorts["flag"].decode().tolist() == ["true", "false"]
    assert rows.cohorts["day"].decode().tolist() == ["a", ""]


def test_times_with_zones_become_utc(tmp_path: Path) -> None:
    """Offsets are applied; rows can be ordered."""
    path = tmp_path / "rows.csv"
    path.write_text("p,y,t\n.1,0,2026-01-01T01:00:00+01:00\n.2,1,2026-01-01T00:30:00Z\n")
    rows = columns.read(path, score="p", label="y", time="t")
    assert rows.times is not None
    assert rows.times.astype(str).tolist() == ["2026-01-01T00:00:00.000000", "2026-01-01T00:30:00.000000"]


def test_skipped_rows_are_counted_once_with_their_reason(tmp_path: Path) -> None:
    """Every row that is left out is in exactly one count, and the first of each kind is named."""
    path = tmp_path / "rows.csv"
    good = "".join(f"0.{index},{index % 2}\n" for index in range(1, 10))
    path.write_text("p,y\n" + good + "abc,maybe\nnan,1\n0.5,\n0.5,2\nragged\n2.5,1\n")
    rows = columns.read(path, score="p", label="y", skip_bad_rows=True)
    assert len(rows) == 9
    assert rows.read == 15
    assert sum(kind.count for kind in rows.skipped) == 6
    assert [kind.count for kind in rows.skipped] == [1, 1, 1, 1, 1, 1]
    assert rows.skipped[0].first == "row 10 (line 11) of rows.csv"


def test_where_keeps_all_columns_together() -> None:
    """A mask picks the same rows of every column."""
    rows = columns.read(table(), score="p", label="y", weight="w", cohorts=["country"], time="at")
    some = rows.where(np.array([False, True, False, True]))
    assert some.scores.tolist() == [0.5, 1.0]
    assert some.cohorts["country"].decode().tolist() == ["NA", ""]
    assert some.weights is not None
    assert some.weights.tolist() == [2.0, 0.5]
