"""The steps of the control store's schema: each version has a script up and a script down."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from calibrant import errors
from calibrant.storage import documents


@dataclass(frozen=True, slots=True)
class Step:
    """``up`` makes a version out of the one before it, ``down`` takes it back and keeps all data that fits."""

    up: str
    down: str


@functools.cache
def steps(dialect: documents.Dialect) -> tuple[Step, ...]:
    """The step of each version; the first makes version 1."""
    folder = resources.files("calibrant.storage") / "sql" / "control" / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    ups, downs = names[1::2], names[::2]
    assert all(up.replace(".up.", ".down.") == down for up, down in zip(ups, downs, strict=True))
    assert [int(name[:4]) for name in ups] == list(range(1, len(ups) + 1))

    def script(name: str) -> str:
        text = (folder / name).read_text(encoding="utf-8")
        if dialect == "postgres":
            # code point order, as SQLite has it; whole rows in the index are SQLite's alone
            return text.replace("COLLATE BINARY", 'COLLATE "C"').replace(" WITHOUT ROWID", "")
        return text

    return tuple(Step(script(up), script(down)) for up, down in zip(ups, downs, strict=True))


def path(version: int, to: int, *, known: Sequence[Step]) -> Iterator[tuple[int, str]]:
    """Each version on the way, with the script that leads there."""
    if version > len(known):
        raise documents.other_version(version, newest=len(known))
    for number in range(version + 1, to + 1):
        yield number, known[number - 1].up
    for number in range(version, to, -1):
        yield number - 1, known[number - 1].down


def check(version: int, *, newest: int) -> None:
    """UsageError (CAL-865) unless this is the version that this Calibrant reads."""
    if version != newest:
        raise documents.other_version(version, newest=newest)


def check_empty(entries: int) -> None:
    """UsageError (CAL-867) for taking down the first version below a log that has entries."""
    if entries:
        raise errors.UsageError(
            "CAL-867",
            "this would destroy the audit log",
            cause=f"the log has {entries} entries, and version 0 of the schema has no tables",
            fix="go down to version 1 at most; to throw a log away for good, remove the store itself",
        )
