"""JSON lines: one event a line. Fast for what is right, careful with what is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import IO, Generic, TypeVar

import msgspec

from calibrant.events import batch as batches
from calibrant.events import lines as event_lines
from calibrant.events import refusals, strict_json, structs, written
from calibrant.events.admission import Admission, Items
from calibrant.events.label import Label
from calibrant.events.prediction import Prediction
from calibrant.events.refusals import Refused, Rejected
from calibrant.streams import declaration

Source = bytes | IO[bytes] | Iterable[bytes]
S = TypeVar("S", structs.Prediction, structs.Label)

_PREDICTION = msgspec.json.Decoder(structs.Prediction)
_LABEL = msgspec.json.Decoder(structs.Label)


def read_predictions(
    source: Source, *, stream: declaration.Stream, hmac_key: bytes | None = None
) -> Iterator[batches.Parsed[batches.PredictionBatch]]:
    """Predictions in parts of at most 512 KiB of input; a bad line becomes a ``Rejected``, never an exception.

    ``source`` is bytes, a binary file or an iterable of byte blocks cut anywhere. Memory does not grow with it.
    """
    admission = Admission(stream, hmac_key=hmac_key)
    for piece in event_lines.pieces(source):
        decoded = _decode(piece, structs.Prediction, _PREDICTION)
        tally = structs.Tally()
        made = structs.prediction_columns(decoded.rows, tally)
        if decoded.strings() != tally.strings and decoded.drop_doubles():
            made = structs.prediction_columns(decoded.rows, tally)
        yield _hashed(admission.predictions(*made, decoded.items(piece)), piece)


def read_labels(source: Source, *, stream: declaration.Stream) -> Iterator[batches.Parsed[batches.LabelBatch]]:
    """Labels, as ``read_predictions``."""
    admission = Admission(stream)
    for piece in event_lines.pieces(source):
        decoded = _decode(piece, structs.Label, _LABEL)
        tally = structs.Tally()
        made = structs.label_columns(decoded.rows, tally)
        if decoded.strings() != tally.strings and decoded.drop_doubles():
            made = structs.label_columns(decoded.rows, tally)
        yield _hashed(admission.labels(made, decoded.items(piece)), piece)


def _hashed(parsed: batches.Parsed[batches.B], piece: event_lines.Piece) -> batches.Parsed[batches.B]:
    """With a hash of each refused line, so that it can be found in the input again; too long ones were not held."""
    if not parsed.rejected:
        return parsed
    held = dict(zip(piece.places, piece.lines, strict=True))
    hashes = {one.index: hashlib.sha256(held[one.index]).digest() for one in parsed.rejected if one.index in held}
    rejected = tuple(replace(one, body_hash=hashes.get(one.index, b"")) for one in parsed.rejected)
    return replace(parsed, rejected=rejected)


def write_predictions(batch: batches.PredictionBatch) -> Iterator[bytes]:
    """One line, with its line end, for each row."""
    return map(_line, map(written.prediction, batch.events()))


def write_labels(batch: batches.LabelBatch) -> Iterator[bytes]:
    """One line, with its line end, for each row."""
    return map(_line, map(written.label, batch.events()))


def _line(members: dict[str, object]) -> bytes:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"


@dataclass(slots=True)
class _Decoded(Generic[S]):
    """Rows with their lines and places, and what was refused on the way."""

    rows: list[S]
    lines: list[bytes]
    places: list[int]
    rejected: list[Rejected]

    def strings(self) -> int:
        """JSON strings in the lines: half of the quotes that no backslash escapes."""
        whole = b"\n".join(self.lines)
        quotes = whole.count(b'"')
        if b"\\" in whole:
            quotes -= whole.replace(b"\\\\", b"").count(b'\\"')
        return quotes // 2

    def drop_doubles(self) -> bool:
        """Refuse the rows in which a key came twice, looking at each line; whether there were any."""
        keep = []
        for row, line in enumerate(self.lines):
            try:
                strict_json.loads(line)
                keep.append(row)
            except Refused as refused:
                self.rejected.append(Rejected.of(self.places[row], refused.refusal, refused.path))
        dropped = len(keep) < len(self.rows)
        if dropped:
            self.rows = [self.rows[row] for row in keep]
            self.places = [self.places[row] for row in keep]
            self.lines = []
        return dropped

    def items(self, piece: event_lines.Piece) -> Items:
        return Items(self.places, self.rejected, first=piece.first, end=piece.end)


def _decode(piece: event_lines.Piece, kind: type[S], decoder: msgspec.json.Decoder[S]) -> _Decoded[S]:
    """The fast reader takes what is surely right; the careful one decides about the rest and says why."""
    rejected = [Rejected.of(place, refusals.TOO_LONG, "") for place in piece.too_long]
    rows: list[S] = []
    refused_rows: set[int] = set()
    decode = decoder.decode
    for at, line in enumerate(piece.lines):
        try:
            rows.append(decode(line))
        except ValueError:
            try:
                rows.append(strict_json.build(kind, strict_json.loads(line)))
            except Refused as refused:
                refused_rows.add(at)
                rejected.append(Rejected.of(piece.places[at], refused.refusal, refused.path))
    if not refused_rows:
        return _Decoded(rows, piece.lines, piece.places, rejected)
    good = [at for at in range(len(piece.lines)) if at not in refused_rows]
    return _Decoded(rows, [piece.lines[at] for at in good], [piece.places[at] for at in good], rejected)


def prediction(event: Prediction) -> bytes:
    """One event as a line with its line end."""
    return _line(written.prediction(event))


def label(event: Label) -> bytes:
    """One event as a line with its line end."""
    return _line(written.label(event))
