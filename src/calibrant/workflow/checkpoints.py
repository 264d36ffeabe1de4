"""Where a long ingest stands: one small file for each input, so that a killed one goes on where it was acknowledged.

A checkpoint may be older than what the store holds, never newer: what is sent again counts once. So it is replaced in
one step, but not fsynced.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything before ``position`` was acknowledged; ``digest`` is that of the input up to there."""

    position: int
    digest: str
    items: int = 0
    accepted: int = 0
    duplicate: int = 0
    conflicting: int = 0
    rejected: int = 0
    expired: int = 0


class Checkpoints(Protocol):
    """Keeps the newest checkpoint of each name."""

    def load(self, name: str) -> Checkpoint | None:
        """The newest one, None if there is none that can be read."""
        ...

    def save(self, name: str, checkpoint: Checkpoint) -> None: ...

    def remove(self, name: str) -> None:
        """The input is through."""
        ...


class Forgetful:
    """No checkpoints: for inputs that come once, such as standard input."""

    def load(self, name: str) -> Checkpoint | None:  # noqa: ARG002  # the protocol's signature
        return None

    def save(self, name: str, checkpoint: Checkpoint) -> None: ...

    def remove(self, name: str) -> None: ...


class FolderOfCheckpoints:
    """One JSON file for each name, which is hashed: it may hold anything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"

    def load(self, name: str) -> Checkpoint | None:
        try:
            held = json.loads(self._path(name).read_bytes())
        except (OSError, ValueError):
            return None  # then everything is sent again, which counts once
        numbers = [one.name for one in fields(Checkpoint) if one.name != "digest"]
        whole = isinstance(held, dict) and set(held) == {*numbers, "digest"}
        if not whole or not all(type(held[name]) is int and held[name] >= 0 for name in numbers):
            return None
        return Checkpoint(**held)

    def save(self, name: str, checkpoint: Checkpoint) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(name)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(checkpoint)), encoding="utf-8")
        part.replace(path)

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)
