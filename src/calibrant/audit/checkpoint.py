"""Checkpoints: a signed statement of how long the log is and what its root is, as a note that people can read.

The form is C2SP tlog-checkpoint, which is a C2SP signed note, with Ed25519:

    ORIGIN
    SIZE
    BASE64 OF THE ROOT

    — KEY-NAME BASE64 OF (KEY HASH, 4 BYTES || SIGNATURE, 64 BYTES)

What is signed is the text up to and including the newline before the empty line. Other signatures on the same note,
of witnesses, are left alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from calibrant import errors
from calibrant.artifacts import keys as key_files
from calibrant.audit import tree

_SIGNED: Final = re.compile(r"— (\S+) (\S+)")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
#: The C2SP type byte of an Ed25519 signature of a note.
_ED25519: Final = b"\x01"
_LONGEST: Final = 16_384


@dataclass(frozen=True, slots=True)
class Statement:
    """The log named ``origin`` has ``size`` entries, and this is the root over them."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs checkpoints of one log with an Ed25519 key. ``origin`` names the log, and the key in its signatures."""

    origin: str
    key: key_files.PrivateKey

    def __post_init__(self) -> None:
        if self.key.public.algorithm != "ed25519":
            raise errors.ArtifactError(
                "CAL-633",
                "this key cannot sign checkpoints",
                cause=f"it is {self.key.public.algorithm}, and signed notes are signed with ed25519",
                fix="generate an Ed25519 key for the audit log, which is its own key anyway",
            )

    def note(self, *, size: int, root: bytes) -> str:
        """A signed note."""
        body = Statement(self.origin, size, root).body()
        signature = key_hash(self.origin, self.key.public) + self.key.sign(body.encode())
        return f"{body}\n— {self.origin} {base64.b64encode(signature).decode()}\n"


def key_hash(name: str, key: key_files.PublicKey) -> bytes:
    """The first 4 bytes of SHA-256(name || 0x0A || 0x01 || public key), which tells signatures apart."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.raw).digest()[:4]


def origin_of(key: key_files.PublicKey) -> str:
    """A name for a new log: that of its first key."""
    return "calibrant.audit/" + hashlib.sha256(key.raw).hexdigest()[:16]


def parse(note: str) -> Statement:
    """What a note says, whoever signed it; ArtifactError (CAL-631) for what is not the note of a checkpoint."""
    body, signatures = _parts(note)
    lines = body.split("\n")
    if len(lines) < 4 or not lines[0] or not signatures:
        raise _malformed("it has no origin, size, root and signature")
    if not _SIZE.fullmatch(lines[1]):
        raise _malformed("its second line is not a size")
    root = _base64(lines[2])
    if len(root) != tree.WIDTH:
        raise _malformed("its third line is not a root")
    return Statement(lines[0], int(lines[1]), root)


def verify(note: str, keys: Iterable[key_files.PublicKey]) -> Statement:
    """What a note says, signed by one of these keys; ArtifactError (CAL-631 form, CAL-632 signature)."""
    statement = parse(note)
    body, signatures = _parts(note)
    for key in keys:
        expected = key_hash(statement.origin, key)
        for name, signature in signatures:
            if name == statement.origin and signature[:4] == expected and key.verifies(signature[4:], body.encode()):
                return statement
    raise errors.ArtifactError(
        "CAL-632",
        f"no key that is trusted here has signed the checkpoint of size {statement.size:,}",
        cause="its signature is of another key, or it was changed after it was signed",
        fix="give the public key of the log that you trust: --key FILE",
    )


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The signed text and the (key name, key hash || signature) below it."""
    if len(note) > _LONGEST or any(ord(letter) < 32 and letter != "\n" for letter in note):
        raise _malformed("it is too long, or holds control characters")
    body, found, signed = note.rpartition("\n\n")
    if not found or not signed.endswith("\n"):
        raise _malformed("there is no empty line before signatures")
    signatures = []
    for line in signed[:-1].split("\n"):
        parts = _SIGNED.fullmatch(line)
        if parts is None:
            raise _malformed("a line of a signature has another form")
        signatures.append((parts[1], _base64(parts[2])))
    return body + "\n", signatures


def _base64(text: str) -> bytes:
    """Standard base64 that has no second spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or base64.b64encode(data).decode() != text:
        raise _malformed("something in it is not base64")
    return data


def _malformed(cause: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-631",
        "this is not the note of a checkpoint",
        cause=cause,
        fix="take the note as calibrant audit checkpoint --export wrote it, with its last newline",
    )
