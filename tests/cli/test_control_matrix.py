"""The declared matrix of roles, command by command; aims that are looked at before data; and what --help shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from calibrant.artifacts import keys as key_files
from calibrant.cli import root
from calibrant.registry import keys, policy

GROUPS = ("people", "trust", "environment", "artifact", "approval", "binding")


def _prepared(office: Any) -> dict[str, str]:
    """One thing in each state."""
    made = {"draft": office.draft(1), "sealed": office.draft(2), "signed": office.signed(3), "old": office.signed(4)}
    assert office.run("artifact", "seal", made["sealed"]).code == 0
    office.promote(office.signed(5))
    office.promote(office.signed(6))
    made["open"] = office.run("approval", "request", made["signed"], "production", "--json").json["name"]
    made["ready"] = office.approved(made["signed"])
    made["key"] = keys.parse(office.tokens["vera"]).prefix
    key = key_files.generate()
    Path("other.pub").write_bytes(key.public.pem)
    return made


def _commands(made: dict[str, str]) -> dict[policy.Action, tuple[str, ...]]:
    """A command for each action; in this order all of them can be done one after the other."""
    return {
        "registry.read": ("binding", "list"),
        "people.read": ("people", "list"),
        "audit.read": ("audit", "log"),
        "audit.checkpoint": ("audit", "checkpoint"),
        "artifact.seal": ("artifact", "seal", made["draft"]),
        "artifact.sign": ("artifact", "sign", made["sealed"]),
        "approval.request": ("approval", "request", made["old"], "production"),
        "approval.decide": ("approval", "approve", made["open"]),
        "approval.withdraw": ("approval", "withdraw", made["open"]),
        "binding.promote": ("binding", "promote", made["signed"], "production", "--request", made["ready"]),
        "binding.assign": ("binding", "shadow", "fraud/production", made["old"]),
        "binding.rollback": ("binding", "rollback", "fraud/production"),
        "artifact.deprecate": ("artifact", "deprecate", made["old"]),
        "artifact.revoke": ("artifact", "revoke", made["old"]),
        "environment.set": ("environment", "set", "canary", "--approvals", "0"),
        "trust.set": ("trust", "add", "other.pub", "--owner", "otto"),
        "words.erase": ("people", "forget", "sha256:" + "0" * 64),
        "principal.enrol": ("people", "add", "new"),
        "principal.roles": ("people", "roles", "vera", "--role", "viewer"),
        "principal.suspend": ("people", "suspend", "vera"),
        "principal.reinstate": ("people", "reinstate", "vera"),
        "key.issue": ("people", "key", "issue", "vera"),
        "key.revoke": ("people", "key", "revoke", made["key"]),
    }


#: What this page of the policy is about; drafting takes events, and is tested below.
KINDS = {
    "approval", "artifact", "audit", "binding", "environment", "key", "people", "principal", "registry", "trust",
    "words",
}  # fmt: skip


def test_every_cell_of_the_matrix(office: Any) -> None:
    """Each command by somebody with each role alone: allowed or refused (CAL-901) as the policy declares."""
    made = _prepared(office)
    commands = _commands(made)
    # drafting has a test of its own; a map follows labels by its controller alone
    assert {*commands, "artifact.draft", "binding.follow"} == {
        one for one in policy.ACTIONS if one.partition(".")[0] in KINDS
    }
    for role in policy.ROLES:
        office.hire(f"only-{role}", role)
    refused = 0
    for action, command in commands.items():
        size = office.size()
        for role in policy.ROLES:
            if role not in policy.MATRIX[action]:
                ran = office.run(*command, by=f"only-{role}")
                assert (ran.code, ran.refusal, ran.out) == (2, "CAL-901", ""), (action, role, ran)
                assert action in ran.err
                refused += 1
        assert office.size() == size, action
        for role in sorted(policy.MATRIX[action]):
            ran = office.run(*command, by=f"only-{role}")
            # the second who may do it can find it done, and never hears that they may not
            assert ran.code == 0 or ran.refusal in ("CAL-911", "CAL-920"), (action, role, ran)
            if role == sorted(policy.MATRIX[action])[0]:
                assert ran.code == 0, (action, role, ran)
    assert refused > 100
    assert office.sound()


@pytest.mark.parametrize("role", [role for role in policy.ROLES if role not in policy.MATRIX["artifact.draft"]])
def test_drafting_is_for_proposers(office: Any, role: str) -> None:
    """Refused before an event is read: there is no store of events here at all."""
    streams = Path("calibrant.d/streams")
    streams.mkdir(parents=True)
    (streams / "fraud.yaml").write_text(DECLARATION)
    office.hire("one", role)
    assert office.run("artifact", "draft", "fraud", by="one").refusal == "CAL-901"
    assert office.run("artifact", "draft", "fraud").refusal == "CAL-111"


DECLARATION = """\
apiVersion: calibrant/v1
kind: Stream
metadata: {name: fraud}
spec:
  labels: {horizon: 2d}
"""


@pytest.mark.parametrize(
    "aims",
    [
        ("--cost-fp", "1", "--cost-fn", "2", "--precision", "0.9"),
        ("--cost-fp", "1"),
        ("--rows-per-day", "10"),
        ("--capacity", "10"),
        ("--recall", "0.5", "--precision", "0.5"),
    ],
)
def test_contradicting_aims_are_refused_before_data_is_read(office: Any, aims: tuple[str, ...]) -> None:
    """CAL-401 where there is no store of events: nobody looked for one."""
    streams = Path("calibrant.d/streams")
    streams.mkdir(parents=True)
    (streams / "fraud.yaml").write_text(DECLARATION)
    assert office.run("artifact", "draft", "fraud", *aims).refusal == "CAL-401"


def test_a_draft_knows_no_future(office: Any) -> None:
    """As of a time to come, other events would be there when it is fitted again."""
    streams = Path("calibrant.d/streams")
    streams.mkdir(parents=True)
    (streams / "fraud.yaml").write_text(DECLARATION)
    assert office.run("artifact", "draft", "fraud", "--as-of", "2099-01-01").refusal == "CAL-480"


def _all(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _all(command, f"{name} {each}")
        else:
            yield f"{name} {each}", command


def test_every_command_shows_two_examples() -> None:
    """--help ends with two of them, and they are of this command."""
    for group in GROUPS:
        found = root.calibrant.get_command(click.Context(root.calibrant), group)
        assert isinstance(found, click.Group)
        for name, command in _all(found, f"calibrant {group}"):
            assert (command.epilog or "").count(name) >= 2, name
