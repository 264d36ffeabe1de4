"""Ingest: exact counts, nothing twice, and on after a kill."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from calibrant import errors
from calibrant.events import batch, wire_cloudevents, wire_jsonl
from calibrant.ports import event_log
from calibrant.streams import declaration
from calibrant.testing import clocks, made_up
from calibrant.workflow import checkpoints, feeds, ingest, partitions


def lines(count: int, *, score: float = 0.5) -> bytes:
    """Predictions as JSON lines."""
    made = [made_up.prediction(f"p{number}", days=number / count, score=score) for number in range(count)]
    return b"".join(wire_jsonl.write_predictions(batch.PredictionBatch.of(made)))


@pytest.fixture
def take(store: partitions.Store, stream: declaration.Stream, clock: clocks.FakeClock, tmp_path: Path) -> object:
    """Ingest a file of the test's folder."""

    def run(name: str, kind: feeds.Kind = "predictions", log: event_log.EventLog = store) -> ingest.Ingested:
        feed = feeds.open_feed(str(tmp_path / name), stream, kind)
        kept = checkpoints.FolderOfCheckpoints(tmp_path / "ingest")
        return ingest.ingest(log, stream, feed, kind=kind, time=clock, name=name, kept=kept)

    return run


def test_every_item_is_in_one_count(take, store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Good, twice, conflicting and bad lines: each is counted once, and those not taken are named by line."""
    good = lines(3).splitlines(keepends=True)
    other = json.loads(good[1]) | {"score": 0.9}
    bad = json.loads(good[2]) | {"id": "x", "score": 1.5}
    (tmp_path / "a.jsonl").write_bytes(
        b"".join([*good, good[0], b"\n", json.dumps(other).encode() + b"\n", json.dumps(bad).encode() + b"\n", b"{"])
    )
    found = take("a.jsonl")
    assert (found.items, found.accepted, found.duplicate, found.conflicting, found.rejected) == (7, 3, 1, 1, 2)
    assert not found.clean
    assert [(one.place, one.code) for one in found.named] == [(6, "CAL-483"), (7, "CAL-377"), (8, "CAL-370")]
    counts = store.counts("s")
    assert (counts.predictions, counts.duplicates, counts.conflicting, counts.rejected) == (3, 1, 1, 2)
    assert "1.5" not in str(store.rejected("s").to_pylist())
    assert [row["body_hash"] for row in store.rejected("s").to_pylist()] == [
        hashlib.sha256(line).digest() for line in (json.dumps(bad).encode(), b"{")
    ]


def test_sending_a_file_again_changes_nothing(take, store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """All duplicates, and no partition changed."""
    (tmp_path / "a.jsonl").write_bytes(lines(1_500))
    assert take("a.jsonl").accepted == 1_500
    store.clean("s", store.dirty("s"), seq=store.last_seq("s"))
    again = take("a.jsonl")
    assert (again.items, again.duplicate, again.resumed) == (1_500, 1_500, 0)
    assert again.clean
    assert store.dirty("s") == ()


class Dying:
    """A log whose process is killed at the n-th append."""

    def __init__(self, log: partitions.Store, after: int) -> None:
        self._log, self._left = log, after

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)

    def append_predictions(self, *arguments: object, **named: object) -> object:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return self._log.append_predictions(*arguments, **named)  # type: ignore[arg-type]


def test_a_killed_ingest_goes_on(take, store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Only what was not acknowledged is read again; the totals are those of the whole file; line numbers stay."""
    whole = lines(12_000)
    assert len(whole) > 512 << 10
    (tmp_path / "a.jsonl").write_bytes(whole + b"{}\n")
    with pytest.raises(KeyboardInterrupt):
        take("a.jsonl", log=Dying(store, after=9))
    there = store.counts("s").predictions
    assert 0 < there < 12_000
    found = take("a.jsonl")
    assert 0 < found.resumed <= there
    assert (found.items, found.rejected) == (12_001, 1)
    assert found.accepted + found.duplicate == 12_000
    assert found.duplicate == there - found.resumed
    assert [one.place for one in found.named] == [12_001]
    assert store.counts("s").predictions == 12_000
    assert not list((tmp_path / "ingest").iterdir())


def test_another_file_under_the_same_name_is_read_from_its_beginning(take, store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A checkpoint counts only for exactly the bytes that were acknowledged."""
    (tmp_path / "a.jsonl").write_bytes(lines(12_000))
    with pytest.raises(KeyboardInterrupt):
        take("a.jsonl", log=Dying(store, after=9))
    (tmp_path / "a.jsonl").write_bytes(lines(12_000).replace(b'"p1"', b'"q1"'))
    found = take("a.jsonl")
    assert (found.resumed, found.items) == (0, 12_000)
    assert store.counts("s").predictions == 12_001


def test_a_checkpoint_that_is_damaged_is_none(tmp_path: Path) -> None:
    """Every truncation and every wrong type: start again."""
    kept = checkpoints.FolderOfCheckpoints(tmp_path)
    kept.save("n", checkpoints.Checkpoint(7, "ab", items=3))
    assert kept.load("n") == checkpoints.Checkpoint(7, "ab", items=3)
    [path] = tmp_path.iterdir()
    text = path.read_text()
    for end in range(len(text)):
        path.write_text(text[:end])
        assert kept.load("n") is None
    path.write_text(text.replace("7", "true"))
    assert kept.load("n") is None
    kept.remove("n")
    assert kept.load("n") is None


def test_csv_and_gzip(take, store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Columns are members; empty cells are absent; text where a number belongs is refused; packed too."""
    (tmp_path / "a.csv").write_text(
        "id,at,score,model,cohorts.carrier\n"
        "p1,2026-03-01T00:00:00Z,0.25,m,AA\n"
        'p2,2026-03-01T00:00:00Z,1e-3,,"U,A"\n'
        "p3,2026-03-01T00:00:00Z,nan,m,AA\n"
        "p4,2026-03-01T00:00:00Z,007,m,AA\n"
        "p5,2026-03-01T00:00:00Z,0.5,m,AA,more\n"
    )
    found = take("a.csv")
    assert (found.items, found.accepted, found.rejected) == (5, 2, 3)
    rows = made_up.rows(list(store.predictions("s")))
    assert {row["id"]: (row["score"], row["model"], row["cohorts"]) for row in rows} == {
        "p1": (0.25, "m", '{"carrier":"AA"}'),
        "p2": (0.001, "", '{"carrier":"U,A"}'),
    }
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    assert take("b.csv.gz").duplicate == 2
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(lines(4)))
    assert take("c.jsonl.gz").items == 4


def test_a_csv_with_a_column_twice_is_refused(take, store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Which of the two was meant is not guessed."""
    (tmp_path / "a.csv").write_text("id,at,score,score\np1,2026-03-01T00:00:00Z,0.25,0.5\n")
    with pytest.raises(errors.SourceError, match="CAL-115"):
        take("a.csv")
    assert store.counts("s").predictions == 0


def test_labels_from_a_filled_task_list(take, store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Columns for people are left out, the propensity is kept."""
    (tmp_path / "t.csv").write_text(
        "prediction,value,at,propensity,reason,priority,score,model,predicted_at,label_by,cohorts.carrier\n"
        "p1,1,2026-03-02T00:00:00Z,0.25,random,1.0,0.5,m,2026-03-01T00:00:00Z,2026-03-03T00:00:00Z,AA\n"
    )
    assert take("t.csv", "labels").accepted == 1
    [row] = made_up.rows(list(store.labels("s")))
    assert (row["value"], row["propensity"]) == (1.0, 0.25)


def test_formats_that_nobody_reads(take, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Unknown suffixes and missing files are errors with a way out."""
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(errors.SourceError, match="CAL-113"):
        take("a.xlsx")
    with pytest.raises(errors.SourceError, match="CAL-101"):
        take("nothing.jsonl")


def test_orphans_wait_as_long_as_declared(store, stream, clock, take, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """An orphan outlives its limit by no ingest: not even by the one that brings its prediction."""
    said = [made_up.label("p0"), made_up.label("late")]
    (tmp_path / "l.jsonl").write_bytes(b"".join(wire_jsonl.write_labels(batch.LabelBatch.of(said))))
    (tmp_path / "a.jsonl").write_bytes(lines(2))
    patient = dataclasses.replace(stream, labels=dataclasses.replace(stream.labels, orphans=timedelta(days=400)))
    assert take("l.jsonl", "labels").accepted == 2
    clock.advance(days=7)
    assert (ingest.house(store, stream, time=clock), store.counts("s").orphans) == (0, 2)
    clock.advance(seconds=1)
    assert ingest.end_waits(store, patient, time=clock) == 0
    assert take("a.jsonl").accepted == 2
    counts = store.counts("s")
    assert (counts.labels, counts.orphans, counts.orphans_expired) == (0, 0, 2)
    again = take("l.jsonl", "labels")
    assert (again.accepted, again.expired) == (0, 2)
    assert {one.code for one in again.named} == {"CAL-484"}


def test_retention_and_sealing(store, stream, clock, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """After an ingest, what is older than the retention is forgotten, and comes back as expired."""
    short = dataclasses.replace(stream, retention=timedelta(days=9, hours=12))
    (tmp_path / "a.jsonl").write_bytes(lines(10))

    def run() -> ingest.Ingested:
        feed = feeds.open_feed(str(tmp_path / "a.jsonl"), short, "predictions")
        return ingest.ingest(store, short, feed, kind="predictions", time=clock)

    assert run().accepted == 10
    gone = ingest.house(store, short, time=clock)
    left = store.counts("s").predictions
    assert gone == 10 - left > 0
    again = run()
    assert (again.accepted, again.duplicate, again.expired) == (0, left, gone)


def test_standard_input_is_read_as_it_comes(store, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """A pipe that gives a line at a time; nothing is kept about it."""

    class Pipe:
        def __init__(self) -> None:
            self.blocks: Iterator[bytes] = itertools.chain(lines(5).splitlines(keepends=True))

        def read(self, size: int) -> bytes:
            return next(self.blocks, b"")

    feed = feeds.standard_input(Pipe(), stream, "predictions")  # type: ignore[arg-type]
    assert ingest.ingest(store, stream, feed, kind="predictions", time=clock).accepted == 5


def test_parquet_and_its_columns(store, stream, clock, events, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Rows under other names; killed and resumed by rows; again: nothing new."""
    columns = {"id": "txn", "at": "when", "score": "p", "model": "model", "cohorts.carrier": "land"}
    when = pa.array(events.predictions["at_us"].to_numpy(), pa.timestamp("us", "UTC"))
    table = pa.table(
        {
            "txn": events.predictions["id"],
            "when": when,
            "p": events.predictions["score"],
            "model": events.predictions["model"],
            "land": ["DE"] * events.predictions.num_rows,
            "unused": [1] * events.predictions.num_rows,
        }
    )
    parquet.write_table(pa.concat_tables([table] * 5), tmp_path / "a.parquet")
    kept = checkpoints.FolderOfCheckpoints(tmp_path / "ingest")

    def run(log: event_log.EventLog) -> ingest.Ingested:
        feed = feeds.open_feed(str(tmp_path / "a.parquet"), stream, "predictions", columns=columns)
        return ingest.ingest(log, stream, feed, kind="predictions", time=clock, name="a", kept=kept)

    with pytest.raises(KeyboardInterrupt):
        run(Dying(store, after=9))  # type: ignore[arg-type]
    found = run(store)
    assert (found.items, found.accepted + found.duplicate, found.resumed) == (10_000, 10_000, 8_192)
    assert run(store).duplicate == 10_000
    (tmp_path / "a.jsonl").touch()
    with pytest.raises(errors.UsageError, match="CAL-497"):
        feeds.open_feed(str(tmp_path / "a.jsonl"), stream, "predictions", columns=columns)


def test_a_batch_of_cloudevents(take, store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Predictions and labels together, events of other streams refused and counted."""
    mine = wire_cloudevents.write_batch("s", [made_up.prediction("p1"), made_up.label("p1")])
    other = wire_cloudevents.write_batch("t", [made_up.prediction("p2")])
    (tmp_path / "a.json").write_bytes(mine[:-1] + b"," + other[1:])
    found = take("a.json")
    assert (found.items, found.accepted, found.rejected) == (3, 2, 1)
    assert [one.code for one in found.named] == ["CAL-384"]
    assert (store.counts("s").predictions, store.counts("s").labels) == (1, 1)
    assert take("a.json").duplicate == 2
