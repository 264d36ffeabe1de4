"""Files and folders: who may read and write them, and how much room there is."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from calibrant.workflow.doctor import findings
from calibrant.workflow.doctor.findings import Finding, Installation

#: Less is full within a day of ingest.
_LEAST_FREE: Final = 1 << 30
#: Nobody else writes into these,
_OURS: Final = (".", "streams", "ingest", "store", "store/segments", "contents", "audit-copy")
#: and nobody else reads these.
_SECRET: Final = ("keys", "control.sqlite", "store/events.sqlite", "audit-copy/journal.jsonl")
_OTHERS: Final = stat.S_IROTH | stat.S_IWOTH


def look_at_disk(folder: Path, copy: Path, *, server: bool) -> findings.Disk:
    """The room that there is, and where the second place lies."""
    here, there, events = _stat(folder), _stat(copy), _stat(folder / "store" / "events.sqlite")
    # overwriting what was erased takes a second copy of the database
    wanted = _LEAST_FREE + (0 if events is None else events.st_size)
    same = None if server or here is None or there is None else here.st_dev == there.st_dev
    return findings.Disk(shutil.disk_usage(Path() if here is None else folder).free, wanted, same)


def keys_are_private(installation: Installation) -> Iterator[Finding]:
    """Private keys that anybody but their owner can use; a missing one that signs the log is noted."""
    keys = installation.folder / "keys"
    for path in sorted(keys.glob("*.key")):
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield findings.KEY_OPEN.saw(f"keys/{path.name} is {stat.filemode(mode)}")
    # a folder that cannot be searched says nothing about what is in it
    if installation.control is not None and os.access(keys, os.X_OK) and not (keys / "audit.key").exists():
        yield findings.NO_SIGNER.saw("keys/audit.key is not there")
    elif installation.control is not None and not keys.exists():
        yield findings.NO_SIGNER.saw("there is no folder keys")


def folders_are_ours(installation: Installation) -> Iterator[Finding]:
    """What others can write, and what only the owner and the group may read."""
    for names, forbidden in ((_OURS, stat.S_IWOTH), (_SECRET, _OTHERS)):
        for name in names:
            held = _stat(installation.folder / name)
            if held is not None and held.st_mode & forbidden:
                shown = "the project folder" if name == "." else name
                yield findings.OPEN.saw(f"{shown} is {stat.filemode(held.st_mode)}")


def disk_has_room(installation: Installation) -> Iterator[Finding]:
    """Too little room to go on."""
    disk = installation.disk
    if disk.free < disk.wanted:
        yield findings.DISK_LOW.saw(f"{disk.free / 1e9:.1f} GB free, {disk.wanted / 1e9:.1f} GB wanted")


def _stat(path: Path) -> os.stat_result | None:
    """None for what is not there, or lies in a folder that does not let us in."""
    try:
        return path.stat()
    except OSError:
        return None
