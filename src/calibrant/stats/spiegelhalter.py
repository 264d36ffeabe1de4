"""Spiegelhalter's Z: is the Brier score the one that these scores expect?"""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import ndtr

from calibrant.stats import results
from calibrant.stats import summary as summaries

#: Rows of equal weight below which the normal approximation is not used.
FEWEST = 10
#: Variance per row below which the scores say nothing (all of them are 0, 1/2 or 1).
NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class Spiegelhalter:
    """The statistic and its two-sided p-value; z > 0: the Brier score is worse than the scores promise."""

    z: float
    p_value: float


def spiegelhalter(summary: summaries.Summary) -> Spiegelhalter | results.Insufficient:
    """Test of exact calibration through the Brier score. Blind to misfit that is symmetric about 1/2.

    Parameters
    ----------
    summary
        One group.

    Returns
    -------
    Spiegelhalter | Insufficient
        ``Insufficient`` below 10 effective rows, or if all scores are 0, 1/2 or 1.

    Notes
    -----
    z = sum w (y - p)(1 - 2p) / sqrt(sum w^2 (1 - 2p)^2 p (1 - p)), standard normal under calibration. The
    numerator is exact on both grids, the denominator to the width of a cell on the dyadic one.

    References
    ----------
    Spiegelhalter 1986, doi:10.1002/sim.4780050506.

    Examples
    --------
    >>> found = spiegelhalter(summaries.summarise([0.1] * 100, [1] * 10 + [0] * 90))
    >>> abs(round(found.z, 6)), round(found.p_value, 6)
    (0.0, 1.0)
    """
    rows = float(summary.only().effective_n[0])
    if rows < FEWEST:
        return results.Insufficient(rows, FEWEST, "effective rows")
    wy, wp, wpp, wpy = (float(summary.total(name)[0]) for name in ("wy", "wp", "wpp", "wpy"))
    v = summary.wwv / summary.ww
    # (1 - 2p)^2 p (1 - p) = v - 4 v^2 with v = p (1 - p)
    variance = float((summary.wwv - 4.0 * summary.ww * v**2).sum())
    if variance <= NOTHING * float(summary.ww.sum()):
        return results.Insufficient(0, 1, "scores other than 0, 1/2 and 1")
    z = (wy - wp - 2.0 * wpy + 2.0 * wpp) / variance**0.5
    return Spiegelhalter(z, float(2.0 * ndtr(-abs(z))))
