"""People and services: who they are, which roles they have, and which person answers for each.

A principal's name stays in the audit log for good, so it should be a handle and not a person's full name or address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, cast

from calibrant import errors
from calibrant.registry import policy, refusals, resources

KIND: Final = "principal"

Type = Literal["person", "service"]
State = Literal["active", "suspended"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody with roles. A service has an ``owner``: the person who answers for what it does."""

    name: str
    type: Type
    owner: str | None
    roles: frozenset[policy.Role]
    state: State = "active"

    @property
    def person(self) -> str:
        """The person behind this principal: two keys, or a person and their service, are one pair of eyes."""
        return self.owner or self.name

    def to_body(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "owner": self.owner,
            "roles": sorted(self.roles),
            "state": self.state,
        }


def read(found: resources.Resource) -> Principal:
    """The principal that a resource describes."""
    body = found.body
    assert body is not None
    return Principal(found.name, body["type"], body["owner"], frozenset(body["roles"]), body["state"])


def enrol(
    found: resources.Resource | None,
    name: str,
    *,
    roles: Iterable[str],
    owner: resources.Resource | None = None,
) -> resources.Command:
    """Make a principal: a person, or with ``owner`` (an active person) a service."""
    refusals.demand_name(name, of="a principal")
    if found is not None:
        raise refusals.exists(KIND, name)
    requires: tuple[resources.Requirement, ...] = ()
    if owner is not None:
        answers = read(owner)
        if answers.type != "person" or answers.state != "active":
            raise errors.RefusedError(
                "CAL-921",
                f"{owner.name} cannot answer for a service",
                cause=f"it is a {answers.type}, {answers.state}",
                fix="name an active person as the owner",
            )
        requires = (resources.Requirement(KIND, owner.name, owner.revision),)
    given = known_roles(roles)
    made = Principal(name, "person", None, given) if owner is None else Principal(name, "service", owner.name, given)
    change = resources.Change(KIND, name, resources.ABSENT, made.to_body(), "principal.enrol")
    return resources.Command((change,), requires)


def set_roles(
    found: resources.Resource, roles: Iterable[str], *, admins: Sequence[resources.Resource]
) -> resources.Command:
    """Give other roles; the last active admin stays one. ``admins`` are all principals with that role."""
    after = replace(read(found), roles=known_roles(roles))
    return _changed(found, after, "principal.roles", admins)


def suspend(found: resources.Resource, *, admins: Sequence[resources.Resource]) -> resources.Command:
    """Take away everything that the principal may do, at once and with all keys."""
    return _changed(found, replace(read(found), state="suspended"), "principal.suspend", admins)


def reinstate(found: resources.Resource) -> resources.Command:
    """Give it back."""
    return _changed(found, replace(read(found), state="active"), "principal.reinstate", ())


def is_admin(found: resources.Resource) -> bool:
    """Whether this is an active admin."""
    if found.body is None:
        return False
    who = read(found)
    return who.state == "active" and "admin" in who.roles


def known_roles(roles: Iterable[str]) -> frozenset[policy.Role]:
    """The same roles; UsageError (CAL-942) for one that does not exist."""
    given = frozenset(roles)
    unknown = sorted(given - frozenset(policy.ROLES))
    if unknown:
        raise errors.UsageError(
            "CAL-942", f"there is no role {unknown[0]!r}", cause="the roles are " + ", ".join(policy.ROLES),
            fix="choose among these",
        )  # fmt: skip
    return cast("frozenset[policy.Role]", given)


def _changed(
    found: resources.Resource, after: Principal, action: policy.Action, admins: Sequence[resources.Resource]
) -> resources.Command:
    change = resources.Change(KIND, found.name, found.revision, after.to_body(), action)
    still = after.state == "active" and "admin" in after.roles
    if not is_admin(found) or still:
        return resources.Command((change,))
    others = [one for one in admins if one.name != found.name and is_admin(one)]
    if not others:
        raise errors.RefusedError(
            "CAL-922",
            f"{found.name} is the last admin",
            cause="nobody could manage people after this",
            fix="give another person the role admin first",
        )
    # whoever remains must still be an admin when this commits
    remaining = tuple(resources.Requirement(KIND, one.name, one.revision) for one in others[:1])
    return resources.Command((change,), remaining)
