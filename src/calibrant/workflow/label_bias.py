"""Whether the labels of a stream are missing at random: if they are not, pairs say nothing about the scores.

After an outage of the label feed, quick outcomes are there and slow ones are not, and what has matured is one-sided.
Waiting for the horizon does not see that. The share of labelled predictions by score does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import numpy as np

from calibrant.joining import joined, selective
from calibrant.ports import event_log
from calibrant.stats import results
from calibrant.streams import declaration
from calibrant.workflow import partitions

#: Matured predictions that are looked at, the newest first.
ROWS: Final = 5_000
Window: TypeAlias = tuple[int, int]


def coverage(
    reader: event_log.EventReader,
    stream: declaration.Stream,
    gaps: Iterable[Window],
    *,
    as_of_us: int,
    received_by_us: int | None = None,
) -> selective.Coverage | results.Insufficient:
    """Test the newest matured predictions of ``gaps``: windows, one a partition, in which some have no label."""
    scores: list[selective.Floats] = [np.zeros(0)]
    labelled = [np.zeros(0, bool)]
    for start, end in sorted(gaps, reverse=True):
        found = partitions.pairs(
            reader, stream, start_us=start, end_us=end, as_of_us=as_of_us, received_by_us=received_by_us
        )
        asked = np.isin(found.state, (joined.LABELLED, joined.UNLABELLED, joined.UNRESOLVED))
        scores.append(found.scores[asked])
        labelled.append(found.state[asked] != joined.UNLABELLED)
        if sum(map(len, scores)) >= ROWS:
            break
    return selective.coverage_of(np.concatenate(scores), np.concatenate(labelled))
