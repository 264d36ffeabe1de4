"""The calibrator file: canonical JSON with a closed, versioned schema and a digest. It cannot run code.

The bytes of a document are unique: RFC 8785 canonical JSON, one newline at the end, nothing else is accepted.
``digest`` is the SHA-256 of the same canonical JSON without the key ``digest`` (and without the newline).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calibrant import errors
from calibrant.calibrators import canonical, kinds, parameters, strict_json

FAMILY = "calibrant.calibrator"
VERSION = 1
SCHEMA = f"{FAMILY}/{VERSION}"
KEYS = ("calibrator", "digest", "provenance", "schema", "threshold")


@dataclass(frozen=True)
class Threshold:
    """Act when the calibrated score is at least ``value``.

    ``objective`` says in words how it was chosen ("costs: fp 1, fn 20"); ``expected`` holds the numbers that it
    promised on the rows it was chosen on (cost, precision, flagged share ...).
    """

    value: float
    objective: str
    expected: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", parameters.number("threshold", "value", self.value))
        expected = {name: parameters.number("threshold", name, value) for name, value in self.expected.items()}
        object.__setattr__(self, "expected", expected)


@dataclass(frozen=True)
class Document:
    """What a calibrator file holds: the map, the threshold chosen with it, and where both come from.

    ``provenance`` is free JSON: data digest, window, rows, versions. It is covered by the digest.
    """

    calibrator: kinds.Kind
    threshold: Threshold | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "provenance", _plain(dict(self.provenance), "provenance"))


def dumps(document: Document) -> bytes:
    """The one byte sequence of a document."""
    return _assemble(*_parts(document))


def digest(document: Document) -> str:
    """The name of the document's content: ``sha256:`` and 64 hexadecimal digits."""
    return _digest(*_parts(document))


def loads(data: bytes) -> Document:
    """Read a document; every deviation is an ArtifactError, so what is returned is what was written."""
    found = _parse(data)
    _demand_schema(found)
    kinds.closed(found, KEYS, "the top")
    parts = _canonical(found["calibrator"]), _canonical(found["provenance"]), _canonical(found["threshold"])
    if found["digest"] != _digest(*parts):
        raise errors.ArtifactError(
            "CAL-614",
            "the calibrator file was changed after it was written",
            cause="its content does not have the digest that it states",
            fix="take the file again from where it was first written",
        )
    if data != _assemble(*parts):
        raise _unreadable("it is not in canonical form: spacing, key order or number format differ")
    try:
        calibrator = kinds.decode_calibrator(found["calibrator"], "calibrator")
    except RecursionError:
        raise kinds.malformed("calibrator", "it is nested too deeply") from None
    return Document(
        calibrator,
        _threshold(found["threshold"]),
        _object(found["provenance"], "provenance"),
    )


def _object(found: Any, where: str) -> dict[str, Any]:
    """Refuse anything but an object."""
    if not isinstance(found, dict):
        raise kinds.malformed(where, "an object belongs here")
    return found


def _threshold(found: Any) -> Threshold | None:
    if found is None:
        return None
    kinds.closed(found, ("expected", "objective", "value"), "threshold")
    expected = _object(found["expected"], "threshold.expected")
    return Threshold(
        kinds.decode(float, found["value"], "threshold.value"),
        kinds.decode(str, found["objective"], "threshold.objective"),
        {name: kinds.decode(float, value, "threshold.expected") for name, value in expected.items()},
    )


# ------------------------------------------------------------------------------------------ bytes


def _parts(document: Document) -> tuple[bytes, bytes, bytes]:
    """Canonical bytes of the calibrator, the provenance and the threshold."""
    threshold = document.threshold
    written = threshold and {
        "value": threshold.value,
        "objective": threshold.objective,
        "expected": dict(threshold.expected),
    }
    return _canonical(kinds.encode(document.calibrator)), _canonical(document.provenance), _canonical(written)


def _body(calibrator: bytes, name: bytes, provenance: bytes, threshold: bytes) -> bytes:
    """The top object with its keys in canonical order; ``name`` is the digest's member or nothing."""
    return b'{"calibrator":%b%b,"provenance":%b,"schema":"%b","threshold":%b}' % (
        calibrator,
        name,
        provenance,
        SCHEMA.encode(),
        threshold,
    )


def _digest(calibrator: bytes, provenance: bytes, threshold: bytes) -> str:
    return "sha256:" + hashlib.sha256(_body(calibrator, b"", provenance, threshold)).hexdigest()


def _assemble(calibrator: bytes, provenance: bytes, threshold: bytes) -> bytes:
    name = b',"digest":"%b"' % _digest(calibrator, provenance, threshold).encode()
    return _body(calibrator, name, provenance, threshold) + b"\n"


def _canonical(value: Any) -> bytes:
    try:
        return canonical.dumps(value)
    except (ValueError, RecursionError) as error:
        raise errors.ArtifactError(
            "CAL-615",
            "this document has no canonical form",
            cause=f"{type(error).__name__}: numbers must be finite and text must be valid Unicode",
            fix="use finite numbers, integers below 2^53 and plain text",
        ) from None


def _parse(data: bytes) -> Any:
    try:
        return strict_json.loads(data)
    except ValueError as error:
        raise _unreadable(f"it is not JSON ({type(error).__name__})") from None


def _unreadable(cause: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-611",
        "this is not a calibrator file",
        cause=cause,
        fix="give a file that `calibrant recommend -o` wrote, unchanged",
    )


def _demand_schema(found: Any) -> None:
    name = found.get("schema") if isinstance(found, dict) else None
    if name == SCHEMA:
        return
    stated = re.fullmatch(re.escape(FAMILY) + r"/([1-9][0-9]{0,8})", name) if isinstance(name, str) else None
    if stated is None:
        raise _unreadable(f"its schema is not {FAMILY}")
    raise errors.ArtifactError(
        "CAL-612",
        f"the calibrator file has schema version {stated[1]}, newer than this Calibrant",
        cause=f"the installed version reads {SCHEMA}",
        fix=f"install a version of Calibrant that reads {name}: pip install --upgrade calibrant",
    )


def _plain(value: Any, where: str) -> Any:
    """A deep copy in lists and dictionaries, refused where JSON has no such value."""
    match value:
        case None | bool() | str() | int() | float():
            return value
        case dict() | Mapping():
            if not all(isinstance(key, str) for key in value):
                raise kinds.malformed(where, "keys of an object are text")
            return {key: _plain(member, f"{where}.{key}") for key, member in value.items()}
        case list() | tuple():
            return [_plain(member, where) for member in value]
        case _:
            raise kinds.malformed(where, f"a {type(value).__name__} has no JSON form")
