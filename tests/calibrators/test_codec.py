"""The calibrator file: exact round trip, and no byte of it can be changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from typing import Any

import jsonschema
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant import errors
from calibrant.calibrators import canonical, codec, json_schema, kinds, logistic, scales, steps

SMALL = codec.Document(
    logistic.Platt(1.1, -0.25), codec.Threshold(0.37, "costs: fp 1, fn 20", {"cost": 0.125}), {"rows": 1000}
)


def forged(change: dict[str, Any]) -> bytes:
    """A document with members replaced (None removes), in canonical form and with a digest that fits."""
    body = json.loads(codec.dumps(SMALL)) | change
    body = {key: value for key, value in body.items() if value != "removed"}
    del body["digest"]
    body["digest"] = "sha256:" + hashlib.sha256(rfc8785.dumps(body)).hexdigest()
    return bytes(rfc8785.dumps(body)) + b"\n"


def refused(data: bytes) -> str:
    """The code of the refusal."""
    with pytest.raises(errors.ArtifactError) as caught:
        codec.loads(data)
    return caught.value.code


def bits(value: Any) -> Any:
    """All floats of a calibrator as bytes."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, tuple):
        return tuple(bits(item) for item in value)
    if dataclasses.is_dataclass(value):
        return tuple(bits(getattr(value, field.name)) for field in dataclasses.fields(value))
    return value


def test_round_trip(any_map: Any) -> None:
    """loads(dumps(d)) == d to the last bit, dumps(loads(b)) == b, and the schema accepts it."""
    document = codec.Document(any_map, codec.Threshold(0.5, "precision 0.9", {"recall": 0.4}), {"window": [1, "é"]})
    data = codec.dumps(document)
    found = codec.loads(data)
    assert found == document
    assert bits(found.calibrator) == bits(any_map)
    assert codec.dumps(found) == data
    jsonschema.Draft202012Validator(json_schema.json_schema()).validate(json.loads(data))


def test_every_kind_has_an_example(request: pytest.FixtureRequest) -> None:
    """The examples of these tests cover the registry, so a new kind cannot go untested."""
    source = request.config.pluginmanager.get_plugin(str(request.path.parent / "conftest.py"))
    examples = [*source.BINARY, *source.cohorts(), *source.others()]
    assert {example.kind for example in examples} == set(kinds.BY_NAME)


numbers = st.floats(allow_nan=False, allow_infinity=False)
provenances = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | numbers | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(numbers.filter(lambda x: x > 0.0), numbers, provenances)
@settings(max_examples=150, deadline=None)
def test_any_numbers_and_any_provenance(slope: float, intercept: float, provenance: dict[str, Any]) -> None:
    """All finite doubles and all JSON survive, bytes and value."""
    document = codec.Document(logistic.Platt(slope, intercept), None, provenance)
    data = codec.dumps(document)
    assert codec.loads(data) == document
    assert codec.dumps(codec.loads(data)) == data
    assert bits(codec.loads(data).calibrator) == bits(document.calibrator)


def test_every_flipped_byte_is_refused() -> None:
    """All 8 single-bit changes, and the complement, of every byte."""
    data = codec.dumps(SMALL)
    for place in range(len(data)):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            refused(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])


def test_every_other_digit_is_refused() -> None:
    """No digit, sign or point of the file can become another."""
    data = codec.dumps(SMALL)
    for place, byte in enumerate(data):
        if byte in b"0123456789.-":
            for other in b"0123456789.-":
                if other != byte:
                    refused(data[:place] + bytes([other]) + data[place + 1 :])


def test_every_truncation_and_insertion_is_refused() -> None:
    """No prefix and no suffix is a document; nothing can be slipped in, not even white space."""
    data = codec.dumps(SMALL)
    for place in range(len(data)):
        refused(data[:place])
        refused(data[place + 1 :])
    for place in range(len(data) + 1):
        for extra in (b" ", b"\n", b"0", b"\x00"):
            refused(data[:place] + extra + data[place:])


def test_pretty_form_is_refused() -> None:
    """The same JSON with other spacing or key order is not the file."""
    data = json.loads(codec.dumps(SMALL))
    assert refused(json.dumps(data, indent=1).encode()) == "CAL-611"
    assert refused(json.dumps(dict(reversed(data.items())), separators=(",", ":")).encode()) == "CAL-611"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"schema": "calibrant.calibrator/2"}, "CAL-612"),
        ({"schema": "calibrant.calibrator/0"}, "CAL-611"),
        ({"schema": "another/1"}, "CAL-611"),
        ({"schema": 1}, "CAL-611"),
        ({"extra": 1}, "CAL-613"),
        ({"provenance": "removed"}, "CAL-613"),
        ({"provenance": []}, "CAL-613"),
        ({"threshold": {"value": 0.5}}, "CAL-613"),
        ({"threshold": {"value": "0.5", "objective": "x", "expected": {}}}, "CAL-613"),
        ({"threshold": {"value": 0.5, "objective": 1, "expected": {}}}, "CAL-613"),
        ({"threshold": {"value": 0.5, "objective": "x", "expected": {"a": True}}}, "CAL-613"),
        ({"threshold": {"value": 0.5, "objective": "x", "expected": []}}, "CAL-613"),
        ({"calibrator": None}, "CAL-613"),
        ({"calibrator": {"kind": "pickle"}}, "CAL-613"),
        ({"calibrator": {"kind": ["platt"]}}, "CAL-613"),
        ({"calibrator": {"kind": "platt", "slope": 1, "intercept": 0}}, "CAL-613"),
    ],
)
def test_a_closed_schema(change: dict[str, Any], code: str) -> None:
    """Files in perfect form with a fitting digest, but not in the schema."""
    assert refused(forged(change)) == code


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("slope", True, "CAL-613"),
        ("slope", "1", "CAL-613"),
        ("slope", None, "CAL-613"),
        ("slope", [1], "CAL-613"),
        ("slope", -1, "CAL-610"),
        ("extra", 1, "CAL-613"),
        ("scale", "probability", "CAL-613"),
        ("scale", {"kind": "probability", "center": 0, "spread": 1, "x": 0}, "CAL-613"),
        ("scale", {"kind": "odds", "center": 0, "spread": 1}, "CAL-613"),
        ("scale", {"kind": [], "center": 0, "spread": 1}, "CAL-613"),
        ("scale", {"kind": "unbounded", "center": 0, "spread": 0}, "CAL-610"),
    ],
)
def test_members_of_a_map(member: str, value: Any, code: str) -> None:
    """Wrong types, unknown keys and parameters that make no map."""
    good = {"kind": "platt", "slope": 1, "intercept": 0, "scale": {"kind": "logit", "center": 0, "spread": 1}}
    assert codec.loads(forged({"calibrator": good})).calibrator == logistic.Platt(1.0, 0.0, scales.Scale("logit"))
    assert refused(forged({"calibrator": good | {member: value}})) == code


def test_newer_schema_names_the_version() -> None:
    """The message says which version is needed."""
    with pytest.raises(errors.ArtifactError) as caught:
        codec.loads(forged({"schema": "calibrant.calibrator/3"}))
    assert "calibrant.calibrator/3" in caught.value.fix
    assert str(caught.value).count("\n") <= 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"schema":1e999}',
        b'{"schema":NaN}',
        b'{"schema":"x","schema":"y"}',
        b"9" * 10_000,
        b'{"schema":"\\ud800"}',
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """Not JSON, not an object, bombs, doubled keys, half characters."""
    assert refused(data) == "CAL-611"


def test_half_characters_inside_are_refused() -> None:
    """An escape that names no character has no canonical form."""
    data = codec.dumps(SMALL).replace(b'{"rows":1000}', b'{"rows":"\\ud800"}')
    assert refused(data) == "CAL-615"


def test_digest_names_the_content() -> None:
    """The digest in the file is SHA-256 of the canonical JSON without it."""
    data = json.loads(codec.dumps(SMALL))
    stated = data.pop("digest")
    assert stated == "sha256:" + hashlib.sha256(rfc8785.dumps(data)).hexdigest() == codec.digest(SMALL)
    assert codec.digest(dataclasses.replace(SMALL, threshold=None)) != stated


def test_what_cannot_be_written_is_refused() -> None:
    """Provenance without a JSON form, or with numbers that are not finite or not exact."""
    for provenance in ({"a": object()}, {"a": {1: 2}}, {"a": float("nan")}, {"a": 2**60}, {"a": "\ud800"}):
        with pytest.raises(errors.ArtifactError):
            codec.dumps(codec.Document(logistic.Platt(1.0, 0.0), None, provenance))
    with pytest.raises(errors.ArtifactError):
        codec.Threshold(float("nan"), "x")


def test_document_keeps_its_own_copy() -> None:
    """Later changes of the mapping that was given do not reach the document."""
    source: dict[str, Any] = {"rows": [1]}
    document = codec.Document(logistic.Platt(1.0, 0.0), None, source)
    source["rows"].append(2)
    assert document.provenance == {"rows": [1]}


@pytest.mark.parametrize("depth", [200, 250, 300, 5000])
def test_maps_nested_deeply_are_refused(depth: int) -> None:
    """With a digest that fits: an ArtifactError, however deep, and not the end of the reader's stack."""
    plain = canonical.dumps(kinds.encode(SMALL.calibrator))
    deep = b'{"fields":["a"],"kind":"by_cohort","maps":[],"pooled":' * depth + plain + b"}" * depth
    body = b'{"calibrator":%b%b,"provenance":{},"schema":"calibrant.calibrator/1","threshold":null}'
    name = b',"digest":"sha256:%b"' % hashlib.sha256(body % (deep, b"")).hexdigest().encode()
    assert refused(body % (deep, name) + b"\n") in {"CAL-610", "CAL-611", "CAL-613", "CAL-615"}


def test_json_schema_is_valid_and_closed() -> None:
    """A legal JSON Schema, which refuses unknown keys and wrong types."""
    schema = json_schema.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = json.loads(codec.dumps(codec.Document(steps.Isotonic((0.1,), (0.2,)))))
    assert validator.is_valid(good)
    for bad in (
        good | {"extra": 1},
        good | {"digest": "sha256:0"},
        good | {"schema": "calibrant.calibrator/2"},
        good | {"calibrator": good["calibrator"] | {"values": ["0.2"]}},
        good | {"calibrator": good["calibrator"] | {"kind": "platt"}},
    ):
        assert not validator.is_valid(bad)
