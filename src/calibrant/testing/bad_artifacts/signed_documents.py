"""Documents and statements that a trusted key signed and that must not be used all the same."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from calibrant.calibrators import canonical
from calibrant.testing.bad_artifacts import make
from calibrant.testing.bad_artifacts.make import DOCUMENT, FILES, SIGNATURE, case, resigned


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _statements()
    yield from _documents()
    evidence = make.EVIDENCE.replace(b"passed", b"failed")
    yield "other-evidence", resigned("evidence that the document does not name", DOCUMENT, evidence, expected="CAL-668")
    yield (
        "no-evidence",
        resigned("the evidence that the document names is not there", DOCUMENT, None, expected="CAL-668"),
    )
    unnamed = _with(evidence=None)
    yield "unnamed-evidence", resigned("evidence beside a document that names none", unnamed, expected="CAL-668")


def _statements() -> Iterator[tuple[str, dict[str, Any]]]:
    payload = base64.b64decode(json.loads(SIGNATURE)["dsseEnvelope"]["payload"])
    top = json.loads(payload)
    resources, how = top["predicate"]["resources"], top["predicate"]["serialization"]
    changes: dict[str, tuple[str, dict[str, Any]]] = {
        "old-predicate": (
            "the predicate of version 0.2, which misses missing files",
            {"predicateType": "https://model_signing/Digests/v0.1"},
        ),
        "wrong-sum": (
            "the subject's digest is not that of the files",
            {"subject": [{"digest": {"sha256": "0" * 64}, "name": "fraud@7"}]},
        ),
        "two-subjects": ("it is about two artifacts", {"subject": top["subject"] * 2}),
        "unsorted": ("its files are not in order", _predicate(resources[::-1], how)),
        "symlinks": ("links may be followed", _predicate(resources, how | {"allow_symlinks": True})),
        "ignores-more": ("a file is not looked at", _predicate(resources, how | {"ignore_paths": ["evidence.json"]})),
        "other-hash": ("digests of another kind", _predicate(resources, how | {"hash_type": "blake2b"})),
        "member-added": ("it says more than it may", {"note": "approved"}),
    }
    for name, (why, change) in changes.items():
        signature = make.over(canonical.dumps(top | change))
        yield f"statement-{name}", case(f"signed statement: {why}", expected="CAL-652", signatures=[signature])
    spaced = make.over(json.dumps(top).encode())
    yield "statement-spaced", case("signed statement: not in canonical form", expected="CAL-652", signatures=[spaced])
    yield "statement-no-json", case("signed statement: it is none", expected="CAL-652", signatures=[make.over(b"yes")])
    renamed = make.signed(FILES, name="churn@7")
    yield (
        "statement-other-name",
        case("signed statement: about another artifact", expected="CAL-656", signatures=[renamed]),
    )


def _predicate(resources: list[Any], serialization: dict[str, Any]) -> dict[str, Any]:
    return {"predicate": {"resources": resources, "serialization": serialization}}


def _with(**members: Any) -> bytes:
    return canonical.dumps(json.loads(DOCUMENT) | members) + b"\n"


def _replaced(old: bytes, new: bytes) -> bytes:
    assert old in DOCUMENT
    return DOCUMENT.replace(old, new)


def _documents() -> Iterator[tuple[str, dict[str, Any]]]:
    threshold = json.loads(DOCUMENT)["thresholds"][0]
    measured = threshold | {"scale": "measurement"}
    without = {name: held for name, held in json.loads(DOCUMENT).items() if name != "parent"}
    documents = {
        "indented": ("CAL-643", "not in canonical form", json.dumps(json.loads(DOCUMENT), indent=1).encode()),
        "no-newline": ("CAL-643", "the newline is missing", DOCUMENT[:-1]),
        "newer-schema": ("CAL-641", "of a schema that is not known yet", _with(schema="calibrant.artifact/2")),
        "calibrator-file": ("CAL-640", "a document of another schema", _with(schema="calibrant.calibrator/1")),
        "key-twice": ("CAL-640", "a key is given twice", b'{"version":8,' + DOCUMENT[1:]),
        "nan": ("CAL-640", "a number that JSON does not have", _replaced(b"0.37", b"NaN")),
        "deep": ("CAL-640", "nested ten thousand times", b"[" * 10_000),
        "unknown-key": ("CAL-642", "a key that the schema does not have", _with(run="rm -rf /")),
        "missing-key": ("CAL-642", "a key is missing", canonical.dumps(without) + b"\n"),
        "infinite": ("CAL-642", "a number beyond all doubles", _replaced(b"0.37", b"1e999")),
        "number-as-text": ("CAL-642", "a number written as text", _with(version="7")),
        "boolean-version": ("CAL-642", "true for a number", _with(version=True)),
        "huge-time": ("CAL-642", "an integer of 400 digits", _replaced(b"1797776000000000", b"1" * 400)),
        "half-a-character": ("CAL-644", "text that is not Unicode", _replaced(b"m-2013", rb"\ud800")),
        "pickle": ("CAL-613", "a map that could run code", _with(calibrator={"kind": "pickle", "data": "gASV"})),
        "falling-map": ("CAL-610", "a map that falls", _replaced(b'"slope":1.1', b'"slope":-1.1')),
        "other-map": ("CAL-645", "the threshold was chosen on another map", _replaced(b'"slope":1.1', b'"slope":1.2')),
        "other-scale": ("CAL-645", "a threshold on another scale", _with(thresholds=[measured])),
        "percent": ("CAL-646", "a threshold of 37 for probabilities", _with(thresholds=[threshold | {"value": 37}])),
        "path": ("CAL-646", "a path for a name", _with(stream="../../etc")),
        "no-time": ("CAL-646", "it expires before it was sealed", _with(expires_us=1)),
        "short-digest": ("CAL-646", "a parent that is no digest", _with(parent="sha256:00")),
    }  # fmt: skip
    for name, (expected, why, content) in documents.items():
        yield f"signed-{name}", resigned(f"signed document: {why}", content, expected=expected)
