"""Kept summaries in a SQL store."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence

from calibrant.frames import summary_tables
from calibrant.ports import kept_summaries
from calibrant.stats import cohorts
from calibrant.storage import database, pieces, reading


def put(
    session: database.Session, stream_id: int, key: kept_summaries.SummaryKey, kept: kept_summaries.KeptSummary
) -> bool:
    """Keep a summary unless a newer one is there."""
    body = None if kept.pairs is None else pieces.encode(summary_tables.to_arrow(kept.pairs))
    changed = session.run(
        "put_summary",
        stream_id=stream_id,
        fields=_fields(key),
        grid=key.grid,
        partition_us=kept.partition_us,
        through_seq=kept.through_seq,
        as_of_us=kept.as_of_us,
        final=int(kept.final),
        counts=json.dumps(dict(kept.counts), sort_keys=True),
        body=body,
    )
    return changed > 0


def partitions(
    session: database.Session,
    stream_id: int,
    key: kept_summaries.SummaryKey,
    *,
    start_us: int | None,
    end_us: int | None,
) -> tuple[kept_summaries.KeptSummary, ...]:
    """The summaries of the partitions that start in [start, end)."""
    rows = session.rows("summaries", **_where(stream_id, key, start_us, end_us))
    return tuple(
        kept_summaries.KeptSummary(partition, _pairs(body), through, as_of, bool(final), json.loads(counts))
        for partition, through, as_of, final, counts, body in rows
    )


def headers(
    session: database.Session,
    stream_id: int,
    key: kept_summaries.SummaryKey,
    *,
    start_us: int | None,
    end_us: int | None,
) -> tuple[kept_summaries.SummaryHeader, ...]:
    """The same without their bodies."""
    rows = session.rows("summary_headers", **_where(stream_id, key, start_us, end_us))
    return tuple(
        kept_summaries.SummaryHeader(partition, through, as_of, bool(final), json.loads(counts))
        for partition, through, as_of, final, counts in rows
    )


def _where(
    stream_id: int, key: kept_summaries.SummaryKey, start_us: int | None, end_us: int | None
) -> dict[str, int | str]:
    return {
        "stream_id": stream_id,
        "fields": _fields(key),
        "grid": key.grid,
        "start_us": -reading.EVER if start_us is None else start_us,
        "end_us": reading.EVER if end_us is None else end_us,
    }


def merged(found: Sequence[kept_summaries.KeptSummary]) -> kept_summaries.MergedSummary:
    """Add them up, neighbours first, so that no large sum is copied for every small one."""
    counts: dict[str, int] = {}
    for one in found:
        for reason, n in one.counts.items():
            counts[reason] = counts.get(reason, 0) + n
    parts = [one.pairs for one in found if one.pairs is not None]
    while len(parts) > 1:
        pairs = [left + right for left, right in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[len(parts) - len(parts) % 2 :]
    return kept_summaries.MergedSummary(
        tuple(one.partition_us for one in found),
        parts[0] if parts else None,
        counts,
        min((one.as_of_us for one in found), default=None),
        all(one.final for one in found),
    )


def _fields(key: kept_summaries.SummaryKey) -> str:
    return json.dumps(list(key.fields))


@functools.lru_cache(maxsize=64)
def _pairs(body: bytes | None) -> cohorts.Cohorts | None:
    return None if body is None else summary_tables.from_arrow(pieces.decode(body)).cohorts
