"""Fit a map from arrays, save it, read it back, apply it: the whole life of a calibrator without a dataframe."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import calibrant
from calibrant.calibrators import codec
from calibrant.fitting import platt

rng = np.random.default_rng(1)
log_odds = rng.normal(-1.0, 1.8, 20_000)
scores = 1.0 / (1.0 + np.exp(-log_odds))
labels = rng.random(20_000) < 1.0 / (1.0 + np.exp(-0.6 * log_odds))  # the scores are overconfident

summary = calibrant.summarise(scores, labels)
fitted = platt.fit(summary)
print(f"slope {fitted.slope:.3f}, intercept {fitted.intercept:.3f}")

file = Path("calibrator.json")
file.write_bytes(codec.dumps(codec.Document(fitted, provenance={"rows": len(scores)})))
read_back = codec.loads(file.read_bytes()).calibrator
print("0.95 becomes", read_back.apply([0.95]).round(3))
