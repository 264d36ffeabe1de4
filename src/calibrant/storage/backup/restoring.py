"""Restoring a backup: beside the target, compared with what it says of itself, and moved there when all is equal."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calibrant import errors
from calibrant.ports import event_log
from calibrant.storage import embedded
from calibrant.storage.audit_copy import folder as copies
from calibrant.storage.backup import archive, making
from calibrant.storage.control import sqlite as control
from calibrant.storage.embedded import faults, segments
from calibrant.storage.embedded import sqlite as events
from calibrant.workflow import backup


def restore(path: Path, folder: Path) -> backup.Manifest:
    """Make ``folder`` the project that a backup holds, all of it or nothing.

    UsageError (CAL-419) for a folder that has something in it; SourceError for an archive that is damaged (CAL-124),
    that holds what no backup holds (CAL-125), whose files were changed (CAL-126, 127), or whose store is not the one
    that was saved (CAL-128).
    """
    _demand_empty(folder)
    with faults.told(), _beside(folder) as made:
        manifest = _unpack(path, made)
        _demand_same(manifest, made)
        for inner in (made, *(one for one in made.rglob("*") if one.is_dir())):
            segments.sync_folder(inner)
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
        segments.sync_folder(folder.parent)
    return manifest


def _unpack(path: Path, folder: Path) -> backup.Manifest:
    files: dict[str, tuple[int, str]] = {}
    data = b""
    with archive.reading(path) as opened:
        for member in archive.members(opened):
            _demand_room(folder, member)
            if member.name == archive.MANIFEST:
                data = member.whole()
                continue
            making.demand_new(member.name, files)
            files[member.name] = (member.size, _write(folder / member.name, member.chunks))
    return making.compared(files, data)


def _write(target: Path, chunks: Iterator[bytes]) -> str:
    """A new file that only its owner can read; its SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        for chunk in chunks:
            digest.update(chunk)
            opened.write(chunk)
        opened.flush()
        os.fsync(opened.fileno())
    return digest.hexdigest()


def _demand_same(manifest: backup.Manifest, folder: Path) -> None:
    """Open what was restored, which brings an older schema up, and compare it with what was saved."""
    log = None
    if (folder / control.FILE).is_file():
        journal = folder / making.JOURNAL
        with control.open_store(folder / control.FILE) as store:
            log = backup.log_of(store, copies.FolderCopy(journal.parent) if journal.is_file() else None)
    streams: dict[str, event_log.Counts] = {}
    damaged: set[str] = set()
    if (folder / "store" / events.FILE).is_file():
        with embedded.open_store(folder / "store") as opened:
            streams = backup.counts_of(opened)
            damaged = {part for stream in streams for part in opened.damaged(stream)}
    for name, said, found in (
        ("the audit log", manifest.log, log),
        ("the counts of a stream", dict(manifest.streams), streams),
        ("a sealed part", [], sorted(one for one in damaged - set(manifest.damaged) if one.startswith("segment "))),
    ):
        if said != found:
            raise errors.SourceError(
                "CAL-128",
                f"{name} of this backup is not what was saved",
                cause=f"the backup says {said!s:.200}, and its files {found!s:.200}",
                fix="take another backup; nothing was restored",
            )


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder on the same disk that is gone afterwards, unless it became the target."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _demand_empty(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise errors.UsageError(
            "CAL-419",
            f"{str(folder)!r} is not an empty folder",
            cause="restoring into what is there would mix two installations",
            fix="name a folder that is empty or not there yet, look at it, and then move it to where it belongs",
        )


def _demand_room(folder: Path, member: archive.Member) -> None:
    if member.size > shutil.disk_usage(folder).free:
        raise faults.full()
