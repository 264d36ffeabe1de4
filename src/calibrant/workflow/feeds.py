"""Inputs of an ingest: JSON lines, CSV, CloudEvents and Parquet, read in parts that can be counted and resumed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Literal, Protocol, TypeAlias, assert_never

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from calibrant import errors
from calibrant.events import batch as event_batch
from calibrant.events import lines, wire_arrow, wire_cloudevents, wire_jsonl
from calibrant.frames import files
from calibrant.streams import declaration
from calibrant.workflow import csv_rows, unpacking

Kind: TypeAlias = Literal["predictions", "labels"]
Parsed: TypeAlias = event_batch.Parsed[event_batch.PredictionBatch] | event_batch.Parsed[event_batch.LabelBatch]

BLOCK: Final = 1 << 20
PARQUET_ROWS: Final = 1 << 13


class Feed(Protocol):
    """An input that can be read from any place that it named before."""

    def parsed(self, position: int) -> Iterator[Parsed]:
        """The rest of the input; ``end`` of each part counts from ``position``."""
        ...

    def digest(self, position: int) -> str | None:
        """Of everything before ``position``, which was read before; None when the input is shorter."""
        ...

    def size(self) -> int:
        """In the unit of positions; 0 where nobody knows."""
        ...


class TextFeed:
    """JSON lines or CSV. Positions count bytes of the lines, decompressed; CSV becomes JSON lines first."""

    def __init__(self, open_now: Any, read: Any, *, size: int = 0) -> None:
        self._open = open_now
        self._read = read
        self._size = size
        self._tape: _Tape | None = None

    def parsed(self, position: int) -> Iterator[Parsed]:
        with self._open() as stream:
            self._tape = _Tape(stream)
            self._tape.skip(position)
            for part in self._read(self._tape):
                yield _later(part, self._tape.lines)

    def digest(self, position: int) -> str | None:
        if self._tape is not None and self._tape.hashed <= position:
            return self._tape.upto(position)
        with self._open() as stream:
            tape = _Tape(stream)
            return tape.upto(position) if tape.skip(position) == position else None

    def size(self) -> int:
        return self._size


def _later(part: Any, lines: int) -> Any:
    """The part with places counted from the beginning of the input, of which so many lines were skipped."""
    if not lines:
        return part
    moved = tuple(dataclasses.replace(one, index=one.index + lines) for one in part.rejected)
    return dataclasses.replace(part, positions=part.positions + lines, rejected=moved, first=part.first + lines)


class _Tape:
    """Bytes that are hashed as far as they were acknowledged, which is less far than they were read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._sha = hashlib.sha256()
        self._waiting = bytearray()
        self.hashed = self.lines = 0

    def read(self, size: int) -> bytes:
        if len(self._waiting) > lines.LONGEST and b"\n" not in self._waiting:
            # inside a line that will be refused nobody asks for a position: it need not be held to be hashed
            self.upto(self.hashed + len(self._waiting))
        block = self._stream.read(size)
        self._waiting += block
        return block

    def skip(self, position: int) -> int:
        """Read up to ``position`` and hash it; how far it went."""
        while self.hashed < position and (block := self._stream.read(min(BLOCK, position - self.hashed))):
            self._sha.update(block)
            self.hashed += len(block)
            self.lines += block.count(b"\n")
        return self.hashed

    def upto(self, position: int) -> str:
        self._sha.update(memoryview(self._waiting)[: position - self.hashed])
        del self._waiting[: position - self.hashed]
        self.hashed = position
        return self._sha.hexdigest()


class ParquetFeed:
    """A Parquet file. Positions count rows, and stand for the whole file: another file is another beginning."""

    def __init__(self, path: Path, read: Any) -> None:
        self._path = path
        self._read = read
        self._sha: str | None = None

    def parsed(self, position: int) -> Iterator[Parsed]:
        with _parquet(self._path) as file:
            batches = _from_row(file.iter_batches(PARQUET_ROWS), position)
            for part in self._read(batches):
                yield dataclasses.replace(_later(part, position), end=part.first + part.items)

    def digest(self, position: int) -> str | None:  # noqa: ARG002  # the whole file is meant
        if self._sha is None:
            with self._path.open("rb") as file:
                self._sha = hashlib.file_digest(file, "sha256").hexdigest()
        return self._sha

    def size(self) -> int:
        return 0


class CloudEventsFeed:
    """A batch of CloudEvents, with predictions and labels as they come: small enough to be read at once."""

    def __init__(self, path: Path, stream: declaration.Stream, hmac_key: bytes | None) -> None:
        self._path = path
        self._receiver = wire_cloudevents.Receiver([stream], hmac_key=hmac_key)

    def parsed(self, position: int) -> Iterator[Parsed]:
        body = self._path.read_bytes()
        if position:
            return
        found = self._receiver.batch(body)
        for portion in found.portions:
            yield dataclasses.replace(portion.parsed, end=0)
        nothing = event_batch.PredictionBatch.of([])
        yield event_batch.Parsed(nothing, np.zeros(0, np.int64), found.rejected, len(found.rejected), end=len(body))

    def digest(self, position: int) -> str | None:
        with self._path.open("rb") as file:
            return hashlib.sha256(file.read(position)).hexdigest()

    def size(self) -> int:
        return self._path.stat().st_size


@contextmanager
def _parquet(path: Path) -> Iterator[parquet.ParquetFile]:
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        raise errors.SourceError(
            "CAL-104",
            f"{path.name} cannot be read as Parquet",
            cause=files.shorten(str(error)),
            fix="the file is truncated or damaged: write it again",
        ) from error


def _from_row(batches: Iterator[pa.RecordBatch], position: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if position < batch.num_rows:
            yield batch.slice(position)
        position = max(position - batch.num_rows, 0)


def open_feed(
    name: str,
    stream: declaration.Stream,
    kind: Kind,
    *,
    columns: Mapping[str, str] | None = None,
    hmac_key: bytes | None = None,
) -> Feed:
    """The feed of a file, by its suffix: .jsonl, .ndjson, .csv (all also .gz), .parquet; .json holding an array.

    ``columns`` says for Parquet which column holds which member of the event.
    """
    path = Path(name)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    suffix = (suffixes[-2:-1] if packed else suffixes[-1:]) or [""]
    _there(path)

    def opened() -> IO[bytes]:
        file = path.open("rb")
        return unpacking.Unpacked(file, path.name) if packed else file  # type: ignore[return-value]

    # how far a packed file is cannot be told from what came out of it
    size = 0 if packed else path.stat().st_size
    if columns and suffix[0] not in (".parquet", ".pq"):
        raise errors.UsageError(
            "CAL-497",
            "columns can be named for Parquet only",
            cause=f"{path.name!r} is another format, whose members have fixed names",
            fix="leave --column out, or write Parquet",
        )
    match suffix[0]:
        case ".json" if not packed and _begins_with_bracket(path):
            return CloudEventsFeed(path, stream, hmac_key)
        case ".parquet" | ".pq":
            return ParquetFeed(path, _tables(stream, kind, columns, hmac_key))
        case ".jsonl" | ".ndjson" | ".json" | "":
            return TextFeed(opened, _lines(stream, kind, hmac_key), size=size)
        case ".csv":
            return TextFeed(lambda: csv_rows.Rows(opened(), labels=kind == "labels"), _lines(stream, kind, hmac_key))
        case other:
            raise errors.SourceError(
                "CAL-113",
                f"events cannot be read from {path.name!r}",
                cause=f"its suffix is {other!r}",
                fix="give JSON lines (.jsonl), CSV (.csv), both also as .gz, or Parquet (.parquet)",
            )


def standard_input(stdin: IO[bytes], stream: declaration.Stream, kind: Kind, *, hmac_key: bytes | None = None) -> Feed:
    """JSON lines from a pipe, which can be read once."""
    return TextFeed(lambda: _Once(stdin), _lines(stream, kind, hmac_key))


def _there(path: Path) -> None:
    if not path.is_file():
        raise errors.SourceError(
            "CAL-101",
            f"cannot find {str(path)!r}",
            cause="it is a folder" if path.is_dir() else "there is no such file",
            fix="check the path; - reads standard input",
        )


def _begins_with_bracket(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1_000).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _tables(stream: declaration.Stream, kind: Kind, columns: Mapping[str, str] | None, hmac_key: bytes | None) -> Any:
    match kind:
        case "predictions":
            return lambda source: wire_arrow.read_predictions(source, stream=stream, columns=columns, hmac_key=hmac_key)
        case "labels":
            return lambda source: wire_arrow.read_labels(source, stream=stream, columns=columns)
        case _:
            assert_never(kind)


def _lines(stream: declaration.Stream, kind: Kind, hmac_key: bytes | None) -> Any:
    match kind:
        case "predictions":
            return lambda source: wire_jsonl.read_predictions(source, stream=stream, hmac_key=hmac_key)
        case "labels":
            return lambda source: wire_jsonl.read_labels(source, stream=stream)
        case _:
            assert_never(kind)


class _Once:
    """A stream that is not ours to close."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.read = getattr(stream, "read1", stream.read)

    def __enter__(self) -> _Once:
        return self

    def __exit__(self, *failure: object) -> None:
        """Standard input stays open."""
