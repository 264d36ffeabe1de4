"""What a signature says: these files, with these digests, are the artifact of this name.

An in-toto Statement v1 with the predicate of OpenSSF model-signing, so that its command verifies our folders as they
are. The subject's digest is the SHA-256 over the raw digests of the files in the order of their names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from calibrant import errors
from calibrant.artifacts import folder
from calibrant.calibrators import canonical, strict_json

TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"
#: How the files were read; model-signing reads the folder in the same way before it compares.
_SERIALIZATION: Final = {
    "allow_symlinks": False,
    "hash_type": "sha256",
    "ignore_paths": [folder.SIGNATURE, folder.SIGNATURES],
    "method": "files",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """The name of the artifact and the SHA-256 of each of its files, in hexadecimal digits."""

    name: str
    digests: Mapping[str, str]


def of(name: str, files: Mapping[str, bytes]) -> Statement:
    """The statement about these files."""
    return Statement(name, {file: hashlib.sha256(content).hexdigest() for file, content in files.items()})


def dumps(statement: Statement) -> bytes:
    """The payload of the signature: canonical JSON."""
    listed = sorted(statement.digests.items())
    subject = hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in listed)).hexdigest()
    resources = [{"algorithm": "sha256", "digest": digest, "name": name} for name, digest in listed]
    return canonical.dumps(
        {
            "_type": TYPE,
            "predicate": {"resources": resources, "serialization": _SERIALIZATION},
            "predicateType": PREDICATE_TYPE,
            "subject": [{"digest": {"sha256": subject}, "name": statement.name}],
        }
    )


def loads(payload: bytes) -> Statement:
    """Read a payload back; ArtifactError (CAL-652) for one that ``dumps`` did not write."""
    try:
        statement = _statement(strict_json.loads(payload))
        unchanged = dumps(statement) == payload
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise _foreign(f"it does not have the form of a statement ({type(error).__name__})") from None
    if not unchanged:
        raise _foreign("its digests do not add up, or members were added, or it is not in canonical form")
    return statement


def _statement(found: Any) -> Statement:
    digests = {resource["name"]: resource["digest"] for resource in found["predicate"]["resources"]}
    return Statement(found["subject"][0]["name"], digests)


def _foreign(cause: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-652",
        "the signed statement is not one about an artifact of Calibrant",
        cause=cause,
        fix="sign the artifact with Calibrant; a key must not be used for anything else",
    )


def demand_same(signed: Statement, files: Mapping[str, bytes]) -> None:
    """Exactly the files that were signed: none missing (CAL-654), none added (CAL-655), none changed (CAL-653)."""
    missing, added = sorted(signed.digests.keys() - files.keys()), len(files.keys() - signed.digests.keys())
    fix = "take the whole artifact again from where it was signed"
    if missing:
        raise errors.ArtifactError(
            "CAL-654", "a file of the artifact is missing", cause=f"{missing[0]} was signed and is not there", fix=fix
        )
    if added:
        raise errors.ArtifactError(
            "CAL-655", "the artifact holds files that nobody signed", cause=f"{added} file(s) were added", fix=fix
        )
    for name, digest in sorted(of("", files).digests.items()):
        if digest != signed.digests[name]:
            raise errors.ArtifactError(
                "CAL-653",
                f"{name} was changed after it was signed",
                cause="its SHA-256 is not the one in the signed statement",
                fix=fix,
            )
