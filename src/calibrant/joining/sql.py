"""The expression as SQL text: DuckDB prints what narwhals built, sqlglot says it in another dialect.

One source of truth: nothing here knows what the query means. The text begins with two named selections, which map the
columns of the real tables; all steps after them are the same for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import narwhals as nw

from calibrant import errors
from calibrant.joining import expression

if TYPE_CHECKING:
    from sqlglot import exp

Dialect = Literal["bigquery", "clickhouse", "databricks", "duckdb", "postgres", "snowflake", "spark", "trino"]
#: How a column of times is written: as a timestamp (without a zone it is UTC), or as whole units since 1970.
Clock = Literal["timestamp", "us", "ms", "s"]
#: A question to the two tables, for example ``functools.partial(expression.summed, plan=plan)``.
Question: TypeAlias = Callable[[Any, Any], Any]

#: Microseconds since 1970 of a timestamp; ``{}`` is the quoted column. Text throughout: no dialect prints all others.
MICROSECONDS: Mapping[Dialect, str] = {
    "bigquery": "UNIX_MICROS(TIMESTAMP({}))",
    "clickhouse": "toUnixTimestamp64Micro(toDateTime64({}, 6, 'UTC'))",
    "databricks": "UNIX_MICROS(CAST({} AS TIMESTAMP))",
    "duckdb": "EPOCH_US({})",
    "postgres": "CAST(EXTRACT(EPOCH FROM {}) * 1000000 AS BIGINT)",
    "snowflake": "DATE_PART(EPOCH_MICROSECOND, {})",
    "spark": "UNIX_MICROS(CAST({} AS TIMESTAMP))",
    "trino": "CAST(ROUND(TO_UNIXTIME({}) * 1000000) AS BIGINT)",
}
FACTOR: Mapping[Clock, int] = {"us": 1, "ms": 1_000, "s": 1_000_000}
KINDS = {
    "at_us": "BIGINT", "received_us": "BIGINT", "revision": "BIGINT", "score": "DOUBLE", "weight": "DOUBLE",
    "value": "DOUBLE", "propensity": "DOUBLE",
}  # fmt: skip
#: Names of the two mapped selections; a real table of this name would be hidden by them.
GIVEN = ("given_predictions", "given_labels")
#: ClickHouse fills unmatched rows of a join with zeros, and reads a name as the alias beside it, unless told not to.
SUFFIX: Mapping[str, str] = {"clickhouse": "\nSETTINGS join_use_nulls = 1, prefer_column_name_to_alias = 1"}


@dataclass(frozen=True, slots=True)
class Selected:
    """A table, or a pattern of files, and the columns of it that are read.

    ``columns`` maps the expression's names (``id``, ``at_us``, ``cohort_0`` ...) to the table's; what is left out is
    missing in every row. ``clocks`` say how each column of times is written, ``timestamp`` where they say nothing.
    """

    table: str
    columns: Mapping[str, str]
    clocks: Mapping[str, Clock]


def compiled(question: Question, predictions: Selected, labels: Selected, *, dialect: Dialect) -> str:
    """The question as one SELECT statement over the two real tables."""
    if dialect not in get_args(Dialect):
        raise errors.UsageError(
            "CAL-475",
            f"no query can be made for {dialect!r}",
            cause="it is not one of " + ", ".join(get_args(Dialect)),
            fix="name the engine that holds the tables",
        )
    steps = _steps(question, tuple(name for name in predictions.columns if name.startswith("cohort_")))
    text = steps.sql(dialect=dialect, pretty=True)
    sources = ",\n".join(
        f"{_quoted(name, dialect)} AS (\n{selection(selected, wanted, dialect=dialect)}\n)"
        for name, selected, wanted in (
            (GIVEN[0], predictions, wanted_columns(expression.PREDICTIONS, predictions)),
            (GIVEN[1], labels, wanted_columns(expression.LABELS, labels)),
        )
    )
    return f"WITH {sources},\n{text.removeprefix('WITH ')}{SUFFIX.get(dialect, '')}"


def selection(selected: Selected, wanted: tuple[str, ...], *, dialect: Dialect) -> str:
    """A SELECT that gives the columns of a table the names and types that the expression reads."""
    columns = ",\n  ".join(f"{_column(selected, name, dialect)} AS {_quoted(name, dialect)}" for name in wanted)
    return f"SELECT\n  {columns}\nFROM {source(selected.table, dialect)}"


def wanted_columns(names: tuple[str, ...], selected: Selected) -> tuple[str, ...]:
    """What the expression reads of one table: the fixed names and the cohort fields."""
    return (*names, *(name for name in selected.columns if name.startswith("cohort_")))


def _column(selected: Selected, name: str, dialect: Dialect) -> str:
    from sqlglot import exp

    kind = KINDS.get(name, "VARCHAR")
    if name not in selected.columns:
        if name == "received_us":
            # a label was known when it was given; a prediction dated ahead is looked at, and counted as such
            return _column(selected, "at_us", dialect) if "value" in selected.columns else "0"
        return str(exp.cast(exp.null(), kind).sql(dialect=dialect))
    quoted = _quoted(selected.columns[name], dialect)
    if name in ("at_us", "received_us"):
        clock = selected.clocks.get(name, "timestamp")
        return MICROSECONDS[dialect].format(quoted) if clock == "timestamp" else f"{quoted} * {FACTOR[clock]}"
    cast = exp.cast(exp.column(exp.to_identifier(selected.columns[name], quoted=True)), kind).sql(dialect=dialect)
    if dialect == "postgres" and name == "score":
        # the square of a smaller number is an error there, not 0
        return f"CASE WHEN {cast} > 0 AND {cast} < 1e-150 THEN 1e-150 ELSE {cast} END"
    # ties between sources and values are broken in the order of code points, not of somebody's language
    return f'{cast} COLLATE "C"' if dialect == "postgres" and kind == "VARCHAR" else str(cast)


def source(table: str, dialect: Dialect) -> str:
    """The table's name, quoted; for DuckDB a path or pattern of Parquet, CSV or JSON files as well."""
    from sqlglot import exp

    reader = file_reader(table)
    if dialect == "duckdb" and reader is not None:
        return f"{reader}({exp.Literal.string(table).sql(dialect='duckdb')})"
    parts = [exp.to_identifier(part.strip('"`'), quoted=True) for part in table.split(".")]
    if len(parts) > 3 or not all(part.name for part in parts):
        raise errors.UsageError(
            "CAL-476",
            f"{table!r} is not the name of a table",
            cause="a table is named by up to three words with points between them: catalog.schema.table",
            fix="correct the name, or give a path that ends in .parquet, .csv or .jsonl where the engine reads files",
        )
    named = exp.Table(
        this=parts[-1], db=parts[-2] if len(parts) > 1 else None, catalog=parts[0] if len(parts) > 2 else None
    )
    return str(named.sql(dialect=dialect))


def file_reader(table: str) -> Literal["read_parquet", "read_csv", "read_json"] | None:
    """DuckDB's function for such files; None if this is no path of files."""
    name = table.lower().removesuffix(".gz").removesuffix(".zst")
    if name.endswith((".parquet", ".pq")):
        return "read_parquet"
    if name.endswith((".csv", ".tsv")):
        return "read_csv"
    return "read_json" if name.endswith((".jsonl", ".ndjson", ".json")) else None


def _quoted(name: str, dialect: Dialect) -> str:
    from sqlglot import exp

    return str(exp.to_identifier(name, quoted=True).sql(dialect=dialect))


def _steps(question: Question, fields: tuple[str, ...]) -> exp.Expr:
    """What narwhals builds on two empty tables, as a tree with names that are the same every time."""
    try:
        import duckdb
        import sqlglot
    except ImportError:
        raise errors.MissingExtraError.of("sql", needed_for="a query in SQL") from None
    with duckdb.connect(":memory:") as connection:
        for name, columns in zip(GIVEN, ((*expression.PREDICTIONS, *fields), expression.LABELS), strict=True):
            kinds = ", ".join(f'"{column}" {KINDS.get(column, "VARCHAR")}' for column in columns)
            connection.execute(f'CREATE TABLE "{name}" ({kinds})')
        tables = (nw.from_native(connection.table(name)) for name in GIVEN)
        text = question(*tables).to_native().sql_query()
    return _tidied(sqlglot.parse_one(text, read="duckdb"))


def _tidied(tree: exp.Expr) -> exp.Expr:
    """Names by number, steps without hints, and a plain LN where narwhals guards the logarithm of what is positive."""
    from sqlglot import exp

    names: dict[str, str] = {}
    for identifier in tree.find_all(exp.Identifier):
        if identifier.this.startswith("__duckdb_s"):
            identifier.set("this", f"step_{int(identifier.this.removeprefix('__duckdb_s')) + 1}")
        elif identifier.this.startswith("row_index_"):
            identifier.set("this", names.setdefault(identifier.this, f"place_{len(names) + 1}"))
    for group in list(tree.find_all(exp.Group)):
        if group.args.get("all"):  # of sums alone: there is nothing to group by, and few dialects know the word
            group.pop()
    for step in tree.find_all(exp.CTE):
        step.set("materialized", None)

    tree = tree.transform(_portable)
    for bracket in list(tree.find_all(exp.Paren)):
        if _needless(bracket):
            bracket.replace(bracket.this)
    return tree


def _portable(node: exp.Expr) -> exp.Expr:
    """DuckDB's own words in those that all engines know."""
    from sqlglot import exp

    if isinstance(node, exp.Case):
        found = _guarded_logarithm(node)
        return node if found is None else exp.Ln(this=found)
    if isinstance(node, exp.Contains | exp.ArrayContains) and isinstance(node.this, exp.Array):
        return exp.In(this=node.expression.copy(), expressions=[value.copy() for value in node.this.expressions])
    return node


def _needless(bracket: exp.Paren) -> bool:
    """Whether nothing could be misread without it."""
    from sqlglot import exp

    inner, parent = bracket.this, bracket.parent
    if isinstance(parent, exp.Alias | exp.If | exp.Where | exp.Paren | exp.Case | exp.Coalesce | exp.Floor | exp.Ln):
        return True
    if isinstance(inner, exp.Column | exp.Literal | exp.Cast | exp.Case | exp.Coalesce | exp.Floor | exp.Paren):
        return True
    if isinstance(parent, exp.Connector | exp.Not):
        return isinstance(inner, exp.Predicate) and not isinstance(parent, exp.Not)
    return False


def _guarded_logarithm(case: exp.Case) -> exp.Expr | None:
    """``x`` of CASE WHEN x < 0 THEN NaN ELSE CASE WHEN x = 0 THEN -Infinity ELSE LOG(x) / LOG(e) END END."""
    from sqlglot import exp

    first = case.args["ifs"][0]
    says = first.args["true"]
    if not (isinstance(says, exp.Cast) and says.this.name == "NaN"):
        return None
    argument: exp.Expr = first.this.unnest().this
    return argument.copy()
