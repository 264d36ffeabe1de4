"""From paths, patterns and standard input to open byte streams of a known format."""

from __future__ import annotations

import difflib
import glob
import gzip
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from calibrant import errors
from calibrant.frames.chunks import Format

SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
READABLE = "CSV (.csv, .tsv), JSON lines (.jsonl, .ndjson) and Parquet (.parquet), text also with .gz"
GZIP_MAGIC, PARQUET_MAGIC = b"\x1f\x8b", b"PAR1"
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Opened:
    """A byte stream from its start, already decompressed; ``tape`` counts what was read of the file itself."""

    name: str
    path: Path | None
    format: Format
    stream: IO[bytes]
    tape: Tape
    size: int

    def close(self) -> None:
        """Close the file; standard input stays open."""
        self.tape.close()


class Tape(io.RawIOBase):
    """A byte stream that can be looked into before it is read, and that counts what was read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._head = stream.read(1 << 16)
        self.done = 0

    @property
    def head(self) -> bytes:
        """The beginning, without reading it."""
        return self._head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self._head[: len(buffer)] if self._head else self._stream.read(len(buffer))
        self._head = self._head[len(block) :]
        buffer[: len(block)] = block
        self.done += len(block)
        return len(block)

    def close(self) -> None:
        if self._stream is not sys.stdin.buffer:
            self._stream.close()
        super().close()


def expand(source: str | Path | Sequence[str | Path]) -> list[str]:
    """File names behind paths and patterns, in order; every one exists or is standard input."""
    found: list[str] = []
    for item in [source] if isinstance(source, str | Path) else source:
        name = str(item)
        if name == STANDARD_INPUT or Path(name).exists():
            found.append(name)
        elif matches := sorted(glob.glob(name, recursive=True)):  # noqa: PTH207  # Path.glob refuses absolute patterns
            found.extend(matches)
        else:
            raise _not_found(name)
    if not found:
        raise errors.SourceError("CAL-101", "no file was named", cause="the list of files is empty", fix="name one")
    return found


def _not_found(name: str) -> errors.SourceError:
    folder = Path(name).parent
    beside = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    close = difflib.get_close_matches(Path(name).name, beside, n=1)
    hint = f"did you mean {str(folder / close[0])!r}?" if close else "check the path, or put a pattern in quotes"
    cause = f"there is no such file in {str(folder.resolve())!r}" if folder.is_dir() else f"no folder {str(folder)!r}"
    return errors.SourceError("CAL-101", f"cannot find {name!r}", cause=cause, fix=hint)


def open_file(name: str) -> Opened:
    """Open one file (or ``-``) and tell its format by its suffix; without a suffix, by its first bytes."""
    if name == STANDARD_INPUT:
        return _opened("standard input", None, sys.stdin.buffer, 0)
    path = Path(name)
    if path.is_dir():
        raise errors.SourceError(
            "CAL-107", f"{name!r} is a folder", cause="a file is needed here", fix=f"name the files: '{path}/*.parquet'"
        )
    try:
        stream = path.open("rb")
    except OSError as error:
        raise errors.SourceError(
            "CAL-107", f"cannot open {name!r}", cause=str(error.strerror), fix="check the permissions of the file"
        ) from error
    try:
        return _opened(path.name, path, stream, path.stat().st_size)
    except errors.SourceError:
        stream.close()
        raise


def _opened(name: str, path: Path | None, raw: IO[bytes], size: int) -> Opened:
    tape = Tape(raw)
    if not tape.head:
        raise empty(name)
    stream: IO[bytes] = io.BufferedReader(tape, 1 << 20)
    head = tape.head
    if head.startswith(GZIP_MAGIC):
        stream = gzip.GzipFile(fileobj=stream)  # type: ignore[assignment]
        head = b""
    return Opened(name, path, _format(name, path, head), stream, tape, size)


def _format(name: str, path: Path | None, head: bytes) -> Format:
    suffixes = [suffix.lower() for suffix in path.suffixes] if path else []
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    if suffixes and suffixes[-1] in SUFFIXES:
        found = SUFFIXES[suffixes[-1]]
        if found == "jsonl" and head.lstrip().startswith(b"["):
            raise errors.SourceError(
                "CAL-102",
                f"{name} holds one JSON array",
                cause="a stream of rows needs one JSON object a line",
                fix=f"jq -c '.[]' {name} > rows.jsonl",
            )
        return found
    if suffixes and path is not None and path.is_file():
        raise errors.SourceError(
            "CAL-102", f"cannot read {name}", cause=f"its suffix is {suffixes[-1]!r}", fix=f"give one of: {READABLE}"
        )
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    return "jsonl" if head.lstrip().startswith(b"{") else "csv"


def empty(name: str) -> errors.SourceError:
    return errors.SourceError(
        "CAL-103", f"{name} is empty", cause="it holds no rows", fix="check the step that wrote it"
    )


def damaged(name: str, error: BaseException) -> errors.SourceError:
    """A compressed or encoded stream that ends too early or is not what it says."""
    return errors.SourceError(
        "CAL-108", f"{name} is damaged", cause=shorten(str(error)), fix="write or download the file again"
    )


def shorten(text: str, limit: int = 110) -> str:
    """One line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
