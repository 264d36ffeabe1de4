"""Writing: what came in goes out again, value by value, with one column more."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from calibrant import errors
from calibrant.frames import batches, writers

VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


def written(source: Any, kind: writers.OutputFormat, **options: Any) -> bytes:
    """A source with half of its score added, in some format."""
    file = io.BytesIO()
    writer = writers.open_writer(file, kind, adding="half")
    for batch in batches.batches(source, score="p", adding="half", **options):
        writer.write(batch, batch.scores / 2)
    writer.close()
    return file.getvalue()


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1), st.sampled_from([("csv", ","), ("tsv", "\t")]))
def test_csv_values_survive(notes: list[str], style: tuple[writers.OutputFormat, str]) -> None:
    """Quotes, separators and line breaks in values come back as they were."""
    kind, delimiter = style
    text = written({"p": np.full(len(notes), 0.5), "note": np.array(notes, object)}, kind).decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    assert rows == [["p", "note", "half"], *(["0.5", note, "0.25"] for note in notes)]


def test_csv_keeps_the_text_of_csv(tmp_path: Path) -> None:
    """Leading zeros, trailing zeros and empty values of a CSV file are not touched."""
    path = tmp_path / "a.csv"
    path.write_text("id,p,note\n007,0.50,\n008,0.250,x\n")
    assert written(path, "csv") == b"id,p,note,half\n007,0.50,,0.25\n008,0.250,x,0.125\n"


def test_json_lines_keep_their_bytes(tmp_path: Path) -> None:
    """JSON lines get one field more; everything else stays byte by byte."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"p": 0.50, "nested": {"a": [1, 2]}}\n\n  {"p":1e-1}  \n')
    assert written(path, "jsonl") == b'{"p": 0.50, "nested": {"a": [1, 2]},"half":0.25}\n  {"p":1e-1,"half":0.05}\n'


def test_text_gets_types_only_where_nothing_is_lost(tmp_path: Path) -> None:
    """From CSV to Parquet: numbers and booleans become typed, leading zeros stay text."""
    path = tmp_path / "a.csv"
    path.write_text("id,n,p,flag,gap,note,far\n007,1,0.5,true,,a,9\n010,2,1e-1,FALSE,3,,9123456789012345678901\n")
    found = parquet.read_table(io.BytesIO(written(path, "parquet")))
    assert found.to_pydict() == {
        "id": ["007", "010"],
        "n": [1, 2],
        "p": [0.5, 0.1],
        "flag": [True, False],
        "gap": [None, 3],
        "note": ["a", ""],
        "far": ["9", "9123456789012345678901"],
        "half": [0.25, 0.05],
    }
    assert [json.loads(line) for line in written(path, "jsonl").splitlines()] == found.to_pylist()


def test_types_that_change_later_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that turns out to be text after the first block is an error, not a silent null."""
    monkeypatch.setattr("calibrant.frames.delimited.BLOCK", 64)
    path = tmp_path / "a.csv"
    path.write_text("p,n\n" + "0.5,1\n" * 40 + "0.5,x\n")
    with pytest.raises(errors.ColumnError, match="CAL-211"):
        written(path, "parquet")
    assert written(path, "csv").endswith(b"0.5,x,0.25\n")


def test_parquet_keeps_types_and_order() -> None:
    """All other columns keep type, order and value."""
    frame = pl.DataFrame({"b": [[1], [2, 3]], "p": [0.5, 0.25], "a": ["x", None]})
    found = parquet.read_table(io.BytesIO(written(frame, "parquet")))
    assert found.column_names == ["b", "p", "a", "half"]
    assert found.select(["b", "p", "a"]).to_pylist() == frame.to_arrow().to_pylist()


def test_nested_columns_have_no_csv() -> None:
    """A list cannot be written as CSV, and the error says what can."""
    with pytest.raises(errors.ColumnError, match=r"CAL-213[\s\S]*\.jsonl"):
        written(pa.table({"p": [0.5], "b": [[1]]}), "csv")


def test_existing_column_is_not_replaced() -> None:
    """The added column must be new."""
    with pytest.raises(errors.ColumnError, match="CAL-210"):
        written({"p": [0.5], "half": [1]}, "csv")


def test_bad_scores_stop_or_stay_empty() -> None:
    """A bad score stops the stream; on request its row stays, without a value."""
    with pytest.raises(errors.ValueRangeError, match="CAL-307"):
        written({"p": [0.5, np.nan]}, "csv")
    assert written({"p": [0.5, 7.0]}, "csv", skip_bad_rows=True) == b"p,half\n0.5,0.25\n7,\n"
    assert written({"p": [0.5, 7.0]}, "jsonl", skip_bad_rows=True).endswith(b'{"p":7,"half":null}\n')


@pytest.mark.parametrize("name", ["out", "out.xlsx"])
def test_unknown_output(name: str) -> None:
    """An output whose format cannot be told is refused before anything is read."""
    with pytest.raises(errors.UsageError, match="CAL-421"):
        writers.output_format(name)
