"""What diagnosis wants to know of the registry: what is bound, how it came there, how well that is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from calibrant.artifacts import document
from calibrant.audit import entries
from calibrant.calibrators import by_cohort, kinds
from calibrant.diagnosis import facts
from calibrant.ports import contents, control_store
from calibrant.registry import artifacts, bindings, environments, principals
from calibrant.slo import alerts
from calibrant.streams import declaration
from calibrant.workflow import history


def gather(
    reader: control_store.ControlReader,
    kept: contents.Contents,
    stream: declaration.Stream,
    environment: str,
    *,
    now_us: int,
) -> tuple[facts.History, kinds.Kind | None]:
    """What was recorded of a stream in an environment, and the champion's map."""
    target = bindings.name(stream.name, environment)
    with reader.snapshot() as state:
        named = {one.name: artifacts.read(one) for one in state.browse(artifacts.KIND, prefix=stream.name + "@")}
        documents = {name: document.loads(kept.get(one.digest)) for name, one in named.items()}
        tenures = history.tenures(state, target)
        champion = tenures[-1].binding.champion if tenures else None
        place = state.get(environments.KIND, environment)
        uncovered, since_us = _uncovered(state)
        recorded = facts.History(
            now_us=now_us,
            champion=None if champion is None else _champion(named, documents, champion, tenures),
            steps=_steps(state, tenures, documents),
            drafted=len(named),
            approvals=None if place is None or place.body is None else environments.approvals(place),
            uncovered=uncovered,
            uncovered_since_us=since_us,
            fired_us=_fired(state, stream.name),
        )
    return recorded, None if champion is None else documents[champion.artifact].calibrator


def _champion(
    named: Mapping[str, artifacts.Status],
    documents: Mapping[str, document.Artifact],
    ref: bindings.Ref,
    tenures: tuple[history.Tenure, ...],
) -> facts.Champion:
    status, artifact = named[ref.artifact], documents[ref.artifact]
    pooled: Any = artifact.calibrator
    members: list[Any] = [pooled]
    if isinstance(artifact.calibrator, by_cohort.ByCohort):
        pooled = artifact.calibrator.pooled
        members = [pooled, *(member for _, member in artifact.calibrator.maps)]
    threshold = artifact.thresholds[0] if artifact.thresholds else None
    return facts.Champion(
        name=ref.artifact,
        state=status.state,
        signatures=len(status.signatures),
        kind=pooled.kind,
        by_cohort=isinstance(artifact.calibrator, by_cohort.ByCohort),
        knots=sum(len(getattr(one, "knots", ()) or getattr(one, "thresholds", ())) for one in members),
        rows=artifact.provenance.rows,
        bound_us=_since(tenures, ref),
        sealed_us=artifact.sealed_at_us,
        expires_us=status.expires_us,
        objective=None if threshold is None else threshold.objective,
        threshold=None if threshold is None else threshold.value,
    )


def _since(tenures: tuple[history.Tenure, ...], ref: bindings.Ref) -> int:
    """When the champion of now became champion for the last time."""
    since = tenures[-1].since_us
    for one in reversed(tenures):
        if one.binding.champion != ref:
            break
        since = one.since_us
    return since


def _steps(
    reader: control_store.ControlReader,
    tenures: tuple[history.Tenure, ...],
    documents: Mapping[str, document.Artifact],
) -> tuple[facts.Step, ...]:
    found, seen, before = [], set(), None
    for one in tenures:
        champion = one.binding.champion
        action: Literal["promote", "rollback", "assign"] = "assign"
        if "rollback" in one.action or "revoke" in one.action:
            action = "rollback"
        elif champion is not None and champion != before:
            action = "promote"
        thresholds = () if champion is None else documents[champion.artifact].thresholds
        found.append(
            facts.Step(
                one.since_us,
                action,
                one.binding,
                tried=champion in seen,
                said=one.said is not None,
                by_person=_is_person(reader, one.actor),
                threshold=thresholds[0].value if thresholds else None,
            )
        )
        seen |= {one.binding.shadow, one.binding.challenger}
        before = champion
    return tuple(found)


def _is_person(reader: control_store.ControlReader, actor: str) -> bool:
    found = reader.get(principals.KIND, actor)
    return found is None or found.body is None or principals.read(found).type == "person"


def _fired(reader: control_store.ControlReader, stream: str) -> tuple[int, ...]:
    """When alerts of the stream began to fire, each time that they did."""
    every = (
        alerts.from_body(revision.body)
        for one in reader.browse(alerts.KIND, prefix=f"{stream}/")
        for revision in reader.history(alerts.KIND, one.name)
        if revision.body is not None
    )
    return tuple(sorted({one.fired_us for one in every}))


def _uncovered(reader: control_store.ControlReader) -> tuple[int, int | None]:
    """Entries of the log without a checkpoint, and since when the oldest of them waits."""
    newest = reader.newest_checkpoint()
    covered, size = 0 if newest is None else newest.size, reader.size()
    if covered >= size:
        return 0, None
    return size - covered, entries.loads(next(iter(reader.entries(covered, covered + 1)))).at_us
