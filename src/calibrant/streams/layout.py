"""How the file is laid out: its header, its two sections, its names."""

from __future__ import annotations

import dataclasses

from calibrant.streams.declaration import Managed, Stream, TableSource

API_VERSION, KIND = "calibrant/v1", "Stream"
#: Fields of the stream that stand under ``metadata``; the others stand under ``spec``.
METADATA = ("name", "owner", "runbook", "description")
SPEC = tuple(field.name for field in dataclasses.fields(Stream) if field.name not in METADATA)
SOURCES: dict[str, type[Managed | TableSource]] = {"managed": Managed, "table": TableSource}


def camel(name: str) -> str:
    """The name of a field in the file.

    >>> camel("implicit_negative")
    'implicitNegative'
    """
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def members(kind: type) -> dict[str, dataclasses.Field[object]]:
    """Name in the file -> field."""
    return {camel(field.name): field for field in dataclasses.fields(kind)}


def required(field: dataclasses.Field[object]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
