"""Beta calibration with the sign constraints solved exactly."""

from __future__ import annotations

import numpy as np

from calibrant.calibrators import beta as maps
from calibrant.calibrators import scales
from calibrant.fitting import grouped
from calibrant.stats import logistic, summary


def fit(data: summary.Summary, *, scale: scales.Scale = scales.Scale()) -> maps.Beta:
    """Maximum likelihood of logit q = c + a ln p - b ln(1 - p), a >= 0, b >= 0.

    Parameters
    ----------
    data
        One group; labels 0/1 (or shares), any weights.
    scale
        The scale of the raw scores that the map will read; the summary holds them in [0, 1].

    Raises
    ------
    FitError
        CAL-501 to CAL-503 as ``grouped.read``; CAL-504 if a = b = 0 is best (a constant: the scores do not
        rank); CAL-505 if the likelihood has no finite maximum.

    Notes
    -----
    The likelihood is concave, so the constrained maximum is the free maximum if that is admissible, and
    otherwise the best of the admissible maxima with a = 0, with b = 0, and with both: each is fitted and
    compared, so a coefficient that was dropped comes back when it should (Kull, Silva Filho, Flach 2017,
    doi:10.1214/17-EJS1338SI).

    Examples
    --------
    >>> scores, labels = [0.2] * 50 + [0.5] * 50 + [0.8] * 50, ([1] * 20 + [0] * 30) * 2 + [1] * 30 + [0] * 20
    >>> map = fit(summary.summarise(scores, labels, grid="distinct"))
    >>> map.a, bool(map.b > 0)   # a line through the first two points would fall: a is held at 0
    (0.0, True)
    """
    found = grouped.read(data)
    p = np.clip(found.p, scales.EPSILON, 1.0 - scales.EPSILON)
    columns = np.stack([np.log(p), -np.log1p(-p), np.ones_like(p)], axis=1)
    full = _face(found, columns, (0, 1))
    if full is not None:
        a, b, c = full
        if a >= 0.0 and b >= 0.0 and a + b > 0.0:
            return maps.Beta(a, b, c, scale)
    edges = [face for face in (_face(found, columns, (0,)), _face(found, columns, (1,))) if face is not None]
    if not edges:
        raise grouped.separated("beta calibration")
    rising = [face for face in edges if min(face[:2]) >= 0.0 and max(face[:2]) > 0.0]
    if not rising:
        raise grouped.anti_ranking("beta calibration", "a = b = 0 is the best admissible fit")
    if full is None and len(found.x) > 2:
        raise grouped.separated("beta calibration")
    best = max(rising, key=lambda face: grouped.likelihood(found, columns @ np.asarray(face)))
    return maps.Beta(*best, scale)


def _face(data: grouped.Grouped, columns: grouped.Floats, free: tuple[int, ...]) -> tuple[float, float, float] | None:
    """The maximum (a, b, c) with only the ``free`` ones of a and b not held at 0; None if there is none."""
    used = [*free, 2]
    result = logistic.fit(columns[:, used], data.wy, data.w)
    if not result.converged:
        return None
    parameters = np.zeros(3)
    parameters[used] = result.coefficients
    return float(parameters[0]), float(parameters[1]), float(parameters[2])
