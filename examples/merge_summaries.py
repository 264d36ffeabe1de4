"""Summaries add up: each machine (or day) summarises its own rows, and the sum is what all rows would have given."""

from __future__ import annotations

import json

import numpy as np

import calibrant
from calibrant.fitting import beta

rng = np.random.default_rng(2)


def one_day(rows: int) -> calibrant.Summary:
    scores = rng.beta(1.0, 3.0, rows)
    return calibrant.summarise(scores, rng.random(rows) < scores**1.3)


days = [one_day(100_000) for _ in range(7)]
sent = [json.dumps(day.to_dict()) for day in days]  # a few hundred kilobytes each, whatever the number of rows
week = sum((calibrant.Summary.from_dict(json.loads(text)) for text in sent[1:]), days[0])
print(f"{int(week.rows[0]):,} rows in {len(week.keys):,} cells")

without_first = week - days[0]  # a window that slides: add the new day, take the old one away
print(f"{int(without_first.rows[0]):,} rows after the first day left")
print(beta.fit(without_first))
