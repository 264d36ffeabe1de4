"""The signature file: one form, and the names of the key that two programs look at."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest

from calibrant import errors
from calibrant.artifacts import bundle, dsse, keys


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-p256"])
def test_round_trip(algorithm: keys.Algorithm) -> None:
    """A bundle is one sequence of bytes and back; the signature is over DSSE's encoding."""
    key = keys.generate(algorithm)
    made = bundle.sign(b"{}", key)
    assert bundle.loads(bundle.dumps(made)) == made
    assert key.public.verifies(made.signature, b"DSSEv1 28 application/vnd.in-toto+json 2 {}")
    assert dsse.pae(b"{}") == b"DSSEv1 28 application/vnd.in-toto+json 2 {}"


@pytest.mark.parametrize(
    ("algorithm", "command"),
    [
        ("ecdsa-p256", "dgst -sha256 -verify key.pub -signature signature message"),
        ("ed25519", "pkeyutl -verify -pubin -inkey key.pub -rawin -in message -sigfile signature"),
    ],
)
def test_openssl_verifies_a_signature(algorithm: keys.Algorithm, command: str, tmp_path: Path) -> None:
    """By hand, as docs/artifacts.md says: with neither Calibrant nor model-signing."""
    key = keys.generate(algorithm)
    found = json.loads(bundle.dumps(bundle.sign(b'{"statement":1}', key)))["dsseEnvelope"]
    payload = base64.b64decode(found["payload"])
    (tmp_path / "key.pub").write_bytes(key.public.pem)
    (tmp_path / "signature").write_bytes(base64.b64decode(found["signatures"][0]["sig"]))

    def code(message: bytes) -> int:
        (tmp_path / "message").write_bytes(message)
        return subprocess.run(["openssl", *command.split()], cwd=tmp_path, capture_output=True, check=False).returncode

    assert code(dsse.pae(payload)) == 0
    assert code(dsse.pae(payload + b" ")) != 0


@pytest.mark.parametrize("data", [b"", b"null\n", b"[]\n", b"{}\n", b"\xff", b"[" * 60_000, b" " * 70_000])
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    """One kind of error for all of it."""
    with pytest.raises(errors.ArtifactError, match="CAL-650"):
        bundle.loads(data)
