"""The exam of an event log. Subclass it and give it a store:

    class TestMyStore(EventLogContract):
        @pytest.fixture
        def opened(self, tmp_path):
            with my_store(tmp_path) as store:
                yield store

Every test carries the number of the promise in ``calibrant.ports.event_log`` that it examines.
"""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from calibrant import errors
from calibrant.events import batch
from calibrant.ports import event_log
from calibrant.testing import made_up

S = "fraud.cards"
LATER = made_up.START_US + 400 * made_up.DAY_US


def ids(tables: Any) -> list[str]:
    """Sorted ids of predictions, or the predictions that labels are for."""
    return sorted(row.get("id") or row["prediction"] for row in made_up.rows(list(tables)))


def state(log: event_log.EventReader, stream: str = S) -> dict[str, Any]:
    """All that must not depend on the order of arrival."""
    hidden = ("received_us", "seq")

    def plain(tables: Any) -> list[str]:
        rows = made_up.rows(list(tables))
        return sorted(repr({name: row[name] for name in row if name not in hidden}) for row in rows)

    counts = log.counts(stream)
    return {
        "predictions": plain(log.predictions(stream)),
        "labels": plain(log.labels(stream)),
        "counts": (counts.predictions, counts.labels, counts.orphans, counts.duplicates),
        "range": (counts.first_at_us, counts.last_at_us, counts.last_label_us),
        "dirty": log.dirty(stream),
    }


class EventLogContract:
    """Promises 1 to 6, for a store that the fixture ``opened`` gives."""

    @pytest.fixture
    def opened(self) -> event_log.EventLog:
        """An empty store; overwrite this."""
        pytest.fail("overwrite the fixture `opened`: it gives an empty store of yours")

    # ------------------------------------------------------------ 2 once

    def test_what_goes_in_comes_out(self, opened: event_log.EventLog) -> None:
        """2: every column of every event comes back as it was, with a number and a time of receipt."""
        sent = made_up.predictions(
            made_up.prediction("a", score=0.25, model="m", served=0.5, unit="ü", cohorts={"x": "1"}, weight=2.0),
            made_up.prediction("b", days=1.5, score=0.75, context={"k": None, "l": 1.5}, arm="canary"),
        )
        outcome = opened.append_predictions(S, sent, received_us=7)
        assert (outcome.accepted, outcome.outcomes.tolist()) == (2, [0, 0])
        table = pa.concat_tables(opened.predictions(S)).sort_by("id")
        assert table.select(batch.PREDICTIONS.names).equals(sent)
        assert table["received_us"].to_pylist() == [7, 7]
        assert sorted(table["seq"].to_pylist()) == [1, 2]

    def test_labels_come_out(self, opened: event_log.EventLog) -> None:
        """2: the same for labels."""
        sent = made_up.labels(made_up.label("a", value=0.5, source="s", revision=3, propensity=0.1))
        opened.append_predictions(S, made_up.predictions(made_up.prediction("a")), received_us=1)
        opened.append_labels(S, sent, received_us=2)
        table = pa.concat_tables(opened.labels(S))
        assert table.select(batch.LABELS.names).equals(sent)
        assert table.column_names == [*batch.LABELS.names, "received_us", "seq"]

    def test_a_duplicate_changes_nothing(self, opened: event_log.EventLog) -> None:
        """2: an event that was sent again counts once, within a batch and across batches."""
        sent = made_up.predictions(made_up.prediction("a"), made_up.prediction("a"), made_up.prediction("b"))
        first = opened.append_predictions(S, sent, received_us=1)
        again = opened.append_predictions(S, sent, received_us=2)
        assert (first.accepted, first.duplicate, first.outcomes.tolist()) == (2, 1, [0, 1, 0])
        assert (again.accepted, again.duplicate) == (0, 3)
        assert ids(opened.predictions(S)) == ["a", "b"]
        assert opened.counts(S).duplicates == 4

    def test_another_body_is_refused_and_kept_aside(self, opened: event_log.EventLog) -> None:
        """2: the first body stays; the other is counted each time and kept once."""
        opened.append_predictions(S, made_up.predictions(made_up.prediction("a", score=0.1)), received_us=1)
        for _ in range(2):
            outcome = opened.append_predictions(
                S, made_up.predictions(made_up.prediction("a", score=0.2)), received_us=2
            )
            assert outcome.outcomes.tolist() == [event_log.CONFLICTING]
        assert [row["score"] for row in made_up.rows(list(opened.predictions(S)))] == [0.1]
        assert opened.counts(S).conflicting == 2
        kept = opened.quarantined(S).to_pylist()
        assert [(row["kind"], row["id"]) for row in kept] == [("prediction", "a")]
        assert '"score": 0.2' in kept[0]["body"]

    def test_revisions_are_events_of_their_own(self, opened: event_log.EventLog) -> None:
        """2: source and revision belong to the identity of a label, the value does not."""
        each = [made_up.label("a", value=v, source=s, revision=r) for v, s, r in [(0, "", 0), (1, "", 1), (1, "x", 0)]]
        assert opened.append_labels(S, made_up.labels(*each), received_us=1).accepted == 3
        other = opened.append_labels(S, made_up.labels(made_up.label("a", value=1)), received_us=2)
        assert other.conflicting == 1
        assert opened.quarantined(S)["kind"].to_pylist() == ["label"]

    def test_sealed_events_are_still_known(self, opened: event_log.EventLog) -> None:
        """2: a duplicate or a conflict is recognised when its first arrival was sealed long ago."""
        sent = made_up.predictions(made_up.prediction("a", score=0.1), made_up.prediction("b"))
        opened.append_predictions(S, sent, received_us=1)
        opened.append_labels(S, made_up.labels(made_up.label("a")), received_us=1)
        before = state(opened)
        opened.maintain(now_us=LATER)
        assert state(opened) == before
        assert opened.append_predictions(S, sent, received_us=2).duplicate == 2
        other = made_up.predictions(made_up.prediction("a", score=0.9, days=300))
        assert opened.append_predictions(S, other, received_us=2).conflicting == 1
        assert opened.append_labels(S, made_up.labels(made_up.label("a")), received_us=2).duplicate == 1

    def test_streams_do_not_meet(self, opened: event_log.EventLog) -> None:
        """2: the same id in two streams is two events."""
        for stream in ("one", "two"):
            outcome = opened.append_predictions(stream, made_up.predictions(made_up.prediction("a")), received_us=1)
            assert outcome.accepted == 1
        assert opened.streams() == ("one", "two")
        assert ids(opened.predictions("one")) == ["a"]

    def test_an_empty_batch_is_no_event(self, opened: event_log.EventLog) -> None:
        """2: nothing in, nothing out."""
        assert opened.append_predictions(S, batch.PREDICTIONS.empty_table(), received_us=1).accepted == 0
        assert opened.append_labels(S, batch.LABELS.empty_table(), received_us=1).accepted == 0
        assert opened.counts(S) == event_log.Counts()
        assert opened.counts("never") == event_log.Counts()
        assert list(opened.predictions("never")) == list(opened.labels("never")) == []
        assert opened.last_seq("never") == 0

    def test_unpleasant_ids_are_only_text(self, opened: event_log.EventLog) -> None:
        """2: quotes, patterns, paths and 200 bytes are kept as they are."""
        names = [
            "'; DROP TABLE streams; --",
            "%s%(id)s",
            "../../etc/passwd",
            "ключ",
            "x" * 200,
            "\\0",
            ":id",
            '"'.join("ab"),
        ]
        sent = made_up.predictions(*(made_up.prediction(name) for name in names))
        assert opened.append_predictions(S, sent, received_us=1).accepted == len(names)
        assert opened.append_predictions(S, sent, received_us=1).duplicate == len(names)
        opened.append_labels(S, made_up.labels(*(made_up.label(name) for name in names)), received_us=1)
        assert ids(opened.predictions(S)) == ids(opened.labels(S)) == sorted(names)

    @pytest.mark.parametrize("name", ["", "A", "../x", "a/b", "a" * 64, ".a", "a b", "é", "a\n"])
    def test_a_stream_has_a_legal_name(self, opened: event_log.EventLog, name: str) -> None:
        """No other name gets as far as a path or a statement."""
        with pytest.raises(errors.UsageError, match="CAL-864"):
            opened.append_predictions(name, made_up.predictions(made_up.prediction("a")), received_us=1)
        assert opened.streams() == ()

    def test_another_table_is_refused(self, opened: event_log.EventLog) -> None:
        """A table without the columns of a batch changes nothing."""
        with pytest.raises(errors.UsageError, match="CAL-863"):
            opened.append_predictions(S, pa.table({"id": ["a"]}), received_us=1)
        assert opened.counts(S) == event_log.Counts()

    # ------------------------------------------------------------ 3 any order

    def test_a_label_may_come_first(self, opened: event_log.EventLog) -> None:
        """3: it waits as an orphan, and then belongs to the partition of its prediction."""
        opened.append_labels(S, made_up.labels(made_up.label("a", days=9)), received_us=1)
        assert (opened.counts(S).labels, opened.counts(S).orphans) == (1, 1)
        assert ids(opened.labels(S)) == ["a"]
        window: dict[str, Any] = {"start_us": made_up.START_US, "end_us": made_up.START_US + made_up.DAY_US}
        assert ids(opened.labels(S, **window)) == []
        opened.append_predictions(S, made_up.predictions(made_up.prediction("a", days=0.5)), received_us=2)
        assert (opened.counts(S).labels, opened.counts(S).orphans) == (1, 0)
        assert ids(opened.labels(S, **window)) == ids(opened.labels(S)) == ["a"]

    @pytest.mark.parametrize("seed", range(5))
    def test_any_order_gives_the_same_state(self, opened: event_log.EventLog, seed: int) -> None:
        """3: the same events shuffled, cut into other batches and partly repeated."""
        want = self._arrive(opened, "straight", None)
        assert self._arrive(opened, "shuffled", np.random.default_rng(seed)) == want

    def _arrive(self, opened: event_log.EventLog, stream: str, rng: np.random.Generator | None) -> dict[str, Any]:
        told = [made_up.prediction(f"p{n}", days=n / 10) for n in range(30)]
        said = [made_up.label(f"p{n}", days=n / 10 + 2, revision=r) for n in range(33) for r in range(1 + n % 3)]
        events: list[Any] = [*told, *said]
        if rng is not None:
            events = [events[index] for index in rng.permutation(len(events))]
        while events:
            size = 7 if rng is None else int(rng.integers(1, 10))
            part, events = events[:size], events[size:]
            append(opened, stream, part, received_us=1)
            if rng is not None and rng.random() < 0.1:
                opened.maintain(now_us=LATER)
        return state(opened, stream)

    # ------------------------------------------------------------ 4 bitemporal

    def test_yesterday_can_be_had_again(self, opened: event_log.EventLog) -> None:
        """4: reading as of a time gives what was there then, also after sealing."""
        opened.append_predictions(S, made_up.predictions(made_up.prediction("a")), received_us=10)
        opened.append_labels(S, made_up.labels(made_up.label("a"), made_up.label("b")), received_us=20)
        opened.append_predictions(S, made_up.predictions(made_up.prediction("b", days=0.1)), received_us=30)
        opened.append_predictions(S, made_up.predictions(made_up.prediction("b", days=0.1)), received_us=40)
        for _ in range(2):
            assert ids(opened.predictions(S, as_of_us=9)) == []
            assert ids(opened.predictions(S, as_of_us=10)) == ["a"]
            assert ids(opened.labels(S, as_of_us=19)) == []
            assert ids(opened.labels(S, as_of_us=20)) == ["a", "b"]
            assert ids(opened.predictions(S, as_of_us=30)) == ["a", "b"]
            seen = [opened.counts(S, as_of_us=at) for at in (9, 19, 20, 30, 40)]
            assert [(c.predictions, c.labels, c.orphans, c.duplicates) for c in seen] == [
                (0, 0, 0, 0),
                (1, 0, 0, 0),
                (1, 2, 1, 0),
                (2, 2, 0, 0),
                (2, 2, 0, 1),
            ]
            opened.maintain(now_us=LATER)

    def test_receipt_never_falls(self, opened: event_log.EventLog) -> None:
        """4: a clock that jumps back is held, so that seq and received_us agree."""
        for name, received in [("a", 50), ("b", 40), ("c", 60)]:
            opened.append_predictions(S, made_up.predictions(made_up.prediction(name)), received_us=received)
        rows = sorted(made_up.rows(list(opened.predictions(S))), key=lambda row: row["seq"])
        assert [(row["id"], row["received_us"]) for row in rows] == [("a", 50), ("b", 50), ("c", 60)]

    # ------------------------------------------------------------ 5 consistent

    def test_a_snapshot_stands_still(self, opened: event_log.EventLog) -> None:
        """5: what happens meanwhile, sealing and erasure included, is not seen by it."""
        opened.append_predictions(
            S, made_up.predictions(made_up.prediction("a", unit="u"), made_up.prediction("b")), received_us=1
        )
        opened.maintain(now_us=LATER)
        with opened.snapshot() as still:
            before = state(still)
            opened.append_predictions(S, made_up.predictions(made_up.prediction("c")), received_us=2)
            opened.append_labels(S, made_up.labels(made_up.label("a")), received_us=2)
            opened.maintain(now_us=LATER)
            opened.forget_unit(S, "u")
            assert state(still) == before
        assert ids(opened.predictions(S)) == ["b", "c"]

    def test_threads_share_a_store(self, opened: event_log.EventLog) -> None:
        """2, 5: the same batches from several threads, each several times, count once."""
        rng = np.random.default_rng(3)
        each = [made_up.many_predictions(20, first=20 * n, rng=rng) for n in range(8)]
        work = [each[index % 8] for index in rng.permutation(24)]
        begin = threading.Barrier(4)

        def send(part: int) -> int:
            begin.wait(30)
            return sum(opened.append_predictions(S, one, received_us=1).accepted for one in work[part::4])

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(send, range(4))) == 160
        counts = opened.counts(S)
        assert (counts.predictions, counts.duplicates) == (160, 320)
        assert len(set(ids(opened.predictions(S)))) == 160

    # ------------------------------------------------------------ 6 partitions

    def test_windows_are_half_open(self, opened: event_log.EventLog) -> None:
        """6: predictions with start <= at < end, labels by partition of their prediction."""
        told = [made_up.prediction(f"p{n}", days=n / 2) for n in range(6)]
        append(opened, S, [*told, *(made_up.label(f"p{n}", days=50) for n in range(6))], received_us=1)
        day = made_up.DAY_US
        for _ in range(2):
            start = made_up.START_US + day // 2
            assert ids(opened.predictions(S, start_us=start, end_us=start + day)) == ["p1", "p2"]
            assert ids(opened.labels(S, start_us=start, end_us=start + day)) == ["p0", "p1", "p2", "p3"]
            assert ids(opened.labels(S, start_us=made_up.START_US + day, end_us=made_up.START_US + 2 * day)) == [
                "p2",
                "p3",
            ]
            columns = [table.column_names for table in opened.predictions(S, columns=["score", "id"], start_us=start)]
            assert columns
            assert all(names == ["score", "id"] for names in columns)
            opened.maintain(now_us=LATER)

    def test_partitions_become_dirty_and_clean(self, opened: event_log.EventLog) -> None:
        """6: by new predictions, late labels and adoptions, never by duplicates; a stale clean does not hide news."""
        day, first = made_up.DAY_US, made_up.START_US
        append(opened, S, [made_up.prediction("a"), made_up.prediction("b", days=1)], received_us=1)
        assert opened.dirty(S) == (first, first + day)
        seen = opened.last_seq(S)
        opened.clean(S, [first], seq=seen)
        assert opened.dirty(S) == (first + day,)
        opened.clean(S, [first + day], seq=seen)
        append(opened, S, [made_up.prediction("a"), made_up.label("c")], received_us=2)
        assert opened.dirty(S) == ()
        append(opened, S, [made_up.label("b", days=9)], received_us=2)
        opened.clean(S, [first + day], seq=seen)
        assert opened.dirty(S) == (first + day,)
        append(opened, S, [made_up.prediction("c", days=2)], received_us=3)
        assert opened.dirty(S) == (first + day, first + 2 * day)

    def test_partitions_have_the_declared_width(self, opened: event_log.EventLog) -> None:
        """6: an hour if it was declared, and no other width afterwards."""
        opened.declare(S, partition_us=event_log.HOUR_US)
        opened.declare(S, partition_us=event_log.HOUR_US)
        append(opened, S, [made_up.prediction("a", days=0.5)], received_us=1)
        assert opened.dirty(S) == (made_up.START_US + 12 * event_log.HOUR_US,)
        assert opened.partition_width_us(S) == event_log.HOUR_US
        with pytest.raises(errors.UsageError, match="CAL-861"):
            opened.declare(S, partition_us=event_log.DAY_US)

    def test_many_small_batches_read_as_one(self, opened: event_log.EventLog) -> None:
        """6: pieces are merged on the way; nothing is lost or doubled by it."""
        for n in range(150):
            append(opened, S, [made_up.prediction(f"p{n:03}", days=n / 1000)], received_us=n)
            if n % 10 == 0:
                append(opened, S, [made_up.label(f"p{n:03}")], received_us=n)
        assert ids(opened.predictions(S)) == [f"p{n:03}" for n in range(150)]
        assert opened.counts(S, as_of_us=99).predictions == 100
        assert sorted(row["seq"] for row in made_up.rows(list(opened.predictions(S))))[-1] < opened.last_seq(S) + 1

    def test_repeated_sealing_keeps_everything(self, opened: event_log.EventLog) -> None:
        """6: late events of a sealed partition are sealed again, and the parts merged."""
        for n in range(9):
            append(opened, S, [made_up.prediction(f"p{n}"), made_up.label(f"p{n}")], received_us=n)
            opened.maintain(now_us=LATER)
        assert ids(opened.predictions(S)) == ids(opened.labels(S)) == [f"p{n}" for n in range(9)]
        assert opened.counts(S, as_of_us=4).predictions == 5

    # ------------------------------------------------------------ refused items

    def test_refused_items_are_counted_and_bounded(self, opened: event_log.EventLog) -> None:
        """Counts are exact while only the newest are kept, each of bounded size."""
        item = event_log.RejectedItem("CAL-376", "score", "no number", b"\x01" * 32)
        opened.reject(S, [item, event_log.RejectedItem("CAL-375", "x" * 5000)], received_us=1)
        opened.reject(S, [item] * 12_000, received_us=2)
        assert opened.counts(S).rejected == 12_002
        assert opened.counts(S, as_of_us=1).rejected == 2
        kept = opened.rejected(S)
        assert kept.num_rows == 10_000
        assert kept.slice(kept.num_rows - 1).to_pylist()[0] == {
            "received_us": 2,
            "code": "CAL-376",
            "path": "score",
            "reason": "no number",
            "body_hash": b"\x01" * 32,
        }

    # ------------------------------------------------------------ removal

    def test_retention_drops_and_does_not_take_back(self, opened: event_log.EventLog) -> None:
        """Predictions before the time go with their labels and orphans; later arrivals of before are expired."""
        told = [made_up.prediction(f"p{n}", days=n / 4) for n in range(12)]
        append(opened, S, [*told, *(made_up.label(f"p{n}") for n in range(13))], received_us=1)
        opened.maintain(now_us=LATER)
        opened.clean(S, opened.dirty(S), seq=opened.last_seq(S))
        cut = made_up.START_US + round(1.6 * made_up.DAY_US)
        assert opened.forget_before(S, cut, now_us=LATER) == 7 + 7 + 1
        assert opened.forget_before(S, cut, now_us=LATER) == 0
        left = [f"p{n}" for n in range(7, 12)]
        assert ids(opened.predictions(S)) == ids(opened.labels(S)) == sorted(left)
        assert opened.dirty(S) == (made_up.START_US + made_up.DAY_US,)
        again = opened.append_predictions(S, made_up.predictions(told[0], told[11]), received_us=2)
        assert again.outcomes.tolist() == [event_log.EXPIRED, event_log.DUPLICATE]
        late = opened.append_labels(S, made_up.labels(made_up.label("p0"), made_up.label("p8")), received_us=2)
        assert late.outcomes.tolist() == [event_log.EXPIRED, event_log.DUPLICATE]
        assert opened.counts(S).expired == 2
        with pytest.raises(errors.UsageError, match="CAL-862"):
            opened.forget_before(S, LATER + 1, now_us=LATER)

    def test_an_orphan_does_not_wait_for_ever(self, opened: event_log.EventLog) -> None:
        """What was received before the time goes, counted; sent again, or met by its prediction, it stays away."""
        append(opened, S, [made_up.label("a"), made_up.label("a", revision=1), made_up.label("b")], received_us=1)
        append(opened, S, [made_up.prediction("b"), made_up.label("c")], received_us=5)
        opened.clean(S, opened.dirty(S), seq=opened.last_seq(S))
        assert opened.forget_orphans_before(S, 1) == opened.forget_orphans_before("never", 9) == 0
        assert opened.forget_orphans_before(S, 5) == 2
        assert opened.forget_orphans_before(S, 5) == 0
        assert ids(opened.labels(S)) == ["b", "c"]
        counts = opened.counts(S)
        assert (counts.labels, counts.orphans, counts.orphans_expired, counts.expired) == (2, 1, 2, 0)
        assert opened.dirty(S) == ()
        append(opened, S, [made_up.prediction("a"), made_up.prediction("c")], received_us=6)
        assert ids(opened.labels(S)) == ["b", "c"]
        again = [made_up.label("a"), made_up.label("a", value=0.0, revision=1), made_up.label("a", revision=2)]
        assert opened.append_labels(S, made_up.labels(*again), received_us=7).outcomes.tolist() == [
            event_log.EXPIRED,
            event_log.EXPIRED,
            event_log.ACCEPTED,
        ]
        counts = opened.counts(S)
        assert (counts.labels, counts.orphans, counts.orphans_expired, counts.expired) == (3, 0, 2, 2)

    @pytest.mark.parametrize("sealed", [False, True])
    def test_an_erased_unit_is_gone_and_stays_gone(self, opened: event_log.EventLog, sealed: bool) -> None:
        """Predictions, labels and quarantined bodies of the unit; what is sent again does not come back."""
        theirs, other = made_up.prediction("a", unit="u"), made_up.prediction("b", unit="v", days=1)
        append(opened, S, [theirs, other, made_up.label("a"), made_up.label("b")], received_us=1)
        append(opened, S, [made_up.prediction("a", unit="u", score=0.9)], received_us=1)
        append(opened, S, [made_up.label("a", value=0.0)], received_us=1)
        if sealed:
            opened.maintain(now_us=LATER)
        opened.clean(S, opened.dirty(S), seq=opened.last_seq(S))
        assert opened.forget_unit(S, "u") == 1
        assert opened.forget_unit(S, "u") == opened.forget_unit(S, "nobody") == 0
        assert ids(opened.predictions(S)) == ids(opened.labels(S)) == ["b"]
        assert opened.quarantined(S).num_rows == 0
        assert opened.dirty(S) == (made_up.START_US,)
        assert opened.append_predictions(S, made_up.predictions(theirs, other), received_us=2).duplicate == 2
        assert opened.append_labels(S, made_up.labels(made_up.label("a")), received_us=2).expired == 1
        counts = opened.counts(S)
        assert (counts.predictions, counts.labels, counts.orphans, counts.erased) == (1, 1, 0, 1)

    def test_a_closed_store_may_be_closed_again(self, opened: event_log.EventLog) -> None:
        """Closing twice is closing once."""
        opened.close()
        opened.close()


def append(opened: event_log.EventLog, stream: str, events: list[Any], *, received_us: int) -> list[Any]:
    """Send events of both kinds in their order, each run of one kind as a batch; the outcomes."""
    outcomes = []
    for is_label, run in itertools.groupby(events, key=lambda one: hasattr(one, "prediction")):
        if is_label:
            outcomes.append(opened.append_labels(stream, made_up.labels(*run), received_us=received_us))
        else:
            outcomes.append(opened.append_predictions(stream, made_up.predictions(*run), received_us=received_us))
    return outcomes
