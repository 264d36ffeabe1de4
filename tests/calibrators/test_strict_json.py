"""JSON that can be read in one way only."""

from __future__ import annotations

import pytest

from calibrant.calibrators import strict_json


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b'{"a":1,"a":2}', b"[NaN]", b"[Infinity]", b"[-Infinity]", b"\xff", b'"\x00"', b"[1] 2", b"01",
        b"[" * 100_000, b"1" * 5000, b"\xef\xbb\xbf{}",
    ],
    ids=lambda data: repr(data[:12]),
)  # fmt: skip
def test_what_is_not_one_json_value_is_a_value_error(data: bytes) -> None:
    """Double keys, NaN, other encodings, depth: one kind of exception."""
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the promise
        strict_json.loads(data)


def test_numbers_are_exact_or_doubles() -> None:
    """2^53 - 1 is the last integer that every reader has exactly."""
    assert strict_json.loads(b"[9007199254740991,9007199254740992]") == [2**53 - 1, 2.0**53]
    assert isinstance(strict_json.loads(b"9007199254740992"), float)
