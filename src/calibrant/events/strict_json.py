"""The careful reader of one JSON event: slower than the fast one, and able to say what is wrong and where."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from calibrant.events import prediction, refusals, structs, texts, times

#: Digits beyond which a whole number is surely larger than 2^53.
DIGITS = 20
S = TypeVar("S", structs.Prediction, structs.Label)


def loads(raw: bytes) -> dict[str, Any]:
    """One JSON object without double keys. Numbers that are not finite stay, for the check that knows their member."""
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_no_doubles,
            parse_int=_whole,
            parse_float=float,
            parse_constant=lambda name: math.nan if name == "NaN" else math.inf,
        )
    except RecursionError:
        raise refusals.TOO_DEEP.at("") from None
    except ValueError:
        raise refusals.NOT_JSON.at("") from None
    if not isinstance(value, dict):
        raise refusals.NOT_JSON.at("")
    return value


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= DIGITS else math.inf


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise refusals.DUPLICATE_KEY.at("")
    return found


def build(kind: type[S], members: Mapping[str, Any]) -> S:
    """The event of a JSON object, or the first reason why it is none."""
    readers = READERS[kind]
    if not members.keys() <= readers.keys():
        raise refusals.UNKNOWN_MEMBER.at("")
    for name in kind.__struct_fields__:
        if name not in members and name in REQUIRED[kind]:
            raise refusals.MISSING.at(name)
    values = {}
    for name, value in members.items():
        if value is None and name not in REQUIRED[kind]:
            continue
        values[name] = readers[name](value, name)
    return kind(**values)


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise refusals.WRONG_TYPE.at(path)
    if texts.SURROGATE.search(value):
        raise refusals.BAD_TEXT.at(path)
    return value


def _number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusals.WRONG_TYPE.at(path)
    if not math.isfinite(value):
        raise refusals.NOT_A_NUMBER.at(path)
    return float(value)


def _count(value: Any, path: str) -> int:
    number = _number(value, path)
    if abs(number) > prediction.LARGEST:
        raise refusals.NOT_A_NUMBER.at(path)
    if not number.is_integer():
        raise refusals.WRONG_TYPE.at(path)
    return int(value)


def _time(value: Any, path: str) -> datetime:
    return times.parse(_text(value, path), path)


def _cohorts(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise refusals.WRONG_TYPE.at(path)
    return {_text(name, path): _text(held, path) for name, held in value.items()}


def _context(value: Any, path: str) -> dict[str, prediction.Scalar]:
    if not isinstance(value, dict):
        raise refusals.WRONG_TYPE.at(path)
    return {_text(name, path): _scalar(held, path) for name, held in value.items()}


def _scalar(value: Any, path: str) -> prediction.Scalar:
    match value:
        case None | bool():
            return value
        case str():
            return _text(value, path)
        case int() | float():
            if not math.isfinite(value):
                raise refusals.NOT_A_NUMBER.at(path)
            return value
        case _:
            raise refusals.WRONG_TYPE.at(path)


READERS: dict[type[msgspec.Struct], dict[str, Callable[[Any, str], Any]]] = {
    structs.Prediction: {
        "id": _text, "at": _time, "score": _number, "model": _text, "served": _number, "artifact": _text,
        "threshold": _number, "decision": _text, "arm": _text, "unit": _text, "cohorts": _cohorts,
        "weight": _number, "context": _context, "trace": _text,
    },
    structs.Label: {
        "prediction": _text, "value": _number, "at": _time, "observed": _time, "source": _text, "revision": _count,
        "weight": _number, "propensity": _number,
    },
}  # fmt: skip
REQUIRED: dict[type[msgspec.Struct], frozenset[str]] = {
    structs.Prediction: frozenset({"id", "at", "score"}),
    structs.Label: frozenset({"prediction", "value", "at"}),
}
#: The two members that hold members, wherever they come from.
READERS_BY_NAME: dict[str, Callable[[Any, str], Any]] = {"cohorts": _cohorts, "context": _context}
