"""All kinds of calibrators by name, and their JSON form read off the dataclass fields.

A new kind needs one line in ``ALL``. Its fields may be floats, text, literals, tuples, frozen dataclasses of
these, and other calibrators; every field is written and required, so a file says everything there is to say.
"""

from __future__ import annotations

import dataclasses
import math
import types
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from calibrant import errors
from calibrant.calibrators import (
    affine,
    beta,
    by_cohort,
    calibrator,
    identity,
    linear,
    logistic,
    multiclass,
    piecewise,
    quadratic,
    quantile,
    spline,
    steps,
    venn_abers,
)

#: Whatever a calibrator file may hold: a map of probabilities, by cohort, of several classes, or of measurements.
Kind: TypeAlias = (
    calibrator.Calibrator | by_cohort.ByCohort | affine.Affine | piecewise.Piecewise
    | quantile.QuantileMap | quantile.ConformalShift
)  # fmt: skip

ALL: tuple[type[Any], ...] = (
    identity.Identity,
    logistic.Intercept,
    logistic.Platt,
    logistic.Temperature,
    beta.Beta,
    quadratic.QuadraticLogit,
    steps.Isotonic,
    linear.CenteredIsotonic,
    venn_abers.VennAbers,
    spline.MonotoneSpline,
    by_cohort.ByCohort,
    multiclass.MulticlassTemperature,
    multiclass.VectorScaling,
    multiclass.MatrixScaling,
    affine.Affine,
    piecewise.Piecewise,
    quantile.QuantileMap,
    quantile.ConformalShift,
)

BY_NAME: dict[str, type[Any]] = {kind.kind: kind for kind in ALL}


def malformed(where: str, cause: str) -> errors.ArtifactError:
    """The error of a file whose structure is not the closed schema's."""
    return errors.ArtifactError(
        "CAL-613",
        f"the calibrator file is malformed at {where}",
        cause=cause,
        fix="take the file from where it was first written; it cannot be repaired by hand",
    )


_FIELDS: dict[Any, dict[str, Any]] = {}


def fields(kind: Any) -> dict[str, Any]:
    """Field names and resolved types of a dataclass, in order."""
    if kind not in _FIELDS:
        hints = get_type_hints(kind)
        _FIELDS[kind] = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    return _FIELDS[kind]


def encode(value: Any) -> Any:
    """A calibrator (or a part of one) as JSON values; a calibrator carries its ``kind``."""
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    kind: Any = type(value)
    if dataclasses.is_dataclass(kind):
        members = {name: encode(getattr(value, name)) for name in fields(kind)}
        return {"kind": kind.kind, **members} if kind in ALL else members
    return value if isinstance(value, str) else float(value)


def decode_calibrator(found: Any, where: str) -> Any:
    """JSON values to a calibrator of the kind they name; ArtifactError for anything that is not in the schema."""
    name = found.get("kind") if isinstance(found, dict) else None
    kind = BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        raise malformed(where, "kind is missing or not one of " + ", ".join(BY_NAME))
    return _dataclass(kind, {key: value for key, value in found.items() if key != "kind"}, where)


def decode(hint: Any, found: Any, where: str) -> Any:
    """JSON values to a value of the type ``hint``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is float:
        if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
            raise malformed(where, "a finite number belongs here")
        return float(found)
    if hint is str:
        if not isinstance(found, str):
            raise malformed(where, "text belongs here")
        return found
    if origin is Literal:
        if found not in arguments or not isinstance(found, str):
            raise malformed(where, f"one of {', '.join(arguments)} belongs here")
        return found
    if origin is tuple:
        return _tuple(arguments, found, where)
    if hint is calibrator.Calibrator:
        return decode_calibrator(found, where)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _dataclass(hint, found, where)
    raise AssertionError(f"no JSON form for fields of type {hint}")


def _tuple(arguments: tuple[Any, ...], found: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(found, list):
        raise malformed(where, "a list belongs here")
    if len(arguments) == 2 and isinstance(arguments[1], types.EllipsisType):
        return tuple(decode(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(found))
    if len(found) != len(arguments):
        raise malformed(where, f"a list of {len(arguments)} belongs here")
    return tuple(
        decode(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(zip(arguments, found, strict=True))
    )


def _dataclass(kind: type[Any], found: Any, where: str) -> Any:
    expected = fields(kind)
    closed(found, expected.keys(), where)
    values = {name: decode(hint, found[name], f"{where}.{name}") for name, hint in expected.items()}
    try:
        return kind(**values)
    except (errors.UsageError, errors.FitError) as error:
        raise errors.ArtifactError("CAL-610", error.what, cause=error.cause, fix=error.fix) from None


def closed(found: Any, expected: Any, where: str) -> None:
    """Refuse anything but an object with exactly these keys."""
    if not isinstance(found, dict):
        raise malformed(where, "an object belongs here")
    if found.keys() != set(expected):
        missing, unknown = sorted(set(expected) - found.keys()), len(found.keys() - set(expected))
        raise malformed(where, f"missing keys: {', '.join(missing) or 'none'}; unknown keys: {unknown}")
