"""The compiled queries, kept as files that were read: what cannot be run here can at least not change unseen.

``python tests/joining/test_golden.py`` writes them again.
"""

from __future__ import annotations

import functools
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
import sqlglot
from sqlglot import exp

from calibrant import errors
from calibrant.joining import expression, sql
from calibrant.streams import declaration

GOLDEN = Path(__file__).with_name("golden")
PLAN = expression.Plan(
    declaration.LabelContract(
        timedelta(days=90), implicit_negative=True, terminal=(1.0,), conflicts="labeler_priority",
        priority=("bank", "desk"),
    ),
    as_of_us=1_764_000_000_000_000,
    kept=(None, ("CH", "O'Brien\\", "US")),
    start_us=1_750_000_000_000_000,
)  # fmt: skip
PREDICTIONS = sql.Selected(
    "risk.scores",
    {
        "id": "payment_id", "at_us": "scored_at", "score": "p_fraud", "model": "model", "weight": "weight",
        "cohort_0": "channel", "cohort_1": "country",
    },
    {},
)  # fmt: skip
LABELS = sql.Selected(
    "risk.chargebacks",
    {
        "prediction": "payment_id", "at_us": "booked_at", "received_us": "loaded_at", "value": "is_fraud",
        "source": "source", "revision": "revision",
    },
    {"received_us": "ms"},
)  # fmt: skip
DIALECTS = get_args(sql.Dialect)


def compiled(dialect: sql.Dialect) -> str:
    head = f"-- The join, the maturity rule and the summary of an example stream, compiled for {dialect}.\n"
    return (
        head
        + sql.compiled(functools.partial(expression.summed, plan=PLAN), PREDICTIONS, LABELS, dialect=dialect)
        + "\n"
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_query_is_the_one_that_was_reviewed(dialect: sql.Dialect) -> None:
    """Byte for byte."""
    assert compiled(dialect) == (GOLDEN / f"{dialect}.sql").read_text(encoding="utf-8")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_query_reads_in_its_dialect(dialect: sql.Dialect) -> None:
    """It parses there, reads only the two tables, and holds nothing that some engine does not know."""
    text = compiled(dialect).replace(sql.SUFFIX.get(dialect, ""), "")
    tree = sqlglot.parse_one(text, read=dialect)
    steps = {step.alias for step in tree.find_all(exp.CTE)}
    tables = {table.name for table in tree.find_all(exp.Table)} - steps
    assert tables == {"scores", "chargebacks"}
    assert {"O'Brien\\"} <= {literal.this for literal in tree.find_all(exp.Literal) if literal.is_string}
    assert not any(
        word in text for word in ("GROUP BY ALL", "NaN", "Infinity", "MATERIALIZED", "__duckdb", "row_index")
    )
    # one logarithm, of a number that is kept away from 0 and 1
    assert len(list(tree.find_all(exp.Ln))) == 1 or dialect in ("bigquery", "clickhouse")


def test_an_unknown_dialect_is_refused() -> None:
    """With the list of those that are known."""
    with pytest.raises(errors.UsageError, match="CAL-475"):
        compiled("mysql")  # type: ignore[arg-type]


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for one in DIALECTS:
        (GOLDEN / f"{one}.sql").write_text(compiled(one), encoding="utf-8")
