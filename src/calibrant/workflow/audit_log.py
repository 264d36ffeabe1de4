"""Reading, verifying and proving what the audit log says, and comparing it with what the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from calibrant import errors
from calibrant.artifacts import keys as key_files
from calibrant.artifacts import trust
from calibrant.audit import checkpoint, entries, proof_file, proofs, verification
from calibrant.ports import audit_copy, control_store
from calibrant.registry import resources

#: Every kind of resource: one that no entry tells of is looked for too.
KINDS: Final = (
    "alert", "approval", "artifact", "binding", "environment", "erasure", "installation", "key", "latch", "objective",
    "principal", "recommendation", "rollout", "silence", "trust",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """An entry with the words of its reason: None when nobody said any, or when they were erased."""

    entry: entries.Entry
    said: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries to show; None and empty mean all."""

    subject: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    actor: str | None = None
    action: str | None = None


def lines(reader: control_store.ControlReader, wanted: Wanted) -> Iterator[Line]:
    """The entries that are wanted, oldest first.

    ``subject`` is a resource (``binding/fraud/production``), or a stream: its artifacts, bindings and approvals.
    """
    with reader.snapshot() as view:
        for data in view.entries():
            entry = entries.loads(data)
            if wanted.until_us is not None and entry.at_us >= wanted.until_us:
                return  # times never fall
            if _is_wanted(view, entry, wanted):
                said = None if entry.reason is None else view.said(entry.reason)
                yield Line(entry, None if said is None else said.text)


def prove(reader: control_store.ControlReader, index: int) -> proof_file.Proof:
    """The proof that an entry is in the log that the newest checkpoint was signed for."""
    with reader.snapshot() as view:
        size, newest = view.size(), view.newest_checkpoint()
        if not 0 <= index < size:
            raise errors.UsageError(
                "CAL-888",
                f"the log has no entry {index:,}",
                cause=f"it has {size:,} entries, counted from 0",
                fix="look for the entry: calibrant audit log",
            )
        if newest is None or newest.size <= index:
            raise errors.UsageError(
                "CAL-889",
                f"no checkpoint covers entry {index:,} yet",
                cause="a proof leads to a root that somebody signed",
                fix="sign one: calibrant audit checkpoint",
            )
        entry = next(view.entries(index, index + 1))
        return proof_file.Proof(entry, index, proofs.inclusion(index, newest.size, view.node), newest.note)


def verify(
    reader: control_store.ControlReader,
    copy: audit_copy.AuditCopy | None,
    *,
    keys: Sequence[key_files.PublicKey],
    kept: Iterable[str] = (),
) -> verification.Findings:
    """Compare the log with its hashes, its checkpoints, the second place, ``kept`` notes, and the resources.

    The second place is read before and after: others may write meanwhile, and what it was told of first must be in the
    log, while what is in the log it must have been told of at last.
    """
    notes = [(checkpoint.parse(note).size, note) for note in kept]
    before = copy.read() if copy is not None else None
    with reader.snapshot() as view:
        view.size()  # the state that is verified is that of the first read
        after = copy.read() if copy is not None else None
        if before is None or after is None:
            elsewhere = verification.Elsewhere(None, 0, notes)
        else:
            notes += [(one.size, one.note) for one in before.checkpoints]
            elsewhere = verification.Elsewhere(after.leaves, before.committed, notes)
        stored = [(one.size, one.note) for one in view.checkpoints()]
        found = verification.verify(view, notes=stored, elsewhere=elsewhere, keys=keys)
        _compare_resources(view, found)
    return found


def trusted_keys(reader: control_store.ControlReader) -> list[key_files.PublicKey]:
    """The keys that the trust policy lets sign checkpoints; none where there is no policy that can be read."""
    try:
        found = reader.get("trust", "policy")
        policy = None if found is None or found.body is None else trust.from_dict(found.body)
    except (errors.StoreError, errors.ArtifactError):
        return []  # the verification will say what is wrong with the store
    held = () if policy is None else policy.keys
    return [one.public for one in held if "checkpoint" in one.purposes and one.revoked_at_us is None]


def _is_wanted(view: control_store.ControlReader, entry: entries.Entry, wanted: Wanted) -> bool:
    return (
        (wanted.since_us is None or entry.at_us >= wanted.since_us)
        and (wanted.actor is None or entry.actor == wanted.actor)
        and (wanted.action is None or entry.action == wanted.action)
        and (wanted.subject is None or _is_about(view, entry, wanted.subject))
    )


def _is_about(view: control_store.ControlReader, entry: entries.Entry, subject: str) -> bool:
    if "/" in subject:
        return f"{entry.kind}/{entry.name}" == subject
    match entry.kind:
        case "artifact":
            return entry.name.partition("@")[0] == subject
        case "binding":
            return entry.name.partition("/")[0] == subject
        case "approval":
            asked = view.get(entry.kind, entry.name)
            body = None if asked is None else asked.body
            return body is not None and str(body["target"]).partition("/")[0] == subject
        case _:
            return False


def _compare_resources(view: control_store.ControlReader, found: verification.Findings) -> None:
    """Every revision of every resource against the entries, and nothing that no entry tells of."""
    bad: set[tuple[str, str]] = set()
    for (kind, name), said in found.chains.items():
        held = verification.Chain()
        try:
            for one in view.history(kind, name):
                held = held.then(revision=one.revision, index=one.index, at_us=one.at_us, after=one.digest)
        except errors.StoreError:
            held = verification.Chain()
        if held != said:
            bad.add((kind, name))
    kinds = {*KINDS, *(kind for kind, _ in found.chains)}
    for kind in sorted(kinds):
        bad |= _compare_current(view, found, kind)
    if bad:
        _name_first(view, found, bad)


def _compare_current(
    view: control_store.ControlReader, found: verification.Findings, kind: str
) -> set[tuple[str, str]]:
    """Names of a kind whose current content is not that of the last entry about them."""
    try:
        current = {one.name: (one.revision, one.digest) for one in view.browse(kind)}
    except errors.StoreError as error:
        found.report("resource", None, f"the {kind}s cannot be read: {error.what}")
        return set()
    told = {
        name: (chain.revision, chain.after)
        for (other, name), chain in found.chains.items()
        if other == kind and chain.after is not None
    }
    for name in sorted(current.keys() - told.keys()):
        found.report("resource", None, f"{kind} {name!r} is there, and no entry tells of it")
    return {(kind, name) for name, last in told.items() if current.get(name) != last}


def _name_first(view: control_store.ControlReader, found: verification.Findings, bad: set[tuple[str, str]]) -> None:
    """The first entry that tells of a revision which is not held like that."""
    held: dict[tuple[str, str, int], resources.Resource] = {}
    for kind, name in bad:
        try:
            held |= {(kind, name, one.revision): one for one in view.history(kind, name)}
        except errors.StoreError:
            continue
    for index, data in enumerate(view.entries()):
        try:
            entry = entries.loads(data)
        except errors.ArtifactError:
            continue
        if (entry.kind, entry.name) not in bad:
            continue
        one = held.get((entry.kind, entry.name, entry.revision))
        if one is None or (one.digest, one.index, one.at_us) != (entry.after, index, entry.at_us):
            what = f"revision {entry.revision} of {entry.kind} {entry.name!r} is not held as this entry says"
            found.report("resource", index, what)
            return
    found.report("resource", None, f"{len(bad):,} resources have content that no entry tells of")
