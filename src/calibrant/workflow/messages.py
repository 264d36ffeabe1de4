"""Bodies and headers of messages as events: JSON lines, or CloudEvents in any of their three modes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, assert_never

import numpy as np

from calibrant.events import batch as event_batch
from calibrant.events import lines, refusals, wire_cloudevents, wire_jsonl
from calibrant.ports import message_source
from calibrant.streams import declaration
from calibrant.workflow import feeds

#: What plain lines are; with ``events`` every message is a CloudEvent, which says itself what it is.
Kind: TypeAlias = Literal["predictions", "labels", "events"]
Messages: TypeAlias = Sequence[message_source.Message]

_BLANK = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Part:
    """Events of several messages; ``place`` names the message of the item at a position, for people."""

    parsed: feeds.Parsed
    place: Callable[[int], str]


class Reader:
    """Reads the messages of one stream. A bad one becomes a refused item, never an exception."""

    def __init__(self, stream: declaration.Stream, kind: Kind, *, hmac_key: bytes | None = None) -> None:
        self._stream = stream
        self._kind = kind
        self._key = hmac_key
        self._receiver = wire_cloudevents.Receiver([stream], hmac_key=hmac_key)

    def read(self, polled: Messages) -> Iterator[Part]:
        """All of them, those of one form together."""
        forms: dict[str, list[message_source.Message]] = {}
        for message in polled:
            forms.setdefault(_form(message, self._kind), []).append(message)
        for form, some in forms.items():
            match form:
                case "empty":
                    yield _part(_refusing(len(some)), some)
                case "lines":
                    yield from self._lines(some)
                case "structured":
                    found = self._receiver.structured([one.body for one in some])
                    yield from (_part(parsed, some) for parsed in _portions(found))
                case "binary":
                    found = self._receiver.binary([(one.headers, one.body) for one in some])
                    yield from (_part(parsed, some) for parsed in _portions(found))
                case _:
                    for one in some:
                        yield from self._batch(one)

    def _batch(self, message: message_source.Message) -> Iterator[Part]:
        for parsed in _portions(self._receiver.batch(message.body)):
            yield Part(parsed, lambda position: f"{message.place}, event {position + 1}")

    def _lines(self, some: Messages) -> Iterator[Part]:
        blocks = [one.body.removeprefix(lines.BOM).rstrip(b"\r\n") + b"\n" for one in some]
        ends = np.cumsum([block.count(b"\n") for block in blocks])

        def place(position: int) -> str:
            at = int(np.searchsorted(ends, position, side="right"))
            line = position - (int(ends[at - 1]) if at else 0)
            return f"{some[at].place}, line {line + 1}"

        parsed: Iterator[Any]
        source = io.BytesIO(b"".join(blocks))
        match self._kind:
            case "predictions":
                parsed = wire_jsonl.read_predictions(source, stream=self._stream, hmac_key=self._key)
            case "labels":
                parsed = wire_jsonl.read_labels(source, stream=self._stream)
            case "events":
                raise AssertionError("lines are of one kind")
            case _:
                assert_never(self._kind)
        yield from (Part(one, place) for one in parsed)


def _form(message: message_source.Message, kind: Kind) -> str:
    """Headers decide; without any that speak of CloudEvents, a body is lines, or JSON when only CloudEvents come."""
    names = {name.lower(): value for name, value in message.headers.items()}
    content = names.get("content-type", "").partition(";")[0].strip().lower()
    if content == wire_cloudevents.BATCH:
        return "batch"
    if content == wire_cloudevents.STRUCTURED:
        return "structured"
    if names.keys() & {"ce-specversion", "ce_specversion"}:
        return "binary"
    body = message.body.removeprefix(lines.BOM).strip(_BLANK)
    if not body:
        # also what a compacted topic leaves of a deleted key: no event, and not lost in silence
        return "empty"
    if kind != "events":
        return "lines"
    return "batch" if body.startswith(b"[") else "structured"


def _part(parsed: feeds.Parsed, some: Messages) -> Part:
    """A part in which each message is one item."""
    return Part(parsed, lambda position: some[position].place)


def _portions(found: wire_cloudevents.Delivery) -> Iterator[feeds.Parsed]:
    """By kind, and then what names no known stream or kind."""
    yield from (portion.parsed for portion in found.portions)
    if found.rejected:
        nothing = event_batch.PredictionBatch.of([])
        yield event_batch.Parsed(nothing, np.zeros(0, np.int64), found.rejected, len(found.rejected))


def _refusing(n: int) -> feeds.Parsed:
    """So many messages without an event."""
    rejected = tuple(refusals.Rejected.of(index, refusals.NOT_JSON, "") for index in range(n))
    return event_batch.Parsed(event_batch.PredictionBatch.of([]), np.zeros(0, np.int64), rejected, n)
