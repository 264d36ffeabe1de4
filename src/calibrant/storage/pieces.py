"""Pieces: some events of one kind and one partition as an Arrow table, and the row that describes them.

A piece carries the columns of its events and then ``received_us`` and ``seq``; a piece of labels also ``linked_us``,
the time at which a label and its prediction were both there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from calibrant import errors
from calibrant.storage import database

PREDICTIONS: Final = 0
LABELS: Final = 1
Kind = Literal[0, 1]
KINDS: Final[tuple[Kind, ...]] = (PREDICTIONS, LABELS)

SEALED: Final = 9
#: Pieces with fewer rows than this are of level 0, 1; larger ones of level 2, which only sealing merges.
LEVELS: Final = (64, 1_000)
#: So many pieces of one level in a partition become one of the next.
MERGE_AT: Final = 64

_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


@dataclass(frozen=True, slots=True)
class Piece:
    """The row that describes a piece, without its body."""

    kind: Kind
    partition_us: int
    piece: int
    level: int
    n: int
    min_received_us: int
    max_received_us: int
    max_linked_us: int
    min_at_us: int
    max_at_us: int
    sha256: str
    file: str | None


def encode(table: pa.Table) -> bytes:
    """One Arrow stream with its schema, so that a later version can still read it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def decode(body: bytes | memoryview) -> pa.Table:
    """Read what ``encode`` wrote; StoreDamagedError (CAL-854) when it is something else."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(body)) as reader:
            return reader.read_all()
    except (pa.ArrowException, OSError) as error:
        raise damaged("a piece of the database", str(error)) from error


def damaged(what: str, cause: str) -> errors.StoreDamagedError:
    return errors.StoreDamagedError(
        "CAL-854",
        f"{what} cannot be read back",
        cause=cause,
        fix="restore the store from a backup; the disk or the database below it has lost data",
    )


def describe(table: pa.Table, *, kind: Kind, partition_us: int, piece: int, level: int | None = None) -> dict[str, Any]:
    """The row of a new piece, but for stream_id, sha256, file and body."""
    received = table["received_us"].to_numpy()
    at = table["at_us"].to_numpy()
    linked = table["linked_us"].to_numpy() if kind == LABELS else received
    size = int(np.searchsorted(LEVELS, table.num_rows, side="right"))
    return {
        "kind": kind,
        "partition_us": partition_us,
        "piece": piece,
        "level": size if level is None else level,
        "n": table.num_rows,
        "min_received_us": int(received.min()),
        "max_received_us": int(received.max()),
        "max_linked_us": int(linked.max()),
        "min_at_us": int(at.min()),
        "max_at_us": int(at.max()),
    }


def hot(table: pa.Table) -> dict[str, Any]:
    """Where a hot piece lies: in the database row itself."""
    body = encode(table)
    return {"sha256": hashlib.sha256(body).hexdigest(), "file": None, "body": body}


def of_stream(session: database.Session, stream_id: int, kind: Kind, *, first_us: int, end_us: int) -> list[Piece]:
    """Descriptions of the pieces of partitions that start in [first, end), in order of time."""
    found = session.rows("pieces", stream_id=stream_id, kind=kind, first_us=first_us, end_us=end_us)
    return [Piece(*row) for row in found]


def load(
    session: database.Session,
    sealed: database.Sealed,
    stream_id: int,
    piece: Piece,
    *,
    columns: Sequence[str] | None = None,
) -> list[pa.Table] | Any:
    """The rows of a piece in one or several tables."""
    if piece.file is not None:
        return sealed.read(piece.file, columns)
    table = decode(_body(session, stream_id, piece))
    return [table if columns is None else table.select(list(columns))]


def digest(session: database.Session, sealed: database.Sealed, stream_id: int, piece: Piece) -> str:
    """SHA-256 of a piece as it is now."""
    if piece.file is not None:
        return sealed.digest(piece.file)
    return hashlib.sha256(_body(session, stream_id, piece)).hexdigest()


def name(piece: Piece) -> str:
    """What to call a piece in a message."""
    if piece.file is not None:
        return f"segment {piece.file}"
    return f"{'labels' if piece.kind else 'predictions'} of partition {piece.partition_us}, piece {piece.piece}"


def _body(session: database.Session, stream_id: int, piece: Piece) -> bytes:
    where = {"kind": piece.kind, "partition_us": piece.partition_us, "piece": piece.piece}
    return bytes(session.rows("piece_body", stream_id=stream_id, **where)[0][0])


def take(table: pa.Table, keep: Any) -> pa.Table:
    """The rows where a numpy mask holds."""
    return table if keep.all() else table.filter(pa.array(keep))


def member(column: pa.ChunkedArray, values: Sequence[str]) -> Any:
    """Numpy mask of the rows whose text is among ``values``."""
    found = pc.is_in(column, value_set=pa.array(values, pa.string()))
    return found.to_numpy(zero_copy_only=False).astype(bool)
