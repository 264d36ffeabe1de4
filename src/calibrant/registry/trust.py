"""Which keys are trusted is itself a resource, so that rotating or revoking one is on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from calibrant.registry import resources

KIND: Final = "trust"
NAME: Final = "policy"


def replace(
    found: resources.Resource | None, policy: Mapping[str, Any], *, reason: str | None = None
) -> resources.Command:
    """Make this the trust policy: the JSON form of ``artifacts.trust.TrustPolicy``."""
    revision = resources.ABSENT if found is None else found.revision
    return resources.Command((resources.Change(KIND, NAME, revision, dict(policy), "trust.set", reason),))
