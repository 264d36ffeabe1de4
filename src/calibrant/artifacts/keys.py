"""Keys that sign and keys that verify: Ed25519 by default, ECDSA on P-256 for those who verify with OpenSSF tools."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, TypeAlias, assert_never

from cryptography import exceptions
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from calibrant import errors

Algorithm: TypeAlias = Literal["ed25519", "ecdsa-p256"]

_Public: TypeAlias = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
_Private: TypeAlias = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
_ECDSA: Final = ec.ECDSA(hashes.SHA256())
#: Larger than any key file.
_LARGEST: Final = 16_384


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies, as the DER bytes of its SubjectPublicKeyInfo."""

    der: bytes

    def __post_init__(self) -> None:
        if _spki(self._key) != self.der:
            raise _unreadable("the public key is not in its one DER form")

    @cached_property
    def _key(self) -> _Public:
        try:
            return _supported_public(serialization.load_der_public_key(self.der))
        except (ValueError, exceptions.UnsupportedAlgorithm) as error:
            raise _unreadable(type(error).__name__) from None

    @property
    def algorithm(self) -> Algorithm:
        return "ed25519" if isinstance(self._key, ed25519.Ed25519PublicKey) else "ecdsa-p256"

    @cached_property
    def keyid(self) -> str:
        """SHA-256 of the DER bytes, 64 hexadecimal digits: how trust policies and signatures name the key."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def raw(self) -> bytes:
        """The 32 bytes of an Ed25519 key, as signed notes want them; the uncompressed point of a P-256 key."""
        if isinstance(self._key, ed25519.Ed25519PublicKey):
            return self._key.public_bytes_raw()
        return self._key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)

    @cached_property
    def pem(self) -> bytes:
        """The text form that other tools read."""
        return self._key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the owner of the private key signed exactly this message."""
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, message)
            else:
                self._key.verify(signature, message, _ECDSA)
        except exceptions.InvalidSignature:
            return False
        return True


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """A key that signs. It is never printed, compared by content or written anywhere but by ``save``."""

    _key: _Private

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.algorithm}, keyid={self.public.keyid[:12]}…)"

    @cached_property
    def public(self) -> PublicKey:
        return PublicKey(_spki(self._key.public_key()))

    def sign(self, message: bytes) -> bytes:
        """64 bytes for Ed25519, a DER sequence for P-256."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, _ECDSA)

    def pem(self) -> bytes:
        """The secret itself, PKCS#8 without a password; for ``save`` and nothing else."""
        form = serialization.PrivateFormat.PKCS8
        return self._key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def generate(algorithm: Algorithm = "ed25519") -> PrivateKey:
    """A new key from the operating system's randomness.

    >>> key = generate()
    >>> key.public.verifies(key.sign(b"message"), b"message")
    True
    """
    match algorithm:
        case "ed25519":
            return PrivateKey(ed25519.Ed25519PrivateKey.generate())
        case "ecdsa-p256":
            return PrivateKey(ec.generate_private_key(ec.SECP256R1()))
        case _:
            assert_never(algorithm)


def save(key: PrivateKey, path: Path) -> None:
    """Write a private key that only its owner may read (mode 0600); an existing file is never replaced."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise errors.ArtifactError(
            "CAL-649",
            f"{path.name} exists already",
            cause="replacing a key would make everything that it signed unverifiable",
            fix="give another name; rotate keys by adding the new one to the trust policy",
        ) from None
    except OSError as error:
        raise _no_file(path, error) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.pem())
        file.flush()
        os.fsync(file.fileno())


def load(path: Path) -> PrivateKey:
    """Read a private key; refused when anybody but its owner may read or replace it (CAL-647)."""
    data, mode = _read(path)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise errors.ArtifactError(
            "CAL-647",
            f"the private key {path.name} is open to others",
            cause=f"its mode is {stat.filemode(mode)}: others on this machine can sign with it, or could have",
            fix="chmod 600 the file; if others may have read it, revoke the key and generate a new one",
        )
    try:
        return PrivateKey(_supported_private(serialization.load_pem_private_key(data, password=None)))
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        # TypeError: the key has a password
        raise _unreadable(type(error).__name__) from None


def load_public(path: Path) -> PublicKey:
    """Read a public key in PEM form."""
    return parse_public(_read(path)[0])


def parse_public(pem: bytes) -> PublicKey:
    """A public key from its PEM text."""
    try:
        return PublicKey(_spki(_supported_public(serialization.load_pem_public_key(pem))))
    except (ValueError, exceptions.UnsupportedAlgorithm) as error:
        raise _unreadable(type(error).__name__) from None


# ------------------------------------------------------------------------------------------ parts


def _spki(key: _Public) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _supported_public(key: object) -> _Public:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise _unreadable("it is neither Ed25519 nor ECDSA on P-256")


def _supported_private(key: object) -> _Private:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise _unreadable("it is neither Ed25519 nor ECDSA on P-256")


def _read(path: Path) -> tuple[bytes, int]:
    """Content and mode of one open file, so that both are of the same file."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise _unreadable("it is not a regular file")
            return file.read(_LARGEST), mode
    except OSError as error:
        raise _no_file(path, error) from None


def _no_file(path: Path, error: OSError) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-648",
        f"the key file {path.name} cannot be opened",
        cause=error.strerror or type(error).__name__,
        fix="give the path of a key that `calibrant artifact keygen` or openssl made",
    )


def _unreadable(cause: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-648",
        "this is not a key that Calibrant can use",
        cause=cause,
        fix="give an Ed25519 or P-256 key in PEM form without a password",
    )
