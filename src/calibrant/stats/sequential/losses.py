"""Differences of the losses of two maps, with the bound that a sequential comparison needs."""

from __future__ import annotations

from typing import Literal, assert_never

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant import errors

Floats = NDArray[np.float64]

#: ``log`` in nats, ``brier`` in squared probability.
Loss = Literal["log", "brier"]
#: Probabilities are kept this far from 0 and 1 before the logarithm: otherwise one row could outweigh all others.
FLOOR = 1e-3
#: A bound is at least this: a comparison divides by it.
LEAST = 1e-9


def differences(
    labels: ArrayLike, incumbent: ArrayLike, candidate: ArrayLike, *, loss: Loss = "log", floor: float = FLOOR
) -> Floats:
    """loss(incumbent) - loss(candidate) of each row, shape (n,): positive where the candidate is better.

    Parameters
    ----------
    labels
        Shape (n,), in [0, 1].
    incumbent, candidate
        Shape (n,), probabilities that the two maps give to the same raw scores.
    loss
        Log loss by default: margins are declared in nats and it is what maps are fitted by. It is unbounded, so
        probabilities are clipped to [floor, 1 - floor] first; the Brier score needs no clipping and hardly sees
        what happens to rare events.

    Examples
    --------
    >>> differences([1, 0], [0.5, 0.5], [0.8, 0.2]).round(3)
    array([0.47, 0.47])
    """
    y = np.asarray(labels, np.float64)
    for_one, for_zero = _by_label(np.asarray(incumbent, np.float64), np.asarray(candidate, np.float64), loss, floor)
    return y * for_one + (1.0 - y) * for_zero


def bound(incumbent: ArrayLike, candidate: ArrayLike, *, loss: Loss = "log", floor: float = FLOOR) -> float:
    """The largest difference that any row can have, known from the two maps before any row is.

    Parameters
    ----------
    incumbent, candidate
        Shape (k,): both maps, which do not fall, applied to the same rising scores, from the lowest possible score
        to the highest.

    Notes
    -----
    Between two neighbouring scores a map that does not fall stays between its values there; the bound takes the
    worst of these, so it holds for every score, not only for those in the table. Never 0, also for equal maps.

    Examples
    --------
    >>> round(bound([0.1, 0.5, 0.9], [0.1, 0.5, 0.9], loss="brier"), 2), round(bound([0.2, 0.2], [0.3, 0.3]), 3)
    (0.56, 0.405)
    """
    one, other = np.asarray(incumbent, np.float64), np.asarray(candidate, np.float64)
    if (np.diff(one) < 0.0).any() or (np.diff(other) < 0.0).any() or len(one) != len(other) or len(one) < 2:
        raise errors.UsageError(
            "CAL-478",
            "a bound of loss differences needs two maps that do not fall, on the same rising scores",
            cause=f"the tables have {len(one)} and {len(other)} entries, or one of them falls",
            fix="apply both maps to the same rising scores, from the lowest possible to the highest",
        )
    corners = [_by_label(one[:-1], other[1:], loss, floor), _by_label(one[1:], other[:-1], loss, floor)]
    return max(float(np.abs(np.array(corners)).max()), LEAST)


def _by_label(incumbent: Floats, candidate: Floats, loss: Loss, floor: float) -> tuple[Floats, Floats]:
    """The differences if the label is 1 and if it is 0."""
    match loss:
        case "log":
            p, q = np.clip(incumbent, floor, 1.0 - floor), np.clip(candidate, floor, 1.0 - floor)
            return np.log(q / p), np.log((1.0 - q) / (1.0 - p))
        case "brier":
            return (1.0 - incumbent) ** 2 - (1.0 - candidate) ** 2, incumbent**2 - candidate**2
        case _:
            assert_never(loss)
