"""alerts.yaml beside the streams: read as strictly as they are, with every error by path and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from calibrant import errors
from calibrant.streams import json_schema as schemas
from calibrant.streams import yaml_file, yaml_nodes, yaml_reader
from calibrant.streams.channels import Channels
from calibrant.streams.findings import Finding
from calibrant.streams.layout import API_VERSION

KIND: Final = "Alerts"


def read(text: str, *, name: str = "alerts.yaml") -> Channels:
    """The channels that the text declares; the first error as an exception."""
    channels, findings = _read(text)
    if channels is None:
        first = findings[0]
        where = f"{name}, line {first.line}" + (f", {first.path}" if first.path else "")
        raise errors.UsageError(
            first.code, f"{where}: {first.what}", cause=first.cause or "the file is not valid", fix=first.fix
        )
    return channels


def lint(text: str) -> tuple[Finding, ...]:
    """Every error, in the order of lines."""
    return tuple(sorted(_read(text)[1], key=lambda one: (one.line, one.path)))


def lint_file(path: str | Path) -> tuple[Finding, ...]:
    """Every error of the file."""
    return lint(yaml_file.text_of(Path(path)))


def load(path: Path) -> Channels:
    """Read the file; no channels where there is none."""
    return read(yaml_file.text_of(path), name=str(path)) if path.exists() else Channels()


def _read(text: str) -> tuple[Channels | None, list[Finding]]:
    try:
        root = yaml_nodes.parse(text)
    except yaml_nodes.Unreadable as wrong:
        return None, [Finding(wrong.code, wrong.what, wrong.path, wrong.line, wrong.fix)]
    if not isinstance(root.value, dict):
        return None, [Finding("CAL-823", "this must be a mapping", "", root.line, "write apiVersion, kind, channels")]
    findings = []
    for name, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        said = root.value.pop(name, None)
        if said is None:
            findings.append(Finding("CAL-822", "a required key is missing", name, 1, f"write {name}: {wanted}"))
        elif said.value != wanted:
            findings.append(Finding("CAL-825", f"this must be {wanted}", name, said.line, f"write {name}: {wanted}"))
    channels, more = yaml_reader.read_value(Channels, root)
    findings += more
    return (None if findings else channels), findings


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of alerts.yaml; what a type of channel needs is beyond it."""
    form = schemas.of(Channels, "Who is told of alerts, and when not.")
    head = {"apiVersion": {"const": API_VERSION}, "kind": {"const": KIND}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{API_VERSION.replace('/', ':')}:{KIND}",
        "title": "Calibrant alert channels",
        **form,
        "properties": {**head, **form["properties"]},
        "required": ["apiVersion", "kind", *form.get("required", [])],
    }
