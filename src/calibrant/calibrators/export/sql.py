"""A map as one SQL expression, in any dialect that sqlglot prints, run in DuckDB for the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from calibrant import errors
from calibrant.calibrators import blocks, by_cohort, codec, kinds
from calibrant.calibrators.export import formula, proof

if TYPE_CHECKING:
    from sqlglot import exp

#: DuckDB computes with the C library's doubles and shows differences below 1e-15; other engines may read a
#: literal of 17 digits one unit off and have their own exp and ln, hence the wider bound that SQL promises.
BOUND = 1e-9
#: A CASE is searched from the top, row by row.
MOST_COHORTS = 2_000
#: The largest double: comparisons with it refuse NaN and infinities in every engine.
LARGEST = float(np.finfo(np.float64).max)
#: Text compares equal in spite of case there, unless the column's collation says otherwise.
CASE_BLIND = ("mysql", "tsql", "fabric", "doris", "starrocks")


def export(document: codec.Document, *, dialect: str = "duckdb", score: str = "score") -> proof.Exported:
    """The expression's text. NULL, NaN and scores outside the scale's range (infinite ones too) give NULL.

    Names of columns are quoted, so they are taken exactly as given.
    """
    _demand_packages()
    known = _dialects()
    if dialect not in known:
        raise errors.UsageError(
            "CAL-434",
            f"unknown SQL dialect {dialect!r}",
            cause="it is not one of " + ", ".join(known),
            fix="choose the dialect of your engine, or the nearest one",
        )
    tree = expression(document.calibrator, score=score)
    found = prove(document.calibrator, tree, score=score)
    notes = [] if dialect == "duckdb" else [f"Printed for {dialect} from the same expression, not run there."]
    if dialect in CASE_BLIND and isinstance(document.calibrator, by_cohort.ByCohort):
        notes += ["Caution: by default this engine compares text without case; use a binary collation for cohorts."]
    comments = "".join(f"-- {line}\n" for line in proof.header(document, found, *notes))
    return proof.Exported(f"{comments}{tree.sql(dialect=dialect, pretty=True)}\n".encode(), ".sql", found)


def prove(calibrator: kinds.Kind, tree: exp.Expression, *, score: str = "score") -> proof.Proof:
    """Run the expression in DuckDB on every telling score."""
    import duckdb

    def run(rows: proof.Rows) -> blocks.Floats:
        import pyarrow as pa

        names = [score, *(calibrator.fields if isinstance(calibrator, by_cohort.ByCohort) else ())]
        # without cohorts there is one column; row numbers keep the order
        columns = [pa.array(rows.scores), *(pa.array(column, pa.string()) for column in rows.cohorts)]
        place = "row"
        while place in names:
            place += "_"
        table = pa.table([*columns, pa.array(np.arange(len(rows.scores)))], names=[*names, place])
        with duckdb.connect(":memory:") as connection:
            connection.register("proved", table)
            text = tree.sql(dialect="duckdb")
            answer = connection.execute(f'SELECT {text} AS "calibrated" FROM proved ORDER BY "{place}"')  # noqa: S608  # our own expression
            found = answer.fetchnumpy()["calibrated"]
        return np.ma.filled(np.ma.asarray(found, np.float64), np.nan)

    return proof.prove(calibrator, run, bound=BOUND, engine="duckdb", version=duckdb.__version__)


def expression(calibrator: kinds.Kind, *, score: str = "score") -> exp.Expression:
    """The map as a sqlglot expression over the columns ``score`` and, by cohort, the fields."""
    from sqlglot import exp

    if not isinstance(calibrator, by_cohort.ByCohort):
        return _Printer(score).guarded(formula.of(calibrator))
    if len(calibrator.maps) > MOST_COHORTS:
        raise errors.UsageError(
            "CAL-435",
            f"{len(calibrator.maps)} cohorts are too many for one SQL expression",
            cause=f"engines search a CASE from the top for every row; the limit is {MOST_COHORTS}",
            fix="apply the JSON form with calibrant, or export the maps of single cohorts and join them",
        )
    printer = _Printer(score)
    branches = [
        exp.If(
            this=exp.and_(
                *(
                    exp.EQ(this=exp.column(name, quoted=True), expression=exp.Literal.string(value))
                    for name, value in zip(calibrator.fields, key, strict=True)
                )
            ),
            true=printer.guarded(formula.of(member)),
        )
        for key, member in calibrator.maps
    ]
    pooled = printer.guarded(formula.of(calibrator.pooled))
    return exp.Case(ifs=branches, default=pooled) if branches else pooled


class _Printer:
    """Formulas to sqlglot expressions. Trees are not shared between parents: each use is built again."""

    def __init__(self, score: str) -> None:
        self.column = score

    def guarded(self, found: formula.Formula) -> exp.Expression:
        """NULL unless the score is in range, which excludes NaN whether or not the engine sorts it last."""
        from sqlglot import exp

        inside = exp.and_(
            exp.GTE(this=self.score(), expression=number(max(found.low, -LARGEST))),
            exp.LTE(this=self.score(), expression=number(min(found.high, LARGEST))),
        )
        branch = exp.If(this=inside, true=exp.cast(self.print(found.root), exp.DataType.Type.DOUBLE))
        return exp.Case(ifs=[branch], default=exp.Null())

    def score(self) -> exp.Expression:
        from sqlglot import exp

        return exp.cast(exp.column(self.column, quoted=True), exp.DataType.Type.DOUBLE)

    def print(self, node: formula.Node) -> exp.Expression:
        from sqlglot import exp

        match node:
            case formula.Score():
                return self.score()
            case formula.Number(value):
                return number(value)
            case formula.Add(left, right):
                return _paren(exp.Add, self.print(left), self.print(right))
            case formula.Subtract(left, right):
                return _paren(exp.Sub, self.print(left), self.print(right))
            case formula.Multiply(left, right):
                return _paren(exp.Mul, self.print(left), self.print(right))
            case formula.Divide(left, right):
                return _divide(self.print(left), self.print(right))
            case formula.Log(x):
                return exp.Ln(this=self.print(x))
            case formula.Logistic(x):
                odds = exp.Exp(this=exp.Neg(this=exp.Paren(this=self.print(x))))
                return _divide(number(1.0), _paren(exp.Add, number(1.0), odds))
            case formula.Clip(x, low, high):
                below = exp.If(this=exp.LT(this=self.print(x), expression=number(low)), true=number(low))
                above = exp.If(this=exp.GT(this=self.print(x), expression=number(high)), true=number(high))
                return exp.Case(ifs=[below, above], default=self.print(x))
            case formula.Steps(x, edges, values):
                return self.search(x, edges, [number(value) for value in values])
            case formula.Polyline(x, knots, values):
                return self.search(x, knots, [self.print(piece) for piece in _lines(x, knots, values)])
            case formula.Cubic(x, knots, pieces):
                return self.search(x, knots, [self.print(_polynomial(x, piece)) for piece in pieces])
            case _:
                assert_never(node)

    def search(self, x: formula.Node, edges: tuple[float, ...], leaves: list[exp.Expression]) -> exp.Expression:
        """leaves[number of edges <= x] as nested CASEs whose depth is the logarithm of their number."""
        from sqlglot import exp

        if not edges:
            return leaves[0]
        middle = len(edges) // 2
        below = exp.LT(this=self.print(x), expression=number(edges[middle]))
        left = self.search(x, edges[:middle], leaves[: middle + 1])
        right = self.search(x, edges[middle + 1 :], leaves[middle + 1 :])
        return exp.Case(ifs=[exp.If(this=below, true=left)], default=right)


def _lines(x: formula.Node, knots: tuple[float, ...], values: tuple[float, ...]) -> list[formula.Node]:
    pieces: list[formula.Node] = [formula.Number(values[0])]
    for i in range(len(knots) - 1):
        slope = (values[i + 1] - values[i]) / (knots[i + 1] - knots[i])
        run = formula.Subtract(x, formula.Number(knots[i]))
        pieces.append(formula.Add(formula.Multiply(run, formula.Number(slope)), formula.Number(values[i])))
    return [*pieces, formula.Number(values[-1])]


def _polynomial(x: formula.Node, piece: tuple[float, float, float, float, float]) -> formula.Node:
    origin, *coefficients = piece
    run = formula.Subtract(x, formula.Number(origin))
    while len(coefficients) > 2 and coefficients[-1] == 0.0:
        coefficients.pop()
    found: formula.Node = formula.Number(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        found = formula.Add(formula.Multiply(found, run), formula.Number(coefficient))
    return found


def number(value: float) -> exp.Expression:
    """A double as a literal with an exponent: without one many engines read a decimal number."""
    from sqlglot import exp

    text = repr(abs(value)).upper()
    literal = exp.Literal.number(text if "E" in text else text + "E0")
    return exp.Paren(this=exp.Neg(this=literal)) if value < 0.0 else literal


def _paren(operator: Any, left: exp.Expression, right: exp.Expression) -> exp.Expression:
    from sqlglot import exp

    return exp.Paren(this=operator(this=left, expression=right))


def _divide(left: exp.Expression, right: exp.Expression) -> exp.Expression:
    """Division of doubles as every engine does it, without sqlglot's guards for integers and zero."""
    from sqlglot import exp

    return exp.Paren(this=exp.Div(this=left, expression=right, typed=True, safe=False))


def _dialects() -> tuple[str, ...]:
    from sqlglot.dialects.dialect import Dialects

    return tuple(sorted(dialect.value for dialect in Dialects if dialect.value))


def _demand_packages() -> None:
    try:
        import duckdb
        import sqlglot
    except ImportError:
        raise errors.MissingExtraError.of("sql", needed_for="export to SQL") from None
    del duckdb, sqlglot
