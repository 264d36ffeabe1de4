"""Status: every event is somewhere, and lag and maturity are those of the events."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from calibrant.ports import event_log
from calibrant.testing import made_up
from calibrant.workflow import evidence_of_stream, status


def test_a_stream_that_has_everything(store, stream) -> None:  # type: ignore[no-untyped-def]
    """Ten predictions, labels at known lags, an orphan, a duplicate, a conflict, a rejected item."""
    made = [made_up.prediction(f"p{number}", days=number / 100) for number in range(10)]
    now = made_up.START_US + 3 * made_up.DAY_US
    store.append_predictions("s", made_up.predictions(*made), received_us=now)
    store.append_predictions("s", made_up.predictions(made[0]), received_us=now)
    store.append_predictions("s", made_up.predictions(made_up.prediction("p1", score=0.9)), received_us=now)
    labels = [made_up.label(f"p{number}", days=number / 100 + (number + 1) / 10) for number in range(8)]
    store.append_labels("s", made_up.labels(*labels, made_up.label("nobody")), received_us=now)
    again = made_up.label("p0", days=1.9, value=0.0, revision=1)
    store.append_labels("s", made_up.labels(again), received_us=now)
    store.reject(
        "s", [event_log.RejectedItem("CAL-377", "score"), event_log.RejectedItem("CAL-377", "at")], received_us=1
    )
    found = status.status(store, stream, now_us=now)
    counts = found.counts
    assert (counts.predictions, counts.labels, counts.orphans) == (10, 10, 1)
    assert (counts.duplicates, counts.conflicting, counts.rejected) == (1, 1, 2)
    assert (found.quarantined, found.refused) == (1, (("CAL-377", 2),))
    assert (found.join.labelled, found.join.unlabelled) == (8, 2)
    hours = {quantile: us / made_up.DAY_US * 10 for quantile, us in found.lag}
    assert hours == pytest.approx({0.5: 4, 0.9: 8, 0.99: 8, 1.0: 8})
    curve = {round(point.age_us / made_up.DAY_US, 2): point.share for point in found.maturity}
    assert curve == pytest.approx({0.1: 0.1, 0.2: 0.2, 0.5: 0.5, 1.0: 0.8, 1.5: 0.8, 2.0: 0.8})
    assert (found.partitions, found.dirty) == (1, 1)


def test_the_maturity_curve_counts_only_who_is_old_enough(filled, stream, events) -> None:  # type: ignore[no-untyped-def]
    """At three days, predictions of the last day say nothing about a day of age."""
    now = made_up.START_US + 3 * made_up.DAY_US
    found = status.status(filled, stream, now_us=now)
    at = events.predictions["at_us"].to_numpy()
    for point in found.maturity:
        assert point.old_enough == int((at <= now - point.age_us).sum())
        assert point.share == (1.0 if point.age_us >= made_up.DAY_US else 0.0)
    assert found.join.matured_share == pytest.approx(1 / 3, abs=0.01)
    assert found.join.future == 499


def test_a_window_and_an_empty_stream(filled, store, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """Windows count their own predictions; nothing ingested is no error and no share."""
    window = {"start_us": made_up.START_US + made_up.DAY_US // 2, "end_us": made_up.START_US + made_up.DAY_US}
    assert status.status(filled, stream, now_us=clock.now_us(), **window).join.predictions == 250
    evidence_of_stream.matured(filled, stream, now_us=clock.now_us(), keep=filled)
    assert status.status(filled, stream, now_us=clock.now_us()).dirty == 0
    empty = status.status(store, dataclasses.replace(stream, name="empty"), now_us=clock.now_us())
    assert (empty.lag, empty.join.matured_share) == ((), None)
    assert [point.share for point in empty.maturity] == [None] * len(status.AGES)
    assert np.all([point.old_enough == 0 for point in empty.maturity])
