"""Keys: both algorithms, files that only their owner may read, nothing secret in print."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from calibrant import errors
from calibrant.artifacts import keys

BOTH: tuple[keys.Algorithm, ...] = ("ed25519", "ecdsa-p256")


@pytest.mark.parametrize("algorithm", BOTH)
def test_what_one_key_signs_only_its_public_key_verifies(algorithm: keys.Algorithm) -> None:
    """Not another message, not another key, not a cut signature."""
    key, other = keys.generate(algorithm), keys.generate(algorithm)
    signature = key.sign(b"message")
    assert key.public.algorithm == algorithm
    assert key.public.verifies(signature, b"message")
    assert not key.public.verifies(signature, b"messagf")
    assert not other.public.verifies(signature, b"message")
    assert not any(key.public.verifies(signature[:end], b"message") for end in range(len(signature)))


def test_a_signature_of_the_other_algorithm_is_no_signature() -> None:
    """No exception either: it is just not verified."""
    first, second = (keys.generate(algorithm) for algorithm in BOTH)
    assert not first.public.verifies(second.sign(b"m"), b"m")
    assert not second.public.verifies(first.sign(b"m"), b"m")


@pytest.mark.parametrize("algorithm", BOTH)
def test_a_key_survives_its_file(algorithm: keys.Algorithm, tmp_path: Path) -> None:
    """Saved with mode 0600, loaded as the same key; the public part through PEM."""
    key, path = keys.generate(algorithm), tmp_path / "artifacts.key"
    keys.save(key, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.load(path).public == key.public
    (tmp_path / "artifacts.pub").write_bytes(key.public.pem)
    assert keys.load_public(tmp_path / "artifacts.pub") == key.public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o644, 0o777])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    """Whoever can read it can sign with it."""
    path = tmp_path / "artifacts.key"
    keys.save(keys.generate(), path)
    path.chmod(mode)
    with pytest.raises(errors.ArtifactError, match="CAL-647"):
        keys.load(path)


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    """The first key stays."""
    path, key = tmp_path / "artifacts.key", keys.generate()
    keys.save(key, path)
    with pytest.raises(errors.ArtifactError, match="CAL-649"):
        keys.save(keys.generate(), path)
    assert keys.load(path).public == key.public


def test_the_keyid_is_what_openssl_says(tmp_path: Path) -> None:
    """SHA-256 over SubjectPublicKeyInfo in DER form."""
    key = keys.generate("ecdsa-p256")
    keys.save(key, tmp_path / "k.key")
    der = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "k.key", "-pubout", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    assert key.public.keyid == hashlib.sha256(der).hexdigest()


def test_what_is_no_key_of_ours_is_refused(tmp_path: Path) -> None:
    """Other algorithms, other curves, passwords, noise, folders, nothing."""
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    strange = {
        "rsa": rsa.generate_private_key(65537, 2048).private_bytes(pem, pkcs8, plain),
        "p384": ec.generate_private_key(ec.SECP384R1()).private_bytes(pem, pkcs8, plain),
        "password": ed25519.Ed25519PrivateKey.generate().private_bytes(
            pem, pkcs8, serialization.BestAvailableEncryption(b"secret")
        ),
        "noise": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "empty": b"",
    }
    for name, content in strange.items():
        path = tmp_path / name
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(errors.ArtifactError, match="CAL-648"):
            keys.load(path)
        with pytest.raises(errors.ArtifactError, match="CAL-648"):
            keys.parse_public(content)
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(errors.ArtifactError, match="CAL-648"):
            keys.load(path)
    with pytest.raises(errors.ArtifactError, match="CAL-648"):
        keys.save(keys.generate(), tmp_path / "absent" / "k.key")


def test_public_bytes_with_something_behind_them_are_refused() -> None:
    """One key has one DER form, hence one keyid."""
    der = keys.generate().public.der
    with pytest.raises(errors.ArtifactError, match="CAL-648"):
        keys.PublicKey(der + b"\0")


def test_a_private_key_shows_nothing_of_itself() -> None:
    """Neither in print nor in a log line."""
    key = keys.generate()
    secret = key.pem().decode().splitlines()[1]
    assert secret not in repr(key)
    assert secret not in f"{key} {key!s}"
    assert key.public.keyid[:12] in repr(key)
