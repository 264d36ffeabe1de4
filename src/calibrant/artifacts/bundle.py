"""The signature file: a Sigstore bundle with one DSSE envelope, as `model_signing sign key` writes it, in one form.

What the signature does not cover (the media type, the hints at the key) is covered by the form: a bundle has one
sequence of bytes, and ``verify`` compares the hints with the key that verified.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any, Final

from calibrant import errors
from calibrant.artifacts import dsse, keys
from calibrant.calibrators import canonical, strict_json

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
#: A bundle names a handful of files; more than this is not a bundle.
LARGEST: Final = 65_536


@dataclass(frozen=True, slots=True)
class Bundle:
    """A payload, its signature, and two names of the key: Calibrant's and the one that model-signing looks at."""

    payload: bytes
    signature: bytes
    keyid: str
    hint: str


def hint(key: keys.PublicKey) -> str:
    """SHA-256 of the key's PEM text: how model-signing names keys."""
    return hashlib.sha256(key.pem).hexdigest()


def sign(payload: bytes, key: keys.PrivateKey) -> Bundle:
    """Sign a statement."""
    return Bundle(payload, key.sign(dsse.pae(payload)), key.public.keyid, hint(key.public))


def dumps(bundle: Bundle) -> bytes:
    """The one byte sequence of a bundle, canonical JSON and one newline."""
    return canonical.dumps(_form(bundle)) + b"\n"


def _form(bundle: Bundle) -> dict[str, Any]:
    signature = {"keyid": bundle.keyid, "sig": _text(bundle.signature)}
    return {
        "dsseEnvelope": {
            "payload": _text(bundle.payload),
            "payloadType": dsse.PAYLOAD_TYPE,
            "signatures": [signature],
        },
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": bundle.hint}, "tlogEntries": []},
    }


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def loads(data: bytes) -> Bundle:
    """Read a bundle; ArtifactError (CAL-650) for every sequence of bytes that ``dumps`` did not write."""
    if len(data) > LARGEST:
        raise _foreign(f"it is larger than {LARGEST} bytes")
    try:
        bundle = _bundle(strict_json.loads(data))
        unchanged = dumps(bundle) == data
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise _foreign(f"it does not have the form of a bundle ({type(error).__name__})") from None
    if not unchanged:
        raise _foreign("members were added or changed, or it is not in canonical form")
    return bundle


def _bundle(found: Any) -> Bundle:
    envelope = found["dsseEnvelope"]
    signature = envelope["signatures"][0]
    return Bundle(
        payload=base64.b64decode(envelope["payload"], validate=True),
        signature=base64.b64decode(signature["sig"], validate=True),
        keyid=signature["keyid"],
        hint=found["verificationMaterial"]["publicKey"]["hint"],
    )


def _foreign(cause: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-650",
        "this is not a signature file of Calibrant",
        cause=cause,
        fix="give the model.sig that belongs to the artifact, unchanged",
    )
