"""What checks look at. Every section may be missing: then the checks that need it say so, and find nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from calibrant.evidence import assess, drift
from calibrant.joining import joined, selective
from calibrant.registry import bindings
from calibrant.stats import results
from calibrant.streams import declaration

Section = Literal["stream", "events", "evidence", "drift", "history", "watching"]


@dataclass(frozen=True, slots=True)
class Arm:
    """Units of one arm of a canary, and how many predictions of each cohort value it has."""

    name: str
    units: int
    cohorts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Events:
    """What came in during the window that is looked at, and when anything came last.

    ``lag_us`` are quantiles of the time to the first label. ``served`` predictions carry a served score, ``decided``
    ones a decision. ``compared`` predictions have labels of several sources, ``disagreeing`` of them different ones.
    ``values`` counts the values of each declared cohort field, with "" where it is missing. ``overflow`` counts
    pairs past its cap. ``in_both_arms`` are units that were seen in more than one arm.
    """

    now_us: int
    join: joined.JoinCounts
    labels: int
    orphans: int
    rejected: int
    first_at_us: int | None
    last_at_us: int | None
    last_label_us: int | None
    lag_us: Mapping[float, int]
    coverage: selective.Coverage | results.Insufficient
    served: int = 0
    decided: int = 0
    compared: int = 0
    disagreeing: int = 0
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    overflow: Mapping[str, int] = field(default_factory=dict)
    arms: tuple[Arm, ...] = ()
    in_both_arms: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the window by itself, or (not ``current``) of the one before; all are judged together."""

    start_us: int
    n: int
    outcome: str
    gap: float
    current: bool = True


@dataclass(frozen=True, slots=True)
class Evidence:
    """Matured evidence of what acts: the champion's answers, or the raw scores where nothing is bound.

    ``lowest`` and ``highest`` are the ends of the raw scores, as probabilities. ``live_gain`` is what the champion
    gains over the raw scores on pairs since it was bound, in nats a row. ``precision`` and ``alert_rate`` are those of
    its threshold.
    """

    served: assess.Evidence
    lowest: float
    highest: float
    live_gain: results.Measured | None = None
    precision: results.Measured | None = None
    alert_rate: results.Measured | None = None
    slices: tuple[Slice, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """The window compared with the one before it and, if that is known, with the same season before.

    ``ranking_lost`` is the fall of the AUC from the window before.
    """

    before: drift.Drift
    season: drift.Drift | None = None
    ranking_lost: results.Measured | None = None


@dataclass(frozen=True, slots=True)
class Champion:
    """What is bound. ``kind`` is that of its map or, by cohort, of the pooled one; ``knots`` of all its maps."""

    name: str
    state: str
    signatures: int
    kind: str
    by_cohort: bool
    knots: int
    rows: int
    bound_us: int
    sealed_us: int
    expires_us: int | None
    objective: str | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the binding. ``tried``: its champion was shadow or challenger before; ``said``: with a reason."""

    at_us: int
    action: Literal["promote", "rollback", "assign"]
    binding: bindings.Binding
    tried: bool = False
    said: bool = False
    by_person: bool = True
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What the registry recorded of one environment.

    ``uncovered`` entries of the log have no checkpoint yet. ``fired_us`` are the times at which alerts began to fire.
    """

    now_us: int
    champion: Champion | None = None
    steps: tuple[Step, ...] = ()
    drafted: int = 0
    approvals: int | None = None
    uncovered: int = 0
    uncovered_since_us: int | None = None
    fired_us: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Watching:
    """When a look of a controller at the stream last came to its end; None if none ever did."""

    now_us: int
    looked_us: int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is known of a stream now."""

    stream: declaration.Stream | None = None
    events: Events | None = None
    evidence: Evidence | None = None
    drift: Drift | None = None
    history: History | None = None
    watching: Watching | None = None
