"""The control store when bytes, rows or tables are not as they were left, and erasure down to the bytes."""

from __future__ import annotations

import itertools
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from calibrant import errors
from calibrant.ports import control_store
from calibrant.storage.control import postgres as control_postgres
from calibrant.storage.control import sqlite as control_sqlite
from calibrant.storage.control import store
from calibrant.testing import commands

_NUMBERS = itertools.count()

#: Runs one statement past the store.
Past = Callable[[str], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the SQLite store lies."""
    return tmp_path / "project" / "control.sqlite"


@pytest.fixture(params=["sqlite", "postgres"])
def both(request: pytest.FixtureRequest, file: Path) -> Iterator[tuple[store.SqlControlStore, Past]]:
    """Each store with three entries, and a way past it."""
    if request.param == "sqlite":

        def past(statement: str) -> None:
            with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                connection.execute(statement)

        opened = control_sqlite.open_store(file)
    else:
        import psycopg

        address, schema = request.getfixturevalue("postgres"), f"damaged{next(_NUMBERS)}"

        def past(statement: str) -> None:
            with psycopg.connect(address, autocommit=True, options=f"-c search_path={schema}") as connection:
                connection.execute(statement.encode())

        opened = control_postgres.open_store(address, schema=schema)
    with opened:
        opened.commit(
            commands.command(*(commands.change(name, reason=f"why {name}") for name in "abc")),
            author=commands.ALICE,
            at_us=1,
        )
        yield opened, past


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE revisions SET body = CAST('{}' AS BYTEA) WHERE name = 'a'", "get"),
        ("UPDATE revisions SET digest = 'sha256:0' WHERE name = 'a'", "get"),
        ("UPDATE revisions SET digest = NULL WHERE name = 'a'", "get"),
        ("UPDATE revisions SET body = NULL WHERE name = 'a'", "get"),
        ("DELETE FROM entries WHERE idx = 2", "commit"),
        ("DELETE FROM nodes WHERE level = 0 AND idx = 2", "commit"),
        ("DELETE FROM nodes WHERE level = 1", "commit"),
        ("UPDATE nodes SET hash = CAST('x' AS BYTEA) WHERE level = 1", "commit"),
        ("DELETE FROM revisions WHERE name = 'a'", "get"),
        ("DELETE FROM revisions WHERE name = 'a'", "browse"),
        ("DELETE FROM revisions WHERE name = 'b'", "again"),
        ("DELETE FROM resources WHERE name = 'b'", "again"),
        ("ALTER TABLE nodes RENAME TO other", "node"),
        ("ALTER TABLE entries RENAME TO other", "size"),
        ("ALTER TABLE entries RENAME TO other_entries", "commit"),
        ("ALTER TABLE said RENAME COLUMN words TO spoken", "said"),
    ],
)
def test_damage_is_told(both: tuple[store.SqlControlStore, Past], statement: str, broken: str) -> None:
    """As StoreDamagedError, by reads and by commits; nothing is built on it."""
    opened, past = both
    if opened._database.__class__ is control_sqlite.ControlSqlite:
        statement = statement.replace("BYTEA", "BLOB")
    past(statement)
    asks: dict[str, Callable[[], Any]] = {
        "get": lambda: opened.get("binding", "a"),
        "size": opened.size,
        "browse": lambda: opened.browse("binding"),
        "node": lambda: opened.node(0, 0),
        "said": lambda: opened.said("sha256:0"),
        "commit": lambda: _commit(opened, commands.change("new")),
        "again": lambda: _commit(opened, commands.change("b")),
    }
    with pytest.raises(errors.StoreDamagedError, match="CAL-854"):
        asks[broken]()


def _commit(opened: control_store.ControlStore, *changes: Any) -> control_store.Committed:
    return opened.commit(commands.command(*changes), author=commands.ALICE, at_us=2)


def test_a_file_that_is_none(file: Path) -> None:
    """Other bytes, and bytes lost from the middle, are told as damage or read as they were."""
    with control_sqlite.open_store(file) as opened:
        _commit(opened, *(commands.change(f"n{n}", body={"text": "x" * 500}) for n in range(200)))
    whole = file.read_bytes()
    for wrong in (b"hello " * 2_000, whole[: len(whole) // 2], whole[:5_000] + bytes(40_000) + whole[45_000:]):
        file.write_bytes(wrong)
        with pytest.raises(errors.StoreDamagedError, match="CAL-854"):
            _read_all(file)


def _read_all(file: Path) -> None:
    with control_sqlite.open_store(file) as opened:
        commands.examine(opened)
        opened.browse("binding")


def test_files_are_private(file: Path) -> None:
    """The store, its log and its folder belong to their owner alone."""
    with control_sqlite.open_store(file) as opened:
        _commit(opened, commands.change())
        for path in file.parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_reader_alone(file: Path) -> None:
    """It reads what writers commit, and there must be something."""
    with pytest.raises(errors.SourceError, match="CAL-116"):
        control_sqlite.open_reader(file)
    with control_sqlite.open_store(file) as opened, control_sqlite.open_reader(file) as reader:
        _commit(opened, commands.change())
        assert reader.size() == 1


def test_a_writer_that_stays_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits too long for their turn hears that the store is busy, and nothing happened."""
    monkeypatch.setattr(control_sqlite, "PATIENCE_S", 0.1)
    with control_sqlite.open_store(file) as opened, closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.StoreBusyError, match="CAL-851"):
            _commit(opened, commands.change())
        assert opened.size() == 0
        other.execute("ROLLBACK")
        assert _commit(opened, commands.change()).size == 1


def test_erased_words_are_in_no_byte(file: Path) -> None:
    """Neither in the database nor in its log; not while a reader holds the log, which is told."""
    with control_sqlite.open_store(file) as opened:
        reasons = [f"secret words {n} " * 400 for n in range(3)]
        _commit(opened, *(commands.change(f"n{n}", reason=reason) for n, reason in enumerate(reasons)))
        first, second, _ = commands.examine(opened)
        assert b"secret words 0" in _bytes(file)
        assert first.reason is not None
        assert second.reason is not None
        assert opened.erase([first.reason]) == 1
        assert b"secret words 0" not in _bytes(file)
        assert b"secret words 1" in _bytes(file)
        with pytest.MonkeyPatch.context() as patched, opened.snapshot() as view:
            assert view.size() == 3
            _commit(opened, commands.change("another"))
            patched.setattr(control_sqlite, "PATIENCE_S", 0.1)
            with pytest.raises(errors.StoreBusyError, match="CAL-851"):
                opened.erase([second.reason])
        assert opened.said(second.reason) is None
        assert opened.erase([second.reason]) == 0
        assert b"secret words 1" not in _bytes(file)
        assert b"secret words 2" in _bytes(file)


def _bytes(file: Path) -> bytes:
    return b"".join(path.read_bytes() for path in file.parent.iterdir())


def test_erased_words_leave_the_server(postgres: str) -> None:
    """The file of the table has them no more, even while an old snapshot is open."""
    import psycopg

    schema = f"erased{next(_NUMBERS)}"
    with control_postgres.open_store(postgres, schema=schema) as opened:
        _commit(opened, commands.change("a", reason="secret words"), commands.change("b", reason="other words"))
        first = commands.examine(opened)[0]
        with psycopg.connect(postgres, autocommit=True) as past, opened.snapshot() as view:

            def file() -> bytes:
                past.execute("CHECKPOINT")
                found = past.execute(f"SELECT pg_read_binary_file(pg_relation_filepath('{schema}.said'))").fetchone()
                assert found is not None
                return bytes(found[0])

            assert view.size() == 2
            assert b"secret words" in file()
            assert first.reason is not None
            assert opened.erase([first.reason]) == 1
            assert b"secret words" not in file()
            assert b"other words" in file()
