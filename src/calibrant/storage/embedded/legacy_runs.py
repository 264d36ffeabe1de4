"""Identities of stores that were made before schema version 6: from tables by text into runs."""

from __future__ import annotations

from typing import Final

from calibrant.storage import database

#: So many identities become a run at once.
BLOCK: Final = 250_000


def move(session: database.Session) -> None:
    """Move all identities, if they are still in tables, and drop these: all or nothing, in this transaction."""
    if not session.rows("legacy_tables")[0][0]:
        return
    for (stream_id,) in session.rows("stream_numbers"):
        _move_predictions(session, stream_id)
        _move_labels(session, stream_id)
    session.run("drop_legacy_predictions")
    session.run("drop_legacy_labels")


def _move_predictions(session: database.Session, stream_id: int) -> None:
    known, after = session.identities(stream_id), ""
    while rows := session.rows("legacy_predictions", stream_id=stream_id, after=after, most=BLOCK):
        ids, digests, partitions, seqs = zip(*rows, strict=True)
        known.see_predictions(ids, digests, partitions, seqs)
        after = ids[-1]


def _move_labels(session: database.Session, stream_id: int) -> None:
    known, after = session.identities(stream_id), ("", "", -(2**62))
    while rows := session.rows(
        "legacy_labels", stream_id=stream_id, prediction=after[0], source=after[1], revision=after[2], most=BLOCK
    ):
        keys = [(prediction, source, revision) for prediction, source, revision, _, _ in rows]
        known.see_labels(keys, [row[3] for row in rows], [row[4] for row in rows])
        after = keys[-1]
