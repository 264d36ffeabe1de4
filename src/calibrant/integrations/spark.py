"""Spark as an engine: tables and views of a session; the expression becomes one plan of its own data frames.

The session's time zone must be UTC (``spark.sql.session.timeZone``), or timestamps without a zone move.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import narwhals as nw
import pyarrow as pa

from calibrant import errors
from calibrant.joining import expression, sql

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WHOLE = {"tinyint", "smallint", "int", "bigint"}


class Spark:
    """``text`` runs the compiled SQL instead of the data frames: the same plan, said in another way."""

    def __init__(self, session: SparkSession, *, text: bool = False) -> None:
        zone = session.conf.get("spark.sql.session.timeZone")
        if zone not in ("UTC", "Etc/UTC", "Z", "+00:00", "GMT"):
            raise errors.UsageError(
                "CAL-477",
                "the Spark session does not count in UTC",
                cause=f"spark.sql.session.timeZone is {zone}",
                fix="set it to UTC before the tables are read",
            )
        self.session, self.text = session, text

    def columns(self, table: str) -> Mapping[str, bool]:
        """Columns of a table or view."""
        found = self.session.sql(f"SELECT * FROM {sql.source(table, 'spark')} LIMIT 0")  # noqa: S608  # quoted by sql.source
        return {name: kind in WHOLE for name, kind in found.dtypes}

    def answer(self, question: sql.Question, predictions: sql.Selected, labels: sql.Selected) -> pa.Table:
        """Run the expression on Spark's data frames, or its text."""
        if self.text:
            return self.session.sql(sql.compiled(question, predictions, labels, dialect="spark")).toArrow()
        made = (
            nw.from_native(self.session.sql(sql.selection(one, sql.wanted_columns(names, one), dialect="spark")))
            for names, one in ((expression.PREDICTIONS, predictions), (expression.LABELS, labels))
        )
        return nw.to_native(question(*made)).toArrow()
