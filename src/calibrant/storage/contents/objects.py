"""Contents in an object storage (S3, Google Cloud Storage, Azure) through pyarrow's file systems.

An object appears whole and durable, or not at all; that is the storage's own promise. No bucket is made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.fs

from calibrant import errors
from calibrant.ports import contents
from calibrant.storage.contents import names


class ObjectContents:
    """Objects below a prefix ``bucket/folder``; ``filesystem`` is one of pyarrow's."""

    def __init__(self, filesystem: Any, prefix: str) -> None:
        self._filesystem = filesystem
        self._prefix = prefix.strip("/")

    def put(self, data: bytes) -> str:
        digest = names.digest_of(data)
        with _told():
            if not self._intact(digest):
                with self._filesystem.open_output_stream(self._path(digest), compression=None) as opened:
                    opened.write(data)
        return digest

    def get(self, digest: str) -> bytes:
        path = self._path(digest)
        with _told():
            try:
                with self._filesystem.open_input_stream(path, compression=None) as opened:
                    data: bytes = opened.read()
            except FileNotFoundError:
                raise names.missing(digest) from None
        return names.checked(data, digest)

    def has(self, digest: str) -> bool:
        path = self._path(digest)
        with _told():
            return bool(self._filesystem.get_file_info(path).type == pyarrow.fs.FileType.File)

    def digests(self) -> Iterator[str]:
        selector = pyarrow.fs.FileSelector(self._prefix, allow_not_found=True, recursive=True)
        with _told():
            infos = self._filesystem.get_file_info(selector)
        for info in infos:
            folder, _, name = info.path.removeprefix(self._prefix).lstrip("/").partition("/")
            digest = names.digest_at(folder, name)
            if digest is not None:
                yield digest

    def _path(self, digest: str) -> str:
        return "/".join((self._prefix, *names.place_of(digest)))

    def _intact(self, digest: str) -> bool:
        """Whether the right bytes are there; wrong ones are replaced."""
        try:
            self.get(digest)
        except (errors.UsageError, errors.StoreDamagedError):
            return False
        return True


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise errors.StoreFaultError(
            "CAL-853",
            "the object storage failed before this was acknowledged",
            cause=str(error).splitlines()[0][:300],
            fix="look at the storage, its address and its permissions, then send it again: it counts once",
        ) from error


def _keeps_its_promises(place: ObjectContents) -> contents.Contents:
    """The type checker's proof that the storage is the port."""
    return place
