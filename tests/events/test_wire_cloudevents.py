"""The envelope: its modes, its attributes, its stream."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from calibrant.events import wire_cloudevents
from calibrant.events.prediction import Prediction
from calibrant.streams import declaration

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
STREAMS = [declaration.Stream(name, declaration.LabelContract(timedelta(days=9))) for name in ("fraud", "churn")]
RECEIVER = wire_cloudevents.Receiver(STREAMS)
GOOD = wire_cloudevents.envelope("fraud", Prediction("a", AT, 0.5))


def message(**changes: object) -> bytes:
    return json.dumps({name: value for name, value in (GOOD | changes).items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"specversion": "0.3"}, "CAL-383", "specversion"),
        ({"specversion": 1.0}, "CAL-383", "specversion"),
        ({"id": None}, "CAL-383", "id"),
        ({"id": ""}, "CAL-383", "id"),
        ({"source": None}, "CAL-383", "source"),
        ({"type": None}, "CAL-383", "type"),
        ({"type": "org.example"}, "CAL-385", "type"),
        ({"source": "/streams/other"}, "CAL-384", "source"),
        ({"datacontenttype": "text/plain"}, "CAL-383", "datacontenttype"),
        ({"Big-Name": "x"}, "CAL-383", ""),
        ({"data": None, "data_base64": "e30="}, "CAL-383", ""),
        ({"data": "text"}, "CAL-383", "data"),
        ({"data": None}, "CAL-383", "data"),
    ],
)
def test_an_envelope_that_is_wrong_is_refused_with_its_attribute(
    changes: dict[str, object], code: str, path: str
) -> None:
    """Each required attribute, unknown types and streams, data that is no object."""
    delivery = RECEIVER.structured([message(**changes)])
    found = [*delivery.rejected, *(one for portion in delivery.portions for one in portion.parsed.rejected)]
    assert [(one.code, one.path) for one in found] == [(code, path)]


def test_attributes_stand_in_for_members_that_the_data_leaves_out() -> None:
    """id, time, partitionkey and traceparent; the data's own members win."""
    sent = message(data={"score": 0.5, "unit": "u1"}, partitionkey="u2", traceparent="t", id="z")
    [portion] = RECEIVER.structured([sent]).portions
    [event] = portion.parsed.batch.events()
    assert event == Prediction("z", AT, 0.5, unit="u1", trace="t")


def test_a_label_takes_its_prediction_from_the_subject() -> None:
    """And the recorded time as the time of observation."""
    sent = message(
        type="calibrant.label.v1", subject="a", data={"value": 1}, recordedtime="2026-02-01T00:00:00Z", source="churn"
    )
    [portion] = RECEIVER.structured([sent]).portions
    [label] = portion.parsed.batch.events()
    assert (portion.stream, portion.kind, label.prediction, label.at) == ("churn", "label", "a", AT)
    assert label.observed == datetime(2026, 2, 1, tzinfo=UTC)


def test_one_delivery_serves_several_streams_and_counts_over_all_items() -> None:
    """Each portion knows the places of its rows in the whole delivery."""
    body = b"[" + b",".join([message(source="fraud"), message(source="nope"), message(source="churn")]) + b"]"
    delivery = RECEIVER.http({"Content-Type": "application/cloudevents-batch+json; charset=UTF-8"}, body)
    assert [(one.stream, one.parsed.positions.tolist()) for one in delivery.portions] == [
        ("fraud", [0]),
        ("churn", [2]),
    ]
    assert [(one.index, one.code) for one in delivery.rejected] == [(1, "CAL-384")]
    assert delivery.items == 3


def test_http_tells_the_modes_apart() -> None:
    """By the content type; binary headers in any case, percent-encoded as the binding says."""
    event = Prediction('é "%', AT, 0.5)
    headers, body = wire_cloudevents.write_binary("fraud", event)
    assert all(value.isascii() and '"' not in value and " " not in value for value in headers.values())
    shouted = {name.upper(): value for name, value in headers.items()}
    kafka = {name.replace("ce-", "ce_"): value for name, value in headers.items()}
    structured = wire_cloudevents.write_structured("fraud", event)
    deliveries = [
        RECEIVER.http(shouted, body),
        RECEIVER.binary([(kafka, body)]),
        RECEIVER.http({"content-type": wire_cloudevents.STRUCTURED}, structured),
    ]
    for delivery in deliveries:
        assert list(delivery.portions[0].parsed.batch.events()) == [event]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"ce-id": "%ff"}, "CAL-378"),
        ({"ce-id": "a", "CE-ID": "b"}, "CAL-372"),
        ({"ce-specversion": "2.0"}, "CAL-383"),
        ({}, "CAL-383"),
    ],
)
def test_headers_that_are_wrong_are_refused(headers: dict[str, str], code: str) -> None:
    """Bytes that are no UTF-8, the same attribute twice, another version, no attributes."""
    assert [one.code for one in RECEIVER.binary([(headers, b"{}")]).rejected] == [code]
