"""Reading calibrator files: every deviation is an error with a code, none is repaired."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from calibrant import errors

if TYPE_CHECKING:
    from calibrant.calibrators.codec import Document


def load(name: str) -> Document:
    """The document of a calibrator file."""
    from calibrant.calibrators import codec
    from calibrant.frames import files

    [path] = files.expand(name) if name != "-" else [name]
    if path == "-":
        raise errors.UsageError(
            "CAL-426", "a calibrator is not read from standard input", cause="- was given", fix="name its file"
        )
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise errors.SourceError(
            "CAL-107", f"cannot open {name!r}", cause=str(error.strerror), fix="check the path and its permissions"
        ) from error
    return codec.loads(data)
