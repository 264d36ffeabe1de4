"""Every check by its code: what it finds, why that matters, how to mend it; and what checks look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from calibrant.artifacts import provenance
from calibrant.ports import audit_copy, contents, control_store, event_log
from calibrant.streams import declaration

#: A finding is to be mended; a note is good to know and may be as it should.
Level: TypeAlias = Literal["finding", "note"]


@dataclass(frozen=True, slots=True)
class Check:
    """Something that can be wrong; ``cause`` says why it matters."""

    code: str
    what: str
    cause: str
    fix: str
    level: Level = "finding"

    def saw(self, seen: str) -> Finding:
        """The finding, with what was seen."""
        return Finding(self, seen)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw in one place."""

    check: Check
    seen: str


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on the disk of the project, what is wanted free, and whether the second place lies on the same disk (None:
    it is not there, or the first one is a server).
    """

    free: int
    wanted: int
    same_as_copy: bool | None


@dataclass(frozen=True, slots=True)
class Installation:
    """What there is; None for what is not there or cannot be opened. ``unreadable`` are the findings about that.

    ``masks`` says whether there is a key that masks identifiers; ``full`` whether every byte is to be read.
    """

    folder: Path
    disk: Disk
    control: control_store.ControlReader | None
    events: event_log.EventReader | None
    contents: contents.Contents | None
    copy: audit_copy.AuditCopy
    streams: tuple[declaration.Stream, ...]
    code: provenance.Code
    masks: bool
    now_us: int
    full: bool = False
    unreadable: tuple[Finding, ...] = ()


KEY_OPEN: Final = Check(
    "CAL-960",
    "a private key is open to others",
    cause="whoever can read it can sign artifacts or the audit log as this installation",
    fix="chmod 600 the file; if others may have read it, revoke the key and trust a new one",
)
OPEN: Final = Check(
    "CAL-961",
    "others can change or read what only this installation should",
    cause="decisions are only as safe as the files that they lie in",
    fix="chmod go-rwx what is named; then calibrant audit verify",
)
DISK_LOW: Final = Check(
    "CAL-962",
    "the disk is nearly full",
    cause="ingest stops and decisions are refused when it is; erasing data needs room for a copy of the database",
    fix="make room, or give the streams a shorter retention",
)
CONTROL_SCHEMA: Final = Check(
    "CAL-963",
    "the control store has another schema",
    cause="this Calibrant can neither read nor make decisions",
    fix="older: make a backup, then any deciding command brings it up; newer: use that version of Calibrant",
)
EVENT_SCHEMA: Final = Check(
    "CAL-964",
    "the event store has another schema",
    cause="this Calibrant cannot read the events",
    fix="older: make a backup, then any ingest brings it up; newer: use that version of Calibrant",
)
CLOCK: Final = Check(
    "CAL-965",
    "the clock of this machine is behind what was recorded",
    cause="times are held until it catches up; keys and artifacts expire too late, labels mature too late",
    fix="set the clock (NTP); if it was ahead before, times that were recorded then stay",
)
CHAMPION_UNTRUSTED: Final = Check(
    "CAL-966",
    "an artifact is bound that cannot be trusted",
    cause="a serving process that verifies refuses it, and one that does not applies a map nobody vouches for",
    fix="roll the binding back, or sign and promote another version",
)
EXPIRED: Final = Check(
    "CAL-967",
    "an artifact is bound that has expired",
    cause="serving processes refuse it from then on",
    fix="draft, seal, sign and promote the next version",
)
EXPIRES: Final = Check(
    "CAL-968",
    "an artifact that is bound expires soon",
    cause="approval takes people and people take days",
    fix="draft the next version now",
)
BYTES_GONE: Final = Check(
    "CAL-969",
    "the bytes of a bound artifact are missing or damaged",
    cause="no process that starts now can load it",
    fix="put the right bytes back from a backup or from a serving process; then calibrant artifact verify",
)
UNSIGNED_LOG: Final = Check(
    "CAL-970",
    "entries of the audit log wait too long for a checkpoint",
    cause="what no checkpoint covers can be rewritten by whoever can write the store",
    fix="calibrant audit checkpoint, where keys/audit.key lies",
)
LOG_BROKEN: Final = Check(
    "CAL-971",
    "the audit log does not verify",
    cause="somebody changed the store past Calibrant, or the disk lost data",
    fix="calibrant audit verify names the first bad entry and what to do",
)
SAME_DISK: Final = Check(
    "CAL-972",
    "the second place of the audit log lies on the same disk as the first",
    cause="one accident, or one administrator, changes both",
    fix="move its journal to a folder elsewhere, and name that in CALIBRANT_AUDIT_COPY",
)
COPY_GONE: Final = Check(
    "CAL-973",
    "the second place of the audit log cannot be read",
    cause="every decision is refused until it answers",
    fix="mount or mend the place that CALIBRANT_AUDIT_COPY names; do not begin an empty one",
)
COPY_DIFFERS: Final = Check(
    "CAL-974",
    "the second place and the audit log do not agree",
    cause="one of them was rewritten, cut off or restored from an older backup",
    fix="calibrant audit verify names the first entry that differs",
)
KEY_EXPIRES: Final = Check(
    "CAL-975",
    "an API key expires soon",
    cause="whoever acts with it is locked out then",
    fix="calibrant people key issue, hand it over, then revoke the old one",
)
KEY_OF_SUSPENDED: Final = Check(
    "CAL-976",
    "a suspended principal still has a key",
    cause="it proves nobody now, and everything again when the principal is reinstated",
    fix="calibrant people key revoke",
)
FEW_ADMINS: Final = Check(
    "CAL-977",
    "fewer than two people are admins",
    cause="if that one loses the key or leaves, nobody can manage people any more",
    fix="give a second person the role admin",
)
NO_APPROVAL: Final = Check(
    "CAL-978",
    "production takes new champions without another person's approval",
    cause="one pair of eyes decides what automation acts on",
    fix="calibrant environment set production --approvals 1",
)
EVENTS_DAMAGED: Final = Check(
    "CAL-979",
    "part of the event store is damaged",
    cause="answers that need it are refused; what the disk lost once it may lose again",
    fix="restore the store from a backup, and look at the disk",
)
DIRTY: Final = Check(
    "CAL-980",
    "partitions changed since they were summarised",
    cause="the next check makes their summaries again, which takes time; nothing is wrong",
    fix="run calibrant check --stream regularly",
    level="note",
)
ORPHANS: Final = Check(
    "CAL-981",
    "labels wait for predictions that never came",
    cause="they count for nothing until then: predictions are lost on the way, or ids do not match",
    fix="compare the ids of both feeds; calibrant status STREAM says how many there are",
    level="note",
)
NOBODY_ANSWERS: Final = Check(
    "CAL-982",
    "a stream is declared without an owner or a runbook",
    cause="when it alarms, nobody is named and nothing says what to do",
    fix="set spec.owner and spec.runbook in its declaration",
)
NO_HMAC: Final = Check(
    "CAL-983",
    "a stream masks identifiers, and there is no key",
    cause="ingest of that stream is refused",
    fix="set CALIBRANT_HMAC_KEY to the one key of this installation, where ingest runs",
)
OTHER_VERSIONS: Final = Check(
    "CAL-984",
    "a bound artifact was fitted with other versions",
    cause="reproducing it bit for bit needs the same versions; applying it does not",
    fix="reproduce it in an environment with the versions that it names, if you need to",
    level="note",
)
BAD_DECLARATION: Final = Check(
    "CAL-985",
    "a declaration cannot be read",
    cause="nothing can be ingested into or asked of that stream",
    fix="calibrant lint says what is wrong with it",
)
NO_SIGNER: Final = Check(
    "CAL-986",
    "the key that signs the audit log is not here",
    cause="commands that run here leave checkpoints to others; after a restore without keys nobody signs",
    fix="put keys/audit.key back from where you keep it, unless another machine signs",
    level="note",
)
UNREADABLE: Final = Check(
    "CAL-987",
    "part of the installation cannot be read",
    cause="what is not readable was not checked, and no command can use it",
    fix="run this as the owner of the files; if they are damaged, restore a backup",
)
