"""A tar file of plain files: written in one form, and read in that form alone.

Every header is exactly the one that we would write for its name, size and time; padding and end are zeros. So there
are no links, devices, owners or long names, nothing that a reader could take in two ways, and no byte that does not
count. The names are ours: whatever else a file is called, it is refused before anything is written.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from calibrant import errors
from calibrant.frames import atomic

SUFFIXES: Final = (".tar", ".tar.gz", ".tgz")
_BLOCK: Final = tarfile.BLOCKSIZE
_CHUNK: Final = 1 << 20
_MODE: Final = 0o600
#: The list of all other files, which comes last.
MANIFEST: Final = "manifest.json"
#: Larger than the list of a million files.
_LONGEST_LIST: Final = 1 << 28
_NAME: Final = re.compile(
    r"manifest\.json|alerts\.yaml|control\.sqlite|store/events\.sqlite"
    r"|store/segments/[0-9a-f]{32}/(predictions|labels)-[0-9a-f]{32}\.parquet"
    r"|store/segments/identities/[0-9a-f]{32}\.run"
    r"|contents/[0-9a-f]{2}/[0-9a-f]{64}"
    r"|streams/[a-z0-9][a-z0-9._-]{0,62}\.yaml"
    r"|ingest/[0-9a-f]{32}\.json"
    r"|audit-copy/journal\.jsonl"
    r"|keys/(artifacts|audit)\.key"
)


@dataclass(frozen=True, slots=True)
class File:
    """What the bytes of a file are."""

    size: int
    sha256: str


class Writer:
    """Adds files, one after the other."""

    def __init__(self, opened: IO[bytes], *, at_us: int) -> None:
        self._opened = opened
        self._seconds = at_us // 1_000_000

    def add(self, name: str, source: IO[bytes], *, size: int) -> File:
        """Add the next ``size`` bytes of a file; SourceError (CAL-124) when it has fewer."""
        self._opened.write(_header(name, size, self._seconds))
        digest, left = hashlib.sha256(), size
        while left:
            chunk = source.read(min(left, _CHUNK))
            if not chunk:
                raise damaged(f"{name} ended {left:,} bytes early while it was copied")
            digest.update(chunk)
            self._opened.write(chunk)
            left -= len(chunk)
        self._opened.write(bytes(-size % _BLOCK))
        return File(size, digest.hexdigest())

    def end(self) -> None:
        """The two empty blocks after the last file."""
        self._opened.write(bytes(2 * _BLOCK))


@dataclass(slots=True)
class Member:
    """A file of an archive; ``chunks`` must be read to their end before the next one."""

    name: str
    size: int
    chunks: Iterator[bytes]

    def whole(self) -> bytes:
        """The content of the list of files; SourceError (CAL-124) for one that is longer than any."""
        if self.size > _LONGEST_LIST:
            raise damaged(f"its list of files has {self.size:,} bytes")
        return b"".join(self.chunks)


def is_ours(name: str) -> bool:
    """Whether a backup may hold a file of this name."""
    return _NAME.fullmatch(name) is not None


def members(opened: IO[bytes]) -> Iterator[Member]:
    """The files in their order; SourceError for what is not ours (CAL-125) or not whole (CAL-124)."""
    while any(header := _exactly(opened, _BLOCK)):
        info = _info(header)
        yield Member(info.name, info.size, _chunks(opened, info.size))
        if any(_exactly(opened, -info.size % _BLOCK)):
            raise damaged(f"there is something in the empty space after {info.name}")
    if any(_exactly(opened, _BLOCK)) or opened.read(1):
        raise damaged("there is something after its end")


@contextmanager
def writing(path: Path, *, at_us: int) -> Iterator[Writer]:
    """An archive that only its owner can read, and that is there when the block ends well."""
    with atomic.replacing(path, mode=_MODE) as file:
        if path.name.endswith(".tar"):
            writer = Writer(file, at_us=at_us)
            yield writer
            writer.end()
        else:
            # sealed events are compressed already, so the fastest level will do
            with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=file, mtime=0) as packed:
                writer = Writer(packed, at_us=at_us)  # type: ignore[arg-type]  # GzipFile is such a file, and no IO
                yield writer
                writer.end()


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of the tar file in an archive; SourceError (CAL-124) for a file that is damaged or none."""
    demand_suffix(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise errors.SourceError(
            "CAL-101", f"cannot read {str(path)!r}", cause=error.strerror or str(error), fix="check the name"
        ) from error
    with file:
        if path.name.endswith(".tar"):
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as packed:
                yield packed  # type: ignore[misc]  # as above
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise damaged(str(error)) from error


def demand_suffix(path: Path) -> None:
    """UsageError (CAL-417) for another kind of archive."""
    if not path.name.endswith(SUFFIXES):
        raise errors.UsageError(
            "CAL-417",
            f"{path.name!r} is no name of a backup",
            cause="a backup is a .tar, or compressed a .tar.gz or .tgz",
            fix="give a name that ends like that",
        )


def damaged(cause: str) -> errors.SourceError:
    return errors.SourceError(
        "CAL-124",
        "this is not a whole backup",
        cause=cause,
        fix="take another copy of it; nothing was restored",
    )


def _header(name: str, size: int, seconds: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, seconds, _MODE
    header = info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")
    assert len(header) == _BLOCK
    return header


def _info(header: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise damaged(f"where a file should begin, {error}") from error
    if not info.isreg() or not is_ours(info.name):
        raise errors.SourceError(
            "CAL-125",
            "the archive holds something that no backup holds",
            cause=f"{info.name[:120]!r} is " + ("no plain file" if not info.isreg() else "no name that we give"),
            fix="do not restore it: calibrant backup did not write it",
        )
    if info.size < 0 or _header(info.name, info.size, int(info.mtime)) != header:
        raise damaged(f"the header of {info.name} is not as it was written")
    return info


def _chunks(opened: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        chunk = opened.read(min(size, _CHUNK))
        if not chunk:
            raise damaged("it ends in the middle of a file")
        size -= len(chunk)
        yield chunk


def _exactly(opened: IO[bytes], size: int) -> bytes:
    data = opened.read(size)
    if len(data) < size:
        raise damaged("it ends before its end")
    return data
