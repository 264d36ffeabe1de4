"""CSV as JSON lines, so that one strict reader sees both; what the text does not say as a number stays text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

from calibrant import errors

#: A number as JSON writes it; other text stays text, so that the reader refuses it by name.
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
#: Members that are numbers; in CSV everything is text.
_NUMBERS: Final = frozenset({"score", "served", "threshold", "weight", "value", "revision", "propensity"})
#: Characters of one row, which may go over many lines: more than an event may have, much less than memory.
LONGEST: Final = 1 << 20
#: CSV columns that people need for reading and nobody else: what ``label-tasks`` writes besides.
_FOR_PEOPLE: Final = frozenset({"reason", "priority", "score", "model", "predicted_at", "label_by"})


class Rows(io.RawIOBase):
    """CSV with a header as JSON lines; ``cohorts.NAME`` and ``context.NAME`` are members of those objects."""

    def __init__(self, stream: IO[bytes], *, labels: bool) -> None:
        self._text = io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="")
        self._lines = _json_lines(self._text, labels=labels)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        parts, length = [self._rest], len(self._rest)
        while size < 0 or length < size:
            line = next(self._lines, None)
            if line is None:
                break
            parts.append(line)
            length += len(line)
        whole = b"".join(parts)
        cut = len(whole) if size < 0 else size
        self._rest = whole[cut:]
        return whole[:cut]

    def close(self) -> None:
        self._text.close()
        super().close()


def _json_lines(text: io.TextIOWrapper, *, labels: bool) -> Iterator[bytes]:
    rows = _RowsOfText(text)
    reader = csv.reader(rows)
    try:
        names = next(reader, [])
        if len(set(names)) < len(names):
            raise errors.SourceError(
                "CAL-115", "a column of the CSV comes twice", cause="its header repeats a name", fix="keep one of them"
            )
        for row in reader:
            rows.taken = 0
            if row:
                yield json.dumps(_members(names, row, labels=labels), ensure_ascii=True).encode() + b"\n"
    except csv.Error as error:
        raise errors.SourceError(
            "CAL-114", "the CSV cannot be read", cause=str(error), fix="write it again, or as JSON lines"
        ) from error


class _RowsOfText:
    """Lines for the CSV reader, which asks for as many as its row has: no line and no row is held that is too long."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(LONGEST):
            self.taken += len(line)
            if self.taken >= LONGEST:
                raise errors.SourceError(
                    "CAL-119",
                    "a row of the CSV is too long for an event",
                    cause=f"it goes on after {LONGEST:,} characters: perhaps a quote was never closed",
                    fix="write it again, or as JSON lines",
                )
            yield line


def _members(names: Sequence[str], row: Sequence[str], *, labels: bool) -> dict[str, Any]:
    """One row as an event. A row with more values than the header has names gets a member nobody knows: refused."""
    members: dict[str, Any] = {}
    for name, value in zip([*names, *["column without a name"] * (len(row) - len(names))], row, strict=False):
        if value == "" or (labels and (name in _FOR_PEOPLE or name.startswith("cohorts."))):
            continue
        head, dot, rest = name.partition(".")
        if dot and head in ("cohorts", "context"):
            members.setdefault(head, {})[rest] = value
        else:
            members[name] = _value(value) if name in _NUMBERS else value
    return members


def _value(text: str) -> Any:
    # exact: the reader sees the digits that the file has, and refuses what no JSON number is
    if len(text) > 100 or not _NUMBER.fullmatch(text):
        return text
    return int(text) if text.lstrip("-").isdigit() else float(text)
