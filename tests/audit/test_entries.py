"""Entries: one byte sequence each, read back as they were, and nothing else is one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant import errors
from calibrant.audit import entries
from calibrant.calibrators import canonical

NUMBERS = st.integers(0, 2**53 - 1)
TEXT = st.text(max_size=8)
PERHAPS = st.none() | TEXT
ENTRIES = st.builds(
    entries.Entry,
    index=NUMBERS, at_us=NUMBERS, actor=TEXT, action=TEXT, kind=TEXT, name=TEXT, revision=NUMBERS,
    before=PERHAPS, after=PERHAPS, evidence=st.lists(TEXT, max_size=2).map(tuple), reason=PERHAPS, origin=PERHAPS,
    request=PERHAPS, idempotency_key=PERHAPS,
)  # fmt: skip
ONE = entries.Entry(0, 1, "alice", "artifact.seal", "artifact", "fraud@7", 2, None, "sha256:ab", ("sha256:cd",))


@given(ENTRIES)
def test_one_form(entry: entries.Entry) -> None:
    """The bytes are those of RFC 8785, and say the entry again."""
    data = entries.dumps(entry)
    assert data == canonical.dumps(entry.to_dict())
    assert entries.loads(data) == entry


@pytest.mark.parametrize("text", ["\x00\x1f\x7f\u2028\u2029", '"\\/', "Ω😀"])
def test_letters_that_json_writers_disagree_about(text: str) -> None:
    """Control characters, separators, quotes and planes: as RFC 8785 has them."""
    entry = entries.Entry(0, 1, text, text, text, text, 1, None, None)
    assert entries.dumps(entry) == canonical.dumps(entry.to_dict())
    assert entries.loads(entries.dumps(entry)) == entry


@pytest.mark.parametrize(
    "other",
    [
        {"index": "0"}, {"index": True}, {"index": 0.0}, {"at_us": None}, {"at_us": 2**60}, {"actor": 1},
        {"evidence": [1]}, {"evidence": "ab"}, {"reason": 1}, {"resource": {}}, {"resource": []},
        {"schema": "calibrant.audit/2"}, {"more": 1},
    ],
)  # fmt: skip
def test_other_types(other: dict[str, Any]) -> None:
    """What is not of the declared type is no entry, although it is JSON."""
    data = json.dumps(ONE.to_dict() | other, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(errors.ArtifactError, match="CAL-630"):
        entries.loads(data)


def test_other_bytes() -> None:
    """Every byte changed or missing, another order, a space more: no entry, or another one, never this one."""
    data = entries.dumps(ONE)
    for at in range(len(data)):
        for spoilt in (data[:at], data[:at] + b" " + data[at:], data[:at] + bytes([data[at] ^ 2]) + data[at + 1 :]):
            try:
                found = entries.loads(spoilt)
            except errors.ArtifactError:
                continue
            assert found != ONE
    with pytest.raises(errors.ArtifactError, match="CAL-630"):
        entries.loads(json.dumps(ONE.to_dict()).encode())
    with pytest.raises(errors.ArtifactError, match="CAL-630"):
        entries.loads(b"[" * 100_000)


def test_commitments() -> None:
    """A commitment hides a text behind its salt, and salts have one length."""
    assert entries.commitment("a", salt=bytes(16)) != entries.commitment("a", salt=bytes(15) + b"1")
    with pytest.raises(ValueError, match="16"):
        entries.commitment("a", salt=b"")
