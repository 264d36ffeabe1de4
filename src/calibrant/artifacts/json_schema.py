"""artifact.json's closed form as a JSON Schema, read off the same dataclass fields as the reader."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from calibrant.artifacts import checks, document
from calibrant.calibrators import json_schema as calibrator_schema
from calibrant.calibrators import kinds

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    types.NoneType: {"type": "null"},
}
_DIGEST = {"type": "string", "pattern": f"^{checks.DIGEST.pattern}$"}
_NAME = {"type": "string", "pattern": f"^{checks.NAME.pattern}$"}
#: Members of one dataclass whose text or number is bounded beyond its type.
_BOUNDED: dict[tuple[str, str], dict[str, Any]] = {
    ("Artifact", "stream"): _NAME,
    ("Artifact", "version"): {"type": "integer", "minimum": 1},
    ("Artifact", "parent"): {"oneOf": [{"type": "null"}, _DIGEST]},
    ("Artifact", "evidence"): {"oneOf": [{"type": "null"}, _DIGEST]},
    ("Threshold", "name"): _NAME,
    ("Threshold", "reads"): _DIGEST,
    ("Provenance", "data_digest"): _DIGEST,
}


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of artifact.json, for editors and for other languages.

    It states structure, types and names. Canonical bytes, a threshold that reads the map beside it, and the maps' own
    conditions are beyond JSON Schema: only ``document.loads`` checks those.
    """
    closed = _closed(document.Artifact)
    members = {"schema": {"const": document.SCHEMA}, **closed["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{document.SCHEMA.replace('/', ':')}",
        "title": "Calibrant artifact",
        **closed,
        "properties": members,
        "required": list(members),
        "$defs": calibrator_schema.definitions(),
    }


def _closed(kind: Any) -> dict[str, Any]:
    members = {name: _BOUNDED.get((kind.__name__, name)) or _of(hint) for name, hint in kinds.fields(kind).items()}
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def _of(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint == kinds.Kind:
        return {"$ref": "#/$defs/calibrator"}
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is types.UnionType:
        return {"oneOf": [_of(each) for each in arguments]}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _of(arguments[1])}
    if origin is tuple and isinstance(arguments[-1], types.EllipsisType):
        return {"type": "array", "items": _of(arguments[0])}
    if origin is tuple:
        size = len(arguments)
        return {"type": "array", "prefixItems": [_of(each) for each in arguments], "minItems": size, "items": False}
    return _closed(hint)
