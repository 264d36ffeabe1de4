"""From a polars frame to evidence, by cohort. The same lines read pandas, pyarrow, DuckDB relations and file names."""

from __future__ import annotations

import numpy as np
import polars as pl

import calibrant

rng = np.random.default_rng(3)
country = rng.choice(["DE", "FR", "PL"], 30_000)
log_odds = rng.normal(-1.0, 1.5, 30_000)
truth = 1.0 / (1.0 + np.exp(-(log_odds - 0.6 * (country == "PL"))))  # too high in one country
frame = pl.DataFrame(
    {
        "score": 1.0 / (1.0 + np.exp(-log_odds)),
        "outcome": rng.random(30_000) < truth,
        "country": country,
    }
)

rows = calibrant.read(frame, score="score", label="outcome", cohorts=["country"])
summed = calibrant.summarise_rows(rows)
found = calibrant.assess(summed.overall, summed.cohorts)
for cohort in found.cohorts:
    print(cohort.cohort["country"], cohort.measurement.verdict.outcome, cohort.measurement.verdict.reasons[0])

advice = calibrant.recommend(rows)
print(advice.action, advice.document.calibrator.kind, advice.gain)
