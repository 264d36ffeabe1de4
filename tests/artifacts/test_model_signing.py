"""OpenSSF's own command accepts our folders as they are and refuses them tampered with: `make test-model-signing`."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibrant import errors
from calibrant.artifacts import bundle, folder, keys, signing

ROOT = Path(__file__).resolve().parents[2]
#: Whoever would reach for a network is refused at a port where nobody listens.
OFFLINE = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


@pytest.fixture(scope="session")
def command() -> str:
    """The real model_signing; skipped at home without it, a failure in CI."""
    own = ROOT / ".venv-model-signing" / "bin" / "model_signing"
    found = str(own) if own.exists() else shutil.which("model_signing")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("model_signing is missing, and CI must not skip it: make test-model-signing")
    if found is None:
        pytest.skip("model_signing is not installed: make test-model-signing")
    return found


@pytest.fixture
def signed(files: dict[str, bytes], tmp_path: Path) -> Path:
    """An exported folder signed with P-256, with an Ed25519 signature beside; the public key lies outside."""
    first, second = keys.generate("ecdsa-p256"), keys.generate()
    place = tmp_path / "fraud@7"
    made = [signing.sign(files, key) for key in (first, second)]
    folder.write(place, files, made, keyids=[first.public.keyid, second.public.keyid])
    (tmp_path / "key.pub").write_bytes(first.public.pem)
    return place


def verdict(command: str, place: Path, *, key: str = "key.pub", signature: str = "model.sig") -> tuple[int, str]:
    """Exit code and what was said."""
    arguments = ["verify", "key", place, "--signature", place / signature, "--public_key", place.parent / key]
    done = subprocess.run(
        [command, *map(str, arguments)], capture_output=True, text=True, check=False, env=os.environ | OFFLINE
    )
    return done.returncode, done.stdout + done.stderr


def test_it_accepts_an_artifact_offline(command: str, signed: Path) -> None:
    """Signed with P-256, unmodified, no network."""
    assert verdict(command, signed) == (0, "Verification succeeded\n")


def swap(place: Path) -> None:
    first, second = place / "artifact.json", place / "evidence.json"
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])


TAMPERING: dict[str, tuple[Callable[[Path], Any], str]] = {
    "changed": (lambda place: (place / "evidence.json").write_bytes(b'{"verdict":"failed"}\n'), "Hash mismatch"),
    "swapped": (swap, "Hash mismatch"),
    "added": (lambda place: (place / "weights.bin").write_bytes(b"1"), "Extra files"),
    "missing": (lambda place: (place / "evidence.json").unlink(), "Missing files"),
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_it_refuses_a_folder_that_was_tampered_with(kind: str, command: str, signed: Path) -> None:
    """And says why."""
    act, says = TAMPERING[kind]
    act(signed)
    code, said = verdict(command, signed)
    assert code != 0
    assert says in said


def test_it_refuses_another_key_and_another_statement(command: str, signed: Path) -> None:
    """A stranger's key, and a statement that nobody signed."""
    (signed.parent / "other.pub").write_bytes(keys.generate("ecdsa-p256").public.pem)
    assert verdict(command, signed, key="other.pub")[0] != 0
    forged = json.loads((signed / "model.sig").read_bytes())
    payload = base64.b64decode(forged["dsseEnvelope"]["payload"]).replace(b"fraud@7", b"fraud@8")
    forged["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (signed / "model.sig").write_text(json.dumps(forged))
    assert verdict(command, signed)[0] != 0


def test_it_signs_the_same_statement(command: str, signed: Path) -> None:
    """Their signer, our folder: the same subject digest and resources as ours; its form is not our one form."""
    key = keys.generate("ecdsa-p256")
    keys.save(key, signed.parent / "k.key")
    theirs, ours = signed.parent / "theirs.sig", signed / "model.sig"
    options = ["--private_key", signed.parent / "k.key", "--signature", theirs]
    ignored = ["--ignore-paths", ours, "--ignore-paths", signed / folder.SIGNATURES]
    subprocess.run(
        [command, "sign", "key", *map(str, [signed, *options, *ignored])], check=True, env=os.environ | OFFLINE
    )
    made = [
        json.loads(base64.b64decode(json.loads(path.read_bytes())["dsseEnvelope"]["payload"]))
        for path in (theirs, ours)
    ]
    for statement in made:
        statement["predicate"]["serialization"].pop("ignore_paths")
    assert made[0] == made[1]
    assert json.loads(theirs.read_bytes())["verificationMaterial"]["publicKey"]["hint"] == bundle.hint(key.public)
    with pytest.raises(errors.ArtifactError, match="CAL-650"):
        bundle.loads(theirs.read_bytes())
