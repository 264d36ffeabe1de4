"""What of a context is kept: nothing that was not listed, identifiers as keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from calibrant import errors
from calibrant.events import masking, wire_jsonl
from calibrant.streams import declaration

KEY = b"0123456789abcdef"
STREAM = declaration.Stream(
    "fraud",
    declaration.LabelContract(timedelta(days=9)),
    unit="account",
    context=declaration.ContextPolicy(allow=("amount",), hmac=("account",), drop=("email",)),
)


def read(key: bytes | None = KEY, stream: declaration.Stream = STREAM, **members: Any) -> Any:
    event = {"id": "a", "at": "2026-01-31T12:00:00Z", "score": 0.5} | members
    [part] = wire_jsonl.read_predictions(json.dumps(event).encode(), stream=stream, hmac_key=key)
    return part


def test_listed_members_stay_and_all_others_are_dropped() -> None:
    """Allowed as they are, masked as HMAC-SHA256, dropped and unlisted not at all."""
    context = {"amount": 12.5, "account": "ACC-1", "email": "a@example.org", "surprise": 1}
    [row] = read(context=context).batch.table.to_pylist()
    wanted = "hmac-sha256:" + hmac.new(KEY, b"ACC-1", hashlib.sha256).hexdigest()
    assert json.loads(row["context"]) == {"amount": 12.5, "account": wanted}
    assert row["unit"] == wanted
    assert "ACC-1" not in str(row)
    assert "example.org" not in str(row)


def test_a_unit_of_its_own_is_masked_like_the_member_that_names_it() -> None:
    """So one unit has one name, and can be found again with the key."""
    [row] = read(unit="ACC-1").batch.table.to_pylist()
    assert row["unit"] == masking.token(KEY, "ACC-1")


def test_numbers_can_be_masked_and_nothing_stays_nothing() -> None:
    """A whole number is hashed as its digits; null is no identifier."""
    [row] = read(context={"account": 17}).batch.table.to_pylist()
    assert row["unit"] == masking.token(KEY, "17")
    [row] = read(context={"account": None}).batch.table.to_pylist()
    assert (row["unit"], row["context"]) == (None, '{"account":null}')


def test_masked_events_can_be_exported_and_read_again() -> None:
    """A token is not hashed a second time: the digest is the same, the import a duplicate."""
    first = read(context={"account": "ACC-1"}).batch
    lines = b"".join(wire_jsonl.write_predictions(first))
    [again] = wire_jsonl.read_predictions(lines, stream=STREAM, hmac_key=KEY)
    assert again.batch.table.equals(first.table)


def test_other_keys_give_other_tokens() -> None:
    """Without the key, guessing identifiers does not help."""
    assert masking.token(KEY, "ACC-1") != masking.token(KEY[::-1], "ACC-1")


@pytest.mark.parametrize(("key", "code"), [(None, "CAL-840"), (b"", "CAL-840"), (b"short", "CAL-841")])
def test_masking_without_a_good_key_is_refused(key: bytes | None, code: str) -> None:
    """Before any event is read."""
    with pytest.raises(errors.UsageError, match=code):
        read(key=key)


def test_the_size_limit_counts_what_is_kept() -> None:
    """In bytes of UTF-8, after dropping; one byte more is refused."""
    policy = declaration.ContextPolicy(allow=("amount",), max_bytes=20)
    stream = declaration.Stream("s", declaration.LabelContract(timedelta(days=9)), context=policy)
    fits, larger, wide = "x" * (20 - len('{"amount":""}')), "x" * (21 - len('{"amount":""}')), "é" * 4
    assert read(None, stream, context={"amount": fits, "other": "y" * 5000}).rejected == ()
    for value in (larger, wide):
        assert [one.code for one in read(None, stream, context={"amount": value}).rejected] == ["CAL-382"]


def test_a_unit_that_is_no_identifier_is_refused() -> None:
    """Taken from the context, it must be a short text like any other."""
    policy = declaration.ContextPolicy(allow=("account",))
    stream = declaration.Stream("s", declaration.LabelContract(timedelta(days=9)), unit="account", context=policy)
    for value in ("x" * 300, "a\nb", ""):
        assert [(one.code, one.path) for one in read(None, stream, context={"account": value}).rejected] == [
            ("CAL-378", "unit")
        ]
