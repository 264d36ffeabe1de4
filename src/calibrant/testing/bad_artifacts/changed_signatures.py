"""Signature files that are none, or were put together from parts of good ones."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from calibrant.artifacts import bundle
from calibrant.calibrators import canonical
from calibrant.testing.bad_artifacts import make
from calibrant.testing.bad_artifacts.make import FILES, SIGNATURE, case


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _forms()
    yield from _parts()


def _forms() -> Iterator[tuple[str, dict[str, Any]]]:
    indented = json.dumps(json.loads(SIGNATURE), indent=2).encode()
    forms = {
        "empty": ("nothing", b""),
        "truncated": ("its end is missing", SIGNATURE[:-40]),
        "not-json": ("it is no JSON", b"-----BEGIN SIGNATURE-----"),
        "null": ("it is JSON and no bundle", b"null\n"),
        "deep": ("it is nested ten thousand times", b"[" * 10_000),
        "reformatted": ("the same content, indented", indented),
        "key-twice": ("a key is given twice", b'{"mediaType":"",' + SIGNATURE[1:]),
        "media-type": ("another version of the form", SIGNATURE.replace(b"v0.3+json", b"v0.1+json")),
        "payload-type": ("the payload is called something else", SIGNATURE.replace(b"in-toto+json", b"in-toto+yaml")),
        "log-entry": (
            "an entry of a log that nobody checked",
            SIGNATURE.replace(b'"tlogEntries":[]', b'"tlogEntries":[{}]'),
        ),
        "member-added": ("a member that nobody signed", b'{"comment":"trust me",' + SIGNATURE[1:]),
        "base64-space": ("white space in the payload", SIGNATURE.replace(b'"payload":"', b'"payload":" ')),
        "no-signature": ("an envelope without a signature", _envelope(signatures=[])),
        "two-signatures": ("a second signature that would not be looked at", _envelope(signatures=_signatures() * 2)),
    }
    for name, (why, content) in forms.items():
        assert content != SIGNATURE
        yield f"signature-{name}", case(f"model.sig: {why}", expected="CAL-650", signatures=[content])


def _signatures() -> list[Any]:
    found: list[Any] = json.loads(SIGNATURE)["dsseEnvelope"]["signatures"]
    return found


def _envelope(**members: Any) -> bytes:
    found = json.loads(SIGNATURE)
    return canonical.dumps(found | {"dsseEnvelope": found["dsseEnvelope"] | members}) + b"\n"


def _parts() -> Iterator[tuple[str, dict[str, Any]]]:
    alice, bob = make.secret("alice"), make.secret("bob").public
    mine = bundle.loads(SIGNATURE)
    other = bundle.loads(make.signed(FILES, name="fraud@8"))
    parts = {
        "zero": ("64 bytes of zero", dataclasses.replace(mine, signature=bytes(64))),
        "none": ("no bytes at all", dataclasses.replace(mine, signature=b"")),
        "of-another": ("the signature of another statement", dataclasses.replace(mine, signature=other.signature)),
        "payload-replaced": ("another statement below it", dataclasses.replace(mine, payload=other.payload)),
        "without-type": (
            "made over the payload alone, without its type",
            dataclasses.replace(mine, signature=alice.sign(mine.payload)),
        ),
        "other-keyid": ("it names another trusted key", dataclasses.replace(mine, keyid=bob.keyid)),
        "other-hint": ("it hints at another key", dataclasses.replace(mine, hint=bundle.hint(bob))),
        "text": (
            "its base64 in place of its bytes",
            dataclasses.replace(mine, signature=base64.b64encode(mine.signature)),
        ),
    }
    both = make.policy(make.trusted("alice"), make.trusted("bob"))
    for name, (why, content) in parts.items():
        yield (
            f"signature-{name}",
            case(f"the signature: {why}", expected="CAL-651", signatures=[bundle.dumps(content)], trust=both),
        )
