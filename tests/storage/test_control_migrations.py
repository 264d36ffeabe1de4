"""The control store's schema: up, down and up again, also from the state that was released, on both databases."""

from __future__ import annotations

import itertools
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from calibrant import errors
from calibrant.ports import control_store
from calibrant.storage import documents
from calibrant.storage.control import migrations, session, store
from calibrant.storage.control import postgres as control_postgres
from calibrant.storage.control import sqlite as control_sqlite
from calibrant.testing import commands

RELEASED = Path(__file__).parents[1] / "data" / "control"
_NUMBERS = itertools.count()

#: A version that is to come: a column with data of its own, which the way down gives up.
NEXT = migrations.Step(
    "ALTER TABLE checkpoints ADD COLUMN witnesses BIGINT NOT NULL DEFAULT 0;",
    "ALTER TABLE checkpoints DROP COLUMN witnesses;",
)

Database = control_sqlite.ControlSqlite | control_postgres.ControlPostgres


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request: pytest.FixtureRequest) -> documents.Dialect:
    """Both."""
    found: documents.Dialect = request.param
    return found


@pytest.fixture
def database(dialect: documents.Dialect, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database without a schema."""
    opened: Database
    if dialect == "sqlite":
        opened = control_sqlite.ControlSqlite(tmp_path / "control.sqlite")
    else:
        address = request.getfixturevalue("postgres")
        opened = control_postgres.ControlPostgres(address, schema=f"steps{next(_NUMBERS)}")
    yield opened
    opened.close()


def _filled(opened: Database) -> store.SqlControlStore:
    """A store with something in every table."""
    control = store.SqlControlStore(opened)
    author = control_store.Author("alice", "192.0.2.7", "r", "key")
    made = commands.command(commands.change("a", reason="why"), commands.change("b"), commands.change("c"))
    control.commit(made, author=author, at_us=7)
    control.commit(commands.command(commands.change("a", 1, body=None)), author=author_of("bob"), at_us=9)
    control.add_checkpoint(control_store.Checkpoint(4, "calibrant\n4\n", 10))
    return control


def author_of(name: str) -> control_store.Author:
    """Somebody else."""
    return control_store.Author(name)


def _state(control: store.SqlControlStore) -> list[Any]:
    """All that can be read."""
    said = [one.reason for one in commands.examine(control) if one.reason]
    return [
        list(control.entries()),
        [control.history("binding", name) for name in "abc"],
        control.browse("binding"),
        control.checkpoints(),
        [control.said(one) for one in said],
    ]


def test_up_down_up_keeps_everything(database: Database, dialect: documents.Dialect) -> None:
    """To a version that is to come and back: what fits into both stays, and the store refuses to work in between."""
    known = (*migrations.steps(dialect), NEXT)
    database.migrate()
    control = _filled(database)
    before, tables = _state(control), _tables(database, dialect)
    for _ in range(2):
        database.migrate(len(known), known=known)
        assert "witnesses" in str(_tables(database, dialect))
        with pytest.raises(errors.UsageError, match="CAL-865"):
            control.size()
        with pytest.raises(errors.UsageError, match="CAL-865"):
            control.commit(commands.command(commands.change("d")), author=author_of("x"), at_us=1)
        with pytest.raises(errors.UsageError, match="CAL-865"):
            database.migrate()
        database.migrate(len(known) - 1, known=known)
        assert _state(control) == before
        assert _tables(database, dialect) == tables
    assert control.schema_version() == len(migrations.steps(dialect))


def test_an_empty_store_goes_down_to_nothing(database: Database, dialect: documents.Dialect) -> None:
    """And up again; a log with entries does not."""
    database.migrate()
    tables = _tables(database, dialect)
    database.migrate(0)
    assert _tables(database, dialect) in ([], ["schema_version.version"])
    database.migrate()
    assert _tables(database, dialect) == tables
    control = _filled(database)
    with pytest.raises(errors.UsageError, match="CAL-867"):
        database.migrate(0)
    database.migrate()
    assert control.size() == 4


def test_a_step_that_fails_changes_nothing(database: Database, dialect: documents.Dialect) -> None:
    """Each step is one transaction."""
    database.migrate()
    control, tables = _filled(database), _tables(database, dialect)
    wrong = migrations.Step(f"{NEXT.up}\nALTER TABLE nowhere ADD COLUMN x BIGINT;", "")
    known = (*migrations.steps(dialect), wrong)
    with pytest.raises(errors.StoreDamagedError):
        database.migrate(len(known), known=known)
    assert _tables(database, dialect) == tables
    assert control.size() == 4


@pytest.mark.parametrize("version", [1])
def test_a_released_state_comes_up(
    database: Database, dialect: documents.Dialect, version: int, request: pytest.FixtureRequest
) -> None:
    """A store as that version left it is brought up and reads as it did; going down gives its tables again."""
    script = (RELEASED / f"{version}.{dialect}.sql").read_text(encoding="utf-8")
    _load(database, dialect, script)
    released = _tables(database, dialect)
    database.migrate()
    control = store.SqlControlStore(database)
    want = json.loads((RELEASED / f"{version}.json").read_text(encoding="utf-8"))
    entries = commands.examine(control)
    assert [one.decode() for one in control.entries()] == want["entries"]
    assert [one.body for one in control.history("binding", "a")] == want["a"]
    said = [control.said(one.reason) for one in entries if one.reason]
    assert [one and one.text for one in said] == want["reasons"]
    assert [[one.size, one.note, one.at_us] for one in control.checkpoints()] == want["checkpoints"]
    author = control_store.Author("alice", "192.0.2.7", "r", "key")
    made = commands.command(commands.change("a", reason="why"), commands.change("b"), commands.change("c"))
    assert control.commit(made, author=author, at_us=99).repeated
    assert control.commit(commands.command(commands.change("d")), author=author_of("x"), at_us=1).size == 5
    database.migrate(version)
    assert _tables(database, dialect) == released


def test_every_statement_is_in_both_dialects_and_used() -> None:
    """None is missing in one, none is called by nobody."""
    names = set(session.statements("sqlite"))
    assert names == set(session.statements("postgres"))
    code = "".join(path.read_text() for path in Path(session.__file__).parent.rglob("*.py"))
    assert not [name for name in names if f'"{name}"' not in code]


def test_every_statement_is_understood() -> None:
    """SQLite prepares each of them on the newest schema."""
    connection = sqlite3.connect(":memory:")
    for step in migrations.steps("sqlite"):
        connection.executescript(step.up)
    for text in session.statements("sqlite").values():
        names = dict.fromkeys(re.findall(r":([a-z_0-9]+)", text))
        connection.execute(f"EXPLAIN {text}", names or (None,) * text.count("?"))
    connection.close()


def _tables(database: Database, dialect: documents.Dialect) -> list[str]:
    """Every column of every table."""
    query: dict[str, str] = {
        "sqlite": "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c "
        "WHERE m.type = 'table' ORDER BY 1",
        "postgres": "SELECT table_name || '.' || column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() ORDER BY 1",
    }
    return [one for (one,) in _on(database, lambda connection: connection.execute(query[dialect]).fetchall())]


def _load(database: Database, dialect: documents.Dialect, script: str) -> None:
    if dialect == "postgres":
        assert isinstance(database, control_postgres.ControlPostgres)
        script = f"CREATE SCHEMA {database._schema};\n{script}"
    _on(database, lambda connection: getattr(connection, "executescript", connection.execute)(script))


def _on(database: Database, work: Callable[[Any], Any]) -> Any:
    if isinstance(database, control_sqlite.ControlSqlite):
        return work(database._connect())
    with database.writing() as connection:
        return work(connection)
