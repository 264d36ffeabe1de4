"""The artifact's bytes: unique, closed, and a threshold never beside another map."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from calibrant import errors
from calibrant.artifacts import document
from calibrant.calibrators import affine, canonical, kinds, logistic


def refused(act: Callable[[], Any]) -> str:
    """The code of the refusal."""
    with pytest.raises(errors.ArtifactError) as caught:
        act()
    return caught.value.code


def changed(artifact: document.Artifact, path: str, value: Any) -> bytes:
    """The canonical document with one member replaced; the value ``...`` removes it."""
    top = json.loads(document.dumps(artifact))
    *way, last = path.split(".")
    inner = top
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return canonical.dumps(top) + b"\n"


def test_round_trip(artifact: document.Artifact) -> None:
    """loads(dumps(a)) == a and the bytes are the same again."""
    data = document.dumps(artifact)
    assert document.loads(data) == artifact
    assert document.dumps(document.loads(data)) == data
    assert data.endswith(b"}\n")
    assert artifact.name == "fraud@7"


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("schema", "calibrant.artifact/2", "CAL-641"),
        ("schema", "calibrant.artifact/0", "CAL-640"),
        ("schema", "calibrant.artifact/٢", "CAL-640"),
        ("schema", "calibrant.calibrator/1", "CAL-640"),
        ("schema", 1, "CAL-640"),
        ("schema", ..., "CAL-640"),
        ("note", "hello", "CAL-642"),
        ("stream", ..., "CAL-642"),
        ("stream", "../fraud", "CAL-646"),
        ("stream", "fraud\n", "CAL-646"),
        ("version", 0, "CAL-646"),
        ("version", True, "CAL-642"),
        ("version", 7.5, "CAL-642"),
        ("version", "7", "CAL-642"),
        ("selector", {"model": 3}, "CAL-642"),
        ("selector", {"model": ""}, "CAL-646"),
        ("selector", [], "CAL-642"),
        ("calibrator.kind", "pickle", "CAL-613"),
        ("calibrator.slope", "1", "CAL-613"),
        ("calibrator.slope", -1, "CAL-610"),
        ("calibrator.extra", 1, "CAL-613"),
        ("calibrator.slope", 1.2, "CAL-645"),
        ("thresholds", {}, "CAL-642"),
        ("thresholds.0.reads", "sha256:" + "3" * 64, "CAL-645"),
        ("thresholds.0.reads", "3" * 64, "CAL-646"),
        ("thresholds.0.scale", "measurement", "CAL-645"),
        ("thresholds.0.scale", "percent", "CAL-642"),
        ("thresholds.0.value", 37, "CAL-646"),
        ("thresholds.0.value", None, "CAL-642"),
        ("thresholds.0.expected", {"cost": "low"}, "CAL-642"),
        ("provenance.code.os", "linux", "CAL-642"),
        ("provenance.data_digest", "sha1:00", "CAL-646"),
        ("provenance.window_us", [2, 1], "CAL-646"),
        ("provenance.window_us", [1], "CAL-642"),
        ("provenance.rows", -1, "CAL-646"),
        ("provenance.options.aims", ..., "CAL-642"),
        ("provenance.source.kind", "table", "CAL-642"),
        ("parent", "fraud@6", "CAL-646"),
        ("evidence", "", "CAL-646"),
        ("sealed_at_us", -1, "CAL-646"),
        ("expires_us", 0, "CAL-646"),
        ("expires_us", "never", "CAL-642"),
    ],
)  # fmt: skip
def test_every_deviation_has_its_code(artifact: document.Artifact, path: str, value: Any, code: str) -> None:
    """In canonical form, so that the member itself is what is refused."""
    assert refused(lambda: document.loads(changed(artifact, path, value))) == code


@pytest.mark.parametrize(
    "data", [b"", b"null\n", b"[]\n", b"\xff", b"{}", b'{"schema":"calibrant.artifact/1","schema":1}', b"[" * 99_999]
)
def test_what_is_no_artifact_is_refused(data: bytes) -> None:
    """Other JSON and no JSON at all."""
    assert refused(lambda: document.loads(data)) in {"CAL-640", "CAL-642"}


def test_another_form_of_the_same_content_is_refused(artifact: document.Artifact) -> None:
    """Spacing, key order, number form, a missing newline: one content, one sequence of bytes."""
    data = document.dumps(artifact)
    for other in (
        data[:-1],
        data + b"\n",
        json.dumps(json.loads(data)).encode() + b"\n",
        data.replace(b'"version":7', b'"version":7.0'),
        data.replace(b"0.37", b"3.7e-1"),
    ):
        assert refused(lambda other=other: document.loads(other)) in {"CAL-642", "CAL-643"}


def test_numbers_that_json_cannot_say_are_refused(artifact: document.Artifact) -> None:
    """Infinity from outside and from inside, lone surrogates."""
    data = document.dumps(artifact)
    assert refused(lambda: document.loads(data.replace(b"0.37", b"1e999"))) == "CAL-642"
    assert refused(lambda: document.loads(data.replace(b"m-2013", rb"\ud800"))) == "CAL-644"
    assert refused(lambda: dataclasses.replace(artifact.thresholds[0], value=float("nan"))) == "CAL-646"
    assert refused(lambda: document.dumps(dataclasses.replace(artifact, version=2**60))) == "CAL-644"


@pytest.mark.parametrize("depth", [2, 250, 400, 5000])
def test_maps_nested_deeply_are_refused(artifact: document.Artifact, depth: int) -> None:
    """However deep, the reader ends in an ArtifactError and not in its own stack."""
    data = document.dumps(artifact)
    plain = canonical.dumps(kinds.encode(artifact.calibrator))
    begin = b'{"fields":["a"],"kind":"by_cohort","maps":[],"pooled":' * depth
    assert refused(lambda: document.loads(data.replace(plain, begin + plain + b"}" * depth))) in {
        "CAL-610", "CAL-640", "CAL-642", "CAL-644",
    }  # fmt: skip


def test_a_threshold_beside_another_map_cannot_be_constructed(artifact: document.Artifact) -> None:
    """Neither another map, nor another scale, nor two thresholds of one name."""
    other = logistic.Platt(1.1, -0.26)
    assert refused(lambda: dataclasses.replace(artifact, calibrator=other)) == "CAL-645"
    measured = affine.Affine(2.0, 1.0)
    threshold = dataclasses.replace(artifact.thresholds[0], reads=document.map_digest(measured))
    assert refused(lambda: dataclasses.replace(artifact, calibrator=measured, thresholds=(threshold,))) == "CAL-645"
    right = dataclasses.replace(threshold, scale="measurement", value=40.0)
    assert dataclasses.replace(artifact, calibrator=measured, thresholds=(right,)).thresholds == (right,)
    assert refused(lambda: dataclasses.replace(artifact, thresholds=artifact.thresholds * 2)) == "CAL-646"


def test_the_digest_is_that_of_the_files_bytes(artifact: document.Artifact) -> None:
    """`sha256sum artifact.json` says the same."""
    import hashlib

    data = document.dumps(artifact)
    assert document.digest(data) == "sha256:" + hashlib.sha256(data).hexdigest()
    assert document.digest(data) != document.digest(document.dumps(dataclasses.replace(artifact, version=8)))
