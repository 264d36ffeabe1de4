"""One made-up stream of scores, the same for everybody in the run: overconfident, and too low on average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Stream:
    """Scores in (0, 1), labels 0/1 as int8, and a cohort number for each row."""

    scores: NDArray[np.float64]
    labels: NDArray[np.int8]
    cohorts: NDArray[np.int64]

    def first(self, rows: int) -> Stream:
        return Stream(self.scores[:rows], self.labels[:rows], self.cohorts[:rows])


def make(rows: int, *, cohorts: int = 1_000, seed: int = 7) -> Stream:
    """logit of the truth = 0.3 + 0.8 logit of the score, plus a small shift for each cohort."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-1.0, 1.5, rows)
    names = rng.integers(0, cohorts, rows)
    shift = rng.normal(0.0, 0.05, cohorts)
    truth = 1.0 / (1.0 + np.exp(-(0.3 + 0.8 * log_odds + shift[names])))
    labels = (rng.random(rows) < truth).astype(np.int8)
    return Stream(1.0 / (1.0 + np.exp(-log_odds)), labels, names)
