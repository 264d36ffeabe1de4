"""What a field may hold, said once beside its type: the check, the lint and the JSON Schema all read it here."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args, get_origin

from calibrant import errors

_MEMBERS: dict[type[Any], dict[str, tuple[Any, Bounds | None]]] = {}  # known after the first look

#: Names of streams, in paths, URLs and metrics.
NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
#: Names of fields that events carry: identifiers, with dots and dashes inside.
FIELD = r"^[A-Za-z_][A-Za-z0-9_.-]{0,62}$"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The meaning of a field and its limits; for a tuple, the limits of each item and the number of items."""

    says: str
    pattern: str | None = None
    above: float | None = None
    most: float | None = None
    longest: timedelta | None = None
    items: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a declaration, at a path such as ``labels.terminal[0]``."""

    code: str
    what: str
    path: str
    cause: str
    fix: str

    def error(self) -> errors.UsageError:
        where = f"{self.path}: " if self.path else ""
        return errors.UsageError(self.code, f"{where}{self.what}", cause=self.cause, fix=self.fix)

    def below(self, path: str) -> Problem:
        return dataclasses.replace(self, path=f"{path}.{self.path}" if self.path else path)


def members(kind: type[Any]) -> dict[str, tuple[Any, Bounds | None]]:
    """Field name -> (type, bounds) of a declaration's dataclass, in the order of its fields."""
    if kind not in _MEMBERS:
        hints = typing.get_type_hints(kind, include_extras=True)
        _MEMBERS[kind] = {field.name: parted(hints[field.name]) for field in dataclasses.fields(kind)}
    return _MEMBERS[kind]


def parted(hint: Any) -> tuple[Any, Bounds | None]:
    """The type and the bounds of one annotation."""
    if get_origin(hint) is typing.Annotated:
        inner, *notes = get_args(hint)
        return inner, next((note for note in notes if isinstance(note, Bounds)), None)
    return hint, None


def problems(value: Any) -> Iterator[Problem]:
    """Every field of a declaration's dataclass against its own type and bounds."""
    for name, (hint, limits) in members(type(value)).items():
        yield from _field(getattr(value, name), hint, limits or Bounds(""), name)


def field_problems(kind: type[Any], name: str, value: Any) -> Iterator[Problem]:
    """One value against the type and bounds of one field, without the value that it is part of."""
    hint, limits = members(kind)[name]
    yield from _field(value, hint, limits or Bounds(""), name)


def unchecked(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """A declaration's value that nobody has checked, so that all its problems can be told; never handed out."""
    made = object.__new__(kind)
    for field in dataclasses.fields(kind):
        factory = field.default_factory
        otherwise = field.default if factory is dataclasses.MISSING else factory()
        object.__setattr__(made, field.name, values.get(field.name, otherwise))
    return made


def _field(value: Any, hint: Any, limits: Bounds, path: str) -> Iterator[Problem]:
    optional = type(None) in get_args(hint)
    if optional and value is None:
        return
    if get_origin(hint) is tuple:
        yield from _items(value, get_args(hint)[0], limits, path)
    elif get_origin(hint) is Literal:
        if value not in get_args(hint):
            yield unknown_choice(path, get_args(hint))
    else:
        choices = get_args(hint) if get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
        kinds = tuple(get_origin(kind) or kind for kind in choices if kind is not type(None))
        if kinds and not _is(value, kinds):
            yield wrong_type(path, kinds, value)
        else:
            yield from _limits(value, limits, path)


def _is(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (float in kinds and isinstance(value, int))


def _items(value: Any, item: Any, limits: Bounds, path: str) -> Iterator[Problem]:
    if not isinstance(value, tuple):
        yield wrong_type(path, (tuple,), value)
        return
    if limits.items is not None and len(value) > limits.items:
        yield Problem(
            "CAL-803",
            "too many items",
            path=path,
            cause=f"{len(value)} are given",
            fix=f"keep at most {limits.items}",
        )
    for index, one in enumerate(value):
        yield from _field(one, item, dataclasses.replace(limits, items=None), f"{path}[{index}]")


def _limits(value: Any, limits: Bounds, path: str) -> Iterator[Problem]:
    match value:
        case str():
            yield from _text(value, limits, path)
        case timedelta():
            if value <= timedelta(0) or (limits.longest is not None and value > limits.longest):
                yield Problem(
                    "CAL-802",
                    "the duration is out of bounds",
                    path=path,
                    cause=f"it is {value}",
                    fix="give more than nothing"
                    + (f" and at most {limits.longest.days:,} days" if limits.longest is not None else ""),
                )
        case int() | float() if not isinstance(value, bool):
            low, high = limits.above, limits.most
            inside = math.isfinite(value) and (low is None or value > low) and (high is None or value <= high)
            if not inside:
                yield Problem(
                    "CAL-803",
                    "the number is out of bounds",
                    path=path,
                    cause=f"it is {value!r}",
                    fix="give a finite number"
                    + (f" above {low}" if low is not None else "")
                    + (f" and at most {high}" if high is not None else ""),
                )
        case _:
            return


def _text(value: str, limits: Bounds, path: str) -> Iterator[Problem]:
    if limits.pattern is not None and not re.search(limits.pattern.replace("$", r"\Z"), value):
        yield Problem(
            "CAL-801",
            "the name is not allowed",
            path=path,
            cause=f"{value[:80]!r} does not match {limits.pattern}",
            fix="use letters, digits, dots, dashes and underscores; start with a letter; at most 63 characters",
        )
    elif limits.most is not None and len(value) > limits.most:
        yield Problem(
            "CAL-811", "the text is too long", path=path, cause=f"{len(value)} characters", fix=f"keep {limits.most}"
        )
    elif any(unicodedata.category(letter) in {"Cc", "Cs"} and letter != "\n" for letter in value):
        yield Problem(
            "CAL-811",
            "the text holds control characters",
            path=path,
            cause="they would be shown on pages and terminals",
            fix="remove them",
        )


def wrong_type(path: str, kinds: tuple[type, ...], value: Any) -> Problem:
    names = " or ".join(WORDS.get(kind, kind.__name__) for kind in kinds)
    return Problem(
        "CAL-823",
        f"this must be {names}",
        path=path,
        cause=f"it is {WORDS.get(type(value), type(value).__name__)}",
        fix=f"write {names}",
    )


def unknown_choice(path: str, choices: tuple[str, ...]) -> Problem:
    return Problem(
        "CAL-804",
        "this is not one of the choices",
        path=path,
        cause="known are " + ", ".join(choices),
        fix="choose one of them",
    )


#: How a reader of a YAML file calls the types.
WORDS: dict[type, str] = {
    str: "text", bool: "true or false", int: "a whole number", float: "a number", timedelta: "a duration such as 90d",
    tuple: "a list", list: "a list", dict: "a mapping", Mapping: "a mapping", type(None): "nothing",
}  # fmt: skip
