"""Committing a command within the one writing transaction: the same for both databases."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from calibrant import errors
from calibrant.audit import entries, tree
from calibrant.calibrators import canonical
from calibrant.ports import control_store
from calibrant.registry import resources
from calibrant.storage.control import reading, working
from calibrant.storage.control import session as sessions

#: The names of resources that a command speaks of, with their revision and digest.
Heads = dict[tuple[str, str], tuple[int, str | None]]


def commit(
    session: sessions.Session,
    command: resources.Command,
    *,
    author: control_store.Author,
    at_us: int,
    witness: control_store.Witness | None,
) -> control_store.Committed:
    """All of it, or an error and nothing; ``session`` makes it durable afterwards."""
    with _sayable():
        bodies = [None if change.body is None else canonical.dumps(dict(change.body)) for change in command.changes]
        request = _request(command, bodies, author)
    repeated = _repeated(session, author, request)
    if repeated is not None:
        return repeated
    size, last_us = _end(session)
    draft = _Draft(author, max(at_us, last_us), size, _heads(session, command))
    for requirement in command.requires:
        if requirement.working:
            working.demand(session, requirement.kind, requirement.name, requirement.revision)
        else:
            draft.check(requirement.kind, requirement.name, requirement.revision)
    for change, body in zip(command.changes, bodies, strict=True):
        draft.add(change, body)
    draft.save(session)
    if author.idempotency_key is not None:
        session.run(
            "remember",
            principal=author.principal,
            key=author.idempotency_key,
            request=request,
            first=size,
            many=len(draft.made),
        )
    if witness is not None and draft.entries:
        witness(size, draft.entries)
    return control_store.Committed(tuple(draft.made), size + len(draft.made))


@dataclass(slots=True)
class _Draft:
    """What a command adds, row by row."""

    author: control_store.Author
    at_us: int
    size: int
    heads: Heads
    made: list[resources.Resource] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)
    revisions: list[sessions.Row] = field(default_factory=list)
    said: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def check(self, kind: str, name: str, expected: int) -> tuple[int, str | None]:
        """The head of a resource; ConflictError (CAL-911) when it is not the one that the command was decided on."""
        head = self.heads.get((kind, name), (resources.ABSENT, None))
        if head[0] != expected:
            raise errors.ConflictError(
                "CAL-911",
                f"{kind} {name!r} has revision {head[0]}, not {expected}",
                cause="somebody else was first" if head[0] > expected else "it was never at that revision",
                fix="look at it as it is now, decide again, and send the command again",
            )
        return head

    def add(self, change: resources.Change, body: bytes | None) -> None:
        """The next revision of a resource, with its entry."""
        before, index = self.check(change.kind, change.name, change.expected), self.size + len(self.made)
        revision = before[0] + 1
        digest = None if body is None else "sha256:" + hashlib.sha256(body).hexdigest()
        entry = entries.Entry(
            index=index,
            at_us=self.at_us,
            actor=self.author.principal,
            action=change.action,
            kind=change.kind,
            name=change.name,
            revision=revision,
            before=before[1],
            after=digest,
            evidence=change.evidence,
            reason=self._committed(change.reason),
            origin=self._committed(self.author.origin),
            request=self.author.request,
            idempotency_key=self.author.idempotency_key,
        )
        with _sayable():
            self.entries.append(entries.dumps(entry))
        held = None if body is None else json.loads(body)
        self.revisions.append((change.kind, change.name, revision, body, digest, self.at_us, index))
        self.made.append(resources.Resource(change.kind, change.name, revision, held, self.at_us, index))
        self.heads[change.kind, change.name] = (revision, digest)

    def _committed(self, text: str | None) -> str | None:
        """The commitment to words; those that a command says twice are kept once."""
        if text is None:
            return None
        if text not in self.said:
            salt = secrets.token_bytes(entries.SALT)
            with _sayable():
                self.said[text] = (entries.commitment(text, salt=salt), salt)
        return self.said[text][0]

    def save(self, session: sessions.Session) -> None:
        """The rows of all that was added."""
        session.many("add_revisions", self.revisions)
        moved = {(row[0], row[1]): row[2] for row in self.revisions}
        session.many("move_heads", [(*key, revision) for key, revision in moved.items()])
        session.many("add_entries", list(enumerate(self.entries, self.size)))
        leaves = [tree.leaf_hash(entry) for entry in self.entries]
        session.many("add_nodes", list(tree.append(self.size, leaves, reading.Reader(session).node)))
        session.many("add_said", [(held, salt, text.encode()) for text, (held, salt) in self.said.items()])


def _end(session: sessions.Session) -> tuple[int, int]:
    """The size of the log and the time of its last entry."""
    size, revisions, leaves, last_us = session.rows("ends")[0]
    if not size == revisions == leaves:
        raise sessions.damaged(
            "the end of the audit log", f"{size} entries, {revisions} revisions and {leaves} leaves do not agree"
        )
    return size, -reading.ALL if last_us is None else last_us


def _heads(session: sessions.Session, command: resources.Command) -> Heads:
    """The current revision and digest of everything that a command speaks of."""
    names: dict[str, set[str]] = defaultdict(set)
    for change in command.changes:
        names[_plain(change.kind)].add(_plain(change.name))
    for requirement in command.requires:
        names[_plain(requirement.kind)].add(_plain(requirement.name))
    heads: Heads = {}
    for kind, several in names.items():
        for name, revision, digest, index in session.rows("heads", kind=kind, names=sorted(several)):
            if index is None:
                raise sessions.damaged(f"revision {revision} of {kind} {name!r}", "it is not there")
            heads[kind, name] = (revision, digest)
    return heads


def _request(command: resources.Command, bodies: list[bytes | None], author: control_store.Author) -> str:
    """What makes two commands the same: all but the words, which a digest would let somebody guess once erased."""
    _plain(author.principal)
    if author.idempotency_key is not None:
        _plain(author.idempotency_key)
    changes = [
        [one.kind, one.name, one.expected, None if body is None else body.decode(), one.action, one.evidence]
        for one, body in zip(command.changes, bodies, strict=True)
    ]
    # a lease that was taken anew meanwhile makes no other command of it
    requires = [[one.kind, one.name, one.revision] for one in command.requires if not one.working]
    return "sha256:" + hashlib.sha256(canonical.dumps({"changes": changes, "requires": requires})).hexdigest()


def _repeated(session: sessions.Session, author: control_store.Author, request: str) -> control_store.Committed | None:
    """What this command returned when it was committed before under its key."""
    if author.idempotency_key is None:
        return None
    found = session.rows("repeated", principal=author.principal, key=author.idempotency_key)
    if not found:
        return None
    before, first, many = found[0]
    if before != request:
        raise errors.ConflictError(
            "CAL-912",
            "this idempotency key was used for another command",
            cause=f"the command of entry {first} had it, with other changes",
            fix="use a new key for a new command; repeat a command exactly as it was",
        )
    made = reading.Reader(session).made_by(first, many)
    if len(made) != many:
        raise sessions.damaged("a command that was committed", f"{len(made)} of its {many} revisions are there")
    return control_store.Committed(made, first + many, repeated=True)


@contextmanager
def _sayable() -> Iterator[None]:
    try:
        yield
    except errors.CalibrantError:
        raise
    except (ValueError, RecursionError) as error:
        raise _unsayable(str(error)) from error


def _plain(text: str) -> str:
    """Text that both databases keep as it is, and no empty name."""
    if not text or "\0" in text:
        raise _unsayable("a name is empty or has a NUL character")
    with _sayable():
        text.encode()
    return text


def _unsayable(cause: str) -> errors.UsageError:
    return errors.UsageError(
        "CAL-882",
        "this change cannot be recorded",
        cause=cause,
        fix="names are text that is not empty, bodies are JSON with whole numbers up to 2^53",
    )
