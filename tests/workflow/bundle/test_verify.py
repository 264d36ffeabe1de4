"""The verifier's own cryptography against RFC vectors and the cryptography package, and hostile bundles."""

from __future__ import annotations

import ast
import random
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from calibrant.artifacts import keys
from calibrant.workflow.bundle import verify

#: RFC 8032, section 7.1: public key, message, signature.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]
ORDER = verify.N


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_ed25519_vectors(public: str, message: str, signature: str) -> None:
    """The published vectors hold, and no longer when a bit of anything is changed."""
    held = [bytes.fromhex(part) for part in (public, signature, message)]
    assert verify.ed25519_verifies(*held)
    for place in (0, 1):
        changed = list(held)
        changed[place] = bytes([held[place][0] ^ 1]) + held[place][1:]
        assert not verify.ed25519_verifies(*changed)
    assert not verify.ed25519_verifies(held[0], held[1], held[2] + b"!")


def test_ed25519_agrees_with_the_library() -> None:
    """On random keys and messages, as they are and with one random bit changed."""
    rng = random.Random(1)
    for _ in range(12):
        secret = ed25519.Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
        public, message = secret.public_key().public_bytes_raw(), rng.randbytes(rng.randrange(80))
        signature = secret.sign(message)
        assert verify.ed25519_verifies(public, signature, message)
        bad = bytearray(signature)
        bad[rng.randrange(64)] ^= 1 << rng.randrange(8)
        assert not verify.ed25519_verifies(public, bytes(bad), message)


def test_ed25519_is_strict() -> None:
    """A scalar beyond the order, keys of small order, other lengths, and points off the curve are refused."""
    secret = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    public, signature = secret.public_key().public_bytes_raw(), secret.sign(b"m")
    scalar = int.from_bytes(signature[32:], "little") + verify.L
    assert not verify.ed25519_verifies(public, signature[:32] + scalar.to_bytes(32, "little"), b"m")
    assert not verify.ed25519_verifies(public, signature[:63], b"m")
    assert not verify.ed25519_verifies(public[:31], signature, b"m")
    identity = (1).to_bytes(32, "little")
    assert not verify.ed25519_verifies(identity, identity + bytes(32), b"anything")
    assert verify.ed_decode((verify.P + 1).to_bytes(32, "little")) is None  # a second encoding of y = 1
    assert verify.ed_decode((1 | 1 << 255).to_bytes(32, "little")) is None  # x = 0 with a sign
    assert verify.ed_decode((2).to_bytes(32, "little")) is None  # no such point


def test_p256_agrees_with_the_library() -> None:
    """On random keys and messages, as they are and with one random bit changed; both halves of s are signatures."""
    rng = random.Random(2)
    for _ in range(6):
        secret = ec.derive_private_key(rng.randrange(1, ORDER), ec.SECP256R1())
        public = keys.PrivateKey(secret).public.raw[1:]
        message = rng.randbytes(rng.randrange(80))
        signature = secret.sign(message, ec.ECDSA(hashes.SHA256()))
        assert verify.p256_verifies(public, signature, message)
        r, s = utils.decode_dss_signature(signature)
        assert verify.p256_verifies(public, utils.encode_dss_signature(r, ORDER - s), message)
        bad = bytearray(signature)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        assert not verify.p256_verifies(public, bytes(bad), message)
        assert not verify.p256_verifies(public, signature, message + b"!")


def test_p256_is_strict() -> None:
    """One encoding of a signature, numbers within the order, points on the curve."""
    secret = ec.derive_private_key(7, ec.SECP256R1())
    public = keys.PrivateKey(secret).public.raw[1:]
    signature = secret.sign(b"m", ec.ECDSA(hashes.SHA256()))
    r, s = utils.decode_dss_signature(signature)
    for pair in ((0, s), (r, 0), (r, s + ORDER), (r + ORDER, s)):
        assert not verify.p256_verifies(public, utils.encode_dss_signature(*pair), b"m")
    padded = b"\0" + s.to_bytes((s.bit_length() + 8) // 8, "big")
    first = signature[2 : 4 + signature[3]]
    body = first + bytes([2, len(padded)]) + padded
    assert verify.der_pair(bytes([0x30, len(body)]) + body) is None
    for other in (signature + b"\0", b"\x31" + signature[1:], signature[:-1], b"", b"\x30\x81" + signature[1:]):
        assert verify.der_pair(other) is None
    assert not verify.p256_verifies(public[:63] + bytes([public[63] ^ 1]), signature, b"m")


def test_keys_in_other_forms() -> None:
    """Only the one PEM form of the two kinds of keys is read; its fingerprint is the house's."""
    held = {"owner": "alice", "purposes": ["artifact"], "not_before_us": 0, "not_after_us": None, "revoked_at_us": None}
    for algorithm in ("ed25519", "ecdsa-p256"):
        public = keys.generate(algorithm).public  # type: ignore[arg-type]
        pem = public.pem.decode()
        assert verify.Key({**held, "public_key": pem}).keyid == public.keyid
        for other in (pem + "\n", pem.replace("PUBLIC", "PRIVATE"), pem.replace("\n", " ", 1), pem[:-1]):
            with pytest.raises((verify.Bad, ValueError)):
                verify.Key({**held, "public_key": other})
    rsa_like = "-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----\n"
    with pytest.raises(verify.Bad, match="neither"):
        verify.Key({**held, "public_key": rsa_like})


def test_it_is_written_for_old_pythons_and_knows_the_standard_library_alone() -> None:
    """The syntax of Python 3.8, and no import that a bare Python does not have."""
    tree = ast.parse(Path(verify.__file__).read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {
        "__future__", "argparse", "base64", "datetime", "functools", "hashlib", "json", "os", "pathlib", "re", "stat",
        "struct", "sys", "typing", "zipfile", "zlib",
    }  # fmt: skip


def test_what_is_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing there, no zip, cut off, links, a name twice, larger than it says: exit code 2 and one line."""
    (tmp_path / "text.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a", "b")
    whole = (tmp_path / "other.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-10])
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("manifest.json", "{}")
    with zipfile.ZipFile(tmp_path / "odd.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("manifest.json", "{}")
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(verify.MOST_FILES + 1):
            archive.writestr(f"{number}", "")
    (tmp_path / "empty").mkdir()
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "manifest.json").symlink_to(tmp_path / "text.zip")
    for name in ("missing", "text.zip", "other.zip", "cut.zip", "twice.zip", "odd.zip", "many.zip", "empty", "links"):
        assert verify.main([str(tmp_path / name)]) == 2, name
        assert capsys.readouterr().out.startswith("UNUSABLE: "), name
    with pytest.raises(SystemExit, match="2"):
        verify.main(["--trust", "abc"])


def test_announced_sizes_are_believed_only_when_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that announces more than any bundle holds is not read at all."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w") as archive:
        archive.writestr("manifest.json", "{}")
    data = bytearray((tmp_path / "bomb.zip").read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (2**31).to_bytes(4, "little")
    (tmp_path / "bomb.zip").write_bytes(data)
    assert verify.main([str(tmp_path / "bomb.zip")]) == 2
    assert "larger than any bundle" in capsys.readouterr().out
