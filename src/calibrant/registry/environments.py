"""Environments: where bindings live, and how many people must agree to a change there."""

from __future__ import annotations

from typing import Final

from calibrant import errors
from calibrant.registry import refusals, resources

KIND: Final = "environment"
#: More would mean that nothing is ever approved.
MOST: Final = 5


def declare(found: resources.Resource | None, name: str, *, approvals: int) -> resources.Command:
    """Make or change an environment that asks for so many approvals."""
    refusals.demand_name(name, of="an environment")
    if not 0 <= approvals <= MOST:
        raise errors.UsageError(
            "CAL-944",
            "this is no number of approvals",
            cause=f"0 to {MOST} people can be asked to agree",
            fix="1 is four eyes: the proposer and an approver; 0 is for environments that act on nothing",
        )
    revision = resources.ABSENT if found is None else found.revision
    return resources.Command(
        (resources.Change(KIND, name, revision, {"approvals": approvals}, "environment.set"),)
    )  # fmt: skip


def approvals(found: resources.Resource) -> int:
    """How many distinct persons other than the proposer must approve."""
    assert found.body is not None
    return int(found.body["approvals"])
