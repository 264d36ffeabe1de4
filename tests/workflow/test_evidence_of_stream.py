"""Matured evidence: kept summaries are only a faster way to the same answer."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from calibrant import errors
from calibrant.joining import caps, reference
from calibrant.storage import embedded
from calibrant.streams import declaration
from calibrant.testing import clocks, made_up
from calibrant.workflow import evidence_of_stream as evidence
from calibrant.workflow import partitions, verify

DAY = made_up.DAY_US


def joined(store: partitions.Store, stream: declaration.Stream, **more: object) -> object:
    """One join over everything, without partitions."""
    return reference.join(
        list(store.predictions(stream.name)),
        list(store.labels(stream.name)),
        rule=stream.labels,
        cohorts=stream.cohorts,
        **more,  # type: ignore[arg-type]
    )


def same(mine, theirs) -> None:  # type: ignore[no-untyped-def]
    """Cohorts are equal: cells and counts exactly, sums to 1e-9."""
    assert mine.fields == theirs.fields
    assert mine.keys == theirs.keys
    np.testing.assert_array_equal(mine.summary.keys, theirs.summary.keys)
    np.testing.assert_array_equal(mine.summary.n, theirs.summary.n)
    np.testing.assert_allclose(mine.summary.sums, theirs.summary.sums, rtol=1e-9, atol=1e-9)


def test_a_window_reads_only_its_own_pairs(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """Of the other partitions the headers say that they are up to date; what is not is made again all the same."""
    with filled.snapshot() as reader:
        partitions.keep(filled, stream, partitions.refresh(reader, filled, stream, now_us=clock.now_us()))
    day = made_up.DAY_US
    window = {"start_us": made_up.START_US + day + 5, "end_us": made_up.START_US + 2 * day}
    with filled.snapshot() as reader:
        found = partitions.refresh(reader, filled, stream, now_us=clock.now_us(), **window)
    assert (list(found.partitions), found.made) == ([made_up.START_US + day], ())
    late = made_up.predictions(made_up.prediction("late", days=3.5))
    filled.append_predictions(stream.name, late, received_us=clock.now_us())
    with filled.snapshot() as reader:
        found = partitions.refresh(reader, filled, stream, now_us=clock.now_us(), **window)
    assert found.made == (made_up.START_US + 3 * day,)


def test_merged_partitions_are_one_join(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """By model and cohort; counts too."""
    found = evidence.matured(filled, stream, now_us=clock.now_us(), keep=filled)
    whole = joined(filled, stream, as_of_us=clock.now_us())
    same(found.pairs, whole.cohorts)  # type: ignore[attr-defined]
    assert found.counts.pairs == whole.counts.pairs == 2_000  # type: ignore[attr-defined]
    assert found.made == 4


def test_only_what_changed_is_made_again(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """Nothing the second time; one partition after one revised label; and the answer follows."""
    now = clock.now_us()
    before = evidence.matured(filled, stream, now_us=now, keep=filled)
    assert evidence.matured(filled, stream, now_us=now, keep=filled).made == 0
    name = made_up.rows(list(filled.predictions("s", start_us=made_up.START_US + DAY)))[0]["id"]
    old = next(row for row in made_up.rows(list(filled.labels("s"))) if row["prediction"] == name)
    revised = made_up.label(name, days=1.5, value=1.0 - old["value"], revision=1)
    filled.append_labels("s", made_up.labels(revised), received_us=now)
    after = evidence.matured(filled, stream, now_us=now, keep=filled)
    assert after.made == 1
    moved = after.pairs.pooled().total("wy") - before.pairs.pooled().total("wy")
    assert moved == pytest.approx(1.0 - 2.0 * old["value"])
    same(after.pairs, joined(filled, stream, as_of_us=now).cohorts)  # type: ignore[attr-defined]


def test_time_alone_matures(store, stream, events) -> None:  # type: ignore[no-untyped-def]
    """As the clock goes on, pairs appear without any event; when all are final nothing is made again."""
    clock = clocks.FakeClock(made_up.START_US)
    store.append_predictions("s", events.predictions, received_us=clock.now_us())
    store.append_labels("s", events.labels, received_us=clock.now_us())
    shares = []
    for _ in range(8):
        found = evidence.matured(store, stream, now_us=clock.now_us(), keep=store)
        same(found.pairs, joined(store, stream, as_of_us=clock.now_us()).cohorts)  # type: ignore[attr-defined]
        shares.append(found.counts.pairs)
        clock.advance(days=0.9)
    assert shares[0] == shares[1] == 0
    assert shares == sorted(shares)
    assert shares[-1] == 2_000
    clock.advance(days=30)
    assert evidence.matured(store, stream, now_us=clock.now_us(), keep=store).made == 0


def test_as_of_gives_the_answer_of_that_time(store, stream, events) -> None:  # type: ignore[no-untyped-def]
    """What was answered on each day can be had again after more labels, revisions and predictions came."""
    clock = clocks.FakeClock(made_up.START_US)
    given = {}
    for _ in range(8):
        clock.advance(days=1)
        now = clock.now_us()
        for table, key, append in (
            (events.predictions, "at_us", store.append_predictions),
            (events.labels, "at_us", store.append_labels),
        ):
            at = table[key].to_numpy()
            part = table.filter((at >= now - DAY) & (at < now))
            if part.num_rows:
                append("s", part, received_us=now)
        given[now] = evidence.matured(store, stream, now_us=now, keep=store)
    for then, before in given.items():
        again = evidence.matured(store, stream, now_us=clock.now_us(), as_of_us=then)
        same(again.pairs, before.pairs)
        assert dataclasses.replace(again.counts, overflow={}) == dataclasses.replace(before.counts, overflow={})
    assert len({found.counts.pairs for found in given.values()}) > 3
    with pytest.raises(errors.UsageError, match="CAL-480"):
        evidence.matured(store, stream, now_us=clock.now_us(), as_of_us=clock.now_us() + 1)


@pytest.mark.parametrize(("start", "end"), [(0.3, 2.7), (1.0, 3.0), (None, 1.5), (2.2, None), (1.2, 1.4), (90, 91)])
def test_any_window(filled, stream, clock, start, end) -> None:  # type: ignore[no-untyped-def]
    """Windows that cut partitions take their edges from the events."""
    window = {
        "start_us": None if start is None else made_up.START_US + round(start * DAY),
        "end_us": None if end is None else made_up.START_US + round(end * DAY),
    }
    found = evidence.matured(filled, stream, now_us=clock.now_us(), keep=filled, **window)
    whole = joined(filled, stream, as_of_us=clock.now_us(), **window)
    same(found.pairs, whole.cohorts)  # type: ignore[attr-defined]
    assert found.counts.predictions == whole.counts.predictions  # type: ignore[attr-defined]


def test_another_declaration_is_another_answer(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """A shorter horizon, another cohort field: nothing kept under the old one is used, whatever was called clean."""
    now = clock.now_us()
    evidence.matured(filled, stream, now_us=now, keep=filled)
    strict = dataclasses.replace(stream, labels=declaration.LabelContract(timedelta(hours=12)))
    found = evidence.matured(filled, strict, now_us=now, keep=filled)
    assert (found.counts.pairs, found.counts.late) == (0, 2_000)
    plain = dataclasses.replace(stream, cohorts=())
    found = evidence.matured(filled, plain, now_us=now, keep=filled)
    same(found.pairs, joined(filled, plain, as_of_us=now).cohorts)  # type: ignore[attr-defined]
    assert evidence.matured(filled, stream, now_us=now, keep=filled).counts.pairs == 2_000


def test_caps_are_decided_for_the_window(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """The most frequent values stay, the others are one cohort; nothing is lost."""
    narrow = dataclasses.replace(stream, cohorts=(declaration.CohortField("carrier", 2),))
    found = evidence.matured(filled, narrow, now_us=clock.now_us(), keep=filled)
    same(found.pairs, joined(filled, narrow, as_of_us=clock.now_us()).cohorts)  # type: ignore[attr-defined]
    assert {key[1] for key in found.pairs.keys} == {"AA", "DL", caps.OTHER}
    assert evidence.about(found, narrow)["other_carrier"] == 666
    assert found.pairs.pooled().rows.tolist() == [2_000]


def test_readers_answer_while_a_writer_writes(filled, stream, clock, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Without the right to keep summaries the answer is the same, and the partitions stay dirty."""
    with pytest.raises(errors.StoreBusyError), embedded.open_store(tmp_path / "store"):
        pass
    with embedded.open_reader(tmp_path / "store") as reader:
        found = evidence.matured(reader, stream, now_us=clock.now_us())
    same(found.pairs, joined(filled, stream, as_of_us=clock.now_us()).cohorts)  # type: ignore[attr-defined]
    assert len(filled.dirty("s")) == 4


def test_a_clock_that_jumped_back_hides_nothing(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """Events that were received in what is now the future still count."""
    clock.advance(days=-3)
    assert evidence.matured(filled, stream, now_us=clock.now_us(), keep=filled).counts.pairs == 2_000


def test_grouping(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """By every field that says something, or by those asked for."""
    found = evidence.matured(filled, stream, now_us=clock.now_us())
    groups = evidence.cohorts_by(found, stream)
    assert groups is not None
    assert groups.fields == ("carrier",)
    by_model = evidence.cohorts_by(found, stream, ["model"])
    assert by_model is not None
    assert by_model.keys == (("m1",),)
    with pytest.raises(errors.UsageError, match="CAL-481"):
        evidence.cohorts_by(found, stream, ["colour"])


def test_the_document_says_what_it_rests_on(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """As-of, window, matured share and where every prediction went; before anything matured too."""
    found = evidence.matured(filled, stream, now_us=clock.now_us())
    document = evidence.assessed(found, stream).to_dict()
    about = document["about"]
    assert about["as_of"] == "2026-03-11T00:00:00Z"
    assert (about["predictions"], about["pairs"], about["matured_share"]) == (2_000, 2_000, 1.0)
    early = evidence.matured(filled, stream, now_us=made_up.START_US)
    empty = evidence.assessed(early, stream)
    assert empty.verdict == "insufficient"
    assert empty.about["pairs"] == 0


def test_propensities_undo_a_selection(store, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """Cases labelled with chance .9 and .1 by outcome: weighted, the base rate is back; the gap is told."""
    rng = np.random.default_rng(3)
    n = 4_000
    made = made_up.many_predictions(n, rng=rng)
    value = rng.random(n) < 0.3
    chance = np.where(value, 0.9, 0.1)
    chosen = np.flatnonzero(rng.random(n) < chance)
    ids = made["id"].to_pylist()
    labels = [
        made_up.label(ids[row], days=1.5, value=float(value[row]), propensity=float(chance[row]))
        for row in chosen.tolist()
    ]
    store.append_predictions("s", made, received_us=clock.now_us())
    store.append_labels("s", made_up.labels(*labels), received_us=clock.now_us())
    found = evidence.matured(store, stream, now_us=clock.now_us(), weighting="inverse_propensity")
    about = evidence.about(found, stream)
    pooled = found.pairs.pooled()
    rate = float(pooled.total("wy")[0] / pooled.total("w")[0])
    assert rate == pytest.approx(0.3, abs=0.03)
    assert about["base_rate_unweighted"] == pytest.approx(0.79, abs=0.03)
    assert about["selection_gap"] == pytest.approx(rate - about["base_rate_unweighted"])  # type: ignore[operator]


def test_tables_elsewhere_are_not_answered_here(store, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """A table source has no events in the store: said, not answered with nothing."""
    elsewhere = dataclasses.replace(stream, source=declaration.TableSource("duckdb", "p", "l"))
    with pytest.raises(errors.UsageError, match="CAL-482"):
        evidence.matured(store, elsewhere, now_us=clock.now_us())


# ---------------------------------------------------------------- verify


def test_verify_finds_nothing_in_what_was_kept(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """Pending before, equal after; made at several times and maturities."""
    assert verify.verify(filled, stream).pending == 4
    for days in (-8, 3, 3, 2):
        clock.advance(days=days)
        evidence.matured(filled, stream, now_us=clock.now_us(), keep=filled)
        found = verify.verify(filled, stream)
        assert (found.checked, found.pending, found.differences) == (4, 0, ())


@pytest.mark.parametrize("damage", ["n", "sums", "counts", "cohort", "lost"])
def test_verify_names_the_partition_that_differs(filled, stream, clock, damage: str) -> None:  # type: ignore[no-untyped-def]
    """One count, one sum by 2e-9, one counter, one cohort, all pairs: found, and no other partition is accused."""
    evidence.matured(filled, stream, now_us=clock.now_us(), keep=filled)
    key = partitions.key_of(stream)
    victim = filled.partitions("s", key)[2]
    assert victim.pairs is not None
    pairs, counts = victim.pairs, dict(victim.counts)
    n, sums = pairs.summary.n.copy(), pairs.summary.sums.copy()
    if damage == "n":
        n[3] += 1
    elif damage == "sums":
        sums[0, 5] *= 1 + 2e-9
    elif damage == "counts":
        counts["late"] += 1
    keys = tuple((*one[:1], one[1].replace("UA", "ZZ")) for one in pairs.keys) if damage == "cohort" else pairs.keys
    made = type(pairs)(pairs.fields, keys, dataclasses.replace(pairs.summary, n=n, sums=sums))
    filled.put("s", key, dataclasses.replace(victim, pairs=None if damage == "lost" else made, counts=counts))
    found = verify.verify(filled, stream)
    assert [one.partition_us for one in found.differences] == [victim.partition_us]
    assert found.checked == 4


def test_a_summary_that_lost_predictions_stops_the_answer(filled, stream, clock) -> None:  # type: ignore[no-untyped-def]
    """The summaries must account for every prediction of the log; otherwise no number is given."""
    evidence.matured(filled, stream, now_us=clock.now_us(), keep=filled)
    key = partitions.key_of(stream)
    victim = filled.partitions("s", key)[1]
    counts = {**victim.counts, "predictions": victim.counts["predictions"] - 1}
    filled.put("s", key, dataclasses.replace(victim, counts=counts))
    with pytest.raises(errors.StoreDamagedError, match="CAL-871"):
        evidence.matured(filled, stream, now_us=clock.now_us())
