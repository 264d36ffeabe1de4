"""PostgreSQL: a real server, run by an ordinary user; missing at home it is skipped, in CI it must be there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from calibrant import errors
from calibrant.streams import declaration


def _module(place: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"engines_{place.stem}", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


engines = _module(Path(__file__).with_name("test_engines.py"))
events = engines.events


def _missing(what: str) -> None:
    assert os.environ.get("CI") != "true", f"{what} must be there in CI"
    pytest.skip(f"{what} is not installed")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server whose language sorts text differently from code points."""
    if importlib.util.find_spec("psycopg") is None:
        _missing("psycopg")
    found = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if found is None else [Path(found).resolve().parent]
    if not places:
        _missing("PostgreSQL")
    user = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as folder:
        if user:
            shutil.chown(folder, user)
        environment = {"PATH": f"{places[-1]}:{os.defpath}", "LC_ALL": "C.UTF-8", "HOME": folder}

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [str(places[-1] / program), *arguments],
                check=True, user=user, env=environment, cwd=folder, stdout=subprocess.DEVNULL,
            )  # fmt: skip

        run("initdb", "-D", f"{folder}/data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "-w", "start")
        try:
            yield f"host={folder} user=tester dbname=postgres"
        finally:
            run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")


def fill(address: str, feeds: Any) -> None:
    """The two tables, with timestamps, in a schema of their own."""
    import psycopg

    kinds = {"int64": "bigint", "double": "double precision", "string": "text"}
    with psycopg.connect(address) as connection:
        connection.execute("DROP SCHEMA IF EXISTS shop CASCADE")
        connection.execute("CREATE SCHEMA shop")
        for name, table in (("predictions", engines.flat(feeds.predictions)), ("labels", feeds.labels)):
            columns = ", ".join(
                f"{field.name} {kinds[str(field.type).removeprefix('large_')]}" for field in table.schema
            )
            connection.execute(f"CREATE TABLE shop.{name} ({columns})")
            with connection.cursor().copy(f"COPY shop.{name} FROM STDIN") as copy:
                for row in table.to_pylist():
                    copy.write_row(tuple(row.values()))
            for column in ("at", "received"):
                connection.execute(
                    f"ALTER TABLE shop.{name} ADD {column} timestamptz; "
                    f"UPDATE shop.{name} SET {column} = to_timestamp(0) + {column}_us * interval '1 microsecond'; "
                    f"ALTER TABLE shop.{name} DROP {column}_us"
                )


SOURCE = declaration.TableSource("postgres", "shop.predictions", "shop.labels", {"predictions.cohorts.country": "land"})


def test_postgres_agrees(server: str) -> None:
    """All policies, and scores whose squares underflow, which PostgreSQL takes for an error."""
    import psycopg

    from calibrant.integrations import postgres_engine

    feeds = events.make(400, seed=11)
    fill(server, feeds)
    with psycopg.connect(server) as connection:
        engine = postgres_engine.Postgres(connection)
        for rule in events.CONTRACTS:
            options: dict[str, Any] = {"rule": rule, "as_of_us": events.AS_OF, "cohorts": events.COHORTS}
            found = engines.tables.join(SOURCE, engine=engine, **options)
            engines.assert_same(found, engines.reference.join(*feeds, **options))
        connection.rollback()
        connection.read_only = False
        connection.execute("UPDATE shop.predictions SET score = 1e-300 WHERE score < 0.01")
        connection.commit()
        connection.read_only = True
        tiny = engines.tables.join(SOURCE, engine=engine, **options)
        assert tiny.counts.invalid == found.counts.invalid


def test_what_the_server_refuses_is_told(server: str) -> None:
    """A missing table is an error with a code, and the connection can be used again."""
    import psycopg

    from calibrant.integrations import postgres_engine

    with psycopg.connect(server) as connection:
        engine = postgres_engine.Postgres(connection)
        with pytest.raises(errors.SourceError, match="CAL-114"):
            engine.columns("shop.nowhere")
        assert connection.execute("SELECT 1").fetchone() == (1,)
