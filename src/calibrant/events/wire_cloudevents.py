"""CloudEvents 1.0 in JSON: structured, batched, and binary with headers. One delivery may serve several streams."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import msgspec

from calibrant.events import batch as batches
from calibrant.events import lines, refusals, strict_json, structs, written
from calibrant.events.admission import Admission, Items
from calibrant.events.label import Label
from calibrant.events.prediction import Prediction
from calibrant.events.refusals import Refused, Rejected
from calibrant.streams import declaration

Kind = Literal["prediction", "label"]
TYPES: dict[str, Kind] = {"calibrant.prediction.v1": "prediction", "calibrant.label.v1": "label"}
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
#: Bytes and events of one batch.
LARGEST, MOST = 1 << 22, 10_000

#: Attributes that stand in for members that the data leaves out.
_FROM_ENVELOPE: dict[Kind, tuple[tuple[str, str], ...]] = {
    "prediction": (("id", "id"), ("at", "time"), ("unit", "partitionkey"), ("trace", "traceparent")),
    "label": (("prediction", "subject"), ("at", "time"), ("observed", "recordedtime")),
}
_ATTRIBUTE = re.compile("[a-z0-9]{1,64}")
_JSON_TYPE = re.compile(r"[a-z0-9.+-]+/(?:json|[a-z0-9.-]+\+json)(?:\s*;.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Portion:
    """What of a delivery belongs to one stream; ``positions`` and ``rejected`` count over the whole delivery."""

    stream: str
    parsed: batches.Parsed[batches.PredictionBatch] | batches.Parsed[batches.LabelBatch]

    @property
    def kind(self) -> Kind:
        return "prediction" if isinstance(self.parsed.batch, batches.PredictionBatch) else "label"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery by stream and kind; ``rejected`` are the items of which not even the stream is known."""

    portions: tuple[Portion, ...]
    rejected: tuple[Rejected, ...]
    items: int


class Receiver:
    """Reads deliveries for the streams that it knows."""

    def __init__(self, streams: Sequence[declaration.Stream], *, hmac_key: bytes | None = None) -> None:
        self._admissions = {stream.name: Admission(stream, hmac_key=hmac_key) for stream in streams}

    def http(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """One HTTP message in any of the three modes, told apart by its content type."""
        kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
        match kind.partition(";")[0].strip().lower():
            case "application/cloudevents-batch+json":
                return self.batch(body)
            case "application/cloudevents+json":
                return self.structured([body])
            case _:
                return self.binary([(headers, body)])

    def structured(self, messages: Sequence[bytes]) -> Delivery:
        """Messages that are one JSON event each."""
        return self._deliver([_loaded(message) for message in messages])

    def batch(self, body: bytes) -> Delivery:
        """One JSON array of events."""
        if len(body) > LARGEST:
            return Delivery((), (Rejected.of(0, refusals.TOO_LONG, ""),), 1)
        items: list[dict[str, Any] | Refused] = []
        for item in _items(body):
            items.append(item if isinstance(item, Refused) else _loaded(item))
            if len(items) > MOST:
                return Delivery((), (Rejected.of(MOST, refusals.TOO_LONG, ""),), 1)
        return self._deliver(items)

    def binary(self, messages: Sequence[tuple[Mapping[str, str], bytes]]) -> Delivery:
        """Messages with attributes in headers (``ce-`` or ``ce_``) and the data as body."""
        return self._deliver([_from_headers(headers, body) for headers, body in messages])

    def _deliver(self, items: Sequence[dict[str, Any] | Refused]) -> Delivery:
        rejected: list[Rejected] = []
        sorted_items: dict[tuple[str, Kind], _Sorted] = {}
        for place, item in enumerate(items):
            try:
                if isinstance(item, Refused):
                    raise item
                stream, kind = self._addressed(item)
            except Refused as refused:
                rejected.append(Rejected.of(place, refused.refusal, refused.path))
            else:
                sorted_items.setdefault((stream, kind), _Sorted([], [], [])).add(place, item, kind)
        portions = [Portion(stream, self._admit(stream, kind, one)) for (stream, kind), one in sorted_items.items()]
        return Delivery(tuple(portions), tuple(rejected), len(items))

    def _addressed(self, envelope: Mapping[str, Any]) -> tuple[str, Kind]:
        """The stream and kind of an envelope that is well formed."""
        for name in ("specversion", "id", "source", "type"):
            if not (isinstance(envelope.get(name), str) and envelope[name]):
                raise refusals.NOT_A_CLOUDEVENT.at(name)
        if envelope["specversion"] != "1.0":
            raise refusals.NOT_A_CLOUDEVENT.at("specversion")
        if not all(_ATTRIBUTE.fullmatch(name) for name in envelope if name != "data"):
            raise refusals.NOT_A_CLOUDEVENT.at("")
        content = envelope.get("datacontenttype") or "application/json"
        if not (isinstance(content, str) and _JSON_TYPE.fullmatch(content)):
            raise refusals.NOT_A_CLOUDEVENT.at("datacontenttype")
        if envelope["type"] not in TYPES:
            raise refusals.UNKNOWN_TYPE.at("type")
        stream = stream_of(envelope["source"])
        if stream not in self._admissions:
            raise refusals.UNKNOWN_STREAM.at("source")
        return stream, TYPES[envelope["type"]]

    def _admit(self, stream: str, kind: Kind, one: _Sorted) -> Any:
        admission, items = self._admissions[stream], Items(one.places, one.rejected)
        match kind:
            case "prediction":
                return admission.predictions(*structs.prediction_columns(one.rows, structs.Tally()), items)
            case "label":
                return admission.labels(structs.label_columns(one.rows, structs.Tally()), items)
            case _:
                assert_never(kind)


@dataclass(slots=True)
class _Sorted:
    """The items of one stream and kind."""

    rows: list[Any]
    places: list[int]
    rejected: list[Rejected]

    def add(self, place: int, envelope: Mapping[str, Any], kind: Kind) -> None:
        try:
            data = envelope.get("data")
            if not isinstance(data, dict):
                raise refusals.NOT_A_CLOUDEVENT.at("data")
            members = dict(data)
            for member, attribute in _FROM_ENVELOPE[kind]:
                if members.get(member) is None and attribute in envelope:
                    members[member] = envelope[attribute]
            form = structs.Prediction if kind == "prediction" else structs.Label
            self.rows.append(strict_json.build(form, members))  # type: ignore[type-var]  # one of the two
            self.places.append(place)
        except Refused as refused:
            self.rejected.append(Rejected.of(place, refused.refusal, refused.path))


def stream_of(source: str) -> str:
    """The stream that a source names: the last part of its path.

    >>> stream_of("/streams/card-fraud"), stream_of("urn:calibrant:stream:card-fraud"), stream_of("card-fraud")
    ('card-fraud', 'card-fraud', 'card-fraud')
    """
    return re.split("[?#]", source, maxsplit=1)[0].rstrip("/").replace(":", "/").rpartition("/")[2]


def envelope(stream: str, event: Prediction | Label) -> dict[str, object]:
    """The event as a structured CloudEvent."""
    if isinstance(event, Prediction):
        data, kind, identity, subject = written.prediction(event), "calibrant.prediction.v1", event.id, event.id
    else:
        data, kind, subject = written.label(event), "calibrant.label.v1", event.prediction
        identity = json.dumps([event.prediction, event.source, event.revision], ensure_ascii=False)
    return {
        "specversion": "1.0",
        "id": identity,
        "source": f"/streams/{stream}",
        "type": kind,
        "subject": subject,
        "time": data["at"],
        "datacontenttype": "application/json",
        "data": data,
    }


def write_structured(stream: str, event: Prediction | Label) -> bytes:
    """One message in structured mode."""
    return _dumps(envelope(stream, event))


def write_batch(stream: str, events: Sequence[Prediction | Label]) -> bytes:
    """One message in batch mode; at most 10,000 events."""
    return _dumps([envelope(stream, event) for event in events])


def write_binary(stream: str, event: Prediction | Label) -> tuple[dict[str, str], bytes]:
    """One message in binary mode: HTTP headers and body."""
    attributes = envelope(stream, event)
    data = attributes.pop("data")
    headers = {"content-type": str(attributes.pop("datacontenttype"))}
    headers |= {f"ce-{name}": urllib.parse.quote(str(value), safe=_HEADER_SAFE) for name, value in attributes.items()}
    return headers, _dumps(data)


#: Characters that the HTTP binding leaves as they are; blanks, quotes and percent signs are encoded.
_HEADER_SAFE = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


def _dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _loaded(message: bytes) -> dict[str, Any] | Refused:
    if len(message) > lines.LONGEST:
        return refusals.TOO_LONG.at("")
    try:
        return strict_json.loads(message)
    except Refused as refused:
        return refused


def _from_headers(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | Refused:
    data = _loaded(body)
    if isinstance(data, Refused):
        return data
    found: dict[str, Any] = {"data": data}
    for name, value in headers.items():
        lower = name.lower()
        key = "datacontenttype" if lower == "content-type" else lower[3:] if lower[:3] in ("ce-", "ce_") else None
        if key is None:
            continue
        if key in found:
            return refusals.DUPLICATE_KEY.at("")
        try:
            found[key] = urllib.parse.unquote(value, errors="strict")
        except UnicodeDecodeError:
            return refusals.BAD_TEXT.at("")
    return found


def _items(body: bytes) -> Iterator[bytes | Refused]:
    """The elements of a JSON array, each still as text, so that a bad one does not spoil the others."""
    try:
        yield from map(bytes, msgspec.json.decode(body, type=list[msgspec.Raw]))
    except (ValueError, RecursionError):
        yield from _scanned(body)


def _scanned(body: bytes) -> Iterator[bytes | Refused]:
    """The same for an array in which something is not JSON: up to the first element whose end cannot be found."""
    try:
        text = body.decode().strip(" \t\r\n")
    except UnicodeDecodeError:
        yield refusals.NOT_JSON.at("")
        return
    decoder = json.JSONDecoder(parse_int=lambda _: 0)
    at, end = 1, len(text)
    if not text.startswith("["):
        at = end + 1
    while at <= end:
        start = _BLANK.match(text, at).end()  # type: ignore[union-attr]  # matches the empty text
        try:
            _, stop = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        yield text[start:stop].encode("utf-8", "surrogatepass")
        at = _BLANK.match(text, stop).end()  # type: ignore[union-attr]
        if text[at : at + 1] == "]" and at + 1 == end:
            return
        if text[at : at + 1] != ",":
            break
        at += 1
    yield refusals.NOT_JSON.at("")


_BLANK = re.compile(r"[ \t\r\n]*")
