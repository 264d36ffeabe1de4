"""Do higher scores go with positive labels at all? Asked before any map is recommended."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calibrant.stats import results, summary

#: Standard normal quantile of 99 %: shuffled labels pass in one of a hundred cases.
CRITICAL = 2.326


@dataclass(frozen=True, slots=True)
class Ranking:
    """Mann-Whitney: the area under the ROC curve, and how many null standard deviations it is above 1/2."""

    auc: float
    z: float

    @property
    def evident(self) -> bool:
        """Whether the scores rank the labels beyond what shuffled labels would show (one-sided 1 %)."""
        return self.z > CRITICAL

    @property
    def reversed(self) -> bool:
        """Whether they rank them the wrong way round, by the same measure."""
        return self.z < -CRITICAL


def rank_sum(data: summary.Summary) -> Ranking | results.Insufficient:
    """The rank-sum test with ties, under the permutation null.

    Parameters
    ----------
    data
        One group; weights count as effective rows.

    Returns
    -------
    Ranking
        ``auc`` in [0, 1], ``z`` in standard deviations; Insufficient with one class or fewer than 3 rows.

    Notes
    -----
    U = sum over positives of (negatives below + half the tied ones); given N1 and N0 = N - N1 its permutation
    mean is N1 N0 / 2 and its variance N1 N0 / 12 (N + 1 - sum (t^3 - t) / (N (N - 1))), t the sizes of the ties
    (Mann and Whitney 1947, doi:10.1214/aoms/1177730491).

    Examples
    --------
    >>> found = rank_sum(summary.summarise([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], grid="distinct"))
    >>> found.auc, round(found.z, 4)
    (0.75, 0.7746)
    """
    data = data.only()
    total, squares = float(data.w.sum()), float(data.ww.sum())
    rows = total * total / squares if squares else 0.0
    ties = data.w * (rows / total) if squares else data.w
    ones = data.wy * (rows / total) if squares else data.wy
    zeros = ties - ones
    positives, negatives = float(ones.sum()), float(zeros.sum())
    if min(positives, negatives) < 0.5 or rows < 3:
        return results.Insufficient(min(positives, negatives), 1, "rows of the rarer class")
    below = np.cumsum(zeros) - zeros
    pairs = positives * negatives
    auc = float(ones @ (below + 0.5 * zeros)) / pairs
    tied = float(np.sum(np.maximum(ties**3 - ties, 0.0))) / (rows * (rows - 1.0))
    spread = math.sqrt(max(rows + 1.0 - tied, 0.0) / (12.0 * pairs))
    return Ranking(auc, (auc - 0.5) / spread if spread > 0 else 0.0)
