"""Streams of batches with one added column, written as CSV, JSON lines or Parquet by the suffix of the output."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Protocol, assert_never

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute, parquet
from pyarrow import csv as arrow_csv

from calibrant import errors
from calibrant.frames import batches, files, json_text, types

OutputFormat = Literal["csv", "tsv", "jsonl", "parquet"]


class Writer(Protocol):
    """Takes batches one by one; ``added`` holds the new column, NaN becoming a missing value."""

    def write(self, batch: batches.Batch, added: NDArray[np.float64]) -> None: ...

    def close(self) -> None: ...


def output_format(name: str) -> OutputFormat:
    """The format that the suffix of an output asks for; standard output is CSV."""
    if name == files.STANDARD_INPUT:
        return "csv"
    suffix = Path(name).suffix.lower()
    if suffix not in files.SUFFIXES:
        raise errors.UsageError(
            "CAL-421",
            f"cannot tell the format of {name!r}",
            cause=f"the suffix {suffix!r} is not known" if suffix else "it has no suffix",
            fix="end the name in .csv, .tsv, .jsonl or .parquet",
        )
    return files.SUFFIXES[suffix]


def open_writer(file: IO[bytes], format: OutputFormat, *, adding: str) -> Writer:  # noqa: A002  # the field's word
    """A writer for an open binary file, which stays open."""
    match format:
        case "csv" | "tsv":
            return _Tabular(adding, lambda schema: _Csv(file, schema, "," if format == "csv" else "\t"), typed=False)
        case "parquet":
            return _Tabular(adding, lambda schema: parquet.ParquetWriter(file, schema), typed=True)
        case "jsonl":
            return _JsonLines(file, adding)
        case _:
            assert_never(format)


class _Tabular:
    """CSV and Parquet: the first batch fixes the columns and types for all."""

    def __init__(self, adding: str, open_with: Callable[[pa.Schema], Any], *, typed: bool) -> None:
        self.adding, self.open_with = adding, open_with
        self.types = types.Types() if typed else None
        self.writer: Any = None
        self.schema: pa.Schema | None = None

    def write(self, batch: batches.Batch, added: NDArray[np.float64]) -> None:
        table = self.types.apply(batch) if self.types is not None else batch.table
        table = table.append_column(self.adding, pa.array(added, from_pandas=True))
        if self.schema is None:
            self.schema = table.schema
            self.writer = self.open_with(table.schema)
        if not table.schema.equals(self.schema):
            table = self._fit(table)
        self.writer.write_table(table)

    def _fit(self, table: pa.Table) -> pa.Table:
        assert self.schema is not None
        try:
            if sorted(table.column_names) != sorted(self.schema.names):
                raise pa.ArrowInvalid("it has the columns " + ", ".join(table.column_names))
            return table.select(self.schema.names).cast(self.schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise errors.ColumnError(
                "CAL-211",
                "a later part of the input does not have the columns of the first",
                cause=files.shorten(str(error)),
                fix="transform the files one by one, or write .jsonl, where every row may differ",
            ) from error

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class _Csv:
    """CSV with quotes only where a value needs them; Arrow writes all blocks that need none."""

    def __init__(self, file: IO[bytes], schema: pa.Schema, delimiter: str) -> None:
        for column in schema:
            if pa.types.is_nested(column.type):
                raise errors.ColumnError(
                    "CAL-213",
                    f"column {column.name!r} cannot be written as CSV",
                    cause=f"its type is {column.type}",
                    fix="write .jsonl or .parquet instead",
                )
        self.file, self.delimiter = file, delimiter
        self._by_hand([schema.names])

    def write_table(self, table: pa.Table) -> None:
        words = pa.table({name: _text(table[name]) for name in table.column_names})
        if any(_needs_quotes(column, self.delimiter) for column in words.columns):
            self._by_hand(zip(*(column.to_pylist() for column in words.columns), strict=True))
            return
        options = arrow_csv.WriteOptions(include_header=False, delimiter=self.delimiter, quoting_style="none")
        arrow_csv.write_csv(words, self.file, options)

    def _by_hand(self, rows: Iterable[Sequence[str | None]]) -> None:
        # the csv module leaves a lone carriage return unquoted, and readers take it for the end of the row
        special = re.compile(f'["{self.delimiter}\r\n]')

        def quoted(value: str | None) -> str:
            return '"' + value.replace('"', '""') + '"' if value and special.search(value) else value or ""

        lines = (self.delimiter.join(map(quoted, row)) for row in rows)
        self.file.write("".join(line + "\n" for line in lines).encode())

    def close(self) -> None:
        self.file.flush()


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return compute.cast(column, pa.string())


def _needs_quotes(column: pa.ChunkedArray, delimiter: str) -> bool:
    return bool(compute.any(compute.match_substring_regex(column, f'["{delimiter}\r\n]')).as_py())


class _JsonLines:
    """JSON lines that came as JSON lines keep every byte and get one field more; other tables are written out."""

    def __init__(self, file: IO[bytes], adding: str) -> None:
        self.file, self.prefix, self.types = file, json.dumps(adding).encode() + b":", types.Types()

    def write(self, batch: batches.Batch, added: NDArray[np.float64]) -> None:
        numbers = [b"null" if value != value else repr(value).encode() for value in added.tolist()]
        lines = batch.lines or json_text.objects(self.types.apply(batch))
        for line, number in zip(lines, numbers, strict=True):
            body = line.rstrip()[:-1].rstrip()
            comma = b"" if body == b"{" else b","
            self.file.write(b"".join((body, comma, self.prefix, number, b"}\n")))

    def close(self) -> None:
        self.file.flush()
