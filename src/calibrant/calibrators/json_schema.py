"""The calibrator file's closed form as a JSON Schema, read off the same dataclass fields as the codec."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, Literal, get_args, get_origin

from calibrant.calibrators import calibrator, codec, kinds


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of calibrator documents.

    It states structure and types. Canonical bytes, the digest and the parameters' own conditions (sorted knots,
    positive slopes) are beyond JSON Schema: only ``codec.loads`` checks those.
    """
    number, text = {"type": "number"}, {"type": "string"}
    threshold = _closed({"value": number, "objective": text, "expected": _any_of(number)})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{codec.FAMILY}:{codec.VERSION}",
        "title": "Calibrant calibrator",
        **_closed(
            {
                "schema": {"const": codec.SCHEMA},
                "digest": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
                "calibrator": {"$ref": "#/$defs/calibrator"},
                "threshold": {"oneOf": [{"type": "null"}, threshold]},
                "provenance": {"type": "object"},
            }
        ),
        "$defs": definitions(),
    }


def definitions() -> dict[str, Any]:
    """The ``$defs`` that say what a calibrator is, for every schema with one inside."""
    return {
        "calibrator": {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in kinds.BY_NAME]},
        **{name: _closed({"kind": {"const": name}, **_members(kind)}) for name, kind in kinds.BY_NAME.items()},
    }


def _members(kind: type[Any]) -> dict[str, Any]:
    return {name: _of(hint) for name, hint in kinds.fields(kind).items()}


def _closed(members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def _any_of(member: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": member}


def _of(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is float:
        return {"type": "number"}
    if hint is str:
        return {"type": "string"}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple and isinstance(arguments[-1], types.EllipsisType):
        return {"type": "array", "items": _of(arguments[0])}
    if origin is tuple:
        size = len(arguments)
        return {"type": "array", "prefixItems": [_of(hint) for hint in arguments], "minItems": size, "items": False}
    if hint is calibrator.Calibrator:
        return {"$ref": "#/$defs/calibrator"}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _closed(_members(hint))
    raise AssertionError(f"no JSON form for fields of type {hint}")
