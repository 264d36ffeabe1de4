"""BigQuery, Snowflake, Databricks, ClickHouse, Trino: the query compiled for them, run by whatever client they have.

The compiled texts are kept as reviewed files. ClickHouse's is run in our tests by its own engine; the others are not,
for want of a warehouse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from calibrant.joining import sql


class Warehouse:
    """``run`` sends a statement and returns an Arrow table, for example ``lambda text: client.query(text).to_arrow()``.

    ``known`` says what each table's columns are and which of them hold whole numbers, as a client's schema tells.
    """

    def __init__(
        self, dialect: sql.Dialect, run: Callable[[str], pa.Table], known: Mapping[str, Mapping[str, bool]]
    ) -> None:
        self.dialect, self.run, self.known = dialect, run, known

    def columns(self, table: str) -> Mapping[str, bool]:
        """Columns as they were told."""
        return self.known[table]

    def answer(self, question: sql.Question, predictions: sql.Selected, labels: sql.Selected) -> pa.Table:
        """Compile and send."""
        return self.run(sql.compiled(question, predictions, labels, dialect=self.dialect))
