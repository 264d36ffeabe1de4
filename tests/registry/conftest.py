"""A registry in memory: commands are applied as a control store would, so that rules can be tested without one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from calibrant import errors
from calibrant.registry import approvals, artifacts, bindings, environments, policy, principals, resources

DAY = 86_400_000_000


@dataclass
class Memory:
    """All revisions of all resources; compare and swap; the roles of whoever commands."""

    revisions: dict[tuple[str, str], list[resources.Resource]] = field(default_factory=lambda: defaultdict(list))
    entries: int = 0
    now: int = DAY

    def get(self, kind: str, name: str) -> resources.Resource | None:
        found = self.revisions.get((kind, name))
        return found[-1] if found else None

    def the(self, kind: str, name: str) -> resources.Resource:
        found = self.get(kind, name)
        assert found is not None
        return found

    def history(self, kind: str, name: str) -> tuple[resources.Resource, ...]:
        return tuple(self.revisions.get((kind, name), ()))

    def all(self, kind: str) -> list[resources.Resource]:
        return [found[-1] for (one, _), found in self.revisions.items() if one == kind]

    def apply(self, command: resources.Command, *, by: principals.Principal | None = None) -> None:
        for one in (*command.changes, *command.requires):
            found = self.get(one.kind, one.name)
            expected = one.expected if isinstance(one, resources.Change) else one.revision
            if (found.revision if found else 0) != expected:
                raise errors.ConflictError("CAL-911", "changed", cause="", fix="")
        for change in command.changes:
            if by is not None:
                policy.demand(change.action, by.roles, who=by.name)
            assert change.action in policy.ACTIONS
            made = resources.Resource(
                change.kind, change.name, change.expected + 1, change.body, self.now, self.entries
            )
            self.revisions[change.kind, change.name].append(made)
            self.entries += 1

    # ------------------------------------------------------------------ shortcuts

    def person(self, name: str, *roles: str) -> principals.Principal:
        self.apply(principals.enrol(self.get("principal", name), name, roles=roles))
        return principals.read(self.the("principal", name))

    def service(self, name: str, owner: str, *roles: str) -> principals.Principal:
        self.apply(principals.enrol(None, name, roles=roles, owner=self.the("principal", owner)))
        return principals.read(self.the("principal", name))

    def signed(self, stream: str = "fraud", *, by: str = "pia", evidence: str | None = "sha256:ee") -> str:
        version = artifacts.next_version([one for one in self.all("artifact") if one.name.startswith(stream + "@")])
        digest = f"sha256:{version:064x}"
        status = artifacts.Status(stream, version, "draft", digest, evidence, None, None, by)
        self.apply(artifacts.draft(status))
        self.apply(artifacts.seal(self.the("artifact", status.name), digest=digest))
        self.apply(artifacts.sign(self.the("artifact", status.name), digest=digest, bundle="sha256:bb"))
        return status.name

    def binding(self, stream: str = "fraud", environment: str = "production") -> resources.Resource | None:
        return self.get("binding", bindings.name(stream, environment))

    def ask(self, artifact: str, name: str, *, by: principals.Principal, slot: approvals.Slot = "champion") -> None:
        found = self.binding()
        self.apply(
            approvals.request(
                name, artifact=self.the("artifact", artifact), target="fraud/production", slot=slot, by=by,
                target_revision=found.revision if found else 0, now_us=self.now, expires_us=self.now + DAY,
                needs=environments.approvals(self.the("environment", "production")),
            ),
            by=by,
        )  # fmt: skip

    def decide(self, name: str, verdict: approvals.Verdict, *, by: principals.Principal) -> None:
        asked = approvals.read(self.the("approval", name))
        assert asked.evidence is not None
        self.apply(
            approvals.decide(
                self.the("approval", name), verdict, by=by, digest=asked.digest, evidence=asked.evidence,
                now_us=self.now,
            ),
            by=by,
        )  # fmt: skip

    def promote(
        self, artifact: str, approval: str | None, *, by: principals.Principal | None = None,
        slot: approvals.Slot = "champion",
    ) -> None:  # fmt: skip
        self.apply(
            bindings.promote(
                self.binding(), artifact=self.the("artifact", artifact), now_us=self.now, slot=slot,
                environment=self.the("environment", "production"),
                approval=None if approval is None else self.the("approval", approval),
            ),
            by=by,
        )  # fmt: skip


def peopled() -> Memory:
    """People, an environment that asks for one approval, and two signed artifacts of a stream."""
    memory = Memory()
    memory.person("pia", "proposer")
    memory.person("ada", "approver")
    memory.person("otto", "operator")
    memory.person("root", "admin")
    memory.apply(environments.declare(None, "production", approvals=1))
    memory.signed()
    memory.signed()
    return memory


@pytest.fixture
def registry() -> Memory:
    """One registry."""
    return peopled()


@pytest.fixture
def new_registry() -> Callable[[], Memory]:
    """As many as a state machine wants."""
    return peopled
