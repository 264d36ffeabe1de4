"""Files that changed, went away or came in after they were signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from calibrant.testing.bad_artifacts import make
from calibrant.testing.bad_artifacts.make import DOCUMENT, EVIDENCE, FILES, case

_CHANGED = {
    "one-bit": ("one bit of the map", bytes([DOCUMENT[20] ^ 1]).join((DOCUMENT[:20], DOCUMENT[21:]))),
    "truncated": ("the end is missing", DOCUMENT[:-30]),
    "empty": ("nothing is left", b""),
    "longer": ("a space behind the end", DOCUMENT + b" "),
    "reformatted": ("the same content, indented", json.dumps(json.loads(DOCUMENT), indent=2).encode()),
    "threshold": ("another threshold", DOCUMENT.replace(b'"value":0.37', b'"value":0.07')),
    "selector": ("for another model", DOCUMENT.replace(b"m-2013", b"m-2014")),
    "stream": ("for another stream", DOCUMENT.replace(b'"stream":"fraud"', b'"stream":"churn"')),
    "never-expires": ("the expiry is gone", DOCUMENT.replace(b'"expires_us":1797776000000000', b'"expires_us":null')),
    "version": ("another number", make.other_version(8)),
    "not-text": ("bytes that are no text", b"\xff" + DOCUMENT[1:]),
}


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, (why, content) in _CHANGED.items():
        assert content != DOCUMENT
        yield (
            f"document-{name}",
            case(f"artifact.json was changed: {why}", expected="CAL-653", files=FILES | {"artifact.json": content}),
        )
    evidence = FILES | {"evidence.json": EVIDENCE.replace(b"passed", b"failed")}
    yield "evidence-changed", case("the evidence was changed", expected="CAL-653", files=evidence)
    swapped = {"artifact.json": EVIDENCE, "evidence.json": DOCUMENT}
    yield "files-swapped", case("each file has the other's name", expected="CAL-653", files=swapped)
    yield "evidence-missing", case("the evidence was taken out", expected="CAL-654", files={"artifact.json": DOCUMENT})
    yield "document-missing", case("the document was taken out", expected="CAL-654", files={"evidence.json": EVIDENCE})
    yield "nothing", case("all files were taken out", expected="CAL-654", files={})
    renamed = {"Artifact.json": DOCUMENT, "evidence.json": EVIDENCE}
    yield "document-renamed", case("the document has another name", expected="CAL-654", files=renamed)
    yield "file-added", case("a file that nobody signed", expected="CAL-655", files=FILES | {"weights.bin": b"1"})
    hidden = FILES | {".gitignore": b"*"}
    yield (
        "hidden-file-added",
        case("a hidden file, which model-signing does not look at", expected="CAL-655", files=hidden),
    )
