"""Contents in a folder of a local disk: written beside, fsynced, renamed, and the names fsynced too."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from calibrant import errors
from calibrant.ports import contents
from calibrant.storage.contents import names
from calibrant.storage.embedded import faults, segments

PARTIAL: Final = ".part"


class DiskContents:
    """A folder with a folder for each two first digits. Any number of processes may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        with faults.told():
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            segments.sync_folder(root.parent)

    def put(self, data: bytes) -> str:
        digest = names.digest_of(data)
        target = self._path(digest)
        with faults.told():
            if not self._intact(digest):
                self._write(target, data)
            # also when it was there: whoever put it may not have come this far yet
            segments.sync_folder(target.parent)
            segments.sync_folder(self._root)
        return digest

    def get(self, digest: str) -> bytes:
        try:
            with faults.told():
                return names.checked(self._path(digest).read_bytes(), digest)
        except errors.StoreFaultError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise names.missing(digest) from None
            raise

    def has(self, digest: str) -> bool:
        return self._path(digest).is_file()

    def digests(self) -> Iterator[str]:
        with faults.told():
            paths = list(self._root.glob("??/*"))
        found = (names.digest_at(path.parent.name, path.name) for path in paths)
        yield from (digest for digest in found if digest is not None)

    def _path(self, digest: str) -> Path:
        folder, name = names.place_of(digest)
        return self._root / folder / name

    def _intact(self, digest: str) -> bool:
        """Whether the right bytes are there; wrong ones are replaced."""
        try:
            self.get(digest)
        except (errors.UsageError, errors.StoreDamagedError):
            return False
        return True

    def _write(self, target: Path, data: bytes) -> None:
        target.parent.mkdir(exist_ok=True, mode=0o700)
        part = target.with_name(f"{uuid.uuid4().hex}{PARTIAL}")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)


def _keeps_its_promises(place: DiskContents) -> contents.Contents:
    """The type checker's proof that the folder is the port."""
    return place
