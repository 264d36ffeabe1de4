"""The signed statement: files in order, and a subject that sums them up."""

from __future__ import annotations

import hashlib
import json

import pytest

from calibrant import errors
from calibrant.artifacts import statement

FILES = {"b.json": b"2", "a.json": b"1"}


def test_the_subject_is_the_digest_of_the_digests() -> None:
    """SHA-256 over the raw digests, in the order of the names."""
    found = json.loads(statement.dumps(statement.of("fraud@7", FILES)))
    raw = hashlib.sha256(b"1").digest() + hashlib.sha256(b"2").digest()
    assert found["subject"] == [{"digest": {"sha256": hashlib.sha256(raw).hexdigest()}, "name": "fraud@7"}]
    assert [each["name"] for each in found["predicate"]["resources"]] == ["a.json", "b.json"]
    assert found["_type"] == "https://in-toto.io/Statement/v1"


def test_round_trip_in_any_order_of_files() -> None:
    """Order of a mapping is not content."""
    made = statement.of("fraud@7", FILES)
    assert statement.loads(statement.dumps(made)) == made
    assert statement.dumps(made) == statement.dumps(statement.of("fraud@7", dict(reversed(FILES.items()))))


def test_the_same_files_and_nothing_else() -> None:
    """Missing, added, changed: three codes."""
    made = statement.of("fraud@7", FILES)
    statement.demand_same(made, FILES)
    for files, code in (
        ({"a.json": b"1"}, "CAL-654"),
        (FILES | {"c.json": b""}, "CAL-655"),
        (FILES | {"a.json": b"2"}, "CAL-653"),
    ):
        with pytest.raises(errors.ArtifactError, match=code):
            statement.demand_same(made, files)
