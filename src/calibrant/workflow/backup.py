"""What a backup says of itself: every file with its digest, and what must be true of the store that is in them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from calibrant import errors
from calibrant.calibrators import canonical
from calibrant.ports import audit_copy, control_store, event_log
from calibrant.registry import artifacts
from calibrant.workflow import audit_log

SCHEMA: Final = "calibrant.backup/1"


@dataclass(frozen=True, slots=True)
class Log:
    """The audit log: its size, its root computed from the entries, and whether it verified."""

    size: int
    root: str
    sound: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """``files`` are name, size and SHA-256 of all others; ``log`` is None where nothing was decided yet.

    ``damaged`` names parts that were damaged or missing in the installation itself when this was made.
    """

    calibrant: str
    at_us: int
    files: Mapping[str, tuple[int, str]]
    log: Log | None
    streams: Mapping[str, event_log.Counts]
    damaged: tuple[str, ...] = ()

    @property
    def has_keys(self) -> bool:
        """Whether the private keys are in it."""
        return any(name.startswith("keys/") for name in self.files)


def log_of(reader: control_store.ControlReader, copy: audit_copy.AuditCopy | None) -> Log:
    """What is true of a log, computed from its bytes; ``copy`` is None where no second place was ever told."""
    found = audit_log.verify(reader, copy, keys=audit_log.trusted_keys(reader))
    return Log(found.entries, found.root.hex(), found.sound)


def contents_of(reader: control_store.ControlReader) -> set[str]:
    """The digests of all bytes that artifacts are made of."""
    every = [artifacts.read(one) for one in reader.browse(artifacts.KIND)]
    return {digest for one in every for digest in (one.digest, one.evidence, *one.signatures) if digest is not None}


def counts_of(reader: event_log.EventReader) -> dict[str, event_log.Counts]:
    """What is true of an event store."""
    return {name: reader.counts(name) for name in reader.streams()}


def to_dict(manifest: Manifest) -> dict[str, Any]:
    """The manifest as plain data."""
    return {
        "schema": SCHEMA,
        "calibrant": manifest.calibrant,
        "at_us": manifest.at_us,
        "files": {name: {"size": size, "sha256": sha256} for name, (size, sha256) in manifest.files.items()},
        "log": None if manifest.log is None else dataclasses.asdict(manifest.log),
        "streams": {name: dataclasses.asdict(counts) for name, counts in manifest.streams.items()},
        "damaged": list(manifest.damaged),
    }


def dumps(manifest: Manifest) -> bytes:
    """The one byte sequence of a manifest."""
    return canonical.dumps(to_dict(manifest)) + b"\n"


def loads(data: bytes) -> Manifest:
    """Read a manifest; SourceError (CAL-127) for anything that ``dumps`` did not write."""
    try:
        found = json.loads(data)
        log = found["log"]
        made = Manifest(
            found["calibrant"],
            found["at_us"],
            {name: (one["size"], one["sha256"]) for name, one in found["files"].items()},
            None if log is None else Log(**log),
            {name: event_log.Counts(**one) for name, one in found["streams"].items()},
            tuple(found["damaged"]),
        )
        same = dumps(made) == data
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unknown(f"{type(error).__name__} while it was read") from error
    if not same:
        raise _unknown("its schema or its form is another one")
    return made


def _unknown(cause: str) -> errors.SourceError:
    return errors.SourceError(
        "CAL-127",
        "the list of files in this backup is not one that this Calibrant reads",
        cause=cause,
        fix="restore it with the version of Calibrant that made it, or a newer one",
    )
