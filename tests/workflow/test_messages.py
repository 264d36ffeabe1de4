"""Messages as events: JSON lines and CloudEvents in their three modes, each named by its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from calibrant.events import batch, wire_cloudevents, wire_jsonl
from calibrant.ports.message_source import Message
from calibrant.streams import declaration
from calibrant.testing import made_up
from calibrant.workflow import messages

P = [made_up.prediction(f"p{number}") for number in range(4)]
L = [made_up.label(f"p{number}") for number in range(4)]


def read(stream: declaration.Stream, kind: Any, *sent: tuple[Mapping[str, str], bytes]) -> list[messages.Part]:
    """The parts of these messages, at places m0, m1, …"""
    polled = [Message(body, headers, f"m{index}") for index, (headers, body) in enumerate(sent)]
    return list(messages.Reader(stream, kind).read(polled))


def ids(parts: list[messages.Part]) -> dict[str, str]:
    """The identity of each good event, by its place."""
    found = {}
    for part in parts:
        column = "id" if isinstance(part.parsed.batch, batch.PredictionBatch) else "prediction"
        names = part.parsed.batch.table[column].to_pylist()
        found |= {part.place(int(at)): name for at, name in zip(part.parsed.positions, names, strict=True)}
    return found


def refused(parts: list[messages.Part]) -> dict[str, str]:
    """The code of each refused item, by its place."""
    return {part.place(one.index): one.code for part in parts for one in part.parsed.rejected}


def test_a_message_may_hold_several_lines(stream: declaration.Stream) -> None:
    """With or without the last line end, with a byte order mark or carriage returns; places stay right."""
    lines = [wire_jsonl.prediction(one) for one in P]
    sent = [lines[0].rstrip(), b"\xef\xbb\xbf" + lines[1] + b"bad\n" + lines[2], lines[3].rstrip() + b"\r\n"]
    found = read(stream, "predictions", *[({}, body) for body in sent])
    assert ids(found) == {"m0, line 1": "p0", "m1, line 1": "p1", "m1, line 3": "p2", "m2, line 1": "p3"}
    assert refused(found) == {"m1, line 2": "CAL-370"}


def test_an_unfinished_line_does_not_reach_into_the_next_message(stream: declaration.Stream) -> None:
    """Messages are apart, whatever is in them: half a line, and one that is longer than an event may be."""
    good = wire_jsonl.prediction(P[0])
    found = read(
        stream, "predictions", ({}, good[:20]), ({}, good), ({}, b"x" * 70_000), ({}, wire_jsonl.prediction(P[1]))
    )
    assert ids(found) == {"m1, line 1": "p0", "m3, line 1": "p1"}
    assert refused(found) == {"m0, line 1": "CAL-370", "m2, line 1": "CAL-371"}


@pytest.mark.parametrize("kind", ["predictions", "labels", "events"])
def test_headers_say_that_it_is_a_cloudevent(stream: declaration.Stream, kind: str) -> None:
    """All three modes, of both kinds of event, whatever plain lines would be."""
    found = read(
        stream,
        kind,
        wire_cloudevents.write_binary("s", P[0]),
        (
            {"Content-Type": f"{wire_cloudevents.STRUCTURED}; charset=utf-8"},
            wire_cloudevents.write_structured("s", L[1]),
        ),
        ({"content-type": wire_cloudevents.BATCH}, wire_cloudevents.write_batch("s", [P[2], L[3]])),
    )
    assert ids(found) == {"m0": "p0", "m1": "p1", "m2, event 1": "p2", "m2, event 2": "p3"}
    assert refused(found) == {}


def test_without_headers_a_body_of_events_is_json(stream: declaration.Stream) -> None:
    """An object is one event, an array several."""
    sent = [wire_cloudevents.write_structured("s", P[0]), b" " + wire_cloudevents.write_batch("s", [P[1], L[2]])]
    assert sorted(ids(read(stream, "events", *[({}, body) for body in sent])).values()) == ["p0", "p1", "p2"]


def test_what_is_no_event_of_this_stream_is_refused(stream: declaration.Stream) -> None:
    """Nothing, something else, another stream, a plain line where CloudEvents are expected."""
    found = read(
        stream,
        "events",
        ({}, b""),
        ({}, b" \n"),
        ({}, b"\xff"),
        wire_cloudevents.write_binary("other", P[0]),
        ({}, wire_jsonl.prediction(P[1])),
        ({"content-type": wire_cloudevents.BATCH}, b"{}"),
    )
    assert ids(found) == {}
    assert refused(found) == {
        "m0": "CAL-370",
        "m1": "CAL-370",
        "m2": "CAL-370",
        "m3": "CAL-384",
        "m4": "CAL-383",
        "m5, event 1": "CAL-370",
    }
    assert sum(part.parsed.items for part in found) == 6
