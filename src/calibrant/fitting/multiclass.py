"""Fits of the multiclass maps: temperature, vector, structured vector (SVS) and structured matrix scaling (SMS).

The two structured fits follow Berta, Holzmueller, Jordan and Bach 2025 (arXiv:2511.03685, second version): first
a temperature without penalty, mixed with a little of the uniform distribution; then one multinomial logistic
regression on the tempered log-probabilities, whose deviation from the identity is held by a ridge that knows what
it holds: lambda K / n on biases and diagonal, lambda K (K - 1) / n off the diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from calibrant import errors
from calibrant.calibrators import multiclass as maps
from calibrant.calibrators import scales
from calibrant.fitting import grouped
from calibrant.stats import classes

Floats = NDArray[np.float64]

#: log(1 / T) is sought between minus and plus this: T from 1/1100 to 1100.
RANGE = 7.0
#: Steps of L-BFGS; the fits take some tens.
MAX_STEPS = 2000
#: Largest entry of the gradient (nats per row and unit of a parameter) at which a fit counts as found.
GRADIENT = 1e-5
#: Mean log loss (nats) below which a fit without penalty is on its way to infinity.
SEPARATED = 1e-5


def fit_temperature(
    scores: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None, scale: scales.Scale = scales.Scale()
) -> maps.MulticlassTemperature:
    """Maximum likelihood of softmax(z / T), z the log-probabilities, T > 0.

    Parameters
    ----------
    scores
        Shape (n, K) on ``scale`` (probability, percent or logit), a column per class.
    labels
        Shape (n,), integers 0..K-1.
    weights
        Shape (n,), >= 0; only their ratios matter.

    Raises
    ------
    ValueRangeError
        As ``stats.classes.rows``.
    FitError
        CAL-501 below 10 effective rows; CAL-504 if T would be infinite; CAL-505 if T would be 0 (every label is
        its row's top class).

    Notes
    -----
    The likelihood is concave in 1/T and its derivative, mean of z[label] - E[z], changes sign once: bisection on
    log(1/T) to full precision.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599.

    Examples
    --------
    >>> scores = np.tile([[0.8, 0.1, 0.1]], (100, 1))
    >>> labels = np.repeat([0, 1, 2], [50, 25, 25])
    >>> fit_temperature(scores, labels).apply([0.8, 0.1, 0.1]).round(6)
    array([0.5 , 0.25, 0.25])
    """
    checked = _read(classes.rows(scores, labels, weights=weights, scale=scale))
    z = maps.log_probabilities(checked.scores, scale)
    return maps.MulticlassTemperature(_temperature(z, checked), 0.0, scale)


def fit_vector(
    scores: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None, scale: scales.Scale = scales.Scale()
) -> maps.VectorScaling:
    """Vector scaling without penalty: softmax(weights * z + biases) by maximum likelihood.

    Parameters, scale and errors are those of ``fit_temperature``; also FitError CAL-541 if a class never occurs
    and CAL-505 if the likelihood has no finite maximum. The biases sum to 0.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599.

    Examples
    --------
    >>> scores = np.repeat([[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]], 20, axis=0)
    >>> labels = np.repeat([0, 1, 2, 0, 1, 2, 0, 1, 2], [14, 3, 3, 8, 9, 3, 8, 3, 9])
    >>> fit_vector(scores, labels).apply(scores).mean(axis=0).round(4)   # the base rates
    array([0.5 , 0.25, 0.25])
    """
    checked = _read(classes.rows(scores, labels, weights=weights, scale=scale))
    _every_class(checked)
    z = maps.log_probabilities(checked.scores, scale)
    _temperature(z, checked)  # refuses what already one slope for all classes separates or turns round
    found = _vector(z, checked, ridge=0.0)
    return maps.VectorScaling(_floats(1.0 + found[0]), _floats(found[1]), scale=scale)


def fit_structured_vector(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    scale: scales.Scale = scales.Scale(),
    strength: float = 1.0,
) -> maps.VectorScaling:
    """Structured vector scaling (SVS): tempered, then a ridge of ``strength`` K / n on biases and slopes less 1.

    Parameters, scale and errors are those of ``fit_temperature``; n is the effective number of rows. A class that
    never occurs does not hinder the fit.

    Notes
    -----
    Minimises the mean log loss + strength K / n (|d|^2 + |b|^2) over softmax((1 + d) * t + b), with
    t = log((1 - m) softmax(z / T) + m / K) and m = 1 / (n + 1), by L-BFGS from 0, the tempered scores themselves.

    References
    ----------
    Berta, Holzmueller, Jordan and Bach 2025, arXiv:2511.03685.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> p = rng.dirichlet([1.0, 1.0, 1.0], 400)
    >>> y = (rng.random(400)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    >>> fit_structured_vector(p, y).kind
    'vector_scaling'
    """
    checked = _read(classes.rows(scores, labels, weights=weights, scale=scale))
    t, temperature, mixing = _tempered(checked, scale)
    found = _vector(t, checked, ridge=strength * t.shape[1] / checked.effective_n)
    return maps.VectorScaling(_floats(1.0 + found[0]), _floats(found[1]), temperature, mixing, scale)


def fit_structured_matrix(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    scale: scales.Scale = scales.Scale(),
    strength: float = 1.0,
) -> maps.MatrixScaling:
    """Structured matrix scaling (SMS): as SVS, with a full matrix whose off-diagonal part is held K - 1 times harder.

    Parameters, scale and errors are those of ``fit_temperature``.

    Notes
    -----
    Minimises the mean log loss + strength K / n (|b|^2 + |diag D|^2) + strength K (K - 1) / n |offdiag D|^2 over
    softmax((I + D) t + b), t as in SVS, by L-BFGS from D = 0, b = 0. K^2 + K parameters: about 2 K^2 n
    multiplications for each of some tens of steps.

    References
    ----------
    Berta, Holzmueller, Jordan and Bach 2025, arXiv:2511.03685.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> p = rng.dirichlet([1.0, 1.0, 1.0], 400)
    >>> y = (rng.random(400)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    >>> len(fit_structured_matrix(p, y).matrix)
    3
    """
    checked = _read(classes.rows(scores, labels, weights=weights, scale=scale))
    t, temperature, mixing = _tempered(checked, scale)
    matrix, biases = _matrix(t, checked, strength=strength)
    rows = tuple(_floats(row) for row in np.eye(len(biases)) + matrix)
    return maps.MatrixScaling(rows, _floats(biases), temperature, mixing, scale)


# -------------------------------------------------------------------- the parts


def _read(checked: classes.Rows) -> classes.Rows:
    """The rows with weights that sum to 1, or the reason why nothing can be fitted."""
    n = checked.effective_n
    if n < grouped.MINIMUM_ROWS * (1.0 - 1e-9):
        raise errors.FitError(
            "CAL-501",
            "too few rows to fit a map",
            cause=f"{n:.4g} effective rows, at least {grouped.MINIMUM_ROWS} are needed",
            fix="collect more labelled rows, and keep the scores as they are until then",
        )
    return classes.Rows(checked.scores, checked.labels, checked.weights / checked.weights.sum())


def _every_class(checked: classes.Rows) -> None:
    k = checked.scores.shape[1]
    missing = np.setdiff1d(np.arange(k), checked.labels)
    if len(missing):
        raise errors.FitError(
            "CAL-541",
            "vector scaling needs every class among the labels",
            cause=f"{len(missing)} of {k} classes never occur, the first is {missing[0]}",
            fix="use the structured fits or temperature, which do not need it, or collect more rows",
        )


def _temperature(z: Floats, checked: classes.Rows) -> float:
    w = checked.weights
    reached = float(w @ z[np.arange(len(z)), checked.labels])

    def derivative(log_slope: float) -> float:
        p = np.exp(maps.log_softmax(math.exp(log_slope) * z))
        return reached - float(w @ (p * z).sum(axis=1))

    low, high = -RANGE, RANGE
    if derivative(low) <= 0.0:
        raise grouped.anti_ranking("temperature scaling", "the best temperature is infinite")
    if derivative(high) >= 0.0:
        raise grouped.separated("temperature scaling")
    while high - low > 1e-13:
        middle = 0.5 * (low + high)
        if derivative(middle) > 0.0:
            low = middle
        else:
            high = middle
    return math.exp(-0.5 * (low + high))


def _tempered(checked: classes.Rows, scale: scales.Scale) -> tuple[Floats, float, float]:
    z = maps.log_probabilities(checked.scores, scale)
    temperature, mixing = _temperature(z, checked), 1.0 / (checked.effective_n + 1.0)
    return maps.temper(z, temperature, mixing), temperature, mixing


def _vector(t: Floats, checked: classes.Rows, *, ridge: float) -> tuple[Floats, Floats]:
    """Slopes less 1 and biases, each of shape (K,)."""
    k = t.shape[1]

    def objective(parameters: Floats) -> tuple[float, Floats]:
        loss, residual = _loss(t + t * parameters[:k] + parameters[k:], checked)
        gradient = np.concatenate([np.einsum("nk,nk->k", residual, t), residual.sum(axis=0)])
        return loss + ridge * float(parameters @ parameters), gradient + 2.0 * ridge * parameters

    found = _descend(objective, 2 * k, "vector scaling")
    if ridge == 0.0 and objective(found)[0] < SEPARATED:
        raise grouped.separated("vector scaling")
    return found[:k], found[k:]


def _matrix(t: Floats, checked: classes.Rows, *, strength: float) -> tuple[Floats, Floats]:
    """The matrix less the identity, shape (K, K), and biases, shape (K,)."""
    k = t.shape[1]
    held = strength * k / checked.effective_n
    penalty = np.append(np.full((k, k), held * (k - 1)).ravel(), np.full(k, held))
    penalty[: k * k : k + 1] = held

    def objective(parameters: Floats) -> tuple[float, Floats]:
        matrix = parameters[: k * k].reshape(k, k)
        loss, residual = _loss(t + t @ matrix.T + parameters[k * k :], checked)
        gradient = np.append((residual.T @ t).ravel(), residual.sum(axis=0))
        return loss + float(penalty @ parameters**2), gradient + 2.0 * penalty * parameters

    found = _descend(objective, k * (k + 1), "structured matrix scaling")
    return found[: k * k].reshape(k, k), found[k * k :]


def _loss(logits: Floats, checked: classes.Rows) -> tuple[float, Floats]:
    """Weighted log loss and its derivative by the logits, shape (n, K)."""
    log_p = maps.log_softmax(logits)
    rows = np.arange(len(log_p))
    loss = -float(checked.weights @ log_p[rows, checked.labels])
    residual = np.exp(log_p)
    residual[rows, checked.labels] -= 1.0
    return loss, residual * checked.weights[:, None]


def _descend(objective: Callable[[Floats], tuple[float, Floats]], size: int, method: str) -> Floats:
    found = minimize(
        objective,
        np.zeros(size),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MAX_STEPS, "maxfun": 2 * MAX_STEPS, "ftol": 1e-14, "gtol": GRADIENT / 10.0, "maxcor": 20},
    )
    solution = np.asarray(found.x, np.float64)
    if not (np.isfinite(found.fun) and np.abs(found.jac).max() <= GRADIENT and np.abs(solution).max() < 1e3):
        raise grouped.separated(method)
    return solution


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
