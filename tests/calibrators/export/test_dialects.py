"""SQL in other dialects: printed the same expression, and run where an engine is at hand."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlglot
from sqlglot import exp

from calibrant.calibrators import beta, by_cohort, codec, linear, logistic, scales, spline, steps
from calibrant.calibrators import export as exports
from calibrant.calibrators.export import proof, sql

DIALECTS = (
    "bigquery", "clickhouse", "databricks", "duckdb", "mysql", "oracle", "postgres", "redshift", "snowflake", "spark",
    "sqlite", "trino", "tsql",
)  # fmt: skip
HOSTILE = "O'Brien\\'; DROP TABLE t; --\n\"`]{}$$"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_hostile_cohorts_stay_text(dialect: str) -> None:
    """Names and values full of quotes and escapes read back as what they were, in every dialect."""
    map_ = by_cohort.ByCohort((HOSTILE,), logistic.Platt(1.0, 0.0), (((HOSTILE,), logistic.Platt(2.0, 0.0)),))
    text = sql.expression(map_).sql(dialect=dialect)
    tree = sqlglot.parse_one(text, read=dialect)
    assert HOSTILE in {literal.this for literal in tree.find_all(exp.Literal) if literal.is_string}
    assert {column.name for column in tree.find_all(exp.Column)} == {HOSTILE, "score"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_reads_itself(dialect: str) -> None:
    """The text parses in its dialect, keeps all digits and has no integer or decimal literal."""
    map_ = spline.MonotoneSpline((-4.0, 0.5, 3.0), (-3.0, -1.0 / 3.0, 4.0), (0.5, 0.2, 0.1))
    text = exports.export(codec.Document(map_), to="sql", dialect=dialect).text
    tree = sqlglot.parse_one(text, read=dialect)
    literals = [literal.this for literal in tree.find_all(exp.Literal)]
    assert all("E" in literal.upper() for literal in literals)
    assert 1.0 / 3.0 in {float(literal) for literal in literals}


def test_sqlite_agrees() -> None:
    """SQLite, where exp and ln may have to be given to it."""
    for map_ in (
        logistic.Platt(1.3, 0.2),
        beta.Beta(1.2, 0.4, -0.3, scales.Scale("percent")),
        steps.Isotonic((0.0, 0.25, 0.5), (0.1, 0.2, 0.9)),
        linear.CenteredIsotonic((0.125, 0.25, 0.5), (0.1, 0.2, 0.9)),
    ):
        scores = proof.points(map_)
        text = exports.export(codec.Document(map_), to="sql", dialect="sqlite").text
        connection = sqlite3.connect(":memory:")
        connection.create_function("ln", 1, lambda x: float(np.log(x)))
        connection.create_function("exp", 1, lambda x: float(np.exp(x)))
        connection.execute("CREATE TABLE t (score REAL)")
        connection.executemany("INSERT INTO t VALUES (?)", [(score,) for score in scores.tolist()])
        found = [row[0] for row in connection.execute(f"SELECT ({text}) FROM t ORDER BY rowid")]
        connection.close()
        assert np.abs(np.array(found, float) - map_.apply(scores)).max() < sql.BOUND


# ---------------------------------------------------------------------------------- PostgreSQL


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if found is None else [Path(found).resolve().parent]
    return places[-1] if places else None


@pytest.fixture(scope="module")
def psql() -> Iterator[Any]:
    """A server of its own on a socket in a temporary directory, run by an ordinary user; a function that asks it."""
    binaries = _binaries()
    if binaries is None:
        assert os.environ.get("CI") != "true", "PostgreSQL must be there in CI"
        pytest.skip("PostgreSQL is not installed")
    user = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as folder:
        if user:
            shutil.chown(folder, user)
        environment = {"PATH": f"{binaries}:{os.defpath}", "LC_ALL": "C", "HOME": folder}

        def run(program: str, *arguments: str, feed: str | None = None) -> str:
            return subprocess.run(
                [str(binaries / program), *arguments],
                input=feed, text=True, check=True, user=user, env=environment, cwd=folder,
                stdout=subprocess.PIPE if program == "psql" else subprocess.DEVNULL,
            ).stdout  # fmt: skip

        run("initdb", "-D", f"{folder}/data", "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "-w", "start")
        try:
            yield lambda feed: run(
                "psql", "-h", folder, "-U", "tester", "-d", "postgres", "-qtAX", "-v", "ON_ERROR_STOP=1", feed=feed
            )
        finally:
            run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")


@pytest.mark.theory
def test_postgres_agrees(psql: Any, exportable_map: Any) -> None:
    """PostgreSQL, which raises on overflow and underflow, says the same; NULL and NaN give NULL."""
    if proof.class_count(exportable_map):
        pytest.skip("several classes have no SQL")
    rows = proof.rows_for(exportable_map)
    fields = exportable_map.fields if isinstance(exportable_map, by_cohort.ByCohort) else ()
    columns = [exp.to_identifier(name, quoted=True).sql("postgres") for name in ("score", *fields)]
    text = exports.export(codec.Document(exportable_map), to="sql", dialect="postgres").text

    def literal(value: float | str) -> str:
        return exp.Literal.string(value if isinstance(value, str) else repr(value)).sql("postgres")

    values = ",".join(
        f"({i},{','.join(map(literal, row))})"
        for i, row in enumerate(zip(rows.scores.tolist(), *rows.cohorts, strict=True))
    )
    kinds = ", ".join(f"{c} {'text' if i else 'float8'}" for i, c in enumerate(columns))
    psql(f"DROP TABLE IF EXISTS t; CREATE TABLE t (i int, {kinds}); INSERT INTO t VALUES {values};")
    answer = psql(f"SELECT ({text}) FROM t ORDER BY i;")
    found = np.array([float(line) for line in answer.split()])
    assert np.abs(found - proof.expected(exportable_map, rows)).max() < sql.BOUND * max(1.0, np.abs(found).max())
    more = ", ".join(f"'x'::text AS {column}" for column in columns[1:])
    for score in ("NULL::float8", "'NaN'::float8"):
        table = f"(SELECT {score} AS score{', ' + more if more else ''}) AS one"
        assert psql(f"SELECT ({text}) FROM {table};").strip() == ""
