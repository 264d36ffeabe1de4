"""A piece of some table on its way through the door, with what an error message needs: where it came from."""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

Format = Literal["csv", "tsv", "jsonl", "parquet"]
#: Beyond this row the line of a text file is not looked up for an error message: the row number must do.
FAR = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where rows come from: a file name or a kind of data frame, and for text files the way back to a line."""

    name: str
    path: Path | None = None
    text: Format | None = None

    def describe(self, row: int) -> str:
        """``row 17 (line 18) of preds.csv``; rows count from 1 and leave out the header."""
        line = self._line(row)
        return f"row {row:,}" + (f" (line {line:,})" if line else "") + f" of {self.name}"

    def _line(self, row: int) -> int | None:
        if self.path is None or self.text is None or row > FAR:
            return None
        opener = gzip.open if self.path.suffix == ".gz" else open
        with opener(self.path, "rt", encoding="utf-8-sig", newline="", errors="replace") as file:
            if self.text == "jsonl":
                filled = (number for number, line in enumerate(file, 1) if line.strip())
                return next(itertools.islice(filled, row - 1, None), None)
            reader = csv.reader(file, delimiter="\t" if self.text == "tsv" else ",")
            seen, start = -1, 1
            for fields in reader:
                seen += bool(fields)
                if seen == row:
                    return start
                start = reader.line_num + 1
        return None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of one place.

    ``first`` is the number of the first row, from 1; ``untyped`` says that every value is text because the format
    has no types; ``lines`` are the rows as they stood in a JSON lines file; ``done`` counts towards
    ``Source.size``; ``malformed`` counts rows that were skipped because they could not be split into columns.
    """

    table: pa.Table
    place: Place
    first: int
    untyped: bool = False
    lines: tuple[bytes, ...] | None = None
    done: int = 0
    malformed: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """One opened table: its columns are known, its rows are not read yet (and can be read once)."""

    place: Place
    columns: tuple[str, ...]
    chunks: Callable[[Sequence[str] | None], Generator[Chunk]]
    size: int
    format: Format | None = None
