"""Which values of a cohort field count: decided for a whole window, not for its partitions."""

from __future__ import annotations

from calibrant.joining import caps
from calibrant.stats import cohorts as stacked
from calibrant.streams import declaration


def capped(found: stacked.Cohorts, stream: declaration.Stream) -> stacked.Cohorts:
    """The cohorts with at most the declared number of values of each field, by pairs; the others are ``__other__``.

    Whether a value stays is decided over the whole window, so that merged partitions answer as one join would.
    """
    rows, keys = found.summary.rows.tolist(), found.keys
    for place, one in enumerate(stream.cohorts, 1):
        many: dict[str, int] = {}
        for key, n in zip(keys, rows, strict=True):
            many[key[place]] = many.get(key[place], 0) + n
        allowed = caps.most_frequent(many.items(), one.cap)
        if allowed is not None:
            keys = tuple(
                key if key[place] in allowed else (*key[:place], caps.OTHER, *key[place + 1 :]) for key in keys
            )
    return found if keys == found.keys else found.renamed(found.fields, keys)
