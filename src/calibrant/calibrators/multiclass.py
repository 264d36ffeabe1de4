"""Maps of whole rows of class scores, shape (..., K), to class probabilities: temperature, vector, matrix.

All of them start from log-probabilities z (the logarithm of the scores, or the log-softmax of logits), which do
not change when a constant is added to the logits of a row. The vector and matrix maps first temper: divide z by
a temperature and mix with the uniform distribution, so that no class has probability zero. A one-dimensional
array is one row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors
from calibrant.calibrators import parameters, scales

Floats = NDArray[np.float64]


def log_probabilities(scores: ArrayLike, scale: scales.Scale) -> Floats:
    """Raw rows, shape (..., K), to log-probabilities of the same shape; rows of probabilities are renormalised."""
    raw = np.asarray(scores, np.float64)
    z = raw if scale.kind == "logit" else np.log(np.clip(scale.to_probability(raw), scales.EPSILON, None))
    return log_softmax(z)


def log_softmax(z: Floats) -> Floats:
    """z less the log of the sum of exp(z) of its row, without overflow."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def temper(z: Floats, temperature: float, mixing: float) -> Floats:
    """Log of (1 - mixing) softmax(z / temperature) + mixing / K, shape as z."""
    tempered = log_softmax(z / temperature) if temperature != 1.0 else z
    if mixing == 0.0:
        return tempered
    return np.asarray(np.logaddexp(tempered + math.log1p(-mixing), math.log(mixing / z.shape[-1])))


def _step(instance: MulticlassTemperature | VectorScaling | MatrixScaling) -> None:
    """Check and normalise the fields that all three maps have."""
    kind = instance.kind
    for name in ("temperature", "mixing"):
        object.__setattr__(instance, name, parameters.number(kind, name, getattr(instance, name)))
    if instance.temperature <= 0.0 or not math.isfinite(1.0 / instance.temperature):
        raise parameters.illegal(kind, f"temperature is {instance.temperature}, not positive")
    if not 0.0 <= instance.mixing < 1.0:
        raise parameters.illegal(kind, f"mixing is {instance.mixing}, not in [0, 1)")
    if instance.scale.kind == "unbounded":
        raise parameters.illegal(kind, "class scores are probabilities, percent or logits, not unbounded")


def _column(kind: str, name: str, values: tuple[float, ...]) -> tuple[float, ...]:
    return parameters.numbers(kind, name, values, low=-math.inf, high=math.inf)


def _demand_classes(z: Floats, classes: int, kind: str) -> None:
    if z.shape[-1] != classes:
        raise errors.ValueRangeError(
            "CAL-341",
            f"this {kind} map is for {classes} classes",
            cause=f"the rows have {z.shape[-1]} scores",
            fix="give one score per class, in the order of the fit",
        )


@dataclass(frozen=True)
class MulticlassTemperature:
    """softmax(z / temperature), mixed with the uniform distribution; temperature 1 without mixing is the identity.

    >>> MulticlassTemperature(2.0).apply([0.64, 0.32, 0.04]).round(4).tolist()
    [0.511, 0.3613, 0.1277]
    """

    kind: ClassVar[str] = "multiclass_temperature"

    temperature: float
    mixing: float = 0.0
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        _step(self)

    def apply(self, scores: ArrayLike) -> Floats:
        """Raw class scores, shape (..., K), to probabilities of the same shape."""
        return np.exp(temper(log_probabilities(scores, self.scale), self.temperature, self.mixing))


@dataclass(frozen=True)
class VectorScaling:
    """softmax(weights * t + biases), t the tempered log-probabilities: one slope and one bias per class.

    >>> VectorScaling((1.0, 1.0), (0.0, 0.0)).apply([[0.25, 0.75]]).round(6).tolist()
    [[0.25, 0.75]]
    """

    kind: ClassVar[str] = "vector_scaling"

    weights: tuple[float, ...]
    biases: tuple[float, ...]
    temperature: float = 1.0
    mixing: float = 0.0
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        _step(self)
        for name in ("weights", "biases"):
            object.__setattr__(self, name, _column(self.kind, name, getattr(self, name)))
        parameters.same_length(self.kind, weights=self.weights, biases=self.biases)

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats]:
        return np.array(self.weights), np.array(self.biases)

    def apply(self, scores: ArrayLike) -> Floats:
        """Raw class scores, shape (..., K), to probabilities of the same shape."""
        z = log_probabilities(scores, self.scale)
        weights, biases = self._arrays
        _demand_classes(z, len(biases), self.kind)
        return np.exp(log_softmax(temper(z, self.temperature, self.mixing) * weights + biases))


@dataclass(frozen=True)
class MatrixScaling:
    """softmax(matrix @ t + biases), t the tempered log-probabilities; row c of the matrix makes the logit of class c.

    >>> MatrixScaling(((0.0, 1.0), (1.0, 0.0)), (0.0, 0.0)).apply([[0.25, 0.75]]).round(6).tolist()
    [[0.75, 0.25]]
    """

    kind: ClassVar[str] = "matrix_scaling"

    matrix: tuple[tuple[float, ...], ...]
    biases: tuple[float, ...]
    temperature: float = 1.0
    mixing: float = 0.0
    scale: scales.Scale = scales.Scale()

    def __post_init__(self) -> None:
        _step(self)
        object.__setattr__(self, "biases", _column(self.kind, "biases", self.biases))
        matrix = tuple(_column(self.kind, "matrix", row) for row in self.matrix)
        object.__setattr__(self, "matrix", matrix)
        if [len(row) for row in matrix] != [len(self.biases)] * len(self.biases):
            raise parameters.illegal(self.kind, "the matrix needs a row and a column for each bias")

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats]:
        return np.array(self.matrix), np.array(self.biases)

    def apply(self, scores: ArrayLike) -> Floats:
        """Raw class scores, shape (..., K), to probabilities of the same shape."""
        z = log_probabilities(scores, self.scale)
        matrix, biases = self._arrays
        _demand_classes(z, len(biases), self.kind)
        return np.exp(log_softmax(temper(z, self.temperature, self.mixing) @ matrix.T + biases))
