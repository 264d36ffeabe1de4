"""The trust policy: rotation, revocation, one sequence of bytes, the content of a resource."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from calibrant import errors
from calibrant.artifacts import keys, trust
from calibrant.registry import resources


def trusted(key: keys.PrivateKey, **changes: Any) -> trust.TrustedKey:
    members: dict[str, Any] = {"owner": "alice", "purposes": ("artifact",), "not_before_us": 100}
    return trust.TrustedKey(key.public.pem.decode(), **(members | changes))


def test_a_policy_survives_its_file_and_its_resource(key: keys.PrivateKey) -> None:
    """As bytes, as the body of a resource, with the digest that the audit log knows."""
    other = keys.generate("ecdsa-p256")
    policy = trust.TrustPolicy((trusted(key), trusted(other, owner="ci", purposes=("checkpoint", "artifact"))), 2)
    assert trust.loads(trust.dumps(policy)) == policy
    body = trust.to_dict(policy)
    assert trust.from_dict(body) == policy
    assert resources.digest(body).startswith("sha256:")
    with pytest.raises(errors.ArtifactError, match="CAL-642"):
        trust.from_dict(body | {"note": "x"})


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "Alice Smith"},
        {"purposes": ()},
        {"purposes": ("artifact", "artifact")},
        {"not_before_us": -1},
        {"not_after_us": 99},
        {"revoked_at_us": -1},
    ],
    ids=str,
)
def test_what_no_policy_can_say(changes: dict[str, Any], key: keys.PrivateKey) -> None:
    """Refused when it is made, hence when it is read."""
    with pytest.raises(errors.ArtifactError, match="CAL-646"):
        trusted(key, **changes)


def test_a_key_is_written_in_one_form(key: keys.PrivateKey) -> None:
    """PEM text with a comment or other line ends is another file for the same key."""
    pem = key.public.pem.decode()
    for other in (pem.strip(), pem.replace("\n", "\r\n"), "# alice\n" + pem):
        with pytest.raises(errors.ArtifactError, match="CAL-646"):
            dataclasses.replace(trusted(key), public_key=other)
    with pytest.raises(errors.ArtifactError, match="CAL-648"):
        dataclasses.replace(trusted(key), public_key="alice")


def test_finding_a_key(key: keys.PrivateKey) -> None:
    """By name, for a purpose, unless it was revoked."""
    policy = trust.TrustPolicy((trusted(key),))
    keyid = key.public.keyid
    assert policy.find(keyid, purpose="artifact").public == key.public
    for other, asked, code in (
        (policy, {"keyid": "0" * 64, "purpose": "artifact"}, "CAL-657"),
        (policy, {"keyid": keyid, "purpose": "checkpoint"}, "CAL-658"),
        (policy.revoked(keyid, at_us=200), {"keyid": keyid, "purpose": "artifact"}, "CAL-659"),
    ):
        with pytest.raises(errors.ArtifactError, match=code):
            other.find(**asked)


def test_rotation_makes_new_policies(key: keys.PrivateKey) -> None:
    """The old one stays as it was; unknown keys cannot be retired; a key is added once."""
    policy, new = trust.TrustPolicy((trusted(key),)), keys.generate()
    rotated = policy.with_key(trusted(new)).retired(key.public.keyid, at_us=500)
    assert [each.not_after_us for each in rotated.keys] == [500, None]
    assert [each.not_after_us for each in policy.keys] == [None]
    assert rotated.revoked(key.public.keyid, at_us=600).keys[0].revoked_at_us == 600
    with pytest.raises(errors.ArtifactError, match="CAL-657"):
        policy.retired(new.public.keyid, at_us=1)
    with pytest.raises(errors.ArtifactError, match="CAL-646"):
        policy.with_key(trusted(key, owner="bob"))


@pytest.mark.parametrize(("at", "fine"), [(89, False), (90, True), (100, True), (210, True), (211, False)])
def test_validity_has_an_allowance_for_clocks(at: int, fine: bool, key: keys.PrivateKey) -> None:
    """Ten microseconds here, at both ends."""
    held = trusted(key, not_after_us=200)
    if fine:
        trust.demand_valid(held, signed_at_us=at, skew_us=10)
    else:
        with pytest.raises(errors.ArtifactError, match="CAL-660"):
            trust.demand_valid(held, signed_at_us=at, skew_us=10)
