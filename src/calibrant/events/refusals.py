"""Every reason to refuse an event. Reasons name the member, never its value: it may be a secret or an attack."""

from __future__ import annotations

from dataclasses import dataclass

from calibrant import errors


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason with its stable code."""

    code: str
    what: str
    cause: str
    fix: str

    def error(self, path: str) -> errors.ValueRangeError:
        where = f"{path}: " if path else ""
        return errors.ValueRangeError(self.code, f"{where}{self.what}", cause=self.cause, fix=self.fix)

    def at(self, path: str) -> Refused:
        return Refused(self, path)


class Refused(Exception):  # a signal inside this room, not an error that a caller sees
    """One item will not be taken."""

    def __init__(self, refusal: Refusal, path: str) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.path = path


@dataclass(frozen=True, slots=True)
class Rejected:
    """One refused item: its place in the input (from 0), the reason's code, the member, the reason in words.

    ``body_hash`` is the SHA-256 of its bytes, empty where the reader does not hold the bytes of single items.
    """

    index: int
    code: str
    path: str
    reason: str
    body_hash: bytes = b""

    @classmethod
    def of(cls, index: int, refusal: Refusal, path: str) -> Rejected:
        return cls(index, refusal.code, path, refusal.what)


NOT_JSON = Refusal(
    "CAL-370",
    "not one valid JSON object",
    cause="an item must be one JSON object (RFC 8259, UTF-8), without NaN or Infinity",
    fix="write each event as one complete object",
)
TOO_LONG = Refusal(
    "CAL-371",
    "the item is too large",
    cause="an event is at most 65,536 bytes",
    fix="send identifiers and attributes, not documents",
)
DUPLICATE_KEY = Refusal(
    "CAL-372",
    "a member comes twice",
    cause="readers disagree about which of the two counts",
    fix="write every member once",
)
UNKNOWN_MEMBER = Refusal(
    "CAL-373",
    "a member that events do not have",
    cause="a misspelt member would be lost in silence",
    fix="remove it, or put it into context",
)
MISSING = Refusal(
    "CAL-374",
    "a required member is missing",
    cause="predictions need id, at and score; labels need prediction, value and at",
    fix="send it",
)
WRONG_TYPE = Refusal(
    "CAL-375",
    "the member has another type",
    cause="numbers are JSON numbers, never text, true or false",
    fix="send the type that the format names",
)
NOT_A_NUMBER = Refusal(
    "CAL-376",
    "the number is not finite or too large to be exact",
    cause="numbers are finite and at most 2^53 in size",
    fix="find where it comes from; do not replace it by zero",
)
OUT_OF_RANGE = Refusal(
    "CAL-377",
    "the number is outside its range",
    cause="scores lie on the declared scale, labels are values of the declared target, served scores and "
    "propensities lie in [0, 1], weights are positive",
    fix="check the stream's scale and target and the sender",
)
BAD_TEXT = Refusal(
    "CAL-378",
    "the text is empty, too long or holds control characters",
    cause="texts are 1 to 200 bytes of valid UTF-8 without control characters",
    fix="send a short identifier",
)
BAD_TIME = Refusal(
    "CAL-379",
    "not a time with a zone",
    cause="times are RFC 3339 with an offset, such as 2026-01-31T12:00:00Z",
    fix="add the zone; a time without one names no instant",
)
TIME_RANGE = Refusal(
    "CAL-380",
    "the time is not between 1970 and 2200",
    cause="such times come from a wrong unit or a broken clock",
    fix="check whether seconds, milliseconds or microseconds were meant",
)
UNDECLARED_COHORT = Refusal(
    "CAL-381",
    "a cohort field that the stream does not declare",
    cause="cohort fields are declared with a cap, so that evidence stays finite",
    fix="declare it in the stream's cohorts or send it as context",
)
CONTEXT_TOO_LARGE = Refusal(
    "CAL-382",
    "the context is too large",
    cause="what the stream keeps of it has more bytes than context.maxBytes",
    fix="send fewer or shorter members",
)
NOT_A_CLOUDEVENT = Refusal(
    "CAL-383",
    "not a CloudEvent 1.0",
    cause="specversion 1.0, id, source and type are required, and data is JSON",
    fix="follow the CloudEvents JSON format",
)
UNKNOWN_STREAM = Refusal(
    "CAL-384",
    "the source names no known stream",
    cause="the last part of the source's path is the stream's name",
    fix="declare the stream or correct the source",
)
UNKNOWN_TYPE = Refusal(
    "CAL-385",
    "not a type of event that is taken here",
    cause="types are calibrant.prediction.v1 and calibrant.label.v1",
    fix="send one of them",
)
TOO_DEEP = Refusal(
    "CAL-386",
    "nested too deeply",
    cause="members are numbers and texts; cohorts and context are flat",
    fix="flatten it",
)
