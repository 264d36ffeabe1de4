"""Summaries of joined pairs, kept by stream x partition, so that a question over months does not read events.

Promises: ``put`` replaces the summary of the same stream, partition and key, unless that one is newer (a larger
``through_seq``); ``get`` merges whole partitions and gives the same answer as a summary of all their pairs, counts
exactly, sums up to float rounding; what ``put`` returned from survives a power cut; summaries of erased or expired
partitions are gone when the removal returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from calibrant.stats import cohorts, summary


@dataclass(frozen=True, slots=True)
class SummaryKey:
    """By which fields the pairs are grouped (``model`` first, then cohort fields), and on which grid."""

    fields: tuple[str, ...]
    grid: summary.Grid = "dyadic"


@dataclass(frozen=True, slots=True)
class SummaryHeader:
    """What one partition's summary says of itself, and how many events were pairs or not, by reason.

    ``through_seq``: the change of the event log that it includes all up to. ``final``: every prediction was matured
    as of ``as_of_us``, so that only a new event can change it.
    """

    partition_us: int
    through_seq: int
    as_of_us: int
    final: bool
    counts: Mapping[str, int]


@dataclass(frozen=True, eq=False, slots=True)
class KeptSummary:
    """One partition's pairs by ``SummaryKey.fields`` (None: no pairs), and what ``SummaryHeader`` says of it."""

    partition_us: int
    pairs: cohorts.Cohorts | None
    through_seq: int
    as_of_us: int
    final: bool
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class MergedSummary:
    """Several partitions added up; ``as_of_us`` is the oldest of theirs, None when there was no partition."""

    partitions: tuple[int, ...]
    pairs: cohorts.Cohorts | None
    counts: Mapping[str, int]
    as_of_us: int | None
    final: bool


class KeptSummaries(Protocol):
    """Keeps summaries; may live in the same object as the event log."""

    def put(self, stream: str, key: SummaryKey, kept: KeptSummary) -> bool:
        """Keep a summary; False when a newer one was there, which then stays."""
        ...

    def get(
        self, stream: str, key: SummaryKey, *, start_us: int | None = None, end_us: int | None = None
    ) -> MergedSummary:
        """All partitions that start in [start, end), merged."""
        ...

    def partitions(
        self,
        stream: str,
        key: SummaryKey,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> tuple[KeptSummary, ...]:
        """Each summary of a partition that starts in [start, end), in order of time."""
        ...

    def headers(
        self,
        stream: str,
        key: SummaryKey,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
    ) -> tuple[SummaryHeader, ...]:
        """The same without the pairs, which are not read."""
        ...
