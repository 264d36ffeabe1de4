"""A world in memory: one binding, one rollout, artifacts and approvals, changed by compare and swap."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest

from calibrant import errors
from calibrant.registry import approvals, artifacts, bindings, environments, policy, principals, resources
from calibrant.rollout import exposure, machine, plans, readings, signals, starting, states, turns

HOUR = 3_600_000_000
TARGET = "fraud/production"
OTTO = principals.Principal("otto", "person", None, frozenset({"operator", "approver"}))
ADA = principals.Principal("ada", "person", None, frozenset({"approver"}))


def plan(**changes: Any) -> plans.Plan:
    """Two steps, an hour each, a thousand pairs."""
    made: dict[str, Any] = {
        "mode": "auto", "weights": (10_000, 500_000), "shadow_us": HOUR, "hold_us": HOUR, "bake_us": HOUR,
        "deadline_us": 200 * HOUR, "cooldown_us": 24 * HOUR, "matured": 1_000, **changes,
    }  # fmt: skip
    return plans.Plan(**made)


def reading(stage: int, guard: str = "paired_loss", verdict: readings.Verdict = "passed", **changes: Any) -> Any:
    """A reading of five thousand rows with both classes."""
    kind = "matured" if guard == "paired_loss" else "label_free"
    made = {"n": 5_000, "positives": 500 if kind == "matured" else None, **changes}
    return readings.Reading(guard, kind, verdict, made.pop("n"), 0, stage, **made)


def good(stage: int) -> tuple[readings.Reading, ...]:
    """Every guard that is asked has passed."""
    return tuple(reading(stage, guard) for guard in ("paired_loss", "sample_ratio", "mean_score"))


@dataclass
class World:
    """All revisions of all resources."""

    revisions: dict[tuple[str, str], list[resources.Resource]] = field(default_factory=lambda: defaultdict(list))
    now: int = 1_000 * HOUR
    pages: list[str] = field(default_factory=list)

    def get(self, kind: str, name: str) -> resources.Resource | None:
        found = self.revisions.get((kind, name))
        return found[-1] if found else None

    def the(self, kind: str, name: str) -> resources.Resource:
        found = self.get(kind, name)
        assert found is not None
        return found

    def history(self, kind: str, name: str) -> tuple[resources.Resource, ...]:
        return tuple(self.revisions.get((kind, name), ()))

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
            made = resources.Resource(change.kind, change.name, change.expected + 1, change.body, self.now, 0)
            self.revisions[change.kind, change.name].append(made)

    # ------------------------------------------------------------------ what there is

    @property
    def state(self) -> states.Rollout:
        return states.read(self.the("rollout", TARGET))

    @property
    def binding(self) -> bindings.Binding:
        return bindings.read(self.get("binding", TARGET))

    def signed(self, *, evidence: str | None = "sha256:ee") -> str:
        version = 1 + sum(kind == "artifact" for kind, _ in self.revisions)
        status = artifacts.Status("fraud", version, "signed", f"sha256:{version:064x}", evidence, None, None, "pia")
        self.apply(
            resources.Command((resources.Change("artifact", status.name, 0, status.to_body(), "artifact.sign"),))
        )
        return status.name

    def place(self) -> exposure.Place:
        state = self.state
        return exposure.Place(
            self.get("binding", TARGET), self.history("binding", TARGET),
            self.the("artifact", state.candidate.artifact), self.the("environment", "production"), self.unfit(),
        )  # fmt: skip

    def unfit(self) -> frozenset[str]:
        every = {name: found[-1] for (kind, name), found in self.revisions.items() if kind == "artifact"}
        return frozenset(name for name, found in every.items() if artifacts.read(found).state == "revoked")

    # ------------------------------------------------------------------ what happens

    def promote(self, artifact: str) -> None:
        """By hand, in an environment that asks nobody."""
        found = self.the("environment", "production")
        asks = environments.approvals(found)
        self.apply(environments.declare(found, "production", approvals=0))
        self.apply(
            bindings.promote(
                self.get("binding", TARGET), artifact=self.the("artifact", artifact),
                environment=self.the("environment", "production"), approval=None, now_us=self.now,
            )
        )  # fmt: skip
        self.apply(environments.declare(self.the("environment", "production"), "production", approvals=asks))

    def revoke(self, artifact: str) -> None:
        """As the workflow does it: out of the binding in the same command."""
        command = artifacts.revoke(self.the("artifact", artifact), reason=None)
        found = self.get("binding", TARGET)
        change = None if found is None else bindings.without(
            found, history=self.history("binding", TARGET), unfit={artifact, *self.unfit()}, reason=None
        )  # fmt: skip
        changes = (*command.changes, *(() if change is None else (change,)))
        self.apply(resources.Command(changes, command.requires))

    def start(self, artifact: str, **changes: Any) -> None:
        given = {key: changes.pop(key) for key in ("override",) if key in changes}
        self.apply(
            starting.start(
                self.get("rollout", TARGET), artifact=self.the("artifact", artifact), now_us=self.now,
                binding=self.get("binding", TARGET), environment=self.the("environment", "production"),
                plan=plan(**changes), **given,
            ),
            by=OTTO,
        )  # fmt: skip

    def look(self, given: tuple[readings.Reading, ...] = (), **changes: Any) -> signals.Look:
        """A look at the world as it is."""
        place, state = self.place(), self.state
        asked = self.get("approval", turns.approval_name(state, place.revision))
        answer = "none" if asked is None else approvals.read(asked).state
        made: dict[str, Any] = {
            "bound": exposure.bound(state, place), "revision": place.revision,
            "voices": environments.approvals(place.environment),
            "answer": {"withdrawn": "declined", "used": "none"}.get(answer, answer), **changes,
        }  # fmt: skip
        return signals.Look(state.stage, self.now, given, **made)

    def hear(self, signal: signals.Signal) -> turns.Turn | None:
        """As the workflow does it: one command."""
        place, state = self.place(), self.state
        made = turns.turn(
            self.the("rollout", TARGET), signal, place=place, by=OTTO, now_us=self.now,
            approval=self.get("approval", turns.approval_name(state, place.revision)),
        )  # fmt: skip
        if made is not None:
            self.apply(made.command, by=OTTO)
            self.pages += made.pages
        return made

    def looks(self, verdict: readings.Verdict = "passed", **changes: Any) -> states.Rollout:
        """An hour later, a look at guards that say this."""
        self.now += HOUR
        stage = self.state.stage
        self.hear(self.look(tuple(reading(stage, one.guard, verdict) for one in good(stage)), **changes))
        return self.state

    def approve(self) -> None:
        """Ada approves whatever is asked now."""
        self.decide(turns.approval_name(self.state, self.place().revision), "approve")

    def decide(self, name: str, verdict: approvals.Verdict) -> None:
        """Ada decides."""
        asked = approvals.read(self.the("approval", name))
        assert asked.evidence is not None
        self.apply(
            approvals.decide(
                self.the("approval", name), verdict, by=ADA, digest=asked.digest, evidence=asked.evidence,
                now_us=self.now,
            )
        )  # fmt: skip

    def until(self, phase: states.Phase, *, most: int = 30) -> states.Rollout:
        """Good looks until a phase is reached."""
        for _ in range(most):
            if self.state.phase == phase:
                break
            self.looks()
        assert self.state.phase == phase, self.state
        return self.state


def peopled(*, approvals: int = 0) -> World:
    """An environment, a champion and two candidates."""
    made = World()
    made.apply(environments.declare(None, "production", approvals=approvals))
    for _ in range(3):
        made.signed()
    made.promote("fraud@1")
    return made


@pytest.fixture
def world() -> World:
    """One world that asks nobody for approval."""
    return peopled()


@pytest.fixture
def worlds() -> Any:
    """As many as wanted."""
    return peopled


@pytest.fixture
def tools() -> Any:
    """What tests build with; test folders are no packages."""
    import types

    return types.SimpleNamespace(plan=plan, reading=reading, good=good, machine=machine, HOUR=HOUR, TARGET=TARGET)
