"""From rows to summaries by cohort, and through Parquet and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from calibrant import errors
from calibrant.calibrators.scales import Scale
from calibrant.frames import columns, summaries, summary_tables
from calibrant.stats import summary


def rows(weights: bool = False) -> columns.Rows:
    """Some hundred rows in two cohort columns."""
    rng = np.random.default_rng(3)
    data = {
        "p": rng.random(600).round(2),
        "y": rng.integers(0, 2, 600),
        "a": rng.choice(["x", "y"], 600),
        "b": rng.integers(0, 3, 600),
        "w": np.where(rng.random(600) < 0.2, 0.0, rng.random(600)),
    }
    return columns.read(data, score="p", label="y", cohorts=["a", "b"], weight="w" if weights else None)


def test_overall_and_cohorts_hold_the_same_rows() -> None:
    """The cohorts pooled are the whole; keys are all crossed values, in order."""
    found = summaries.summarise_rows(rows())
    assert found.cohorts is not None
    assert found.cohorts.fields == ("a", "b")
    assert found.cohorts.keys == tuple((a, b) for a in "xy" for b in "012")
    pooled = found.cohorts.pooled()
    np.testing.assert_array_equal(pooled.n, found.overall.n)
    np.testing.assert_allclose(pooled.sums, found.overall.sums)


def test_each_cohort_has_its_rows() -> None:
    """A cohort's summary is that of the rows with its values."""
    data = rows()
    found = summaries.summarise_rows(data)
    assert found.cohorts is not None
    mine = (data.cohorts["a"].decode() == "y") & (data.cohorts["b"].decode() == "2")
    expected = summary.summarise(data.scores[mine], data.labels[mine], grid="distinct")
    np.testing.assert_array_equal(found.cohorts["y", "2"].n, expected.n)
    np.testing.assert_allclose(found.cohorts["y", "2"].sums, expected.sums)


def test_one_field_of_two() -> None:
    """``by`` chooses among the cohort columns; an empty choice means none."""
    by_a = summaries.summarise_rows(rows(), by=["a"]).cohorts
    assert by_a is not None
    assert by_a.keys == (("x",), ("y",))
    assert summaries.summarise_rows(rows(), by=[]).cohorts is None


def test_rows_of_weight_zero_make_no_cohort() -> None:
    """They carry nothing: a cohort with no other rows is not there."""
    data = columns.read(
        {"p": [0.1, 0.2], "y": [0, 1], "c": ["a", "b"], "w": [0.0, 2.0]},
        score="p",
        label="y",
        weight="w",
        cohorts=["c"],
    )
    found = summaries.summarise_rows(data)
    assert found.cohorts is not None
    assert found.cohorts.keys == (("b",),)


def test_large_inputs_take_the_dyadic_grid() -> None:
    """Above the limit the grid is fixed, so that memory does not grow with the rows."""
    assert summaries.summarise_rows(rows(), exact_up_to=600).overall.grid == "distinct"
    assert summaries.summarise_rows(rows(), exact_up_to=599).overall.grid == "dyadic"


@pytest.mark.parametrize("limit", [0, 1_000])
def test_through_parquet_and_back(limit: int, tmp_path: Path) -> None:
    """Both forms come back equal to the last bit, with grid and scale."""
    found = summaries.summarise_rows(rows(weights=True), exact_up_to=limit)
    assert found.cohorts is not None
    for summed in (found.overall, found.cohorts):
        path = tmp_path / "summary.parquet"
        summary_tables.write_parquet(summed, path, scale=Scale("percent"))
        back = summary_tables.read_parquet(path)
        assert back.scale == Scale("percent")
        if back.cohorts is None:
            np.testing.assert_array_equal(back.overall.sums, found.overall.sums)
            np.testing.assert_array_equal(back.overall.keys, found.overall.keys)
        else:
            assert back.cohorts.keys == found.cohorts.keys
            np.testing.assert_array_equal(back.cohorts.summary.sums, found.cohorts.summary.sums)
            np.testing.assert_array_equal(back.cohorts.summary.starts, found.cohorts.summary.starts)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda table: table.replace_schema_metadata(None),
        lambda table: table.replace_schema_metadata({b"calibrant": b'{"schema": "calibrant.summary_table/2"}'}),
        lambda table: table.drop_columns(["loss"]),
        lambda table: table.take(pa.array(range(table.num_rows - 1, -1, -1))),
    ],
    ids=["no metadata", "newer schema", "column missing", "order of cells"],
)
def test_other_tables_are_refused(spoil: object) -> None:
    """A table that is no summary, of a newer schema or spoiled is an ArtifactError."""
    assert callable(spoil)
    with pytest.raises(errors.ArtifactError, match="CAL-604"):
        summary_tables.from_arrow(spoil(summary_tables.to_arrow(summaries.summarise_rows(rows()).overall)))


def test_damaged_file(tmp_path: Path) -> None:
    """A truncated file is CAL-104."""
    path = tmp_path / "summary.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(errors.SourceError, match="CAL-104"):
        summary_tables.read_parquet(path)
