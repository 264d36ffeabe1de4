"""Flights as two feeds, predictions at departure and labels at arrival, are month by month the joined file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import compute, parquet

from calibrant import datasets
from calibrant.integrations import duckdb
from calibrant.joining import reference, tables
from calibrant.stats import summary
from calibrant.streams import declaration

RULE = declaration.LabelContract(timedelta(hours=24))
CARRIER = (declaration.CohortField("carrier", 100),)


@pytest.fixture(scope="module")
def flights() -> pa.Table:
    table = parquet.read_table(datasets.flights())
    # in an order that belongs to neither feed
    return table.take(np.random.default_rng(2).permutation(table.num_rows))


def month(number: int) -> int:
    return int(datetime(2013, number, 1, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize("number", [2, 7, 11])
def test_a_month_from_two_feeds_is_the_month_of_the_file(flights: pa.Table, number: int) -> None:
    """Counts of every cell exactly, sums to rounding, by carrier, with nothing late, orphaned or left over."""
    start, end = month(number), month(number + 1)
    made = flights["predicted_at"].cast(pa.int64())
    carriers = compute.binary_join_element_wise('{"carrier":"', flights["carrier"].cast(pa.string()), '"}', "")
    predictions = pa.table(
        {"id": flights["prediction_id"], "at_us": made, "score": flights["score"], "cohorts": carriers}
    )
    labels = pa.table(
        {
            "prediction": flights["prediction_id"],
            "at_us": flights["labeled_at"].cast(pa.int64()),
            "value": flights["label"],
        }
    ).sort_by("at_us")
    found = reference.join(
        predictions, labels, rule=RULE, as_of_us=end + 86_400_000_000, cohorts=CARRIER, start_us=start, end_us=end
    )
    mine = flights.filter(compute.and_(compute.greater_equal(made, start), compute.less(made, end)))
    coded = mine["carrier"].cast(pa.string()).combine_chunks().dictionary_encode()
    names = sorted(coded.dictionary.to_pylist())
    place = np.array([names.index(name) for name in coded.dictionary.to_pylist()])
    expected = summary.summarise(
        mine["score"].to_numpy(),
        mine["label"].to_numpy(),
        groups=place[coded.indices.to_numpy()],
        group_count=len(names),
    )
    assert [key[1] for key in found.cohorts.keys] == names
    np.testing.assert_array_equal(found.cohorts.summary.keys, expected.keys)
    np.testing.assert_array_equal(found.cohorts.summary.n, expected.n)
    np.testing.assert_allclose(found.cohorts.summary.sums, expected.sums, rtol=1e-12)
    assert found.counts.labelled == found.counts.predictions == mine.num_rows
    assert found.counts.late == found.counts.early == 0


def test_all_months_in_the_engine(flights: pa.Table) -> None:
    """The file read twice by DuckDB, as predictions and as labels, without a copy: the whole year at once."""
    path = str(datasets.flights())
    source = declaration.TableSource(
        "files", path, path,
        {
            "predictions.id": "prediction_id", "predictions.at": "predicted_at", "labels.prediction": "prediction_id",
            "labels.at": "labeled_at", "labels.value": "label",
        },
    )  # fmt: skip
    found = tables.join(source, engine=duckdb.DuckDB(), rule=RULE, as_of_us=month(12) + 40 * 86_400_000_000)
    expected = summary.summarise(flights["score"].to_numpy(), flights["label"].to_numpy())
    pooled = found.cohorts.pooled()
    np.testing.assert_array_equal(pooled.keys, expected.keys)
    np.testing.assert_array_equal(pooled.n, expected.n)
    np.testing.assert_allclose(pooled.sums, expected.sums, rtol=1e-9)
    assert found.counts.labelled == flights.num_rows
    assert found.counts.orphans == 0
