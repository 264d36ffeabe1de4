"""Objectives of a stream in a real store: now, as of an earlier time, after revisions, without labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from calibrant import errors
from calibrant.calibrators import scales
from calibrant.events import batch, columns
from calibrant.registry import resources
from calibrant.slo import members
from calibrant.streams import declaration, policies
from calibrant.testing import made_up
from calibrant.workflow import objectives, partitions

DAY = made_up.DAY_US
ROWS, DAYS = 600, 12
POLICY = policies.Policies(slo=policies.SloPolicy(period=timedelta(days=8), least=150))
STREAM = declaration.Stream(
    "s",
    declaration.LabelContract(timedelta(days=2)),
    cohorts=(declaration.CohortField("carrier", 10),),
    policies=POLICY,
)


def events(shifts: Sequence[float], *, seed: int = 2, revision: int | None = None) -> tuple[pa.Table, pa.Table]:
    """A day of predictions for each shift of the truth in logits, carriers AA and DL by turns and one ZZ a day."""
    rng = np.random.default_rng(seed)
    n = ROWS * len(shifts)
    at = made_up.START_US + (np.arange(n) * (DAY // ROWS))
    p = rng.uniform(0.1, 0.9, n)
    carriers = ["ZZ" if row % ROWS == 0 else ("AA", "DL")[row % 2] for row in range(n)]
    blank = dict.fromkeys(("served", "artifact", "threshold", "decision", "arm", "unit", "weight", "context", "trace"))
    made = columns.Predictions(
        id=[f"p{row:06d}" for row in range(n)], at_us=at, score=p, model=["m"] * n,
        cohorts=[f'{{"carrier":"{one}"}}' for one in carriers], **blank,
    )  # fmt: skip
    truth = scales.expit(scales.logit(p) + np.repeat(np.asarray(shifts, float), ROWS))
    labels = columns.Labels(
        prediction=made.id, at_us=at + DAY, value=(rng.random(n) < truth).astype(np.float64), observed_us=None,
        source=None, revision=None if revision is None else np.full(n, revision), weight=None, propensity=None,
    )  # fmt: skip
    return batch.of_predictions(made).table, batch.of_labels(labels).table


def now(days: float) -> int:
    """So many days after the first prediction."""
    return made_up.START_US + round(days * DAY)


def fill(store: partitions.Store, shifts: Sequence[float], *, received: float) -> tuple[pa.Table, pa.Table]:
    """All events received at one time."""
    predictions, labels = events(shifts)
    store.append_predictions("s", predictions, received_us=now(received))
    store.append_labels("s", labels, received_us=now(received))
    return predictions, labels


def test_a_healthy_stream(store: partitions.Store) -> None:
    """Eight matured days, all good; the rare carrier is pooled and too small to be judged."""
    fill(store, [0.0] * DAYS, received=DAYS)
    found = objectives.assess(store, STREAM, now_us=now(DAYS), keep=store)
    assert found.slices.starts_us.tolist() == [now(day) for day in range(2, 10)]
    assert found.slices.members == (
        members.WHOLE, (("carrier", "AA"),), (("carrier", "DL"),), (("carrier", members.SMALL),)
    )  # fmt: skip
    assert [one.state for one in found.statuses] == ["healthy"] * 3 + ["insufficient_data"]
    assert (found.matured, found.labelled, found.held) == (8 * ROWS, 8 * ROWS, False)
    assert found.slices.rows[0].tolist() == [ROWS] * 8
    assert found.slices.rows[1:].sum() == 8 * ROWS
    again = objectives.assess(store, STREAM, now_us=now(DAYS))
    assert again.to_dict() == found.to_dict()


def test_a_stream_that_drifts_burns_two_days_after_its_labels(store: partitions.Store) -> None:
    """On the label clock: the days of the drift count when their labels have had their time, not before."""
    fill(store, [0.0] * 8 + [1.0] * 4, received=DAYS)
    states = {
        day: objectives.assess(store, STREAM, now_us=now(day)).whole for day in (10, 11, 12)
    }  # fmt: skip
    assert [states[day].period.bad for day in (10, 11, 12)] == [0, 1, 2]
    assert [states[day].burning("page") for day in (10, 11, 12)] == ["good", "good", "bad"]
    assert states[12].state == "exhausted"


def test_revised_labels_change_the_budget_and_the_past_stays_as_it_was_known(store: partitions.Store) -> None:
    """What was wrong becomes right: the budget now is whole, the budget as of yesterday is still spent."""
    fill(store, [0.0] * 8 + [1.0] * 4, received=12.0)
    before = objectives.assess(store, STREAM, now_us=now(12.5))
    assert before.whole.period.bad == 2
    store.append_labels("s", events([0.0] * DAYS, revision=1)[1], received_us=now(13.0))
    after = objectives.assess(store, STREAM, now_us=now(13.5))
    assert (after.whole.period.bad, after.whole.state) == (0, "healthy")
    then = objectives.assess(store, STREAM, now_us=now(13.5), as_of_us=now(12.5))
    assert then.to_dict() == before.to_dict()


def test_labels_that_stop_coming_are_no_good_news(store: partitions.Store) -> None:
    """Coverage falls, nothing is called healthy."""
    predictions, labels = events([0.0] * DAYS)
    store.append_predictions("s", predictions, received_us=now(DAYS))
    store.append_labels("s", labels.slice(0, 5 * ROWS), received_us=now(DAYS))
    found = objectives.assess(store, STREAM, now_us=now(DAYS)).whole
    assert (found.state, found.covered) == ("insufficient_data", "bad")
    assert found.coverage == pytest.approx(3 / 8)


def test_labels_that_are_missing_by_score_hold_the_judgement(store: partitions.Store) -> None:
    """Only the high scores got theirs: no slice with missing labels is judged, however it looks."""
    predictions, labels = events([1.0] * DAYS)
    high = predictions["score"].to_numpy() > 0.5
    store.append_predictions("s", predictions, received_us=now(DAYS))
    store.append_labels("s", labels.filter(pa.array(high)), received_us=now(DAYS))
    found = objectives.assess(store, STREAM, now_us=now(DAYS))
    assert found.held
    assert (found.whole.period.counted, found.whole.state) == (0, "insufficient_data")


def test_an_empty_stream(store: partitions.Store) -> None:
    """Nothing is known, which is not healthy."""
    found = objectives.assess(store, STREAM, now_us=now(DAYS))
    assert [one.state for one in found.statuses] == ["insufficient_data"]
    assert found.whole.coverage is None


def test_slices_that_cut_partitions_are_refused(store: partitions.Store) -> None:
    """Hours of a stream that keeps days."""
    slo = policies.SloPolicy(slice=timedelta(hours=6), period=timedelta(days=8))
    hourly = dataclasses.replace(STREAM, policies=policies.Policies(slo=slo))
    with pytest.raises(errors.UsageError, match="CAL-993"):
        objectives.assess(store, hourly, now_us=now(DAYS))


def test_it_goes_on_record_when_a_state_changes(store: partitions.Store) -> None:
    """With its as-of; not at every look."""
    fill(store, [0.0] * 8 + [1.0] * 4, received=DAYS)
    first = objectives.assess(store, STREAM, now_us=now(9))
    change = objectives.record(None, first)
    assert change is not None
    assert change.body is not None
    assert change.body["as_of_us"] == now(9)
    found = resources.Resource(change.kind, change.name, 1, change.body, now(9), 0)
    assert objectives.record(found, objectives.assess(store, STREAM, now_us=now(10))) is None
    after = objectives.record(found, objectives.assess(store, STREAM, now_us=now(12)))
    assert after is not None
    assert after.expected == 1
