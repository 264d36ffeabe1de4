"""Watching a stream: matured pairs go through the monitors once, in order, and what they say survives a restart.

Only whole partitions of which every prediction has matured are taken, oldest first, and the rows of each by time and
identity: so the order does not depend on when labels came or how events are stored, labels that come unevenly late
fake nothing, and a replay gives the same state to the last bit. The price is the horizon: what happens today is known
when today's labels can no longer change. Losses of telemetry and of labels are told at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibrant.advice import effects, memory
from calibrant.calibrators import by_cohort, kinds
from calibrant.joining import caps, contract, joined, reference
from calibrant.ports import event_log, working_state
from calibrant.registry import bindings
from calibrant.stats.sequential import monitor
from calibrant.streams import declaration
from calibrant.workflow import partitions

KIND: Final = "watch"
#: The group of all rows.
ALL: Final = "all"
#: Rows in which a change may be reported falsely with probability alpha at most.
CHANGE_ROWS: Final = 1_000_000.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Watch:
    """What is kept of a stream between two looks.

    Partitions that start before ``through_us`` have been taken. The monitors watch the rule with the digest
    ``champion`` (None: raw scores as they are) and begin anew when another one serves; ``names`` are their groups.
    ``fitted_us`` is when a candidate was last looked for.
    """

    through_us: int | None
    champion: str | None
    names: tuple[str, ...]
    monitors: monitor.MonitorState
    remembered: memory.Memory = field(default_factory=memory.Memory)
    fitted_us: int | None = None

    def to_body(self) -> dict[str, Any]:
        return {
            "through_us": self.through_us,
            "champion": self.champion,
            "names": list(self.names),
            "monitors": self.monitors.to_dict(),
            "remembered": self.remembered.to_dict(),
            "fitted_us": self.fitted_us,
        }

    @classmethod
    def from_body(cls, found: Mapping[str, Any]) -> Watch:
        return cls(
            found["through_us"],
            found["champion"],
            tuple(found["names"]),
            monitor.MonitorState.from_dict(found["monitors"]),
            memory.Memory.from_dict(found["remembered"]),
            found["fitted_us"],
        )


@dataclass(frozen=True, slots=True)
class Alarm:
    """A group that is off beyond the tolerance, with the evidence for it; ``changed`` since the rule began to serve."""

    name: str
    e_value: float
    p_value: float
    rows: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Signs:
    """What needs no outcome: telemetry is lost when nothing came for too long; labels, when none did."""

    silent_us: int | None
    no_data: bool
    last_label_us: int | None


def begin(stream: declaration.Stream, *, champion: str | None) -> Watch:
    """Nothing seen yet."""
    started = monitor.start(1, tolerance=stream.policies.watch.tolerance)
    return Watch(None, champion, (ALL,), started)


def recall(state: working_state.WorkingState, stream: declaration.Stream, *, champion: str | None) -> tuple[Watch, int]:
    """The watch of a stream and its revision; a new one where nothing is kept (revision 0)."""
    found = state.recall(KIND, stream.name)
    if found is None:
        return begin(stream, champion=champion), 0
    return Watch.from_body(found.body), found.revision


def keep(state: working_state.WorkingState, stream: declaration.Stream, watch: Watch, *, expected: int) -> int:
    """Keep it; the new revision. ConflictError when another controller went on with it."""
    return state.remember(KIND, stream.name, watch.to_body(), expected=expected).revision


def serving(watch: Watch, champion: bindings.Ref | None) -> Watch:
    """The watch of what serves now: anew, if that is another rule than the one that was watched."""
    digest = None if champion is None else champion.digest
    if digest == watch.champion:
        return watch
    return replace(watch, champion=digest, monitors=watch.monitors.restart())


def take(
    reader: event_log.EventReader,
    stream: declaration.Stream,
    watch: Watch,
    *,
    rule: kinds.Kind,
    now_us: int,
    most: int | None = None,
) -> Watch:
    """The watch after every further partition that has matured as a whole, at most ``most`` of them."""
    due = matured_partitions(reader, stream, since_us=watch.through_us, now_us=now_us)
    for found, end_us in itertools.islice(due, most):
        watch = replace(_taken(watch, stream, found, rule), through_us=end_us)
    return watch


def matured_partitions(
    reader: event_log.EventReader, stream: declaration.Stream, *, since_us: int | None, now_us: int
) -> Iterator[tuple[reference.Pairs, int]]:
    """Every partition from ``since_us`` on whose predictions have all matured, oldest first, with its end."""
    horizon, width = contract.horizon_us(stream.labels), reader.partition_width_us(stream.name)
    for start in partitions.starts(reader, stream, start_us=since_us, end_us=now_us - horizon):
        if start + width + horizon <= now_us and (since_us is None or start >= since_us):
            end = start + width
            yield partitions.pairs(reader, stream, start_us=start, end_us=end, as_of_us=now_us), end


def order(found: reference.Pairs) -> NDArray[np.int64]:
    """The pairs that have an outcome, by time and then by identity, which is how they come."""
    mine = np.flatnonzero(found.state <= joined.IMPLICIT)
    return mine[np.lexsort((mine, found.table["at_us"].to_numpy()[mine]))]


def alarms(watch: Watch, stream: declaration.Stream) -> tuple[Alarm, ...]:
    """Groups that are off, strongest evidence first: if all are healthy, any ever with probability alpha at most."""
    states = watch.monitors
    off = states.alarms(stream.policies.watch.alpha)
    changed = states.changes(stream.policies.watch.alpha, within=CHANGE_ROWS)
    found = [
        Alarm(name, float(e), float(p), int(n), bool(moved))
        for name, e, p, n, moved, is_off in zip(
            watch.names, states.e_values, states.p_values, states.rows, changed, off, strict=True
        )
        if is_off
    ]
    return tuple(sorted(found, key=lambda one: -one.e_value))


def signs(counts: event_log.Counts, stream: declaration.Stream, *, now_us: int) -> Signs:
    """Whether predictions still come. A stream that never had one has lost nothing."""
    silent = None if counts.last_at_us is None else now_us - counts.last_at_us
    limit = stream.policies.watch.silence // contract.MICROSECOND
    return Signs(silent, silent is not None and silent > limit, counts.last_label_us)


def _taken(watch: Watch, stream: declaration.Stream, found: reference.Pairs, rule: kinds.Kind) -> Watch:
    """The rows of one partition: each counts for all rows, and for each of its cohorts."""
    mine = order(found)
    if not len(mine):
        return watch
    served = answers(found, rule)[mine]
    names, codes = _groups(found, mine, stream, watch.names)
    states = watch.monitors.grow(len(names)) if len(names) > len(watch.names) else watch.monitors
    values = found.value[mine]
    times = 1 + len(codes)
    taken = monitor.update(
        states,
        np.tile(served, times),
        np.tile(values, times),
        groups=np.concatenate([np.zeros(len(mine), np.int64), *codes]),
    )
    return replace(watch, names=names, monitors=taken)


def answers(found: reference.Pairs, rule: kinds.Kind) -> Floats:
    """What a rule says for the raw score of every pair."""
    reads = effects.on_probability(rule)
    if not isinstance(rule, by_cohort.ByCohort):
        return np.asarray(reads.apply(found.scores))
    declared = [field for field in rule.fields if field != "model"]
    encoded = dict(zip(declared, reference.attributes(found.table["cohorts"], declared), strict=True))
    columns = [
        np.asarray(found.table["model"].to_pylist(), object)
        if field == "model"
        else np.asarray(encoded[field][1].to_pylist(), object)[encoded[field][0]]
        for field in rule.fields
    ]
    return np.asarray(reads.apply(found.scores, columns))


def _groups(
    found: reference.Pairs, mine: NDArray[np.int64], stream: declaration.Stream, known: tuple[str, ...]
) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """Names of groups, old ones first, and for each cohort field the group of each row; past the cap all others."""
    names = list(known)
    places = {name: place for place, name in enumerate(names)}
    codes = []
    encoded = reference.attributes(found.table["cohorts"], stream.cohort_fields)
    for declared, (place, words) in zip(stream.cohorts, encoded, strict=True):
        mapped = np.zeros(len(words), np.int64)
        kept = sum(name.startswith(f"{declared.field}=") for name in names)
        for index in np.unique(place[mine]).tolist():
            name = f"{declared.field}={words[index].as_py()}"
            if name not in places and kept >= declared.cap:
                name = f"{declared.field}={caps.OTHER}"
            if name not in places:
                places[name] = len(names)
                names.append(name)
                kept += 1
            mapped[index] = places[name]
        codes.append(mapped[place[mine]])
    return tuple(names), codes
