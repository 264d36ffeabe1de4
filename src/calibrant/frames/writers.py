"""Streams of batches with one added column, written as CSV, JSON lines or Parquet by the suffix of the output."""

from __future__ import annotations

import datetime
import decimal
import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Protocol, Self, assert_never

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from calibrant import errors
from calibrant.frames import columns, files

OutputFormat = Literal["csv", "tsv", "jsonl", "parquet"]


class Writer(Protocol):
    """Takes batches one by one; ``added`` holds the new column, NaN becoming a missing value."""

    def write(self, batch: columns.Batch, added: NDArray[np.float64]) -> None: ...

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


def open_writer(file: IO[bytes], format: OutputFormat, *, adding: str, score: str) -> Writer:  # noqa: A002  # the field's word
    """A writer for an open binary file, which stays open."""
    match format:
        case "csv" | "tsv":
            return _Tabular(adding, score, lambda schema: _csv(file, schema, "," if format == "csv" else "\t"))
        case "parquet":
            return _Tabular(adding, score, lambda schema: parquet.ParquetWriter(file, schema))
        case "jsonl":
            return _JsonLines(file, adding)
        case _:
            assert_never(format)


class _Tabular:
    """CSV and Parquet: the first batch fixes the columns and types for all."""

    def __init__(self, adding: str, score: str, open_with: Callable[[pa.Schema], Any]) -> None:
        self.adding, self.score, self.open_with = adding, score, open_with
        self.writer: Any = None
        self.schema: pa.Schema | None = None

    def write(self, batch: columns.Batch, added: NDArray[np.float64]) -> None:
        table = batch.table.append_column(self.adding, pa.array(added, from_pandas=True))
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
    """Arrow's CSV writer, with a designed error for columns that CSV has no form for."""

    def __init__(self, file: IO[bytes], schema: pa.Schema, delimiter: str) -> None:
        for column in schema:
            if pa.types.is_nested(column.type):
                raise errors.ColumnError(
                    "CAL-213",
                    f"column {column.name!r} cannot be written as CSV",
                    cause=f"its type is {column.type}",
                    fix="write .jsonl or .parquet instead",
                )
        # a value with a tab or comma needs quotes, and only such a value gets them
        options = arrow_csv.WriteOptions(delimiter=delimiter, quoting_style="needed", quoting_header="needed")
        self.writer = arrow_csv.CSVWriter(file, schema, write_options=options)

    def write_table(self, table: pa.Table) -> None:
        self.writer.write_table(table)

    def close(self) -> None:
        self.writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _csv(file: IO[bytes], schema: pa.Schema, delimiter: str) -> _Csv:
    return _Csv(file, schema, delimiter)


class _JsonLines:
    """JSON lines that came as JSON lines keep every byte and get one field more; other tables are written out."""

    def __init__(self, file: IO[bytes], adding: str) -> None:
        self.file, self.prefix = file, json.dumps(adding).encode() + b":"

    def write(self, batch: columns.Batch, added: NDArray[np.float64]) -> None:
        numbers = [b"null" if value != value else repr(value).encode() for value in added.tolist()]
        lines = batch.lines or [_object(row) for row in batch.table.to_pylist()]
        for line, number in zip(lines, numbers, strict=True):
            body = line.rstrip()[:-1].rstrip()
            comma = b"" if body == b"{" else b","
            self.file.write(b"".join((body, comma, self.prefix, number, b"}\n")))

    def close(self) -> None:
        self.file.flush()


def _object(row: dict[str, Any]) -> bytes:
    return json.dumps(_plain(row), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    """A value that JSON has: times as ISO 8601 text, exact decimals as text, NaN and infinity as null."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float():
            return value if np.isfinite(value) else None
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case decimal.Decimal() | datetime.timedelta():
            return str(value)
        case bytes():
            return value.hex()
        case _:
            return value
