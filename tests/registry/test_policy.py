"""The declared matrix of roles and actions, cell by cell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import calibrant
from calibrant import errors
from calibrant.registry import policy


def test_every_action_has_a_rule_and_every_rule_an_action() -> None:
    """An action without a policy fails here, and so does a rule for nothing."""
    assert set(policy.MATRIX) == set(policy.ACTIONS)
    assert set(policy.MEANS) == set(policy.ROLES)


def test_every_action_in_the_source_is_declared() -> None:
    """Whatever the rules ask for, as they are written, is in the table."""
    said = set()
    for room in ("registry", "advice", "rollout", "slo", "workflow", "cli", "wiring.py"):
        place = Path(calibrant.__file__).parent / room
        for path in [place] if place.is_file() else place.rglob("*.py"):
            said |= set(re.findall(
                r'"((?:alert|approval|artifact|audit|binding|environment|events|evidence|key|labels|latch|objective|people|principal'
                r'|registry|rollout|silence|trust|words)\.[a-z]+)"', path.read_text()))  # fmt: skip
    files = {one for one in said if one.endswith((".key", ".json", ".html", ".sqlite", ".zip"))}
    assert said - files - set(policy.ACTIONS) == set()


@pytest.mark.parametrize("role", policy.ROLES)
@pytest.mark.parametrize("action", policy.ACTIONS)
def test_every_cell_holds(action: policy.Action, role: policy.Role) -> None:
    """A role may do exactly what the table says; refusals name the action and who could."""
    if role in policy.MATRIX[action]:
        policy.demand(action, [role], who="somebody")
        assert policy.allowed(action, [role])
    else:
        with pytest.raises(errors.ForbiddenError, match="CAL-901") as refused:
            policy.demand(action, [role], who="somebody")
        assert sorted(policy.MATRIX[action])[0] in refused.value.cause


def test_an_unknown_action_is_allowed_to_nobody() -> None:
    """A verb that nobody declared is refused for all roles together."""
    assert not policy.allowed("artifact.publish", policy.ROLES)
    with pytest.raises(errors.ForbiddenError):
        policy.demand("artifact.publish", policy.ROLES, who="root")


def test_nobody_does_it_alone() -> None:
    """No role both proposes and approves, and managing people promotes nothing."""
    for role in policy.ROLES:
        does = {action for action in policy.ACTIONS if role in policy.MATRIX[action]}
        assert not {"artifact.draft", "approval.decide"} <= does
        assert not ("principal.roles" in does and "binding.promote" in does)
    changes = {one for one in policy.ACTIONS if not one.endswith((".read", ".export", ".checkpoint"))}
    assert not any("auditor" in policy.MATRIX[action] for action in changes)
