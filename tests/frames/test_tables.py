"""The same kind out: columns are added to whatever came in."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from calibrant.frames import tables

DATA = {"p": [0.1, 0.2], "id": ["a", "b"]}
NEW = np.array([0.3, 0.4])


@pytest.mark.parametrize(
    ("frame", "values"),
    [
        (pd.DataFrame(DATA), lambda out: out["c"].tolist()),
        (pl.DataFrame(DATA), lambda out: out["c"].to_list()),
        (pl.LazyFrame(DATA), lambda out: out.collect()["c"].to_list()),
        (pa.table(DATA), lambda out: out["c"].to_pylist()),
        (duckdb.from_arrow(pa.table(DATA)), lambda out: [row[2] for row in out.fetchall()]),
        (DATA, lambda out: out["c"].tolist()),
    ],
    ids=["pandas", "polars", "polars lazy", "arrow", "duckdb", "mapping"],
)
def test_same_kind_with_one_column_more(frame: Any, values: Any) -> None:
    """The result has the type of the input and the new column last."""
    out = tables.like(frame, {"c": NEW})
    assert type(out) is type(frame)
    assert values(out) == NEW.tolist()


def test_a_pandas_index_stays() -> None:
    """Values go by position, and the index is kept."""
    frame = pd.DataFrame(DATA, index=[7, 3])
    out = tables.like(frame, {"c": NEW})
    assert out.index.tolist() == [7, 3]
    assert out["c"].tolist() == NEW.tolist()


def test_an_existing_column_is_replaced() -> None:
    """A second run replaces the column of the first."""
    once = tables.like(pa.table(DATA), {"c": NEW})
    assert tables.like(once, {"c": NEW * 2})["c"].to_pylist() == [0.6, 0.8]
