"""The YAML file of a stream: read strictly, linted with path and line, written in one canonical form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from calibrant import errors
from calibrant.calibrators.scales import Scale
from calibrant.streams import advice, durations, yaml_nodes, yaml_reader
from calibrant.streams.declaration import Managed, Stream, TableSource
from calibrant.streams.findings import Finding
from calibrant.streams.layout import API_VERSION, KIND, METADATA, SPEC, camel


def read(text: str, *, name: str = "the stream file") -> Stream:
    """The stream that the text declares; the first error as an exception."""
    stream, findings, _ = yaml_reader.read(text)
    if stream is None:
        first = findings[0]
        more = f" (and {len(findings) - 1} more: run lint)" if len(findings) > 1 else ""
        where = f"{name}, line {first.line}" + (f", {first.path}" if first.path else "")
        raise errors.UsageError(
            first.code, f"{where}: {first.what}{more}", cause=first.cause or "the file is not valid", fix=first.fix
        )
    return stream


def load(path: str | Path) -> Stream:
    """Read the file."""
    return read(text_of(Path(path)), name=str(path))


def lint(text: str) -> tuple[Finding, ...]:
    """Every error and warning, in the order of lines."""
    stream, findings, lines = yaml_reader.read(text)
    if stream is not None:
        findings += advice.warnings(stream, lines)
    return tuple(sorted(findings, key=lambda one: (one.line, one.path)))


def lint_file(path: str | Path) -> tuple[Finding, ...]:
    """Every error and warning of the file."""
    return lint(text_of(Path(path)))


def to_yaml(stream: Stream) -> str:
    """The canonical text: members in the order of the declaration, defaults left out."""
    said = to_document(stream)
    return str(yaml.safe_dump(said, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100))


def to_document(stream: Stream) -> dict[str, Any]:
    """The file's content as plain values."""
    said = _plain(stream)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {name: said[name] for name in map(camel, METADATA) if name in said},
        "spec": {name: said[name] for name in map(camel, SPEC) if name in said},
    }


def text_of(path: Path) -> str:
    """The text of a file, or a little more of it than is taken."""
    try:
        with path.open("rb") as file:
            return file.read(yaml_nodes.LARGEST + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.SourceError(
            "CAL-120", f"cannot read {path}", cause=str(error)[:200], fix="give a YAML file in UTF-8 that you may read"
        ) from error


def _plain(value: Any) -> Any:
    match value:
        case Scale():
            return str(value)
        case timedelta():
            return durations.write(value)
        case tuple():
            return [_plain(one) for one in value]
        case Mapping():
            return dict(value)
        case Managed() | TableSource():
            return {"type": value.type} | _members(value)
        case _ if dataclasses.is_dataclass(value):
            return _members(value)
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _members(value: Any) -> dict[str, Any]:
    said = {}
    for field in dataclasses.fields(value):
        held = getattr(value, field.name)
        if held != _default(field):
            said[camel(field.name)] = _plain(held)
    return said


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
