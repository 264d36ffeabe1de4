"""A proof as a file: an entry, the way to a root, and the signed checkpoint of that root; checked from bytes alone."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from calibrant import errors
from calibrant.artifacts import keys as key_files
from calibrant.audit import checkpoint, entries, proofs, tree
from calibrant.calibrators import canonical

SCHEMA: Final = "calibrant.audit-proof/1"
_KEYS: Final = {"schema", "entry", "index", "proof", "checkpoint"}


@dataclass(frozen=True, slots=True)
class Proof:
    """That the bytes ``entry`` are entry ``index`` of the log that the note ``checkpoint`` was signed for."""

    entry: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: str


def dumps(proof: Proof) -> bytes:
    """Canonical JSON and a newline. The entry is in it as text, so that its bytes stay what was hashed."""
    found = {
        "schema": SCHEMA,
        "entry": proof.entry.decode(),
        "index": proof.index,
        "proof": [base64.b64encode(value).decode() for value in proof.path],
        "checkpoint": proof.checkpoint,
    }
    return canonical.dumps(found) + b"\n"


def loads(data: bytes) -> Proof:
    """Read a proof; ArtifactError (CAL-634) for anything else."""
    try:
        found = json.loads(data)
        if not isinstance(found, dict) or found.keys() != _KEYS or found["schema"] != SCHEMA:
            raise ValueError("keys")
        path = tuple(base64.b64decode(value, validate=True) for value in found["proof"])
        proof = Proof(found["entry"].encode(), found["index"], path, found["checkpoint"])
        if dumps(proof) != data:
            raise ValueError("form")
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError) as error:
        raise errors.ArtifactError(
            "CAL-634",
            "this is not the proof of an entry",
            cause=f"it is not {SCHEMA} in canonical form",
            fix="take the file as calibrant audit prove wrote it",
        ) from error
    return proof


def check(proof: Proof, keys: Sequence[key_files.PublicKey]) -> tuple[entries.Entry, checkpoint.Statement]:
    """The entry that is proved and the statement that it is proved against.

    Raises ArtifactError: CAL-630 for an entry that is none, CAL-631 and CAL-632 for a checkpoint that is not signed by
    one of these keys, CAL-635 when the proof does not lead from the one to the other.
    """
    said = checkpoint.verify(proof.checkpoint, keys)
    entry = entries.loads(proof.entry)
    leads = proofs.includes(
        tree.leaf_hash(proof.entry), index=proof.index, size=said.size, proof=proof.path, root=said.root
    )
    if not leads or entry.index != proof.index:
        raise errors.ArtifactError(
            "CAL-635",
            f"this entry is not entry {proof.index:,} of the log that was signed",
            cause="its hashes do not lead to the signed root",
            fix="the entry or the proof was changed: ask for a new proof from the log itself",
        )
    return entry, said
