"""Who may do what: one table of actions and roles. What is not in it cannot be done, and nobody can do everything.

A principal has any number of roles and may do what any of them may. An action that no rule names fails the tests; a
command with an action that is not in the table is refused when it is executed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from calibrant import errors

Role = Literal[
    "viewer", "ingester", "labeler", "analyst", "proposer", "approver", "operator", "auditor", "admin"
]  # fmt: skip
Action = Literal[
    "alert.acknowledge",
    "alert.record",
    "approval.decide",
    "approval.request",
    "approval.withdraw",
    "artifact.deprecate",
    "artifact.draft",
    "artifact.revoke",
    "artifact.seal",
    "artifact.sign",
    "audit.checkpoint",
    "audit.read",
    "binding.assign",
    "binding.follow",
    "binding.promote",
    "binding.rollback",
    "environment.set",
    "events.write",
    "evidence.export",
    "key.issue",
    "key.revoke",
    "labels.write",
    "latch.release",
    "objective.record",
    "people.read",
    "principal.enrol",
    "principal.reinstate",
    "principal.roles",
    "principal.suspend",
    "registry.read",
    "rollout.abort",
    "rollout.advance",
    "rollout.override",
    "rollout.pause",
    "rollout.resume",
    "rollout.rollback",
    "rollout.start",
    "silence.begin",
    "silence.end",
    "trust.set",
    "words.erase",
]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)

#: What each role is for, in words.
MEANS: Final[Mapping[Role, str]] = MappingProxyType(
    {
        "viewer": "looks at artifacts, bindings and evidence",
        "ingester": "sends predictions and labels: a service",
        "labeler": "sends labels",
        "analyst": "looks at everything but people, and exports evidence",
        "proposer": "drafts and seals artifacts, and asks for approval",
        "approver": "approves or declines what somebody else proposed, and overrides guards of a rollout",
        "operator": "signs, rolls out and promotes what was approved, rolls back, revokes",
        "auditor": "reads everything, changes nothing",
        "admin": "manages people, keys, environments and trust, and promotes nothing",
    }
)


def _roles(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


_READERS: Final = _roles("viewer", "analyst", "proposer", "approver", "operator", "auditor", "admin")

#: The declared matrix.
MATRIX: Final[Mapping[Action, frozenset[Role]]] = MappingProxyType(
    {
        "events.write": _roles("ingester"),
        "latch.release": _roles("operator"),
        "labels.write": _roles("ingester", "labeler"),
        "registry.read": _READERS,
        "people.read": _roles("auditor", "admin"),
        "audit.read": _roles("auditor", "admin", "operator"),
        "audit.checkpoint": _roles("auditor", "admin", "operator"),
        "evidence.export": _roles("analyst", "auditor", "operator"),
        "artifact.draft": _roles("proposer"),
        "artifact.seal": _roles("proposer"),
        "artifact.sign": _roles("operator"),
        "artifact.deprecate": _roles("operator"),
        "artifact.revoke": _roles("operator"),
        "approval.request": _roles("proposer", "operator"),
        "approval.withdraw": _roles("proposer", "operator"),
        "approval.decide": _roles("approver"),
        "binding.assign": _roles("operator"),
        "binding.follow": _roles("operator"),
        "binding.promote": _roles("operator"),
        "binding.rollback": _roles("operator"),
        "alert.record": _roles("operator"),
        "objective.record": _roles("operator"),
        "alert.acknowledge": _roles("operator", "analyst"),
        "silence.begin": _roles("operator"),
        "silence.end": _roles("operator"),
        "rollout.start": _roles("operator"),
        "rollout.advance": _roles("operator"),
        "rollout.pause": _roles("operator"),
        "rollout.resume": _roles("operator"),
        "rollout.abort": _roles("operator"),
        "rollout.rollback": _roles("operator"),
        # whoever runs rollouts cannot talk the guards down
        "rollout.override": _roles("approver"),
        "environment.set": _roles("admin"),
        "trust.set": _roles("admin"),
        "words.erase": _roles("admin"),
        "principal.enrol": _roles("admin"),
        "principal.roles": _roles("admin"),
        "principal.suspend": _roles("admin"),
        "principal.reinstate": _roles("admin"),
        "key.issue": _roles("admin"),
        "key.revoke": _roles("admin"),
    }
)


def allowed(action: str, roles: Iterable[str]) -> bool:
    """Whether one of these roles may do this; False for an action that nobody declared.

    >>> allowed("approval.decide", ["approver"]), allowed("approval.decide", ["admin"])
    (True, False)
    """
    known = MATRIX.get(action)  # type: ignore[call-overload]
    return known is not None and not known.isdisjoint(roles)


def demand(action: str, roles: Iterable[str], *, who: str) -> None:
    """ForbiddenError (CAL-901) unless one of these roles may do this."""
    held = tuple(roles)
    if allowed(action, held):
        return
    may = MATRIX.get(action)  # type: ignore[call-overload]
    raise errors.ForbiddenError(
        "CAL-901",
        f"{who} may not do {action}",
        cause=f"{who} is " + (", ".join(sorted(held)) or "without a role") + "; it takes "
        + (" or ".join(sorted(may)) if may else "an action that the policy declares"),
        fix="ask somebody who may, or ask an admin for the role: calibrant people roles",
    )  # fmt: skip
