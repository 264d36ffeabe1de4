"""Write the corpus: ``python -m calibrant.testing.bad_artifacts.make FOLDER``. The same bytes every time."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ed25519

from calibrant.artifacts import bundle, document, folder, keys, provenance, statement, trust
from calibrant.calibrators import logistic
from calibrant.testing.bad_artifacts import GOOD

SEALED_US: Final = 1_790_000_000_000_000
DAY_US: Final = 86_400_000_000
EVIDENCE: Final = b'{"rows":6000,"verdict":"passed"}\n'
MAP: Final = logistic.Platt(1.1, -0.25)


def secret(owner: str) -> keys.PrivateKey:
    """The published key of an owner in the corpus."""
    seed = hashlib.sha256(f"calibrant bad artifacts: {owner}".encode()).digest()
    return keys.PrivateKey(ed25519.Ed25519PrivateKey.from_private_bytes(seed))


def artifact() -> document.Artifact:
    """fraud@7, as good as any."""
    reads = document.map_digest(MAP)
    return document.Artifact(
        stream="fraud",
        version=7,
        selector={"model": "m-2013"},
        calibrator=MAP,
        thresholds=(document.Threshold("review", 0.37, "costs fp=1 fn=20", {"cost": 0.125}, reads, "probability"),),
        provenance=provenance.Provenance(
            approach="recommend",
            code=provenance.Code("0.1.0", "3.11.7", "2.4.6", "1.17.1"),
            source=provenance.Source("stream", "fraud"),
            data_digest=document.digest(b"rows"),
            window_us=(SEALED_US - 30 * DAY_US, SEALED_US - DAY_US),
            as_of_us=SEALED_US,
            rows=20_000,
            method="platt",
            candidates=("identity", "platt"),
            seed=7,
            options=provenance.FitOptions((), "costs fp=1 fn=20", {}, 0.02, 0.95, 200, None, None, None, None),
        ),
        parent=document.digest(b"fraud@6"),
        evidence=document.digest(EVIDENCE),
        sealed_at_us=SEALED_US,
        expires_us=SEALED_US + 90 * DAY_US,
    )


def trusted(whose: str, **changes: Any) -> trust.TrustedKey:
    """Somebody's key, for artifacts, since a year before the sealing."""
    members: dict[str, Any] = {"owner": whose, "purposes": ("artifact",), "not_before_us": SEALED_US - 365 * DAY_US}
    return trust.TrustedKey(secret(whose).public.pem.decode(), **(members | changes))


def policy(*each: trust.TrustedKey, threshold: int = 1) -> bytes:
    return trust.dumps(trust.TrustPolicy(each, threshold))


DOCUMENT: Final = document.dumps(artifact())
FILES: Final = folder.files(DOCUMENT, EVIDENCE)


def signed(files: Mapping[str, bytes], by: str = "alice", *, name: str = "fraud@7") -> bytes:
    """A signature over these files, whatever they are."""
    return over(statement.dumps(statement.of(name, files)), by)


def over(payload: bytes, by: str = "alice") -> bytes:
    """A signature over this payload, whatever it is."""
    return bundle.dumps(bundle.sign(payload, secret(by)))


SIGNATURE: Final = signed(FILES)


def case(
    why: str,
    *,
    expected: str | None,
    files: Mapping[str, bytes] | None = None,
    signatures: Sequence[bytes] | None = None,
    trust: bytes | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """The JSON of a case: what differs from the good one."""
    found: dict[str, Any] = {"expected": expected, "why": why, **asked}
    if files is not None:
        found["files"] = {name: _content(content) for name, content in files.items()}
    if signatures is not None:
        found["signatures"] = [_content(content) for content in signatures]
    if trust is not None:
        found["trust"] = _content(trust)
    return found


def resigned(why: str, content: bytes, evidence: bytes | None = EVIDENCE, *, expected: str) -> dict[str, Any]:
    """A case of a bad document that a trusted key signed."""
    files = folder.files(content, evidence)
    return case(why, expected=expected, files=files, signatures=[signed(files)])


def _content(content: bytes) -> dict[str, str]:
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def good() -> dict[str, Any]:
    """The case that must be accepted; it states everything."""
    asked = {"now_us": SEALED_US + DAY_US, "stream": "fraud", "attributes": {"model": "m-2013"}, "newest_version": None}
    why = "nothing is wrong with it"
    return case(why, expected=None, files=FILES, signatures=[SIGNATURE], trust=policy(trusted("alice")), **asked)


def everything() -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and contents of all files of the corpus."""
    # the families build on this module
    from calibrant.testing.bad_artifacts import changed_files, changed_signatures, signed_documents, who_and_when

    yield GOOD, good()
    for family in (changed_files, changed_signatures, signed_documents, who_and_when):
        yield from family.cases()


def text(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def other_version(version: int) -> bytes:
    """The same document under another number."""
    return document.dumps(dataclasses.replace(artifact(), version=version))


def main(target: str) -> None:
    for name, found in everything():
        (Path(target) / f"{name}.json").write_text(text(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
