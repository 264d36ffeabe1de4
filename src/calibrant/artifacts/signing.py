"""Signing the files of an artifact."""

from __future__ import annotations

from collections.abc import Mapping

from calibrant import errors
from calibrant.artifacts import bundle, document, folder, keys, statement


def sign(files: Mapping[str, bytes], key: keys.PrivateKey) -> bytes:
    """The content of a signature file over all of ``files``; refused for files that ``verify`` would never take.

    Each key makes a file of its own, over the same statement: a second person signs without the first one's file.
    """
    artifact = read(files)
    return bundle.dumps(bundle.sign(statement.dumps(statement.of(artifact.name, files)), key))


def read(files: Mapping[str, bytes]) -> document.Artifact:
    """The document among the files, with the evidence that it names and nothing else beside it."""
    if folder.ARTIFACT not in files:
        raise errors.ArtifactError(
            "CAL-654",
            "a file of the artifact is missing",
            cause=f"there is no {folder.ARTIFACT}",
            fix="give all files of the artifact",
        )
    artifact = document.loads(files[folder.ARTIFACT])
    evidence = files.get(folder.EVIDENCE)
    if (None if evidence is None else document.digest(evidence)) != artifact.evidence:
        raise errors.ArtifactError(
            "CAL-668",
            "the evidence beside the artifact is not the one that it names",
            cause=f"it names {artifact.evidence or 'none'}",
            fix=f"put the evidence that the artifact was validated with into {folder.EVIDENCE}",
        )
    if len(files) > 1 + (evidence is not None):
        raise errors.ArtifactError(
            "CAL-655",
            "the artifact holds files that nobody signed",
            cause=f"it consists of {folder.ARTIFACT} and the {folder.EVIDENCE} that it names, nothing else",
            fix="take the other files out",
        )
    return artifact
