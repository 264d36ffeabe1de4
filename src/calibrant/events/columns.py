"""Many events as columns, and their digests: the form between the wire and the Arrow batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibrant.calibrators import canonical
from calibrant.events import texts

Texts = list[str | None]
Numbers = NDArray[np.float64]
#: Where microseconds are missing.
NO_TIME = np.iinfo(np.int64).min


@dataclass(slots=True)
class Predictions:
    """Columns of equal length. Missing texts are None, missing numbers NaN; a column that nobody sent is None.

    ``cohorts`` and ``context`` are canonical JSON; an event without them has ``{}``.
    """

    id: list[str]
    at_us: NDArray[np.int64]
    score: Numbers
    model: list[str] | None
    served: Numbers | None
    artifact: Texts | None
    threshold: Numbers | None
    decision: Texts | None
    arm: Texts | None
    unit: Texts | None
    cohorts: list[str] | None
    weight: Numbers | None
    context: list[str] | None
    trace: Texts | None

    def digests(self) -> list[bytes]:
        """As ``Prediction.digest``, for all rows at once; members in the order of RFC 8785."""
        return _digests(
            [
                _texts("arm", self.arm, first=True),
                _texts("artifact", self.artifact, first=True),
                _whole("at", self.at_us, lead=""),
                _objects("cohorts", self.cohorts),
                _objects("context", self.context),
                _texts("decision", self.decision),
                [',"id":' + quoted for quoted in map(texts.quoted, self.id)],
                _texts("model", self.model),
                _numbers("score", self.score),
                _numbers("served", self.served),
                _numbers("threshold", self.threshold),
                _texts("trace", self.trace),
                _texts("unit", self.unit),
                _numbers("weight", self.weight, silent=1.0),
            ]
        )


@dataclass(slots=True)
class Labels:
    """Columns of equal length. Missing numbers are NaN, missing times ``NO_TIME``; a column nobody sent is None."""

    prediction: list[str]
    at_us: NDArray[np.int64]
    value: Numbers
    observed_us: NDArray[np.int64] | None
    source: list[str] | None
    revision: NDArray[np.int64] | None
    weight: Numbers | None
    propensity: Numbers | None

    def digests(self) -> list[bytes]:
        """As ``Label.digest``, for all rows at once; members in the order of RFC 8785."""
        return _digests(
            [
                _whole("at", self.at_us, lead=""),
                _whole("observed", self.observed_us, silent=NO_TIME),
                [',"prediction":' + quoted for quoted in map(texts.quoted, self.prediction)],
                _numbers("propensity", self.propensity),
                _whole("revision", self.revision, silent=0),
                _texts("source", self.source),
                _numbers("value", self.value),
                _numbers("weight", self.weight, silent=1.0),
            ]
        )


def _digests(pieces: list[list[str] | None]) -> list[bytes]:
    said = [piece for piece in pieces if piece is not None]
    sha256 = hashlib.sha256
    bodies: Iterator[tuple[str, ...]] = zip(*said, strict=True)
    return [sha256(("{" + "".join(body) + "}").encode()).digest()[:16] for body in bodies]


def _texts(name: str, column: Sequence[str | None] | None, *, first: bool = False) -> list[str] | None:
    """Members that come before ``at`` end with a comma, those after it begin with one."""
    if column is None:
        return None
    head, tail = (f'"{name}":', ",") if first else (f',"{name}":', "")
    written = {text: head + texts.quoted(text) + tail if text else "" for text in set(column)}
    return [written[text] for text in column]


def _objects(name: str, column: Sequence[str] | None) -> list[str] | None:
    if column is None:
        return None
    return ["" if text == "{}" else f',"{name}":{text}' for text in column]


def _numbers(name: str, column: Numbers | None, *, silent: float | None = None) -> list[str] | None:
    """Shortest digits as ECMAScript writes them, which between 1e-4 and 1e16 are Python's without a final ``.0``."""
    if column is None:
        return None
    head, number = f',"{name}":', canonical.number
    if len(column) and (column == column[0]).all():
        return ["" if column[0] == silent else head + number(float(column[0]))] * len(column)
    size = np.abs(column)
    if silent is None and ((size >= 1e-4) & (size < 1e16)).all():
        return [head + (text[:-2] if text[-2:] == ".0" else text) for text in map(repr, column.tolist())]
    return ["" if x != x or x == silent else head + number(x) for x in column.tolist()]


def _whole(
    name: str, column: NDArray[np.int64] | None, *, lead: str = ",", silent: int | None = None
) -> list[str] | None:
    if column is None:
        return None
    head = f'{lead}"{name}":'
    return ["" if us == silent else head + str(us) for us in column.tolist()]
