"""SQL as named documents: ``-- name: x`` starts a statement, ``[sqlite]`` or ``[postgres]`` makes it of one dialect."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib import resources
from typing import Final, Literal

from calibrant import errors

Dialect = Literal["sqlite", "postgres"]

#: What both dialects have; besides, each keeps identities in its own way.
SHARED: Final = ("events.sql", "refusals.sql", "summaries.sql")

_HEAD: Final = re.compile(r"^-- name: (\w+)(?: \[(\w+)\])?$", re.MULTILINE)
_NAMED: Final = re.compile(r"(?<![:\w]):([a-z_0-9]+)")
_FOLDER: Final = resources.files(__package__) / "sql"


@functools.cache
def statements(dialect: Dialect) -> Mapping[str, str]:
    """Every statement by name, in the parameter style of the dialect's driver."""
    found: dict[str, str] = {}
    for document in (*SHARED, f"identities.{dialect}.sql"):
        more = read(document, dialect)
        assert not found.keys() & more.keys(), f"{document} has a name that another document has"
        found |= more
    return found


def read(document: str, dialect: Dialect) -> dict[str, str]:
    """The statements of one document."""
    found: dict[str, str] = {}
    parts = _HEAD.split((_FOLDER / document).read_text(encoding="utf-8"))[1:]
    for name, only, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if only in (None, dialect):
            assert name not in found, f"two statements are called {name}"
            found[name] = _in_style(body.strip(), dialect)
    return found


@functools.cache
def migrations(dialect: Dialect) -> tuple[str, ...]:
    """The script of each version, the first makes version 1; one with a dialect in its name does nothing elsewhere."""
    folder = _FOLDER / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    texts = [
        (folder / name).read_text(encoding="utf-8") if name.split(".")[1] in ("sql", dialect) else "SELECT 1"
        for name in names
    ]
    return tuple(text if dialect == "sqlite" else text.replace(" WITHOUT ROWID", "") for text in texts)


def check_version(version: int, *, dialect: Dialect, exact: bool) -> None:
    """UsageError (CAL-865) for a schema that this version of Calibrant cannot read."""
    newest = len(migrations(dialect))
    if version > newest or (exact and version < newest):
        raise other_version(version, newest=newest)


def other_version(version: int, *, newest: int) -> errors.UsageError:
    return errors.UsageError(
        "CAL-865",
        f"this store has schema version {version}, this Calibrant works with {newest}",
        cause="another version of Calibrant wrote it",
        fix="open it once for writing to bring it up" if version < newest else "use that version, or a newer one",
    )


def _in_style(body: str, dialect: Dialect) -> str:
    if dialect == "sqlite":
        return body
    return _NAMED.sub(r"%(\1)s", body).replace("?", "%s")
