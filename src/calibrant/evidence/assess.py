"""Assess a stream: the whole, each cohort, and one verdict with its reasons."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pyarrow as pa

from calibrant.evidence import measurement, notebook, verdict
from calibrant.stats import cohorts as cohort_stacks
from calibrant.stats import summary as summaries

SCHEMA = "calibrant.evidence/1"


@dataclass(frozen=True, slots=True)
class CohortEvidence:
    """One cohort (field -> value) and what was measured in it."""

    cohort: Mapping[str, str]
    measurement: measurement.Measurement

    def to_dict(self) -> dict[str, Any]:
        return {"cohort": dict(self.cohort), **self.measurement.to_dict()}


class CohortTable(Sequence[CohortEvidence]):
    """All cohorts in order of the evidence against them, strongest first; each is put into words when looked at."""

    def __init__(self, cohorts: cohort_stacks.Cohorts, measurements: measurement.Measurements) -> None:
        self._cohorts = cohorts
        self._measurements = measurements
        self._order = np.argsort(measurements.verdicts.p_values, kind="stable")
        self.outcomes: Mapping[str, int] = Counter(measurements.verdicts.outcomes.tolist())

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> CohortEvidence: ...

    @overload
    def __getitem__(self, index: slice) -> list[CohortEvidence]: ...

    def __getitem__(self, index: int | slice) -> CohortEvidence | list[CohortEvidence]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        g = int(self._order[index])
        names = dict(zip(self._cohorts.fields, self._cohorts.keys[g], strict=True))
        return CohortEvidence(names, self._measurements[g])


@dataclass(frozen=True, slots=True)
class Evidence:
    """The document that a decision rests on.

    ``cohorts`` come in order of evidence against them, strongest first. ``about`` carries what the caller knows
    of the data (source, window, digest ...), as plain strings and numbers.
    """

    overall: measurement.Measurement
    cohorts: Sequence[CohortEvidence]
    tolerance: float
    level: float
    seed: int
    about: Mapping[str, str | int | float | None]

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many cohorts have each verdict."""
        if isinstance(self.cohorts, CohortTable):
            return self.cohorts.outcomes
        return Counter(cohort.measurement.verdict.outcome for cohort in self.cohorts)

    @property
    def verdict(self) -> verdict.Outcome:
        """Miscalibrated if the whole or any cohort is; else what the whole is."""
        return "miscalibrated" if self.outcomes.get("miscalibrated") else self.overall.verdict.outcome

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form (docs: evidence schema)."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "tolerance": self.tolerance,
            "level": self.level,
            "seed": self.seed,
            "about": dict(self.about),
            "overall": self.overall.to_dict(),
            "cohorts": [cohort.to_dict() for cohort in self.cohorts],
        }

    def json(self) -> str:
        """``to_dict`` as JSON text."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_frame(self) -> pa.Table:
        """One row for the whole (its cohort fields are null) and one per cohort, with the main numbers as columns."""
        fields = sorted({field for cohort in self.cohorts for field in cohort.cohort})
        groups = [({}, self.overall), *((member.cohort, member.measurement) for member in self.cohorts)]
        rows = [
            {
                **{field: names.get(field) for field in fields},
                **{name: value for name, value in found.to_dict().items() if not isinstance(value, (dict, list))},
                "slope": found.to_dict()["slope"]["value"],
                "intercept": found.to_dict()["intercept"]["value"],
            }
            for names, found in groups
        ]
        return pa.Table.from_pylist(rows)

    def _repr_html_(self) -> str:
        return notebook.render(self)


def assess(
    overall: summaries.Summary,
    cohorts: cohort_stacks.Cohorts | None = None,
    *,
    tolerance: float = 0.02,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = measurement.RESAMPLES,
    about: Mapping[str, str | int | float | None] | None = None,
) -> Evidence:
    """Assess a summary and, if given, its cohorts.

    Parameters
    ----------
    overall
        Summary of all rows, one group.
    cohorts
        The same rows stacked by cohort.
    tolerance
        Miscalibration that nobody minds, in units of probability, in (0, 1).
    level
        Confidence of intervals and verdicts.
    seed
        Of the resampling behind some intervals; the same seed gives the same document.
    resamples
        How many resamples make those intervals, at least 20.
    about
        What is known of the data, copied into the document.
    """
    rng = np.random.default_rng(seed)
    whole = measurement.measure(overall, tolerance=tolerance, level=level, rng=rng, resamples=resamples)
    if cohorts is None:
        return Evidence(whole, (), tolerance, level, seed, dict(about or {}))
    measured = measurement.measure_groups(cohorts.summary, tolerance=tolerance, level=level)
    return Evidence(whole, CohortTable(cohorts, measured), tolerance, level, seed, dict(about or {}))
