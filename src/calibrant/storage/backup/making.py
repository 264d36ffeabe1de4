"""Making a backup while others read, decide and ingest.

The order makes one consistent state of what is copied at different moments: whatever is copied refers only to what is
copied after it, and that only grows. Decisions first; then the journal of the second place, cut back to them; contents,
which are durable before a decision names them; how far ingests are, before the events that they speak of; events; and
declarations, which come before the events of their stream.
"""

from __future__ import annotations

import hashlib
import io
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import calibrant
from calibrant import errors
from calibrant.frames import atomic
from calibrant.ports import contents as contents_port
from calibrant.ports import event_log
from calibrant.storage import embedded
from calibrant.storage.audit_copy import folder as copies
from calibrant.storage.audit_copy import journal
from calibrant.storage.backup import archive
from calibrant.storage.contents import names
from calibrant.storage.control import sqlite as control
from calibrant.storage.embedded import faults, segments
from calibrant.storage.embedded import sqlite as events
from calibrant.workflow import backup

JOURNAL: Final = f"audit-copy/{copies.JOURNAL}"
KEYS: Final = ("artifacts", "audit")
#: Which files a state of the event store consists of besides the database; older schemas have only the first table.
_FILES: Final = {
    "pieces": "SELECT file, sha256 FROM pieces WHERE file IS NOT NULL ORDER BY file",
    "identity_runs": "SELECT file, sha256 FROM identity_runs WHERE file IS NOT NULL ORDER BY file",
}


@dataclass(frozen=True, slots=True)
class Installation:
    """What is copied: a project's folder, its contents wherever they lie, and the folder of its second place."""

    folder: Path
    contents: contents_port.Contents
    copy: Path


@dataclass(slots=True)
class _Work:
    """A backup that is being made: ``staging`` holds the copies of the databases."""

    source: Installation
    staging: Path
    writer: archive.Writer
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    def add(self, name: str, path: Path) -> str:
        """Add a file that nobody changes; its SHA-256."""
        with faults.told(), path.open("rb") as opened:
            opened.seek(0, io.SEEK_END)
            size = opened.tell()
            opened.seek(0)
            return self._keep(name, self.writer.add(name, opened, size=size))

    def add_bytes(self, name: str, data: bytes) -> str:
        return self._keep(name, self.writer.add(name, io.BytesIO(data), size=len(data)))

    def _keep(self, name: str, made: archive.File) -> str:
        self.files[name] = (made.size, made.sha256)
        return made.sha256


def make(source: Installation, out: Path, *, with_keys: bool, now_us: int) -> backup.Manifest:
    """Write a backup to ``out``, read it back, and say what is in it.

    SourceError (CAL-111) where there is nothing to back up; UsageError for a name that is taken (CAL-418) or of another
    kind (CAL-417). Damage of the installation does not stop it: what is left is saved, and the damage told.
    """
    archive.demand_suffix(out)
    if out.exists():
        raise errors.UsageError(
            "CAL-418",
            f"{out.name!r} is there already",
            cause="a backup never takes the place of another file",
            fix="give a new name, such as one with the date",
        )
    _demand_something(source.folder)
    with faults.told(), _staging(out) as staged, archive.writing(out, at_us=now_us) as writer:
        work = _Work(source, Path(staged), writer)
        log = _decisions(work)
        streams = _events(work)
        if with_keys:
            for name in KEYS:
                if (path := source.folder / "keys" / f"{name}.key").is_file():
                    work.add(f"keys/{name}.key", path)
        made = backup.Manifest(calibrant.__version__, now_us, work.files, log, streams, tuple(work.damaged))
        data = backup.dumps(made)
        writer.add(archive.MANIFEST, io.BytesIO(data), size=len(data))
    try:
        check(out)
    except errors.SourceError:
        out.unlink()
        raise
    return made


def check(path: Path) -> backup.Manifest:
    """Read a whole archive and compare every byte with its manifest; SourceError when it is not what was written."""
    files: dict[str, tuple[int, str]] = {}
    data = b""
    with faults.told(), archive.reading(path) as opened:
        for member in archive.members(opened):
            if member.name == archive.MANIFEST:
                data = member.whole()
                continue
            digest = hashlib.sha256()
            for chunk in member.chunks:
                digest.update(chunk)
            demand_new(member.name, files)
            files[member.name] = (member.size, digest.hexdigest())
    return compared(files, data)


def demand_new(name: str, files: dict[str, tuple[int, str]]) -> None:
    """No name comes twice: the second would take the place of the first."""
    if name in files:
        raise archive.damaged(f"{name} is in it twice")


def compared(files: dict[str, tuple[int, str]], data: bytes) -> backup.Manifest:
    """The manifest in ``data``; SourceError (CAL-126) when the files are not exactly those that it names."""
    if not data:
        raise archive.damaged("it ends before its list of files")
    found = backup.loads(data)
    wrong = sorted(name for name in files.keys() | found.files.keys() if files.get(name) != found.files.get(name))
    if wrong:
        raise errors.SourceError(
            "CAL-126",
            "the files in this backup are not those that were written",
            cause=f"{wrong[0]} is missing, was added, or has other bytes; so for {len(wrong):,} files",
            fix="take another copy of the backup; nothing was restored",
        )
    return found


# ---------------------------------------------------------------------------------------- what is copied


def _decisions(work: _Work) -> backup.Log | None:
    """The control store, the journal as far as it goes, and all contents."""
    held = work.source.folder / control.FILE
    log, named = None, set[str]()
    if held.is_file():
        copied = work.staging / control.FILE
        copy_database(held, copied)
        work.add(control.FILE, copied)
        # what is opened here is the copy: one of an older schema is brought up, and the one in the archive is not
        with control.open_store(copied) as reader:
            size, signed = reader.size(), {one.size for one in reader.checkpoints()}
            copy = _journal(work, size, signed)
            log = backup.log_of(reader, copy)
            named = backup.contents_of(reader)
    kept = set(work.source.contents.digests())
    work.damaged += [f"content {digest}" for digest in sorted(named - kept)]
    for digest in sorted(kept):
        try:
            folder, name = names.place_of(digest)
            work.add_bytes(f"contents/{folder}/{name}", work.source.contents.get(digest))
        except errors.StoreDamagedError:
            work.damaged.append(f"content {digest}")
    return log


def _journal(work: _Work, size: int, signed: set[int]) -> copies.FolderCopy | None:
    """What the second place was told of these entries: others go on meanwhile."""
    path = work.source.copy / copies.JOURNAL
    with faults.told():
        if not path.is_file():
            return None
        target = work.staging / JOURNAL
        target.parent.mkdir()
        with path.open("rb") as lines, target.open("wb") as kept:
            kept.writelines(journal.until(lines, size=size, checkpoints=signed))
    work.add(JOURNAL, target)
    return copies.FolderCopy(target.parent)


def _events(work: _Work) -> dict[str, event_log.Counts]:
    """How far ingests are, the event store, the declarations of streams, and who is told of alerts."""
    folder = work.source.folder
    for path in sorted((folder / "ingest").glob("*.json")):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # that input came to its end meanwhile
        if archive.is_ours(name := f"ingest/{path.name}"):
            work.add_bytes(name, data)
    store = folder / "store"
    streams = _store(work, store) if (store / events.FILE).is_file() else {}
    for path in sorted((folder / "streams").glob("*.yaml")):
        if archive.is_ours(name := f"streams/{path.name}"):
            work.add(name, path)
        else:
            work.damaged.append(f"declaration {path.name!r}, which has no name of a stream")
    if (folder / "alerts.yaml").is_file():
        work.add("alerts.yaml", folder / "alerts.yaml")
    return streams


def _store(work: _Work, store: Path) -> dict[str, event_log.Counts]:
    """The database, and the files that exactly this state of it names: none of them is removed while we hold them."""
    sealed, staged = segments.Segments(store), work.staging / "store"
    staged.mkdir()
    with sealed.held():
        copy_database(store / events.FILE, staged / events.FILE)
        work.add(f"store/{events.FILE}", staged / events.FILE)
        for file, sha256 in _named(staged / events.FILE):
            path = sealed.path(file)
            if not path.is_file() or work.add(f"store/segments/{file}", path) != sha256:
                work.damaged.append(f"segment {file}")
    with embedded.open_store(staged) as opened:
        return backup.counts_of(opened)


def copy_database(source: Path, target: Path) -> None:
    """One state of a SQLite database, whoever writes; StoreDamagedError (CAL-854) when the copy is not sound."""
    address = f"{source.resolve().as_uri()}?mode=ro"
    with faults.told(), closing(sqlite3.connect(address, uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.execute(f"PRAGMA busy_timeout = {events.BUSY_MS}")
        # all pages in one step, which is one reading transaction
        old.backup(new, pages=-1)
        told = new.execute("PRAGMA quick_check(1)").fetchone()[0]
    if told != "ok":
        raise errors.StoreDamagedError(
            "CAL-854",
            f"{source.name} cannot be read back",
            cause=told,
            fix="restore it from an older backup; the disk below it has lost data",
        )


def _named(database: Path) -> list[tuple[str, str]]:
    with faults.told(), closing(sqlite3.connect(database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        return [row for table, query in _FILES.items() if table in tables for row in connection.execute(query)]


def _staging(out: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder beside the backup, which has room for what is as large."""
    try:
        return tempfile.TemporaryDirectory(prefix=".calibrant-backup-", dir=out.parent)
    except OSError as error:
        raise atomic.refused(out, error) from error


def _demand_something(folder: Path) -> None:
    if not (folder / control.FILE).is_file() and not (folder / "store" / events.FILE).is_file():
        raise errors.SourceError(
            "CAL-111",
            f"there is nothing to back up in {str(folder)!r}",
            cause=f"it holds no {control.FILE} and no event store",
            fix="name the project's folder: --store",
        )
