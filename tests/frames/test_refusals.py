"""Bad data in Python: the code, the first bad row and the count are in the error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from calibrant import errors
from calibrant.calibrators.scales import Scale
from calibrant.frames import columns, measurable

CASES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("CAL-201", {"p": [0.1], "y": [1]}, {"score": "P"}, "did you mean 'p'?"),
    ("CAL-203", {"p": [0.1, 0.2], "y": ["no", "yes"]}, {}, "'no', 'yes'"),
    ("CAL-204", {"p": ["0.1", "0.2"], "y": [0, 1]}, {}, "string"),
    ("CAL-207", {"p": [0.1], "y": [1]}, {"label": "p"}, "two things"),
    ("CAL-207", {"p": [0.1], "y": [1], "c": ["a"]}, {"cohorts": ["c", "c"]}, "twice"),
    ("CAL-208", {"p": [0.0, 1.0], "y": [0.2, 0.7]}, {}, "exchange"),
    ("CAL-302", {"p": [0.1, -0.5, 1.5], "y": [0, 1, 1]}, {}, "2 of 3 rows, the first is row 2"),
    ("CAL-302", {"p": [0.1, 1.2], "y": [0, 1]}, {}, "1 of 2 rows, row 2"),
    ("CAL-304", {"p": [12.0, 80.0], "y": [0, 1]}, {}, "--scale percent"),
    ("CAL-305", {"p": [0.1, 0.2], "y": [0, 1], "w": [1.0, -1.0]}, {"weight": "w"}, "row 2"),
    ("CAL-305", {"p": [0.1, 0.2], "y": [0, 1], "w": [np.inf, 1.0]}, {"weight": "w"}, "row 1"),
    ("CAL-307", {"p": [0.1, np.nan], "y": [0, 1]}, {}, "row 2"),
    ("CAL-307", {"p": [np.inf, 0.1], "y": [0, 1]}, {}, "row 1"),
    ("CAL-308", {"p": [0.1, 0.2], "y": [0, 2]}, {}, "row 2"),
    ("CAL-308", {"p": [0.1, 0.2], "y": [0.3, 1]}, {}, "--target rate"),
    ("CAL-308", {"p": [0.1, 0.2], "y": [0.3, 1.5]}, {"target": "rate"}, "[0, 1]"),
    ("CAL-309", {"p": [0.1, 0.2], "y": [0, np.nan]}, {}, "row 2"),
    ("CAL-310", {"p": [0.1, 0.2], "y": [0, 1], "w": [0.0, 0.0]}, {"weight": "w"}, "2 rows"),
    ("CAL-206", {"p": [0.1], "y": [1], "t": [17]}, {"time": "t"}, "int64"),
    ("CAL-206", {"p": [0.1, 0.2], "y": [0, 1], "t": ["2026-01-01", "soon"]}, {"time": "t"}, "'soon'"),
    ("CAL-212", {"p": [0.1, 0.2], "y": [0]}, {}, "one length"),
    ("CAL-103", {"p": [], "y": []}, {}, "empty"),
]


@pytest.mark.parametrize(("code", "data", "options", "words"), CASES)
def test_refused_with_code_and_place(code: str, data: dict[str, Any], options: dict[str, Any], words: str) -> None:
    """The code is the promised one and the message holds what helps."""
    with pytest.raises(errors.InputError) as caught:
        columns.read(data, **({"score": "p", "label": "y"} | options))
    assert caught.value.code == code
    assert words in str(caught.value)
    assert str(caught.value).count("\n") == 2


def test_other_objects_are_no_source() -> None:
    """An object that is no table is refused by its type."""
    with pytest.raises(errors.SourceError, match="CAL-109"):
        columns.read(42, score="p", label="y")


def test_doubled_columns_of_a_frame() -> None:
    """pandas allows two columns of one name; a score that could be either is refused."""
    frame = pd.DataFrame([[0.1, 0.2, 1]], columns=["p", "p", "y"])
    with pytest.raises(errors.ColumnError, match="CAL-202"):
        columns.read(frame, score="p", label="y")


def test_objects_of_several_types() -> None:
    """A pandas column of numbers and text names the first row that differs."""
    frame = pd.DataFrame({"p": [0.1, "high", 0.3], "y": [0, 1, 1]})
    with pytest.raises(errors.ColumnError, match=r"CAL-205.*\n.*row 2 of the pandas frame holds 'high'"):
        columns.read(frame, score="p", label="y")


def test_nested_cohorts() -> None:
    """A list is no cohort value."""
    made = pa.table({"p": [0.1], "y": [1], "c": [[1]]})
    with pytest.raises(errors.ColumnError, match="CAL-209"):
        columns.read(made, score="p", label="y", cohorts=["c"])


def test_mostly_bad_rows_are_a_wrong_declaration() -> None:
    """Skipping never hides a wrong scale: with half or more of the rows bad the error comes all the same."""
    with pytest.raises(errors.ValueRangeError, match="CAL-304"):
        columns.read({"p": [12.0, 80.0, 0.5], "y": [0, 1, 1]}, score="p", label="y", skip_bad_rows=True)


def test_infinite_logits_are_refused() -> None:
    """An infinite logit is no measurement either."""
    with pytest.raises(errors.ValueRangeError, match="CAL-307"):
        columns.read({"p": [np.inf, 0.0], "y": [1, 0]}, score="p", label="y", scale=Scale("logit"))


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("CAL-311", {"p": np.linspace(0, 1, 60), "y": np.zeros(60)}),
        ("CAL-312", {"p": np.full(60, 0.3), "y": np.arange(60) % 2}),
    ],
)
def test_unmeasurable_rows(code: str, data: dict[str, Any]) -> None:
    """Sixty rows of one class or one score are a mistake; five may happen."""
    rows = columns.read(data, score="p", label="y")
    with pytest.raises(errors.ValueRangeError, match=code):
        measurable.require(rows)
    measurable.require(rows.where(slice(0, 5)))  # type: ignore[arg-type]


def test_line_numbers_count_quoted_breaks_and_blank_lines(tmp_path: Path) -> None:
    """The line is the file's, also behind values with line breaks and behind empty lines."""
    path = tmp_path / "rows.csv"
    path.write_text('p,y,note\n0.1,0,"two\nlines"\n\n0.2,1,x\n7.5,1,x\n')
    with pytest.raises(errors.ValueRangeError, match=r"row 3 \(line 6\) of rows.csv: '7.5'"):
        columns.read(path, score="p", label="y")


def test_bad_row_behind_the_first_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row numbers go on from block to block and start again in each file."""
    monkeypatch.setattr("calibrant.frames.delimited.BLOCK", 64)
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text("p,y\n" + "0.25,1\n" * 50)
    second.write_text("p,y\n" + "0.25,1\n" * 40 + "9.5,1\n" + "0.25,0\n")
    with pytest.raises(errors.ValueRangeError, match=r"1 of 92 rows, row 41 \(line 42\) of 2.csv"):
        columns.read([first, second], score="p", label="y")
