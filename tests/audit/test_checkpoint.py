"""Notes of checkpoints: their form, a reference note of another implementation, and every byte changed."""

from __future__ import annotations

import base64
import hashlib

import pytest

from calibrant import errors
from calibrant.artifacts import keys
from calibrant.audit import checkpoint, tree

KEY = keys.generate()
PUBLIC = KEY.public
SIGNER = checkpoint.Signer("log.example/audit", KEY)
ROOT = hashlib.sha256(b"root").digest()
#: The example of C2SP signed-note, whose key is PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW.
PETER = "PeterNeumann"
PETERS_KEY = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)  # fmt: skip
PETERS_SIGNATURE = (
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)  # fmt: skip


def test_a_note() -> None:
    """Three lines, an empty one and a signature; what was signed is found again."""
    note = SIGNER.note(size=7, root=ROOT)
    origin, size, root, empty, signature, end = note.split("\n")
    assert (origin, size, empty, end) == ("log.example/audit", "7", "", "")
    assert base64.b64decode(root) == ROOT
    assert signature.startswith("— log.example/audit ")
    assert checkpoint.verify(note, [PUBLIC]) == checkpoint.Statement("log.example/audit", 7, ROOT)


def test_the_reference_key_hash_and_signature() -> None:
    """The published example of the signed note: the key hash is that of its verifier key, and the signature holds."""
    raw = base64.b64decode(PETERS_KEY)
    # the DER form of an Ed25519 key is a fixed beginning and the 32 bytes
    key = keys.PublicKey(bytes.fromhex("302a300506032b6570032100") + raw[1:])
    assert raw[0] == 1
    assert checkpoint.key_hash(PETER, key).hex() == "c74f20a3"
    signature = base64.b64decode(PETERS_SIGNATURE)
    assert signature[:4].hex() == "c74f20a3"
    assert key.verifies(signature[4:], PETERS_TEXT.encode())


def test_every_byte() -> None:
    """Every bit of every byte flipped, and every truncation: refused."""
    note = SIGNER.note(size=123, root=ROOT).encode()
    spoilt = [note[:at] for at in range(len(note))]
    spoilt += [note[:at] + bytes([note[at] ^ 1 << bit]) + note[at + 1 :] for at in range(len(note)) for bit in range(8)]
    for bad in spoilt:
        try:
            text = bad.decode()
        except UnicodeDecodeError:
            continue
        with pytest.raises(errors.ArtifactError, match=r"CAL-63[12]"):
            checkpoint.verify(text, [PUBLIC])


def test_another_key_and_another_origin() -> None:
    """A note of another key, or with the origin of another log, is not this log's."""
    other = keys.generate()
    note = SIGNER.note(size=1, root=ROOT)
    with pytest.raises(errors.ArtifactError, match="CAL-632"):
        checkpoint.verify(note, [other.public])
    with pytest.raises(errors.ArtifactError, match="CAL-632"):
        checkpoint.verify(note.replace("log.example", "log.elsewhere"), [PUBLIC])
    with pytest.raises(errors.ArtifactError, match="CAL-632"):
        checkpoint.verify(note, [])


def test_signatures_of_witnesses() -> None:
    """Other signatures below the log's own are left alone, and more lines in the text are signed too."""
    note = SIGNER.note(size=0, root=tree.EMPTY)
    cosigned = note + f"— witness.example {base64.b64encode(bytes(76)).decode()}\n"
    assert checkpoint.verify(cosigned, [PUBLIC]).size == 0
    with pytest.raises(errors.ArtifactError, match="CAL-632"):
        checkpoint.verify(note.replace("\n\n", "\nmore\n\n"), [PUBLIC])


@pytest.mark.parametrize(
    "note",
    [
        "", "a\n1\n", "a\n01\nYQ==\n\n— a YQ==\n", "a\n-1\nYQ==\n\n— a YQ==\n", "a\n1\nYQ==\n\n— a YQ==\n",
        "a\n1\nYQ==\n\n",
        "a\n1\nYQ\n\n- a YQ==\n", "\n1\nYQ==\n\n— a YQ==\n", "a\r\n1\nYQ==\n\n— a YQ==\n", "a" * 20_000,
    ],
)  # fmt: skip
def test_malformed(note: str) -> None:
    """What is not the note of a checkpoint is said to be none."""
    with pytest.raises(errors.ArtifactError, match="CAL-631"):
        checkpoint.parse(note)


def test_names_of_logs() -> None:
    """Logs of different keys have different names."""
    other = keys.generate().public
    assert checkpoint.origin_of(PUBLIC) != checkpoint.origin_of(other)


def test_a_key_of_another_kind() -> None:
    """Notes are signed with Ed25519; a P-256 key is refused as a signer, and verifies nothing."""
    other = keys.generate("ecdsa-p256")
    with pytest.raises(errors.ArtifactError, match="CAL-633"):
        checkpoint.Signer("log", other)
    with pytest.raises(errors.ArtifactError, match="CAL-632"):
        checkpoint.verify(SIGNER.note(size=1, root=ROOT), [other.public])
