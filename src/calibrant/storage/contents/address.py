"""Which place an address means."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.fs

from calibrant import errors
from calibrant.ports import contents
from calibrant.storage.contents import disk, objects


def open_contents(place: str | Path) -> contents.Contents:
    """The contents in a folder, or at an address such as ``s3://bucket/folder?region=eu-central-1``.

    Addresses are those of ``pyarrow.fs.FileSystem.from_uri``; credentials come from the environment, as the storage's
    own tools find them. UsageError (CAL-885) for an address that means nothing. The message does not repeat it, because
    it may hold a secret.
    """
    if isinstance(place, Path) or "://" not in place:
        return disk.DiskContents(Path(place))
    try:
        filesystem, prefix = pyarrow.fs.FileSystem.from_uri(place)
    except (OSError, pa.ArrowException) as error:
        raise _meaningless(place) from error
    if not prefix.strip("/"):
        raise _meaningless(place)
    if isinstance(filesystem, pyarrow.fs.LocalFileSystem):
        return disk.DiskContents(Path(prefix))
    return objects.ObjectContents(filesystem, prefix)


def _meaningless(place: str) -> errors.UsageError:
    return errors.UsageError(
        "CAL-885",
        "this is no address of a place for contents",
        cause=f"{place.partition(':')[0]}:... is not understood",
        fix="name a folder, or an address such as s3://bucket/folder?region=eu-central-1",
    )
