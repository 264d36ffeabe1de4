"""The trust policy: which keys may sign what, from when to when, and which were revoked.

Rotation: add the new key, retire the old one (``not_after_us``). What the old key sealed while it was valid stays
good. Revocation is for a key that somebody else may have: nothing that it ever signed is good any more, because a
thief can write any date into what he signs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from calibrant import errors
from calibrant.artifacts import checks, keys, shape
from calibrant.calibrators import canonical

SCHEMA: Final = "calibrant.trust/1"

#: A key signs artifacts or checkpoints of the audit log; one that does both is one secret too few.
Purpose: TypeAlias = Literal["artifact", "checkpoint"]


@dataclass(frozen=True)
class TrustedKey:
    """A public key in PEM form, whose it is, what for and when. ``owner`` is a principal: two keys of one owner are
    one signature for the threshold. Valid from ``not_before_us`` to ``not_after_us``, both included.
    """

    public_key: str
    owner: str
    purposes: tuple[Purpose, ...]
    not_before_us: int
    not_after_us: int | None = None
    revoked_at_us: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "purposes", tuple(self.purposes))
        checks.name("owner", self.owner)
        checks.whole("not_before_us", self.not_before_us, least=0)
        if self.not_after_us is not None:
            checks.whole("not_after_us", self.not_after_us, least=self.not_before_us)
        if self.revoked_at_us is not None:
            checks.whole("revoked_at_us", self.revoked_at_us, least=0)
        if not self.purposes or len(set(self.purposes)) < len(self.purposes):
            raise checks.illegal("a trusted key has at least one purpose, each once")
        if self.public.pem.decode() != self.public_key:
            raise checks.illegal("a trusted key is written in its one PEM form")

    @cached_property
    def public(self) -> keys.PublicKey:
        return keys.parse_public(self.public_key.encode())


@dataclass(frozen=True)
class TrustPolicy:
    """Keys, and how many different owners must have signed an artifact. No keys: nobody is trusted."""

    keys: tuple[TrustedKey, ...]
    threshold: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(self.keys))
        checks.whole("threshold", self.threshold, least=1)
        if len({key.public.keyid for key in self.keys}) < len(self.keys):
            raise checks.illegal("a trust policy names each key once")

    def find(self, keyid: str, *, purpose: Purpose) -> TrustedKey:
        """The key of this name, if it may sign for this purpose and was not revoked."""
        found = self._named(keyid)
        if purpose not in found.purposes:
            raise errors.ArtifactError(
                "CAL-658",
                "the signature was made with a key for another purpose",
                cause=f"this key of {found.owner} signs {', '.join(found.purposes)}, not {purpose}",
                fix="sign with a key of this purpose",
            )
        if found.revoked_at_us is not None:
            raise errors.ArtifactError(
                "CAL-659",
                "the signature was made with a revoked key",
                cause=f"this key of {found.owner} was revoked: whoever holds it can write any date",
                fix="sign the content again with a key that is valid",
            )
        return found

    # ---------------------------------------------------------------------------- rotation, as new policies

    def with_key(self, key: TrustedKey) -> TrustPolicy:
        """The policy that trusts one more key."""
        return dataclasses.replace(self, keys=(*self.keys, key))

    def retired(self, keyid: str, *, at_us: int) -> TrustPolicy:
        """The key seals nothing after this moment; what it sealed before stays good."""
        return self._with(dataclasses.replace(self._named(keyid), not_after_us=at_us))

    def revoked(self, keyid: str, *, at_us: int) -> TrustPolicy:
        """Nothing that the key signed is good any more; ``at_us`` records when that was decided."""
        return self._with(dataclasses.replace(self._named(keyid), revoked_at_us=at_us))

    def _named(self, keyid: str) -> TrustedKey:
        found = next((key for key in self.keys if key.public.keyid == keyid), None)
        if found is None:
            raise errors.ArtifactError(
                "CAL-657",
                "the trust policy does not name this key",
                cause="no key in it has this name",
                fix="add the key to the trust policy if you know its owner; otherwise do not use what it signed",
            )
        return found

    def _with(self, changed: TrustedKey) -> TrustPolicy:
        others = (changed if key.public == changed.public else key for key in self.keys)
        return dataclasses.replace(self, keys=tuple(others))


def demand_valid(key: TrustedKey, *, signed_at_us: int, skew_us: int) -> None:
    """The key was valid when the content says that it was sealed; clocks may differ by ``skew_us``."""
    early = signed_at_us < key.not_before_us - skew_us
    if early or (key.not_after_us is not None and signed_at_us > key.not_after_us + skew_us):
        raise errors.ArtifactError(
            "CAL-660",
            "the key was not valid when this was sealed",
            cause=f"it was sealed {'before' if early else 'after'} the time in which {key.owner}'s key was valid",
            fix="sign with a key that is valid now",
        )


def dumps(policy: TrustPolicy) -> bytes:
    """The one byte sequence of a policy."""
    return shape.dumps(policy, SCHEMA)


def loads(data: bytes) -> TrustPolicy:
    """Read a policy; ArtifactError for bytes that ``dumps`` did not write."""
    return shape.loads(TrustPolicy, data, SCHEMA)


def to_dict(policy: TrustPolicy) -> dict[str, Any]:
    """The policy as the content of a resource of the registry."""
    return {**shape.encode(policy), "schema": SCHEMA}


def from_dict(found: Mapping[str, Any]) -> TrustPolicy:
    """The policy in the content of a resource; ArtifactError for anything else."""
    return loads(canonical.dumps(dict(found)) + b"\n")
