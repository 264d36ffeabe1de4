"""Many events as columns, and their digests: the form between the wire and the Arrow batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
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
        body = _Body()
        body.texts("arm", self.arm, leading=True)
        body.texts("artifact", self.artifact, leading=True)
        body.all('"at":%d', self.at_us.tolist())
        body.objects("cohorts", self.cohorts)
        body.objects("context", self.context)
        body.texts("decision", self.decision)
        body.all(',"id":%s', map(texts.quoted, self.id))
        body.texts("model", self.model)
        body.numbers("score", self.score)
        body.numbers("served", self.served)
        body.numbers("threshold", self.threshold)
        body.texts("trace", self.trace)
        body.texts("unit", self.unit)
        body.numbers("weight", self.weight, silent=1.0)
        return body.digests()


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
        body = _Body()
        body.all('"at":%d', self.at_us.tolist())
        body.times("observed", self.observed_us)
        body.all(',"prediction":%s', map(texts.quoted, self.prediction))
        body.numbers("propensity", self.propensity)
        body.whole("revision", self.revision)
        body.texts("source", self.source)
        body.numbers("value", self.value)
        body.numbers("weight", self.weight, silent=1.0)
        return body.digests()


class _Body:
    """The canonical bodies of many events, member by member: what all rows share is written once.

    Members before ``at``, which every event has, end with a comma; those after it begin with one.
    """

    def __init__(self) -> None:
        self._template: list[str] = []
        self._columns: list[Iterable[str] | Iterable[int]] = []

    def digests(self) -> list[bytes]:
        template, sha256 = "{" + "".join(self._template) + "}", hashlib.sha256
        bodies = map(template.__mod__, zip(*self._columns, strict=True))
        return [sha256(body.encode()).digest()[:16] for body in bodies]

    def all(self, form: str, column: Iterable[str] | Iterable[int]) -> None:
        """A member that every row has, ``form`` with one place for it."""
        self._template.append(form)
        self._columns.append(column)

    def texts(self, name: str, column: Sequence[str | None] | None, *, leading: bool = False) -> None:
        if column is None:
            return
        head, tail = (f'"{name}":', ",") if leading else (f',"{name}":', "")
        written = {text: head + texts.quoted(text) + tail if text else "" for text in set(column)}
        if len(written) == 1:
            self._same(next(iter(written.values())))
        else:
            self.all("%s", [written[text] for text in column])

    def objects(self, name: str, column: Sequence[str] | None) -> None:
        if column is not None:
            if "{}" in column:
                self.all("%s", ["" if text == "{}" else f',"{name}":{text}' for text in column])
            else:
                self.all(f',"{name}":%s', column)

    def numbers(self, name: str, column: Numbers | None, *, silent: float | None = None) -> None:
        if column is None or not len(column):
            return
        head, number = f',"{name}":', canonical.number
        if (column == column[0]).all():
            self._same("" if column[0] == silent else head + number(float(column[0])))
        elif silent is None and not np.isnan(column).any():
            self.all(head + "%s", _written(column))
        else:
            self.all("%s", ["" if x != x or x == silent else head + number(x) for x in column.tolist()])

    def times(self, name: str, column: NDArray[np.int64] | None) -> None:
        if column is not None:
            self.all("%s", ["" if us == NO_TIME else f',"{name}":{us}' for us in column.tolist()])

    def whole(self, name: str, column: NDArray[np.int64] | None) -> None:
        if column is not None and column.any():
            self.all("%s", [f',"{name}":{count}' if count else "" for count in column.tolist()])

    def _same(self, text: str) -> None:
        self._template.append(text.replace("%", "%%"))


def _written(column: Numbers) -> list[str]:
    """Finite numbers as canonical JSON.

    Shortest digits are the same everywhere; only exponents and whole numbers are written differently by the fast
    writer, and those few are written again.
    """
    texts = msgspec.json.encode(column.tolist()).decode()[1:-1].split(",")
    size = np.abs(column)
    different = (size < 1e-4) | (size >= 1e15) | (column == np.trunc(column))
    for row in np.flatnonzero(different).tolist():
        texts[row] = canonical.number(float(column[row]))
    return texts
