"""Artifacts that nobody may trust: a corpus for every program that verifies Calibrant's artifacts, in any language.

Each case is one JSON file in ``cases/``: all bytes that a verifier is given, what it is asked, why the artifact is bad,
and the code of the refusal. A file states only what differs from ``good.json``, which must be accepted. Bytes are
``{"text": ...}`` or ``{"base64": ...}``. The keys were made for the corpus and their secrets are published in
``make.py``: trust them nowhere.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from calibrant.artifacts import trust, verify

GOOD: Final = "good"


@dataclass(frozen=True, slots=True)
class Case:
    """What a verifier is given and asked; ``expected`` is the code that it must refuse with, None for the good one."""

    name: str
    why: str
    expected: str | None
    files: Mapping[str, bytes]
    signatures: tuple[bytes, ...]
    trust: bytes
    now_us: int
    stream: str | None
    attributes: Mapping[str, str] | None
    newest_version: verify.NewestVersion | None

    def verify(self, by: Callable[..., verify.Verified] = verify.verify) -> verify.Verified:
        """Ask Calibrant's own ``verify``, or another one that takes the same arguments."""
        return by(
            self.files,
            self.signatures,
            trust=trust.loads(self.trust),
            now_us=self.now_us,
            stream=self.stream,
            attributes=self.attributes,
            newest_version=self.newest_version,
        )


def cases() -> tuple[Case, ...]:
    """All bad artifacts, by name."""
    found = sorted(place.name.removesuffix(".json") for place in _folder().iterdir() if place.name.endswith(".json"))
    return tuple(_case(name) for name in found if name != GOOD)


def good() -> Case:
    """The artifact that all of them began as."""
    return _case(GOOD)


def _folder() -> Any:
    return resources.files(__name__) / "cases"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _case(name: str) -> Case:
    found = _read(GOOD) | _read(name)
    newest = found["newest_version"]
    return Case(
        name=name,
        why=found["why"],
        expected=found["expected"],
        files={file: _bytes(content) for file, content in found["files"].items()},
        signatures=tuple(_bytes(content) for content in found["signatures"]),
        trust=_bytes(found["trust"]),
        now_us=found["now_us"],
        stream=found["stream"],
        attributes=found["attributes"],
        newest_version=newest and verify.NewestVersion(newest["version"], newest["digest"]),
    )


def _bytes(content: Mapping[str, str]) -> bytes:
    return content["text"].encode() if "text" in content else base64.b64decode(content["base64"], validate=True)
