"""One question, one answer: what is behind this source, and which columns does it have?"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, assert_never

from calibrant import errors
from calibrant.frames import delimited, files, json_lines, parquet, tables
from calibrant.frames.chunks import Place, Source


def is_path(source: Any) -> bool:
    """Whether the source is one path or a sequence of paths (and not a frame)."""
    if isinstance(source, str | Path):
        return True
    return isinstance(source, list | tuple) and all(isinstance(item, str | Path) for item in source)


def open_sources(source: Any, *, skip_malformed: bool = False) -> Generator[Source]:
    """Open what is behind ``source`` one after the other, each until the next: files, standard input or a frame."""
    if not is_path(source):
        yield tables.open_source(source)
        return
    for name in files.expand(source):
        with contextlib.closing(files.open_file(name)) as opened:
            match opened.format:
                case "csv" | "tsv":
                    yield delimited.open_source(opened, skip_malformed=skip_malformed)
                case "jsonl":
                    yield json_lines.open_source(opened)
                case "parquet":
                    yield parquet.open_source(opened)
                case _:
                    assert_never(opened.format)


def require(wanted: Sequence[str], found: Source) -> None:
    """Raise unless every wanted column is there exactly once."""
    for name in wanted:
        if name not in found.columns:
            raise _missing(name, found)
        if found.columns.count(name) > 1:
            raise doubled(name, found.place)


def doubled(name: str, place: Place) -> errors.ColumnError:
    return errors.ColumnError(
        "CAL-202",
        f"the column {name!r} comes twice",
        cause=f"in the header of {place.name}",
        fix="rename or remove one of the two",
    )


def _missing(name: str, found: Source) -> errors.ColumnError:
    shown = ", ".join(repr(column) for column in found.columns[:8]) + (" …" if len(found.columns) > 8 else "")
    close = difflib.get_close_matches(name, found.columns, n=1)
    lower = [column for column in found.columns if column.lower() == name.lower()]
    if lower or close:
        fix = f"did you mean {(lower or close)[0]!r}?"
    elif len(found.columns) == 1 and ";" in found.columns[0]:
        fix = "the fields seem to be separated by semicolons: write the file with commas"
    else:
        fix = "name one of those columns"
    cause = files.shorten(f"{found.place.name} has {shown}", 200)
    return errors.ColumnError("CAL-201", f"there is no column {name!r}", cause=cause, fix=fix)
