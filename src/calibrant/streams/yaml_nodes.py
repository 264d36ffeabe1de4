"""YAML as plain values that know their lines: nothing is constructed, nothing is doubled, nothing can explode."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

#: Bytes of a file, values in it (aliases counted as often as they are used), levels of nesting.
LARGEST, VALUES, DEPTH = 1 << 17, 10_000, 16

_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

Value = str | int | float | bool | None | list[Any] | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its line (from 1), for a member of a mapping the line of its key.

    Members of mappings and items of lists are nodes again.
    """

    value: Value
    line: int


class Unreadable(Exception):
    """The text is not a YAML document that is taken here."""

    def __init__(self, code: str, what: str, *, line: int, fix: str, path: str = "") -> None:
        super().__init__(what)
        self.code, self.what, self.line, self.fix, self.path = code, what, line, fix, path


def parse(text: str) -> Node:
    """The one document of the text."""
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise Unreadable("CAL-827", f"the file is larger than {LARGEST:,} bytes", line=1, fix="split it by stream")
    try:
        _measure(text)
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        said = error.problem or "it cannot be read"
        raise Unreadable("CAL-820", f"this is not YAML: {said[:100]}", line=line, fix="correct the syntax") from None
    except (yaml.YAMLError, ValueError) as error:
        said = str(error).splitlines()[0][:100]
        raise Unreadable("CAL-820", f"this is not YAML: {said}", line=1, fix="save it as UTF-8 text") from None
    if len(documents) != 1 or documents[0] is None:
        raise Unreadable(
            "CAL-820", f"the file holds {len(documents)} documents", line=1, fix="write one stream in each file"
        )
    return _Builder().node(documents[0], "", 0)


def lines(node: Node, path: str = "") -> Iterator[tuple[str, int]]:
    """The line of every path in the document."""
    yield path, node.line
    if isinstance(node.value, dict):
        for name, inner in node.value.items():
            yield from lines(inner, f"{path}.{name}" if path else name)
    elif isinstance(node.value, list):
        for at, inner in enumerate(node.value):
            yield from lines(inner, f"{path}[{at}]")


def _measure(text: str) -> None:
    """Walk the events, which takes no recursion, before anything is built of them."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH or count > 2 * VALUES:
            what = f"the file is nested more than {DEPTH} levels" if depth > DEPTH else "the file has too many values"
            raise Unreadable("CAL-827", what, line=_line(event), fix="flatten or shorten it")


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return 1 if mark is None else mark.line + 1


class _Builder:
    """Turns composed nodes into values, counting them."""

    def __init__(self) -> None:
        self._count = 0
        self._scalars = yaml.constructor.SafeConstructor()

    def node(self, node: yaml.Node, path: str, depth: int) -> Node:
        self._count += 1
        line = node.start_mark.line + 1
        if self._count > VALUES or depth > DEPTH:
            raise Unreadable("CAL-827", "the aliases of the file expand too far", line=line, fix="write it out")
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
            raise Unreadable("CAL-820", "a tag that is not taken here", line=line, fix="remove the tag", path=path)
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node, path, depth), line)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.node(one, f"{path}[{at}]", depth + 1) for at, one in enumerate(node.value)], line)
        if isinstance(node, yaml.ScalarNode):
            return Node(self._scalar(node, path), line)
        raise AssertionError(f"no YAML node is a {type(node).__name__}")

    def _mapping(self, mapping: yaml.MappingNode, path: str, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in mapping.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise Unreadable("CAL-820", "a key is not a name", line=line, fix="write a plain name", path=path)
            inner = f"{path}.{key.value}" if path else key.value
            if key.value in members:
                raise Unreadable("CAL-824", "the key comes twice", line=line, fix="keep one of the two", path=inner)
            members[key.value] = dataclasses.replace(self.node(value, inner, depth + 1), line=line)
        return members

    def _scalar(self, node: yaml.ScalarNode, path: str) -> Value:
        kind = node.tag.rpartition(":")[2] if node.tag.startswith("tag:yaml.org,2002:") else ""
        readers = {
            "null": self._scalars.construct_yaml_null,
            "bool": self._scalars.construct_yaml_bool,
            "int": self._scalars.construct_yaml_int,
            "float": self._scalars.construct_yaml_float,
            "str": self._scalars.construct_yaml_str,
        }
        line = node.start_mark.line + 1
        if kind == "timestamp":
            return str(node.value)
        if kind not in readers:
            raise Unreadable("CAL-820", "a tag that is not taken here", line=line, fix="remove the tag", path=path)
        try:
            value: Value = readers[kind](node)
        except ValueError:
            raise Unreadable(
                "CAL-820", "the number cannot be read", line=line, fix="write it in decimal digits", path=path
            ) from None
        return value
