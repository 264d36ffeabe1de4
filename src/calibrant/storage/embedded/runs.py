"""Identities of the embedded store: immutable runs sorted by hash, written at the end and merged in steps.

Identities come in any order, most often random. A tree in a database would have one of its pages rewritten for nearly
every one of them; a run is written once for each batch and once for each of the few merges that it takes part in, in
one piece. A run is an array of columns: the two halves of the hash, partition, number, digest. Small runs lie in the
database, large ones in files that are mapped into memory, so that only the pages of the hashes that are asked for are
read. Only the writing process needs them.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calibrant.storage import database, identities, pieces

Words: TypeAlias = NDArray[np.uint64]
Ints: TypeAlias = NDArray[np.int64]

#: So many runs of one level become one of the next.
MERGE_AT: Final = 8
#: A run with so many identities goes into a file.
IN_FILE: Final = 16_384
#: A run with so many identities is merged no more.
SETTLED: Final = 2_000_000
_SETTLED_LEVEL: Final = 99
_WIDTH: Final = 48


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """Identities in the order of ``high``, the first half of their hash."""

    high: Words
    low: Words
    partition: Ints
    seq: Ints
    digest: Words

    def __len__(self) -> int:
        return len(self.high)

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        return self.high, self.low, self.partition, self.seq, self.digest

    def find(self, high: Words, low: Words) -> Ints:
        """Where each identity is, -1 for those that are not here; ``high`` is in increasing order."""
        place = np.searchsorted(self.high, high)
        found = np.full(len(high), -1, np.int64)
        inside = np.flatnonzero(place < len(self))
        for index in inside[self.high[place[inside]] == high[inside]].tolist():
            # labels of one prediction share the first half
            for at in range(int(place[index]), len(self)):
                if self.high[at] != high[index]:
                    break
                if self.low[at] == low[index]:
                    found[index] = at
                    break
        return found


def of_columns(*columns: NDArray[Any]) -> Run:
    """A run of identities in any order."""
    order = np.argsort(columns[0], kind="stable")
    return Run(*(column[order] for column in columns))


def parse(body: bytes | NDArray[np.uint8], n: int, *, what: str) -> Run:
    """The columns of a run as they lie; StoreDamagedError (CAL-854) for another length."""
    if len(body) != n * _WIDTH:
        raise pieces.damaged(what, f"it has {len(body)} bytes, not {n * _WIDTH}")
    words = np.frombuffer(body, "<u8")
    high, low, partition, seq = (words[index * n : (index + 1) * n] for index in range(4))
    return Run(high, low, partition.view("<i8"), seq.view("<i8"), words[4 * n :].reshape(n, 2))


class Files(Protocol):
    """Where large runs lie."""

    def write_run(self, columns: Iterable[NDArray[Any]]) -> tuple[str, str]:
        """Make a file of these columns durable; its name and SHA-256."""
        ...

    def path(self, file: str) -> Path: ...


@dataclass(slots=True)
class Shelf:
    """Opened runs by stream, kind and name, across transactions. A name is never used twice, so nothing gets stale."""

    opened: dict[tuple[int, int], dict[str, Run]]


class Runs:
    """``Identities`` of one stream."""

    def __init__(
        self, session: database.Session, files: Files, shelf: Shelf, stream_id: int, *, dead: Callable[[str], None]
    ) -> None:
        self._session = session
        self._files = files
        self._shelf = shelf
        self._stream_id = stream_id
        self._dead = dead

    # ---------------------------------------------------------------- the port

    def see_predictions(
        self, ids: Sequence[str], digests: Sequence[bytes], partitions: Sequence[int], seqs: Sequence[int]
    ) -> list[identities.Known | None]:
        high, low = _of_predictions(ids)
        return self._see(pieces.PREDICTIONS, high, low, digests, np.asarray(partitions, np.int64), seqs)

    def see_labels(
        self, keys: Sequence[identities.LabelKey], digests: Sequence[bytes], seqs: Sequence[int]
    ) -> list[identities.Known | None]:
        high, low = _of_labels(keys)
        return self._see(pieces.LABELS, high, low, digests, np.zeros(len(keys), np.int64), seqs)

    def homes(self, ids: Sequence[str]) -> dict[str, int]:
        found = self._find(pieces.PREDICTIONS, *_of_predictions(ids))
        return {ids[index]: int(run.partition[at]) for index, (run, at) in found.items()}

    def forget_predictions(self, ids: Sequence[str]) -> None:
        if ids:
            high, low = _of_predictions(ids)
            self._forget(pieces.PREDICTIONS, high, low)
            self._forget(pieces.LABELS, high, None)

    def forget_labels(self, keys: Sequence[identities.LabelKey]) -> None:
        if keys:
            self._forget(pieces.LABELS, *_of_labels(keys))

    # ---------------------------------------------------------------- how

    def _see(
        self,
        kind: pieces.Kind,
        high: Words,
        low: Words,
        digests: Sequence[bytes],
        partitions: Ints,
        seqs: Sequence[int],
    ) -> list[identities.Known | None]:
        answer: list[identities.Known | None] = [None] * len(high)
        for index, (run, at) in self._find(kind, high, low).items():
            known = run.digest[at].tobytes()
            answer[index] = identities.Known(known, int(run.partition[at]), int(run.seq[at]))
        first: dict[tuple[int, int], int] = {}
        for index, name in enumerate(zip(high.tolist(), low.tolist(), strict=True)):
            before = first.setdefault(name, index)
            if before != index and answer[index] is None:
                answer[index] = identities.Known(digests[before], int(partitions[before]), seqs[before])
        fresh = np.array([index for index, known in enumerate(answer) if known is None], np.intp)
        if len(fresh):
            digest = np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2)
            columns = (high, low, partitions, np.asarray(seqs, np.int64), digest)
            self._add(kind, of_columns(*(column[fresh] for column in columns)), level=0)
            self._merge(kind)
        return answer

    def _find(self, kind: pieces.Kind, high: Words, low: Words) -> dict[int, tuple[Run, int]]:
        order = np.argsort(high, kind="stable")
        high, low = high[order], low[order]
        found: dict[int, tuple[Run, int]] = {}
        for _, _, run in self._all(kind):
            places = run.find(high, low)
            for index in np.flatnonzero(places >= 0).tolist():
                found[int(order[index])] = run, int(places[index])
        return found

    def _all(self, kind: pieces.Kind) -> list[tuple[str, int, Run]]:
        """Name, level and content of every run of a kind."""
        rows = self._session.rows("runs", stream_id=self._stream_id, kind=kind)
        opened = self._shelf.opened.get((self._stream_id, kind), {})
        held = {name: opened.get(name) or self._open(name, n, file) for name, _, n, file in rows}
        self._shelf.opened[self._stream_id, kind] = held
        return [(name, level, held[name]) for name, level, _, _ in rows]

    def _open(self, name: str, n: int, file: str | None) -> Run:
        if file is None:
            return parse(self._session.rows("run_body", run=name)[0][0], n, what="a run of identities")
        try:
            mapped = np.memmap(self._files.path(file), np.uint8, "r")
        except (OSError, ValueError) as error:
            raise pieces.damaged(f"run {file}", str(error)) from error
        return parse(mapped, n, what=f"run {file}")

    def _add(self, kind: pieces.Kind, run: Run, *, level: int) -> None:
        name, n = uuid.uuid4().hex, len(run)
        file: str | None = None
        body: bytes | None = None
        if n >= IN_FILE:
            file, sha256 = self._files.write_run(run.columns)
        else:
            body = b"".join(column.tobytes() for column in run.columns)
            sha256 = hashlib.sha256(body).hexdigest()
            self._shelf.opened.setdefault((self._stream_id, kind), {})[name] = run
        self._session.run(
            "add_run",
            run=name,
            stream_id=self._stream_id,
            kind=kind,
            level=_SETTLED_LEVEL if n >= SETTLED else level,
            n=n,
            sha256=sha256,
            file=file,
            body=body,
        )

    def _drop(self, kind: pieces.Kind, names: Sequence[str]) -> None:
        for name, _, _, file in self._session.rows("runs", stream_id=self._stream_id, kind=kind):
            if name in names and file is not None:
                self._dead(file)
        self._session.many("forget_run", [(name,) for name in names])

    def _merge(self, kind: pieces.Kind) -> None:
        """Merge level by level, upwards."""
        levels = [level for _, level, _, _ in self._session.rows("runs", stream_id=self._stream_id, kind=kind)]
        level = 0
        while levels.count(level) >= MERGE_AT:
            old = [(name, run) for name, of, run in self._all(kind) if of == level]
            columns = zip(*(run.columns for _, run in old), strict=True)
            self._drop(kind, [name for name, _ in old])
            self._add(kind, of_columns(*(np.concatenate(parts) for parts in columns)), level=level + 1)
            level += 1
            levels.append(level)

    def _forget(self, kind: pieces.Kind, high: Words, low: Words | None) -> None:
        """Write the runs that hold any of these again without them."""
        for name, level, run in self._all(kind):
            gone = np.isin(run.high, high)
            if low is not None and gone.any():
                names = set(zip(high.tolist(), low.tolist(), strict=True))
                for at in np.flatnonzero(gone).tolist():
                    gone[at] = (int(run.high[at]), int(run.low[at])) in names
            if gone.any():
                self._drop(kind, [name])
                if not gone.all():
                    self._add(kind, Run(*(column[~gone] for column in run.columns)), level=level)


def _of_predictions(ids: Sequence[str]) -> tuple[Words, Words]:
    words = np.frombuffer(b"".join(_hashes(ids)), "<u8").reshape(-1, 2)
    return words[:, 0].copy(), words[:, 1].copy()


def _of_labels(keys: Sequence[identities.LabelKey]) -> tuple[Words, Words]:
    """The first half is that of the prediction, so that all labels of a prediction are neighbours."""
    high, _ = _of_predictions([key[0] for key in keys])
    low, _ = _of_predictions([identities.label_name(key) for key in keys])
    return high, low


def _hashes(names: Sequence[str]) -> Iterator[bytes]:
    for name in names:
        yield hashlib.sha256(name.encode()).digest()[:16]
