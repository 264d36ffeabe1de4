"""Values, JSON lines, CloudEvents and Arrow say the same, whatever the events are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.calibrators import scales
from calibrant.events import admission, strict_json, structs, wire_arrow, wire_cloudevents, wire_jsonl
from calibrant.events.batch import LabelBatch, PredictionBatch
from calibrant.events.label import Label
from calibrant.events.prediction import Prediction
from calibrant.streams import declaration

STREAM = declaration.Stream(
    "fraud",
    declaration.LabelContract(timedelta(days=90)),
    target="rate",
    scale=scales.Scale("unbounded"),
    cohorts=(declaration.CohortField("country"), declaration.CohortField("channel")),
    context=declaration.ContextPolicy(allow=("amount", "shop", "new")),
)

letters = st.characters(exclude_categories=("Cc", "Cs"))
names = st.text(letters, min_size=1, max_size=50)
maybe = st.none() | names
moments = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
shares = st.floats(0, 1)
exact = st.floats(-(2.0**53) + 1, 2.0**53 - 1)
weights = st.floats(1e-300, 1e9)
scalars = st.none() | st.booleans() | st.text(letters, max_size=20) | exact | st.integers(-(2**53) + 1, 2**53 - 1)
predictions = st.builds(
    Prediction,
    id=names,
    at=moments,
    score=exact,
    model=st.just("") | names,
    served=st.none() | shares,
    artifact=maybe,
    threshold=st.none() | exact,
    decision=maybe,
    arm=maybe,
    unit=maybe,
    cohorts=st.dictionaries(st.sampled_from(["country", "channel"]), st.just("") | names),
    weight=weights,
    context=st.dictionaries(st.sampled_from(["amount", "shop", "new"]), scalars),
    trace=maybe,
)
labels = st.builds(
    Label,
    prediction=names,
    value=shares,
    at=moments,
    observed=st.none() | moments,
    source=st.just("") | names,
    revision=st.integers(0, 2**53 - 1),
    weight=weights,
    propensity=st.none() | st.floats(1e-300, 1),
)


@given(st.lists(predictions, max_size=5))
@settings(max_examples=25, deadline=None)
def test_predictions_survive_every_wire(events: list[Prediction]) -> None:
    """JSON lines, CloudEvents in three modes, and Arrow give exactly the batch of the values."""
    batch = PredictionBatch.of(events)
    assert list(batch.events()) == events
    ways = [
        *wire_jsonl.read_predictions(b"".join(wire_jsonl.write_predictions(batch)), stream=STREAM),
        *wire_arrow.read_predictions(batch.table, stream=STREAM),
        *clouds(events),
    ]
    assert len(ways) == (5 if events else 0)
    for part in ways:
        assert part.rejected == ()
        assert part.batch.table.equals(batch.table)


@given(st.lists(labels, max_size=5))
@settings(max_examples=25, deadline=None)
def test_labels_survive_every_wire(events: list[Label]) -> None:
    """The same for labels."""
    batch = LabelBatch.of(events)
    assert list(batch.events()) == events
    ways = [
        *wire_jsonl.read_labels(b"".join(wire_jsonl.write_labels(batch)), stream=STREAM),
        *wire_arrow.read_labels(batch.table, stream=STREAM),
        *clouds(events),
    ]
    assert len(ways) == (5 if events else 0)
    for part in ways:
        assert part.rejected == ()
        assert part.batch.table.equals(batch.table)


def clouds(events: list[Any]) -> list[Any]:
    receiver = wire_cloudevents.Receiver([STREAM])
    deliveries = [
        receiver.batch(wire_cloudevents.write_batch("fraud", events)),
        receiver.structured([wire_cloudevents.write_structured("fraud", event) for event in events]),
        receiver.binary([wire_cloudevents.write_binary("fraud", event) for event in events]),
    ]
    assert all(delivery.rejected == () and delivery.items == len(events) for delivery in deliveries)
    return [portion.parsed for delivery in deliveries for portion in delivery.portions]


@given(st.lists(predictions, max_size=5), st.lists(labels, max_size=5))
@settings(max_examples=25, deadline=None)
def test_digests_by_column_are_the_digests_of_the_values(some: list[Prediction], more: list[Label]) -> None:
    """The fast columnar way writes exactly the canonical JSON of RFC 8785."""
    assert PredictionBatch.of(some).table["digest"].to_pylist() == [event.digest() for event in some]
    assert LabelBatch.of(more).table["digest"].to_pylist() == [event.digest() for event in more]


@given(st.lists(predictions, min_size=2, max_size=6), st.randoms())
@settings(max_examples=25, deadline=None)
def test_the_order_of_events_and_of_members_changes_no_digest(events: list[Prediction], random: Any) -> None:
    """A digest belongs to its event, not to its neighbours in the batch nor to the writer's key order."""
    lines = []
    for line in wire_jsonl.write_predictions(PredictionBatch.of(events)):
        members = list(json.loads(line).items())
        random.shuffle(members)
        lines.append(json.dumps(dict(members)).encode())
    random.shuffle(lines)
    [part] = wire_jsonl.read_predictions(b"\n".join(lines), stream=STREAM)
    assert sorted(part.batch.table["digest"].to_pylist()) == sorted(event.digest() for event in events)


@given(st.lists(predictions, min_size=2, max_size=2, unique_by=lambda event: json.dumps(event.body(), sort_keys=True)))
@settings(max_examples=25, deadline=None)
def test_different_events_have_different_digests(events: list[Prediction]) -> None:
    """Any difference in any member is another event."""
    one, other = events
    assert one.digest() != other.digest()


@given(predictions | labels)
@settings(max_examples=25, deadline=None)
def test_the_careful_reader_reads_what_the_fast_one_reads(event: Prediction | Label) -> None:
    """Two readers, one meaning."""
    if isinstance(event, Prediction):
        line = wire_jsonl.prediction(event)
        assert strict_json.build(structs.Prediction, strict_json.loads(line)) == wire_jsonl._PREDICTION.decode(line)
    else:
        line = wire_jsonl.label(event)
        assert strict_json.build(structs.Label, strict_json.loads(line)) == wire_jsonl._LABEL.decode(line)


@pytest.mark.parametrize("fraction", ["1", "12345650", "1234564999", "9999995", "99999949", "000000", "5" * 30])
def test_both_readers_round_times_alike(fraction: str) -> None:
    """Half a microsecond goes up, also into the next second."""
    line = f'{{"id":"a","at":"2026-01-31T23:59:59.{fraction}+05:45","score":1}}'.encode()
    assert strict_json.build(structs.Prediction, strict_json.loads(line)) == wire_jsonl._PREDICTION.decode(line)


def test_values_made_in_python_pass_the_same_door() -> None:
    """A score off the scale and an undeclared cohort are refused; the good value stays, at its place."""
    at = datetime(2026, 1, 31, tzinfo=UTC)
    stream = declaration.Stream("s", declaration.LabelContract(timedelta(days=1)))
    values = [Prediction("a", at, 7.0), Prediction("b", at, 0.5), Prediction("c", at, 0.5, cohorts={"x": "y"})]
    parsed = admission.Admission(stream).prediction_values(values)
    assert [(one.index, one.code, one.path) for one in parsed.rejected] == [
        (0, "CAL-377", "score"),
        (2, "CAL-381", "cohorts"),
    ]
    assert parsed.positions.tolist() == [1]
    assert parsed.items == 3
    answer = admission.Admission(stream).label_values([Label("a", 0.5, at), Label("a", 1, at)])
    assert ([one.code for one in answer.rejected], answer.positions.tolist()) == (["CAL-377"], [1])


def test_a_batch_is_a_table_of_exactly_the_schema() -> None:
    """Anything else is refused when the batch is made."""
    with pytest.raises(ValueError, match="CAL-220"):
        PredictionBatch(pa.table({"id": ["a"]}))
    with pytest.raises(ValueError, match="CAL-220"):
        LabelBatch(PredictionBatch.of([]).table)
