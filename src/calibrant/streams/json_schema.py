"""The stream file as a JSON Schema, read off the same fields and bounds as the check."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, get_args, get_origin

from calibrant.calibrators.scales import Scale
from calibrant.streams import bounds, durations
from calibrant.streams.declaration import Managed, Stream, TableSource
from calibrant.streams.layout import API_VERSION, KIND, METADATA, SOURCES, SPEC, camel, members, required

_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of stream files, for editors and for other tools.

    It states structure, types and limits of single members; conditions between members (a terminal value that labels
    can have, a retention longer than the horizon) are beyond it: ``lint`` knows them all.
    """
    fields = members(Stream)
    sections = {
        "metadata": _closed({camel(name): fields[camel(name)] for name in METADATA}, Stream, "Who answers for it."),
        "spec": _closed({camel(name): fields[camel(name)] for name in SPEC}, Stream, "What it is."),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{API_VERSION.replace('/', ':')}:{KIND}",
        "title": "Calibrant stream",
        "description": "One flow of scores from one decision point.",
        "type": "object",
        "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"const": KIND}, **sections},
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
    }


def of(kind: type[Any], says: str) -> dict[str, Any]:
    """The schema of one declaration's value, wherever it stands."""
    return _closed(members(kind), kind, says)


def _closed(fields: Mapping[str, dataclasses.Field[Any]], kind: type[Any], says: str) -> dict[str, Any]:
    hints = bounds.members(kind)
    properties = {name: _member(*hints[field.name], field) for name, field in fields.items()}
    needed = [name for name, field in fields.items() if required(field)]
    return {
        "description": says,
        "type": "object",
        "properties": properties,
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
    }


def _member(hint: Any, limits: bounds.Bounds | None, field: dataclasses.Field[Any]) -> dict[str, Any]:
    limits = limits or bounds.Bounds("")
    form = _form(hint, limits)
    default = field.default
    if isinstance(default, bool | float | int | str):
        form["default"] = default
    elif isinstance(default, timedelta):
        form["default"] = durations.write(default)
    elif isinstance(default, Scale):
        form["default"] = str(default)
    return {"description": limits.says, **form}


def _form(hint: Any, limits: bounds.Bounds) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if set(arguments) == {Managed, TableSource}:
            return {"oneOf": [_source(name) for name in SOURCES]}
        inner = next(one for one in arguments if one is not type(None))
        return {"anyOf": [_form(inner, limits), {"type": "null"}]}
    if origin is tuple:
        most = {} if limits.items is None else {"maxItems": limits.items}
        return {"type": "array", "items": _form(arguments[0], dataclasses.replace(limits, items=None)), **most}
    if origin is Literal:
        return {"enum": list(arguments)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}
    if hint is Scale:
        return {"type": "string", "pattern": f"^(probability|percent|logit|unbounded(:{_NUMBER},{_NUMBER})?)$"}
    if hint is timedelta:
        return {"type": "string", "pattern": durations.PATTERN, "examples": ["90d", "36h", "15m", "P90D"]}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _closed(members(hint), hint, limits.says)
    return _scalar(hint, limits)


def _scalar(hint: Any, limits: bounds.Bounds) -> dict[str, Any]:
    if hint is str:
        text: dict[str, Any] = {"type": "string"}
        text |= {} if limits.pattern is None else {"pattern": limits.pattern}
        return text | ({} if limits.most is None else {"maxLength": int(limits.most)})
    if hint is bool:
        return {"type": "boolean"}
    number: dict[str, Any] = {"type": "integer" if hint is int else "number"}
    number |= {} if limits.above is None else {"exclusiveMinimum": limits.above}
    return number | ({} if limits.most is None else {"maximum": limits.most})


def _source(name: str) -> dict[str, Any]:
    kind = SOURCES[name]
    form = _closed(members(kind), kind, (kind.__doc__ or "").partition("\n")[0])
    form["properties"] = {"type": {"const": name}, **form["properties"]}
    form["required"] = ["type", *form.get("required", [])]
    return form
