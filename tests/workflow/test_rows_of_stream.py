"""The pairs of a stream one by one are those that are summed up, and the latest partitions judge."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from calibrant.calibrators.scales import Scale
from calibrant.evidence import recommend
from calibrant.frames import summaries
from calibrant.joining import caps
from calibrant.streams import declaration
from calibrant.testing import made_up
from calibrant.workflow import evidence_of_stream, rows_of_stream


@pytest.mark.parametrize("by", [None, ["model", "carrier"], ["model"]])
def test_rows_sum_up_to_the_summaries(by, filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """Cohort by cohort; times lie in the window that was asked for."""
    start, end = made_up.START_US + made_up.DAY_US // 2, made_up.START_US + 3 * made_up.DAY_US
    found = evidence_of_stream.matured(filled, stream, now_us=clock.now_us(), start_us=start, end_us=end)
    read = rows_of_stream.read(filled, stream, found, by=by)
    want = evidence_of_stream.cohorts_by(found, stream, by)
    got = summaries.summarise_rows(read.rows).cohorts
    assert want is not None
    assert got is not None
    assert (got.fields, got.keys) == (want.fields, want.keys)
    np.testing.assert_array_equal(got.summary.to_dyadic().n, want.summary.n)
    np.testing.assert_allclose(got.summary.to_dyadic().sums, want.summary.sums, rtol=1e-9)
    assert read.rows.times is not None
    assert read.rows.times.min() >= np.datetime64(start, "us")
    assert read.rows.times.max() < np.datetime64(end, "us")


def test_the_latest_partitions_judge(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """One day of four; of one day alone, nobody knows, and the latest rows will."""
    found = evidence_of_stream.matured(filled, stream, now_us=clock.now_us())
    read = rows_of_stream.read(filled, stream, found)
    assert read.judged is not None
    assert read.rows.times is not None
    assert int(read.judged.sum()) == 500
    assert read.rows.times[~read.judged].max() < read.rows.times[read.judged].min()
    one = evidence_of_stream.matured(filled, stream, now_us=clock.now_us(), end_us=made_up.START_US + made_up.DAY_US)
    assert rows_of_stream.read(filled, stream, one).judged is None
    none = evidence_of_stream.matured(filled, stream, now_us=clock.now_us(), end_us=made_up.START_US)
    assert len(rows_of_stream.read(filled, stream, none).rows) == 0


def test_what_is_past_the_cap_gets_the_map_of_all(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """Values past the cap are rows of ``__other__``, which no event will ever say: it has no map of its own."""
    capped = dataclasses.replace(stream, cohorts=(declaration.CohortField("carrier", 1),))
    found = evidence_of_stream.matured(filled, capped, now_us=clock.now_us())
    rows = rows_of_stream.read(filled, capped, found).rows
    assert rows.cohorts["carrier"].values == ("AA", caps.OTHER)
    off = np.where(rows.cohorts["carrier"].codes == 0, 2.0, 0.5)
    logits = np.log(rows.scores / (1.0 - rows.scores))
    bent = dataclasses.replace(rows, scores=1.0 / (1.0 + np.exp(-off * logits)))
    with_map, without = (
        recommend.recommend(bent, mixed=mixed, scale=Scale("percent"), seed=1).document.calibrator
        for mixed in (None, caps.OTHER)
    )
    assert {key for key, _ in with_map.maps} == {("AA",), (caps.OTHER,)}  # type: ignore[union-attr]
    assert {key for key, _ in without.maps} == {("AA",)}  # type: ignore[union-attr]
    assert without.scale == Scale("percent")
