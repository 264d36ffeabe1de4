"""Two feeds through the embedded store against one joined file; an outage of labels; labels that come unevenly late."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from calibrant import datasets
from calibrant.events import batch, wire_arrow
from calibrant.stats import summary
from calibrant.storage import embedded
from calibrant.streams import declaration
from calibrant.testing import made_up
from calibrant.workflow import evidence_of_stream, partitions, verify

DAY = 86_400_000_000
FLIGHTS = declaration.Stream(
    "flights",
    declaration.LabelContract(timedelta(days=2)),
    cohorts=(declaration.CohortField("carrier", 20), declaration.CohortField("origin", 5)),
)


def us(year: int, month: int, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1_000_000


@dataclasses.dataclass(frozen=True)
class Feeds:
    """The joined file, and the same as two feeds in the order in which they would arrive."""

    joined: pa.Table
    at: np.ndarray
    predictions: pa.Table
    labels: pa.Table


@pytest.fixture(scope="module")
def feeds() -> Feeds:
    table = parquet.read_table(datasets.flights())
    zone = pa.timestamp("us", "UTC")
    made = table["predicted_at"].cast(zone)
    known = table["labeled_at"].cast(zone)
    members = {"id": table["prediction_id"], "at": made, "score": table["score"]}
    cohorts = {f"cohorts.{name}": table[name] for name in ("carrier", "origin")}
    whole = pa.table(members | cohorts)
    predictions = wire_arrow.read_predictions(
        whole, stream=FLIGHTS, columns={name: name for name in whole.column_names}
    )
    outcome = pa.table({"prediction": table["prediction_id"], "value": table["label"].cast(pa.float64()), "at": known})
    labels = wire_arrow.read_labels(outcome, stream=FLIGHTS)
    return Feeds(
        table,
        table["predicted_at"].cast(pa.int64()).to_numpy(),
        pa.concat_tables([part.batch.table for part in predictions]).sort_by("at_us"),
        pa.concat_tables([part.batch.table for part in labels]).sort_by("at_us"),
    )


@pytest.fixture(scope="module")
def store(feeds: Feeds, tmp_path_factory: pytest.TempPathFactory) -> Iterator[partitions.Store]:
    """Both feeds replayed week by week: predictions at departure, labels at arrival."""
    with embedded.open_store(tmp_path_factory.mktemp("flights")) as opened:
        now = us(2013, 2)
        while now < us(2014, 1, 10):
            for table, append in (
                (feeds.predictions, opened.append_predictions),
                (feeds.labels, opened.append_labels),
            ):
                at = table["at_us"].to_numpy()
                part = table.slice(int(np.searchsorted(at, now)), int(((at >= now) & (at < now + 7 * DAY)).sum()))
                if part.num_rows:
                    append("flights", part, received_us=now + 7 * DAY)
            now += 7 * DAY
        yield opened


QUICK = (2, 7, 12)


@pytest.mark.parametrize(
    "month", [month if month in QUICK else pytest.param(month, marks=pytest.mark.theory) for month in range(2, 13)]
)
def test_month_by_month_the_two_feeds_are_the_joined_file(store: partitions.Store, feeds: Feeds, month: int) -> None:
    """By carrier and origin: the same cells, counts exactly, sums to 1e-9."""
    start, end = us(2013, month), us(2013 + month // 12, month % 12 + 1)
    found = evidence_of_stream.matured(store, FLIGHTS, now_us=us(2014, 2), start_us=start, end_us=end, keep=store)
    rows = feeds.joined.filter(pa.array((feeds.at >= start) & (feeds.at < end)))
    names = [("", *key) for key in zip(rows["carrier"].to_pylist(), rows["origin"].to_pylist(), strict=True)]
    keys = sorted(set(names))
    place = {key: number for number, key in enumerate(keys)}
    expected = summary.summarise(
        rows["score"].to_numpy(),
        rows["label"].to_numpy(),
        groups=[place[name] for name in names],
        group_count=len(keys),
    )
    assert found.counts.predictions == found.counts.labelled == rows.num_rows
    assert found.pairs.keys == tuple(keys)
    np.testing.assert_array_equal(found.pairs.summary.keys, expected.keys)
    np.testing.assert_array_equal(found.pairs.summary.n, expected.n)
    np.testing.assert_allclose(found.pairs.summary.sums, expected.sums, rtol=1e-9, atol=1e-9)
    assert found.made in (0, 334)


@pytest.mark.theory
def test_the_kept_summaries_are_those_of_the_events(store: partitions.Store) -> None:
    """The whole year verifies."""
    evidence_of_stream.matured(store, FLIGHTS, now_us=us(2014, 2), keep=store)
    found = verify.verify(store, FLIGHTS)
    assert (found.checked, found.predictions, found.differences) == (334, 300_948, ())


# ---------------------------------------------------------------- outages and lag

TRIAGE = declaration.Stream("triage", declaration.LabelContract(timedelta(days=8)))


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Calibrated scores over 30 days; positives are known within a day or so, negatives after seven."""

    predictions: pa.Table
    labels: pa.Table


def traffic(seed: int, per_day: int = 400, days: int = 30) -> Traffic:
    rng = np.random.default_rng(seed)
    made = made_up.many_predictions(per_day * days, rng=rng, days=float(days))
    value = rng.random(made.num_rows) < made["score"].to_numpy()
    wait = np.where(value, rng.exponential(1.0, made.num_rows).clip(max=7.0), 7.0)
    given = made["at_us"].to_numpy() + (wait * DAY).astype(np.int64)
    ids = made["id"].to_pylist()
    order = np.argsort(given, kind="stable").tolist()
    start = made_up.START
    labels = [
        made_up.Label(ids[row], float(value[row]), start + timedelta(microseconds=int(given[row]) - made_up.START_US))
        for row in order
    ]
    return Traffic(made, batch.LabelBatch.of(labels).table)


def replay(
    folder: Path, events: Traffic, *, outage: tuple[float, float] | None = None, days: int, every: int = 1
) -> list[evidence_of_stream.Matured]:
    """What is answered at the end of every so many days; labels of an outage come all together when it ends."""
    answers = []
    arrives = events.labels["at_us"].to_numpy().copy()
    if outage is not None:
        first, last = (made_up.START_US + round(edge * DAY) for edge in outage)
        arrives[(arrives >= first) & (arrives < last)] = last
    made = events.predictions["at_us"].to_numpy()
    with embedded.open_store(folder) as opened:
        for day in range(days):
            begin, now = made_up.START_US + day * DAY, made_up.START_US + (day + 1) * DAY
            for table, times, append in (
                (events.predictions, made, opened.append_predictions),
                (events.labels, arrives, opened.append_labels),
            ):
                part = table.filter(pa.array((times >= begin) & (times < now)))
                if part.num_rows:
                    append("triage", part, received_us=now)
            if (day + 1) % every == 0:
                answers.append(evidence_of_stream.matured(opened, TRIAGE, now_us=now, keep=opened))
    return answers


def test_an_outage_of_labels_leaves_no_trace(tmp_path: Path) -> None:
    """72 hours without labels, then all of them: fewer pairs meanwhile, and in the end every sum of a run without.

    During the outage quick positives are there and slow negatives are missing: held, not called a finding.
    """
    events = traffic(4, per_day=400, days=16)
    usual = replay(tmp_path / "usual", events, days=24, every=3)
    broken = replay(tmp_path / "broken", events, outage=(12.0, 15.0), days=24, every=3)
    meanwhile = broken[4]
    assert meanwhile.counts.unlabelled > 300
    assert meanwhile.one_sided
    held = evidence_of_stream.assessed(meanwhile, TRIAGE)
    assert held.verdict == "insufficient"
    assert "labels are missing by score" in held.overall.verdict.reasons[0]
    assert not broken[-1].one_sided
    assert "miscalibrated" not in [evidence_of_stream.assessed(one, TRIAGE).verdict for one in broken]
    pairs = [(one.counts.pairs, other.counts.pairs) for one, other in zip(usual, broken, strict=True)]
    assert all(other <= one for one, other in pairs)
    assert any(other < one for one, other in pairs)
    mine, theirs = usual[-1], broken[-1]
    assert dataclasses.replace(mine.counts, overflow={}) == dataclasses.replace(theirs.counts, overflow={})
    assert mine.counts.labelled == 6_400
    np.testing.assert_array_equal(mine.pairs.summary.keys, theirs.pairs.summary.keys)
    np.testing.assert_array_equal(mine.pairs.summary.n, theirs.pairs.summary.n)
    np.testing.assert_allclose(mine.pairs.summary.sums, theirs.pairs.summary.sums, rtol=1e-9)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.theory)])
def test_uneven_label_lag_raises_no_finding(tmp_path: Path, every: int) -> None:
    """30 days of calibrated scores: no day's matured evidence is miscalibrated, though the labels of each day so far
    are nearly all positive, which a join without maturity would have reported from the first day on."""
    events = traffic(4)
    answers = replay(tmp_path / "lag", events, days=30, every=every)
    verdicts = [evidence_of_stream.assessed(one, TRIAGE).verdict for one in answers]
    assert "miscalibrated" not in verdicts
    assert answers[-1].counts.pairs > 8_000
    early = events.labels["at_us"].to_numpy() < made_up.START_US + 5 * DAY
    assert float(np.mean(events.labels["value"].to_numpy()[early])) == 1.0
