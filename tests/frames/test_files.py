"""Opening: what cannot be found, opened or told by its suffix is refused with a way out."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from calibrant import errors
from calibrant.frames import columns, files


def read_error(path: str | Path) -> errors.InputError:
    """The error of reading columns p and y."""
    with pytest.raises(errors.InputError) as caught:
        columns.read(path, score="p", label="y")
    return caught.value


def test_missing_file_has_a_neighbour(tmp_path: Path) -> None:
    """A typing mistake is answered with the name that is there."""
    (tmp_path / "preds.csv").write_text("p,y\n.1,1\n")
    error = read_error(tmp_path / "pred.csv")
    assert error.code == "CAL-101"
    assert "preds.csv" in error.fix


def test_missing_folder(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    assert "no folder" in read_error(tmp_path / "nowhere" / "preds.csv").cause


def test_pattern_without_matches(tmp_path: Path) -> None:
    """A pattern that finds nothing is a missing file."""
    assert read_error(tmp_path / "*.csv").code == "CAL-101"


def test_patterns_are_sorted(tmp_path: Path) -> None:
    """Files of a pattern come in the order of their names."""
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text("p,y\n.1,1\n")
    assert [Path(name).name for name in files.expand(str(tmp_path / "*.csv"))] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.xlsx", b"PK\x03\x04", "CAL-102"),
        ("a.json", b'[{"p": 0.1, "y": 1}]', "CAL-102"),
        ("a.csv", b"", "CAL-103"),
        ("a.csv", b"\n", "CAL-103"),
        ("a.csv", b"p,y\n", "CAL-103"),
        ("a.jsonl", b"\n\n", "CAL-103"),
        ("a.parquet", b"PAR1 and then nothing", "CAL-104"),
        ("a.csv", b"p,y\n0.1,1\n0.2\n", "CAL-105"),
        ("a.csv", b"p,y\n0.1,1,7\n", "CAL-105"),
        ("a.jsonl", b'{"p": 0.1, "y": 1}\n{"p": 0.1, "y"\n', "CAL-106"),
        ("a.jsonl", b'{"p": 0.1, "y": 1}\n[1, 2]\n', "CAL-106"),
        ("a.csv", b"p,y\n0.1,\xff\n", "CAL-108"),
        ("a.csv.gz", gzip.compress(b"p,y\n0.1,1\n" * 500, mtime=0)[:40], "CAL-108"),
        ("a.csv", b"p,p,y\n0.1,0.2,1\n", "CAL-202"),
        ("a.jsonl", b'{"p": 0.1, "p": 0.2, "y": 1}\n', "CAL-202"),
        ("a.jsonl", b'{"p": 0.1, "y": 1}\n{"p": "high", "y": 1}\n', "CAL-205"),
        ("a.csv", b"p;y\n0,1;1\n", "CAL-201"),
        ("a.csv", b"p,y\n0.1,1\nhigh,0\n", "CAL-204"),
        ("a.csv", b"p,y\n0.1,yes\n", "CAL-203"),
    ],
)
def test_unreadable_content(name: str, content: bytes, code: str, tmp_path: Path) -> None:
    """Each kind of damage has its code, and the message names the file or the row."""
    (tmp_path / name).write_bytes(content)
    error = read_error(tmp_path / name)
    assert error.code == code
    assert name in str(error) or "semicolons" in str(error)


def test_the_ragged_line_is_named(tmp_path: Path) -> None:
    """A row that does not fit the header is found by its line."""
    (tmp_path / "a.csv").write_text('p,y\n0.1,"1\n"\n0.2\n')
    assert read_error(tmp_path / "a.csv").cause.startswith("line 4:")


def test_doubled_column_that_nobody_asked_for(tmp_path: Path) -> None:
    """A doubled column does no harm where it is not read."""
    (tmp_path / "a.csv").write_text("p,note,note,y\n0.1,a,b,1\n")
    assert columns.read(tmp_path / "a.csv", score="p", label="y").scores.tolist() == [0.1]


def test_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark is no part of the first name."""
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfp,y\n0.1,1\n")
    assert columns.read(tmp_path / "a.csv", score="p", label="y").scores.tolist() == [0.1]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A folder is answered with the pattern to write."""
    error = read_error(tmp_path)
    assert (error.code, "*.parquet" in error.fix) == ("CAL-107", True)
