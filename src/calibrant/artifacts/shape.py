"""Closed JSON forms read off dataclass fields: every field is written, every key is required, none may be added."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from calibrant import errors
from calibrant.calibrators import canonical, kinds, strict_json

D = TypeVar("D")


def encode(value: Any) -> Any:
    """A value of a closed dataclass as JSON values; maps carry their ``kind``."""
    if type(value) in kinds.ALL:
        return kinds.encode(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: encode(getattr(value, name)) for name in kinds.fields(type(value))}
    if isinstance(value, Mapping):
        return {key: encode(member) for key, member in value.items()}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def dumps(value: Any, schema: str) -> bytes:
    """The one byte sequence of a closed dataclass: canonical JSON with its schema's name, and one newline."""
    try:
        return canonical.dumps({**encode(value), "schema": schema}) + b"\n"
    except (ValueError, RecursionError) as error:
        raise errors.ArtifactError(
            "CAL-644",
            "this has no canonical form",
            cause=f"{type(error).__name__}: numbers must be finite, integers below 2^53 and text valid Unicode",
            fix="use numbers and text that every reader of JSON understands in the same way",
        ) from None


def loads(kind: type[D], data: bytes, schema: str) -> D:
    """What ``dumps`` wrote; ArtifactError for every other sequence of bytes."""
    try:
        found = strict_json.loads(data)
    except ValueError as error:
        raise _foreign(schema, f"it is not JSON ({type(error).__name__})") from None
    _demand_schema(found, schema)
    try:
        value: D = decode(kind, {key: member for key, member in found.items() if key != "schema"}, "")
    except RecursionError:
        raise malformed("", "it is nested too deeply") from None
    if dumps(value, schema) != data:
        raise errors.ArtifactError(
            "CAL-643",
            f"this {schema} is not in canonical form",
            cause="spacing, the order of keys or the form of a number differ from the one form that is signed",
            fix="take the file again from where it was first written; do not format it",
        )
    return value


def _foreign(schema: str, cause: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-640", f"this is not a {schema}", cause=cause, fix="give the file that Calibrant wrote, unchanged"
    )


def _demand_schema(found: Any, schema: str) -> None:
    stated = found.get("schema") if isinstance(found, dict) else None
    if stated == schema:
        return
    family, _, version = schema.partition("/")
    begun, _, other = stated.partition("/") if isinstance(stated, str) else ("", "", "")
    newer = begun == family and other.isascii() and other.isdecimal() and other[0] != "0" and len(other) < 10
    if not newer or int(other) <= int(version):
        raise _foreign(schema, f"its schema is not {schema}")
    raise errors.ArtifactError(
        "CAL-641",
        f"this was written as {stated}, newer than this Calibrant",
        cause=f"the installed version reads {schema}",
        fix=f"install a version of Calibrant that reads {stated}: pip install --upgrade calibrant",
    )


def malformed(where: str, cause: str) -> errors.ArtifactError:
    """The error of a structure that is not the closed schema's."""
    return errors.ArtifactError(
        "CAL-642",
        f"the document is malformed at {where.removeprefix('.') or 'the top'}",
        cause=cause,
        fix="take the file from where it was first written; it cannot be repaired by hand",
    )


# ------------------------------------------------------------------------------------------ by type


def decode(hint: Any, found: Any, where: str) -> Any:
    """JSON values to a value of the type ``hint``; ArtifactError (CAL-642) names the place that does not fit."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint == kinds.Kind:
        return kinds.decode_calibrator(found, where.removeprefix("."))
    if origin is Literal:
        if not isinstance(found, str) or found not in arguments:
            raise malformed(where, f"one of {', '.join(arguments)} belongs here")
        return found
    if origin in (types.UnionType, Union):
        inner = next(each for each in arguments if each is not types.NoneType)
        return None if found is None else decode(inner, found, where)
    if origin is tuple:
        return _tuple(arguments, found, where)
    if origin is Mapping:
        return {key: decode(arguments[1], member, f"{where}.{key}") for key, member in _object(found, where).items()}
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, found, where)
    return _scalar(hint, found, where)


def _scalar(hint: Any, found: Any, where: str) -> Any:
    if hint is str and isinstance(found, str):
        return found
    if hint is int and isinstance(found, int) and not isinstance(found, bool):
        return found
    if hint is float and isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found):
        return float(found)
    raise malformed(where, {str: "text", int: "a whole number", float: "a finite number"}[hint] + " belongs here")


def _object(found: Any, where: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise malformed(where, "an object belongs here")
    return found


def _tuple(arguments: tuple[Any, ...], found: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(found, list):
        raise malformed(where, "a list belongs here")
    many = isinstance(arguments[-1], types.EllipsisType)
    hints = [arguments[0]] * len(found) if many else list(arguments)
    if len(found) != len(hints):
        raise malformed(where, f"a list of {len(hints)} belongs here")
    return tuple(decode(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(zip(hints, found, strict=True)))


def _dataclass(kind: Any, found: Any, where: str) -> Any:
    hints = kinds.fields(kind)
    keys = _object(found, where).keys()
    if keys != hints.keys():
        missing, unknown = sorted(hints.keys() - keys), len(keys - hints.keys())
        raise malformed(where, f"missing keys: {', '.join(missing) or 'none'}; unknown keys: {unknown}")
    return kind(**{name: decode(hint, found[name], f"{where}.{name}") for name, hint in hints.items()})
