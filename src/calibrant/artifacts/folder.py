"""An artifact as a folder: a document, the evidence that it names, and signatures over both.

fraud@7/
  artifact.json           map, thresholds, provenance
  evidence.json           what it was validated with; there if the artifact names its digest
  model.sig               a Sigstore bundle, as the OpenSSF model-signing command writes them
  signatures/KEYID.sig    further signatures, where a trust policy asks for several
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibrant import errors

ARTIFACT: Final = "artifact.json"
EVIDENCE: Final = "evidence.json"
SIGNATURE: Final = "model.sig"
#: Folder of the signatures after the first.
SIGNATURES: Final = "signatures"
#: Bytes in one file of an artifact; a map for each of 100,000 cohorts takes a tenth of it.
LARGEST: Final = 256 * 2**20
#: Files and signatures that an artifact may have; a folder with more is not one.
MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in a folder: everything but signatures as ``files``, ready for ``verify``."""

    files: Mapping[str, bytes]
    signatures: tuple[bytes, ...]


def files(artifact: bytes, evidence: bytes | None = None) -> dict[str, bytes]:
    """The files of an artifact by name."""
    return {ARTIFACT: artifact} if evidence is None else {ARTIFACT: artifact, EVIDENCE: evidence}


def write(path: Path, files: Mapping[str, bytes], signatures: Sequence[bytes], *, keyids: Sequence[str]) -> None:
    """Write a new folder; an existing one is never changed.

    ``keyids`` name the signatures in their order; the first one becomes model.sig.
    """
    contents = {path / name: content for name, content in files.items()}
    for place, (keyid, content) in enumerate(zip(keyids, signatures, strict=True)):
        contents[path / SIGNATURE if place == 0 else path / SIGNATURES / f"{keyid}.sig"] = content
    try:
        path.mkdir(parents=True)
        for target, content in contents.items():
            target.parent.mkdir(exist_ok=True)
            with target.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise errors.ArtifactError(
            "CAL-671",
            f"the artifact cannot be written to {path.name}",
            cause=error.strerror or type(error).__name__,
            fix="give the path of a folder that is not there yet, where you may write",
        ) from None


def read(path: Path) -> Folder:
    """Everything in a folder. Links, special files and further folders are refused: they could change after a check."""
    try:
        found = {place.relative_to(path).as_posix(): _content(place) for place in _places(path)}
    except OSError as error:
        raise _refused(path, error.strerror or type(error).__name__) from None
    further = {name for name in found if name.startswith(f"{SIGNATURES}/")}
    names = [name for name in (SIGNATURE, *sorted(further)) if name in found]
    kept = {name: content for name, content in found.items() if name not in names}
    return Folder(kept, tuple(found[name] for name in names))


def _places(path: Path) -> list[Path]:
    places = []
    for place in sorted(path.iterdir()):
        is_signatures = place.name == SIGNATURES and stat.S_ISDIR(place.lstat().st_mode)
        places += sorted(place.iterdir()) if is_signatures else [place]
        if len(places) > MOST:
            raise _refused(path, f"it holds more than {MOST} files")
    return places


def _content(place: Path) -> bytes:
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise _refused(place, "it is not a regular file")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise _refused(place, f"it is larger than {LARGEST} bytes")
    return content


def _refused(path: Path, cause: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-670",
        f"{path.name} cannot be read as an artifact",
        cause=cause,
        fix="give the folder that the artifact was exported to, with nothing added",
    )
