"""Approvals, promotions, rollbacks and revocations, with the bytes looked at before anything is bound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from calibrant.artifacts import verify
from calibrant.ports import contents, control_store
from calibrant.registry import approvals, artifacts, bindings, environments, principals, refusals, resources
from calibrant.workflow import artifact_files
from calibrant.workflow import ledger as ledgers

#: How long a request waits for an answer unless it says otherwise.
WAITS_US: Final = 7 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Bound:
    """What a binding says now."""

    name: str
    revision: int
    binding: bindings.Binding


def ask(
    ledger: ledgers.Ledger,
    artifact: str,
    environment: str,
    *,
    by: principals.Principal,
    request: str,
    now_us: int,
    slot: approvals.Slot = "champion",
    waits_us: int = WAITS_US,
) -> approvals.Approval:
    """Ask other people to approve an artifact for an environment. ``request`` is a new name for the request."""
    found = _the(ledger.reader, artifacts.KIND, artifact)
    target = bindings.name(artifacts.read(found).stream, environment)
    bound = ledger.reader.get(bindings.KIND, target)
    where = _the(ledger.reader, environments.KIND, environment)
    ledger.execute(
        by,
        approvals.request(
            request,
            artifact=found,
            target=target,
            target_revision=resources.ABSENT if bound is None else bound.revision,
            slot=slot,
            needs=max(1, environments.approvals(where)),
            by=by,
            now_us=now_us,
            expires_us=now_us + waits_us,
        ),
    )
    return approvals.read(_the(ledger.reader, approvals.KIND, request))


def decide(
    ledger: ledgers.Ledger,
    request: str,
    verdict: approvals.Verdict,
    *,
    by: principals.Principal,
    digest: str,
    evidence: str,
    now_us: int,
    reason: str | None = None,
) -> approvals.Approval:
    """Approve or decline a request; the digests say what was looked at."""
    found = _the(ledger.reader, approvals.KIND, request)
    command = approvals.decide(
        found, verdict, by=by, digest=digest, evidence=evidence, now_us=now_us, reason=reason
    )  # fmt: skip
    ledger.execute(by, command)
    return approvals.read(_the(ledger.reader, approvals.KIND, request))


def withdraw(ledger: ledgers.Ledger, request: str, *, by: principals.Principal) -> None:
    """Take a request back."""
    ledger.execute(by, approvals.withdraw(_the(ledger.reader, approvals.KIND, request)))


def promote(
    ledger: ledgers.Ledger,
    kept: contents.Contents,
    artifact: str,
    environment: str,
    *,
    by: principals.Principal,
    now_us: int,
    request: str | None = None,
    slot: approvals.Slot = "champion",
    reason: str | None = None,
    idempotency_key: str | None = None,
) -> Bound:
    """Bind an artifact, after verifying its bytes and signature as a serving process would."""
    reader = ledger.reader
    found = _the(reader, artifacts.KIND, artifact)
    demand_verified(reader, kept, artifacts.read(found), now_us=now_us)
    target = bindings.name(artifacts.read(found).stream, environment)
    command = bindings.promote(
        reader.get(bindings.KIND, target),
        artifact=found,
        environment=_the(reader, environments.KIND, environment),
        approval=None if request is None else _the(reader, approvals.KIND, request),
        now_us=now_us,
        slot=slot,
        reason=reason,
    )
    ledger.execute(by, command, idempotency_key=idempotency_key)
    return bound(reader, target)


def shadow(
    ledger: ledgers.Ledger,
    kept: contents.Contents,
    stream: str,
    environment: str,
    artifact: str | None,
    *,
    by: principals.Principal,
    now_us: int,
    reason: str | None = None,
) -> Bound:
    """Let an artifact see every score of a stream and act on none, or stop that."""
    reader, target = ledger.reader, bindings.name(stream, environment)
    _the(reader, environments.KIND, environment)
    found = None if artifact is None else _the(reader, artifacts.KIND, artifact)
    if found is not None:
        demand_verified(reader, kept, artifacts.read(found), now_us=now_us)
    command = bindings.shadow(
        reader.get(bindings.KIND, target), artifact=found, stream=stream, environment=environment, now_us=now_us,
        reason=reason,
    )  # fmt: skip
    ledger.execute(by, command)
    return bound(reader, target)


def rollback(
    ledger: ledgers.Ledger,
    target: str,
    *,
    by: principals.Principal,
    reason: str | None = None,
    rests_on: tuple[str, ...] = (),
) -> Bound:
    """Restore what was bound before the last promotion. Asks no metric, no approver and no artifact's bytes."""
    reader = ledger.reader
    found = _the(reader, bindings.KIND, target)
    known = _artifacts(reader, target)
    command = bindings.rollback(
        found, history=reader.history(bindings.KIND, target), unfit=_revoked(known), reason=reason, rests_on=rests_on
    )  # fmt: skip
    ledger.execute(by, resources.Command(command.changes, _as_read(command.changes, known)))
    return bound(reader, target)


def revoke(
    ledger: ledgers.Ledger, artifact: str, *, by: principals.Principal, reason: str | None = None
) -> tuple[Bound, ...]:
    """Revoke an artifact and take it out of every binding, in one transaction; the bindings that changed."""
    reader = ledger.reader
    found = _the(reader, artifacts.KIND, artifact)
    command = artifacts.revoke(found, reason=reason)
    known = _artifacts(reader, artifact)
    unfit = {artifact, *_revoked(known)}
    changes: list[resources.Change] = []
    untouched: list[resources.Requirement] = []
    for environment in reader.browse(environments.KIND):
        target = bindings.name(artifacts.read(found).stream, environment.name)
        one = reader.get(bindings.KIND, target)
        change = None
        if one is not None:
            history = reader.history(bindings.KIND, target)
            change = bindings.without(one, history=history, unfit=unfit, reason=reason)
        if change is None:
            # nobody may take it up while it is revoked
            revision = resources.ABSENT if one is None else one.revision
            untouched.append(resources.Requirement(bindings.KIND, target, revision))
        else:
            changes.append(change)
    requires = (*untouched, *_as_read(changes, known))
    ledger.execute(by, resources.Command((*command.changes, *changes), requires))
    return tuple(bound(reader, change.name) for change in changes)


def bound(reader: control_store.ControlReader, target: str) -> Bound:
    """What is bound now; an empty binding at revision 0 where nothing ever was."""
    found = reader.get(bindings.KIND, target)
    return Bound(target, resources.ABSENT if found is None else found.revision, bindings.read(found))


def demand_verified(
    reader: control_store.ControlReader, kept: contents.Contents, status: artifacts.Status, *, now_us: int
) -> verify.Verified:
    """The artifact's bytes, checked against what the registry says and against the trusted keys."""
    return artifact_files.verified(reader, kept, status, now_us=now_us)


def _artifacts(reader: control_store.ControlReader, name: str) -> Mapping[str, resources.Resource]:
    """All artifacts of the stream of an artifact or a binding, by name."""
    stream = re.split("[@/]", name)[0]
    return {one.name: one for one in reader.browse(artifacts.KIND, prefix=stream + "@")}


def _revoked(known: Mapping[str, resources.Resource]) -> frozenset[str]:
    """Those that must not serve any more."""
    return frozenset(name for name, one in known.items() if artifacts.read(one).state == "revoked")


def _as_read(
    changes: Sequence[resources.Change], known: Mapping[str, resources.Resource]
) -> tuple[resources.Requirement, ...]:
    """What bindings will hold must still be what it was when it was decided: nobody may have revoked it meanwhile."""
    bodies = [one.body for one in changes if one.kind == bindings.KIND and one.body is not None]
    names = sorted({body[slot]["artifact"] for body in bodies for slot in bindings.SLOTS if body[slot] is not None})
    return tuple(resources.Requirement(artifacts.KIND, name, known[name].revision) for name in names)


def _the(reader: control_store.ControlReader, kind: str, name: str) -> resources.Resource:
    return refusals.present(reader.get(kind, name), kind=kind, name=name)
