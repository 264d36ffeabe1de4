"""Outputs that are whole or not there: written beside the target and moved over it at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from calibrant import errors


@contextmanager
def replacing(target: Path, *, mode: int | None = None) -> Iterator[IO[bytes]]:
    """A binary file that becomes ``target`` when the block ends well, and leaves nothing behind when it does not.

    ``mode`` is who may do what with it; by default what the process gives to new files. Raises SourceError (CAL-110)
    when the folder does not exist or cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise refused(target, error) from error
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.chmod(_usual_mode(target) if mode is None else mode)
        try:
            part.replace(target)
        except OSError as error:
            raise refused(target, error) from error
    finally:
        part.unlink(missing_ok=True)


def _usual_mode(target: Path) -> int:
    """The mode of the file that is replaced, or what the process gives to new files (mkstemp gives 0600)."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def refused(target: Path, error: OSError) -> errors.SourceError:
    return errors.SourceError(
        "CAL-110",
        f"cannot write {str(target)!r}",
        cause=str(error.strerror or error),
        fix="check that the folder exists and may be written",
    )
