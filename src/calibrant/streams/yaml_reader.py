"""Nodes of a YAML file become a declaration, or findings: every one of them, not the first alone."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal, get_args, get_origin

from calibrant import errors
from calibrant.calibrators.scales import Scale
from calibrant.streams import bounds, durations, yaml_nodes
from calibrant.streams.declaration import LabelContract, Managed, Stream, TableSource
from calibrant.streams.findings import Finding, did_you_mean
from calibrant.streams.layout import API_VERSION, KIND, METADATA, SOURCES, SPEC, camel, members, required
from calibrant.streams.yaml_nodes import Node

#: Stands for a value that could not be read; its finding is already there.
BROKEN: Any = object()


def read(text: str) -> tuple[Stream | None, list[Finding], dict[str, int]]:
    """The stream if there are no errors, the errors, and the line of each path in the file."""
    try:
        root = yaml_nodes.parse(text)
    except yaml_nodes.Unreadable as wrong:
        return None, [Finding(wrong.code, wrong.what, wrong.path, wrong.line, wrong.fix)], {}
    lines = dict(yaml_nodes.lines(root))
    reader = _Reader(lines)
    stream = reader.stream(root)
    return (None if stream is BROKEN or reader.findings else stream), reader.findings, lines


def read_value(kind: type[Any], node: Node) -> tuple[Any | None, list[Finding]]:
    """The declaration's value that a node of any file describes, or None and what is wrong."""
    reader = _Reader(dict(yaml_nodes.lines(node)))
    value = reader.value(kind, node, "")
    return (None if value is BROKEN or reader.findings else value), reader.findings


class _Reader:
    """One pass over one file."""

    def __init__(self, lines: Mapping[str, int]) -> None:
        self.findings: list[Finding] = []
        self._lines = lines

    def stream(self, root: Node) -> Any:
        top = self._keys(root, "", ("apiVersion", "kind", "metadata", "spec"))
        for name, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
            if name not in top:
                self._add("CAL-822", "a required key is missing", name, f"write {name}: {wanted}")
            elif top[name].value != wanted:
                self._add("CAL-825", f"this must be {wanted}", name, f"write {name}: {wanted}")
        parts: dict[str, Node] = {}
        for section, names in (("metadata", METADATA), ("spec", SPEC)):
            if section in top:
                parts |= self._keys(top[section], section, tuple(map(camel, names)))
            else:
                self._add("CAL-822", "a required key is missing", section, f"write {section}:")
        return self._object(Stream, parts, "")

    def _object(self, kind: type[Any], parts: Mapping[str, Node], path: str) -> Any:
        """The value of one mapping, or BROKEN with findings; good members are still held against their limits."""
        values: dict[str, Any] = {}
        whole = True
        for name, field in members(kind).items():
            hint, _ = bounds.members(kind)[field.name]
            if name in parts:
                values[field.name] = self.value(hint, parts[name], _place(kind, path, name))
                whole &= values[field.name] is not BROKEN
            elif required(field):
                whole = False
                self._absent(kind, parts, _place(kind, path, name))
        readable = {name: value for name, value in values.items() if value is not BROKEN}
        if whole:
            problems = list(bounds.unchecked(kind, values).problems())
        else:
            problems = [one for name, value in readable.items() for one in bounds.field_problems(kind, name, value)]
        for one in problems:
            self._add(one.code, one.what, _place(kind, path, one.path), one.fix, cause=one.cause)
        return kind(**values) if whole and not problems else BROKEN

    def value(self, hint: Any, node: Node, path: str) -> Any:
        origin = get_origin(hint)
        if origin in (typing.Union, types.UnionType):
            return self._union(hint, node, path)
        if origin is tuple:
            return self._items(get_args(hint)[0], node, path)
        if origin is Literal:
            return self._choice(get_args(hint), node, path)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._texts(node, path)
        if hint is Scale:
            return self._parsed(Scale.parse, (str,), node, path)
        if hint is timedelta:
            return self._parsed(durations.parse, (timedelta,), node, path)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if not isinstance(node.value, dict):
                return self._wrong(node, path, (dict,))
            return self._object(hint, self._keys(node, path, tuple(members(hint))), path)
        return self._scalar(hint, node, path)

    def _union(self, hint: Any, node: Node, path: str) -> Any:
        if set(get_args(hint)) == {Managed, TableSource}:
            return self._source(node, path)
        inner = next(kind for kind in get_args(hint) if kind is not type(None))
        return None if node.value is None else self.value(inner, node, path)

    def _source(self, node: Node, path: str) -> Any:
        if not isinstance(node.value, dict):
            return self._wrong(node, path, (dict,))
        named = node.value.get("type")
        if named is None:
            self._add("CAL-822", "a required key is missing", f"{path}.type", "write type: managed or type: table")
            return BROKEN
        chosen = self._choice(tuple(SOURCES), named, f"{path}.type")
        if chosen is BROKEN:
            return BROKEN
        parts = self._keys(node, path, ("type", *members(SOURCES[chosen])))
        return self._object(SOURCES[chosen], parts, path)

    def _items(self, item: Any, node: Node, path: str) -> Any:
        if not isinstance(node.value, list):
            return self._wrong(node, path, (list,))
        inner, _ = bounds.parted(item)
        values = [self.value(inner, one, f"{path}[{at}]") for at, one in enumerate(node.value)]
        return BROKEN if any(value is BROKEN for value in values) else tuple(values)

    def _texts(self, node: Node, path: str) -> Any:
        if not isinstance(node.value, dict):
            return self._wrong(node, path, (dict,))
        values = {name: self._scalar(str, one, f"{path}.{name}") for name, one in node.value.items()}
        return BROKEN if any(value is BROKEN for value in values.values()) else values

    def _parsed(self, parse: Callable[[str], Any], kinds: tuple[type, ...], node: Node, path: str) -> Any:
        if not isinstance(node.value, str):
            return self._wrong(node, path, kinds)
        try:
            return parse(node.value)
        except errors.UsageError as error:
            self._add(error.code, error.what, path, error.fix, cause=error.cause)
            return BROKEN

    def _choice(self, choices: tuple[str, ...], node: Node, path: str) -> Any:
        if isinstance(node.value, str) and node.value in choices:
            return node.value
        fix = did_you_mean(node.value, choices) if isinstance(node.value, str) else "choose " + ", ".join(choices)
        self._add("CAL-804", "this is not one of the choices", path, fix)
        return BROKEN

    def _scalar(self, hint: type, node: Node, path: str) -> Any:
        value = float(node.value) if hint is float and type(node.value) is int else node.value
        return value if type(value) is hint else self._wrong(node, path, (hint,))

    def _keys(self, node: Node, path: str, known: tuple[str, ...]) -> dict[str, Node]:
        """The known members of a mapping; the others are findings."""
        if not isinstance(node.value, dict):
            self._wrong(node, path, (dict,))
            return {}
        for name in node.value:
            if name not in known:
                self._add("CAL-821", "there is no such key here", _join(path, name), did_you_mean(name, known))
        return {name: inner for name, inner in node.value.items() if name in known}

    def _wrong(self, node: Node, path: str, kinds: tuple[type, ...]) -> Any:
        problem = bounds.wrong_type(path, kinds, node.value)
        quotable = kinds == (str,) and node.value is not None and not isinstance(node.value, list | dict)
        self._add(
            problem.code, problem.what, path, "put it in quotes" if quotable else problem.fix, cause=problem.cause
        )
        return BROKEN

    def _absent(self, kind: type[Any], parts: Mapping[str, Node], path: str) -> None:
        implicit = parts.get("implicitNegative")
        if kind is LabelContract and implicit is not None and implicit.value is True:
            self._add(
                "CAL-828",
                "implicit negatives need a horizon",
                path,
                "say after how long no label means 0, such as horizon: 90d",
            )
        else:
            self._add("CAL-822", "a required key is missing", path, f"write {path.rpartition('.')[2]}")

    def _add(self, code: str, what: str, path: str, fix: str, *, cause: str = "") -> None:
        self.findings.append(Finding(code, what, path, line_of(path, self._lines), fix, cause))


def line_of(path: str, lines: Mapping[str, int]) -> int:
    """The line of the path, or of the nearest thing above it that the file has."""
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path, 1)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _place(kind: type[Any], path: str, inner: str) -> str:
    """The path in the file of a member, which for the stream itself lies in one of two sections."""
    named = ".".join(map(camel, inner.split(".")))
    if kind is not Stream:
        return _join(path, named)
    head = inner.partition(".")[0].partition("[")[0]
    return _join("metadata" if head in METADATA else "spec", named)
