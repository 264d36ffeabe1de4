"""Addresses of sources: no secrets, no surprises."""

from __future__ import annotations

import pytest

from calibrant import errors
from calibrant.ports.message_source import Address


def test_an_address_has_parts() -> None:
    """Hosts, path and names, decoded."""
    found = Address.parse("nats://a:4222,[::1]:4223/S/s.%3E?durable=d%20e")
    assert (found.scheme, found.hosts) == ("nats", ("a:4222", "[::1]:4223"))
    assert (found.path, found.query) == (("S", "s.>"), {"durable": "d e"})


@pytest.mark.parametrize(
    "text", ["", "t", "kafka:///t", "kafka://a/t?group=g", "kafka://a:x/t", "kafka://a:1/t?g", "k://a:1/t?g=1&g=2", "k://a:1/#x"]
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    """With an example of one."""
    with pytest.raises(errors.UsageError, match="CAL-439"):
        Address.parse(text)


def test_credentials_are_refused_and_not_repeated() -> None:
    """Command lines are seen by others."""
    with pytest.raises(errors.UsageError, match="CAL-440") as caught:
        Address.parse("nats://user:secret@a:1/s/s?durable=d")
    assert "secret" not in str(caught.value)
