"""Who was live when, who put it there, who approved it, and on what evidence."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from calibrant.audit import entries
from calibrant.ports import control_store
from calibrant.registry import approvals, artifacts, bindings, resources


@dataclass(frozen=True, slots=True)
class Approver:
    """Somebody who approved, and when."""

    principal: str
    person: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Tenure:
    """What was bound from one moment to the next.

    ``until_us`` is None for what is bound now. ``action``, ``actor``, ``index`` and ``said`` are those of the change
    that began it; the words are None when nobody said any, or they were erased. ``approvers`` approved the champion
    when it was last promoted, and ``evidence`` is the digest of what it was validated with.
    """

    revision: int
    since_us: int
    until_us: int | None
    binding: bindings.Binding
    action: str
    actor: str
    index: int
    approvers: tuple[Approver, ...]
    evidence: str | None
    said: str | None


def tenures(reader: control_store.ControlReader, target: str) -> tuple[Tenure, ...]:
    """Everything that was ever bound, oldest first."""
    with reader.snapshot() as state:
        history = state.history(bindings.KIND, target)
        approved: dict[bindings.Ref, tuple[Approver, ...]] = {}
        found, before = [], None
        for one, following in itertools.zip_longest(history, history[1:]):
            entry = entries.loads(next(iter(state.entries(one.index, one.index + 1))))
            champion = bindings.read(one).champion
            # a champion stays approved while other slots change, and when it comes back
            if champion is not None and champion != before and entry.action == "binding.promote":
                approved[champion] = _approvers(state, entry)
            until = None if following is None else following.at_us
            found.append(_tenure(state, one, until, entry, () if champion is None else approved.get(champion, ())))
            before = champion
        return tuple(found)


def at(reader: control_store.ControlReader, target: str, at_us: int) -> Tenure | None:
    """What was bound at a moment; None when nothing was bound yet."""
    live = [one for one in tenures(reader, target) if one.since_us <= at_us]
    return live[-1] if live else None


def _tenure(
    reader: control_store.ControlReader,
    one: resources.Resource,
    until_us: int | None,
    entry: entries.Entry,
    approvers: tuple[Approver, ...],
) -> Tenure:
    binding = bindings.read(one)
    said = None if entry.reason is None else reader.said(entry.reason)
    return Tenure(
        one.revision,
        one.at_us,
        until_us,
        binding,
        entry.action,
        entry.actor,
        one.index,
        approvers,
        _evidence(reader, binding),
        None if said is None else said.text,
    )


def _approvers(reader: control_store.ControlReader, entry: entries.Entry) -> tuple[Approver, ...]:
    """Who approved: the request that was used up in the same transaction, which is the next entry."""
    if entry.index + 1 >= reader.size():
        return ()
    following = entries.loads(next(iter(reader.entries(entry.index + 1, entry.index + 2))))
    if (following.kind, following.action) != (approvals.KIND, "binding.promote"):
        return ()
    found = next(one for one in reader.history(approvals.KIND, following.name) if one.index == following.index)
    return tuple(
        Approver(one.principal, one.person, one.at_us)
        for one in approvals.read(found).decisions
        if one.verdict == "approve"
    )


def _evidence(reader: control_store.ControlReader, binding: bindings.Binding) -> str | None:
    if binding.champion is None:
        return None
    found = reader.get(artifacts.KIND, binding.champion.artifact)
    return None if found is None else artifacts.read(found).evidence
