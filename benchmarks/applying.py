"""Applying a fitted map to a batch, against the one numpy call that nobody gets below."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks import clock, data
from calibrant.fitting import beta, isotonic, platt
from calibrant.stats import summary

TITLE = "Applying a map to a batch of 100,000 scores"
BATCH = 100_000


def run(stream: data.Stream) -> Iterator[clock.Line]:
    made = summary.summarise(stream.scores, stream.labels, detail="counts")
    p = stream.scores[:BATCH]
    log_odds = np.log(p / (1.0 - p))
    # both arithmetic maps take two transcendental functions a score: to log-odds and back
    exp = clock.median(lambda: np.exp(log_odds), times=15)
    for name, fitted in (("Platt", platt.fit(made)), ("beta", beta.fit(made))):
        yield clock.Line(
            name, clock.median(lambda fitted=fitted: fitted.apply(p), times=15), "np.exp", exp,
            clock.Goal("within", 1.5),
            note="the map is a logarithm of the odds, a line and an exponential: more than one np.exp by nature",
        )  # fmt: skip
    for name, fitted in (("isotonic", isotonic.fit(made)), ("centered isotonic", isotonic.fit_centered(made))):
        knots = np.asarray(fitted.thresholds if hasattr(fitted, "thresholds") else fitted.knots)
        values = np.asarray(fitted.values)
        yield clock.Line(
            f"{name}, {len(knots)} knots",
            clock.median(lambda fitted=fitted: fitted.apply(p), times=15),
            "np.interp on the same knots",
            clock.median(lambda knots=knots, values=values: np.interp(p, knots, values), times=15),
            clock.Goal("within", 1.5),
        )
