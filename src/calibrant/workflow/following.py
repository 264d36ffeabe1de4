"""A promoted map follows the labels by itself: small signed steps inside the envelope that was promoted with it.

Each step is a child artifact, sealed, signed, bound and on record like any other, without a rollout: its anchor passed
the gate with the envelope. A paired comparison of what served against the anchor runs all the time; if the anchor is
better, it comes back. A map that wants out of its envelope stays at the edge, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from calibrant.artifacts import document, envelope, keys
from calibrant.calibrators import canonical, identity, kinds, logistic
from calibrant.fitting import online
from calibrant.joining import contract
from calibrant.ports import contents, event_log, working_state
from calibrant.registry import artifacts, bindings, principals, refusals
from calibrant.stats.sequential import losses, paired
from calibrant.streams import declaration, policies
from calibrant.workflow import artifact_files, fitted_artifacts, partitions, watching
from calibrant.workflow import ledger as ledgers

KIND: Final = "following"
#: Scores on which the bound of loss differences is looked for.
_TABLE: Final = np.linspace(0.0, 1.0, 2_001)
_MOST_ANCHORS: Final = 10_000

Outcome = Literal["nothing", "followed", "at_the_edge", "back_to_the_anchor"]


@dataclass(frozen=True, eq=False, slots=True)
class Following:
    """What is kept between two steps: of which anchor, the line on its way, and the comparison with the anchor.

    ``stepped_us`` is when the last child was made, ``through_us`` the end of the labels that were taken.
    """

    anchor: str
    through_us: int
    stepped_us: int
    line: online.OnlineState
    against: paired.PairedState

    def to_body(self) -> dict[str, Any]:
        return {
            "anchor": self.anchor,
            "through_us": self.through_us,
            "stepped_us": self.stepped_us,
            "line": self.line.to_dict(),
            "against": self.against.to_dict(),
        }

    @classmethod
    def from_body(cls, found: Mapping[str, Any]) -> Following:
        return cls(
            found["anchor"],
            found["through_us"],
            found["stepped_us"],
            online.OnlineState.from_dict(found["line"]),
            paired.PairedState.from_dict(found["against"]),
        )


@dataclass(frozen=True, slots=True)
class Moved:
    """What a step did, and the binding's champion after it."""

    outcome: Outcome
    champion: bindings.Ref | None
    rows: int


def envelope_of(policy: policies.OnlinePolicy) -> envelope.Envelope | None:
    """The envelope that artifacts of a stream are drafted with; None where maps stay as they are."""
    if not policy.enabled:
        return None
    half_life = policy.half_life // contract.MICROSECOND
    return envelope.Envelope(policy.step, policy.slope, policy.intercept, half_life)


def step(
    ledger: ledgers.Ledger,
    state: working_state.WorkingState,
    kept: contents.Contents,
    events: event_log.EventReader,
    stream: declaration.Stream,
    environment: str,
    *,
    key: keys.PrivateKey,
    by: principals.Principal,
    now_us: int,
) -> Moved:
    """Take what has matured, and when a step is due, make the next child and bind it.

    Does nothing for a champion that was not promoted with an envelope.
    """
    target = bindings.name(stream.name, environment)
    found = ledger.reader.get(bindings.KIND, target)
    champion = bindings.read(found).champion
    if found is None or champion is None:
        return Moved("nothing", None, 0)
    serves = document.loads(kept.get(champion.digest))
    anchor = _anchor(kept, serves)
    if anchor.envelope is None or envelope.line(anchor.calibrator) is None:
        return Moved("nothing", champion, 0)
    held = state.recall(KIND, target)
    known = None if held is None else Following.from_body(held.body)
    anchored = document.digest(document.dumps(anchor))
    if known is None or known.anchor != anchored:
        known = _begin(anchored, anchor, stream, since_us=found.at_us)
    after, rows = _taken(events, stream, known, serves, anchor, now_us=now_us)
    every = stream.policies.online.every // contract.MICROSECOND
    outcome: Outcome = "nothing"
    if rows and paired.verdict(after.against) == "failed":
        outcome, made, after = "back_to_the_anchor", anchor, _begin(anchored, anchor, stream, since_us=now_us)
    elif after.line.rows > 0 and now_us - after.stepped_us >= every:
        lives = (now_us - after.stepped_us) / anchor.envelope.half_life_us
        moved = online.advance(after.line, half_lives=lives)
        after = replace(after, line=moved, stepped_us=now_us)
        outcome, made = ("at_the_edge" if moved.left else "followed"), serves
    else:
        _keep(state, target, after, 0 if held is None else held.revision)
        return Moved("nothing", champion, rows)
    child = _child(ledger, anchor, serves, _map(made, after, outcome), after, now_us=now_us)
    bound = _bound(ledger, kept, target, child, anchor, serves, after, key=key, by=by, now_us=now_us, reason=outcome)
    _keep(state, target, after, 0 if held is None else held.revision)
    return Moved(outcome, bound, rows)


#: The anchor of a parent by digest, as far as it was looked up: neither can ever change.
_ANCHORS: Final[dict[str, str]] = {}


def _anchor(kept: contents.Contents, serves: document.Artifact) -> document.Artifact:
    """The artifact that passed a gate: what serves, or the one that it descends from."""
    found, passed, newest = serves, list[str](), ""
    while found.provenance.approach == envelope.APPROACH and found.parent is not None:
        passed.append(found.parent)
        newest = _ANCHORS.get(found.parent, found.parent)
        found = document.loads(kept.get(newest))
    if len(_ANCHORS) > _MOST_ANCHORS:
        _ANCHORS.clear()
    _ANCHORS.update(dict.fromkeys(passed, newest))
    return found


def _begin(digest: str, anchor: document.Artifact, stream: declaration.Stream, *, since_us: int) -> Following:
    """At the anchor, nothing seen."""
    allowed = anchor.envelope
    assert allowed is not None
    limits = online.Envelope(allowed.step, allowed.slope, allowed.intercept)
    policy = stream.policies.rollout
    bound = max(_largest(anchor, allowed), 2.0 * policy.margin)
    against = paired.start(margin=policy.margin, alpha=policy.alpha, bound=bound)
    line = online.start(_line(anchor), envelope=limits)
    width = partitions.width_us(stream)
    return Following(digest, since_us - since_us % width, since_us, line, against)


def _taken(
    events: event_log.EventReader,
    stream: declaration.Stream,
    known: Following,
    serves: document.Artifact,
    anchor: document.Artifact,
    *,
    now_us: int,
) -> tuple[Following, int]:
    """The state after every further partition that has matured as a whole, and how many rows these had.

    Whatever serves now was made before these rows were taken, so the comparison looks at no row twice.
    """
    rows = 0
    for found, end_us in watching.matured_partitions(events, stream, since_us=known.through_us, now_us=now_us):
        mine = watching.order(found)
        scores, values = found.scores[mine], found.value[mine]
        one, other = (np.asarray(watching.answers(found, each.calibrator))[mine] for each in (anchor, serves))
        known = replace(
            known,
            through_us=end_us,
            line=online.observe(known.line, scores, values),
            against=paired.update(known.against, losses.differences(values, one, other)),
        )
        rows += len(mine)
    return known, rows


def _map(made: document.Artifact, after: Following, outcome: Outcome) -> kinds.Kind:
    """What the child serves: the line where it is now, or the anchor's own map."""
    return made.calibrator if outcome == "back_to_the_anchor" else after.line.calibrator()


def _child(
    ledger: ledgers.Ledger,
    anchor: document.Artifact,
    serves: document.Artifact,
    calibrator: kinds.Kind,
    after: Following,
    *,
    now_us: int,
) -> tuple[document.Artifact, bytes]:
    """The next version, with the thresholds of its anchor reading its own map, and the evidence of its step."""
    told = {
        "schema": "calibrant.following/1",
        "anchor": after.anchor,
        "labels_through_us": after.through_us,
        "line": dict(zip(("intercept", "slope"), after.line.line.tolist(), strict=True)),
        "distance": dict(zip(("intercept", "slope"), after.line.distance, strict=True)),
        "rows_since_the_anchor": int(after.against.rows[0]),
        "gain_over_the_anchor": {
            "mean": None if not after.against.rows[0] else float(after.against.means[0]),
            "low": float(after.against.low[0]),
            "high": float(after.against.high[0]),
        },
    }
    evidence = canonical.dumps(told) + b"\n"
    reads = document.map_digest(calibrator)
    known = anchor.provenance
    provenance = replace(
        known,
        approach=envelope.APPROACH,
        code=fitted_artifacts.code(),
        data_digest=document.digest(canonical.dumps(after.line.to_dict())),
        window_us=(min(after.through_us, now_us), now_us),
        as_of_us=now_us,
        rows=int(after.against.rows[0]),
        method="online_platt",
        candidates=("online_platt",),
    )
    made = replace(
        anchor,
        version=artifact_files.next_version(ledger.reader, anchor.stream),
        calibrator=calibrator,
        thresholds=tuple(replace(one, reads=reads) for one in anchor.thresholds),
        provenance=provenance,
        parent=document.digest(document.dumps(serves)),
        evidence=document.digest(evidence),
        sealed_at_us=now_us,
    )
    return made, evidence


def _bound(
    ledger: ledgers.Ledger,
    kept: contents.Contents,
    target: str,
    child: tuple[document.Artifact, bytes],
    anchor: document.Artifact,
    serves: document.Artifact,
    after: Following,
    *,
    key: keys.PrivateKey,
    by: principals.Principal,
    now_us: int,
    reason: str,
) -> bindings.Ref | None:
    """Draft, seal, sign and bind a child, after checking it against the envelope of its anchor."""
    made, evidence = child
    parent = document.digest(document.dumps(serves))
    if after.anchor != parent or made.calibrator != anchor.calibrator:
        envelope.demand_inside(anchor, serves, made, parent=parent)
    status = artifact_files.draft(ledger, kept, made, evidence=evidence, by=by)
    artifact_files.seal(ledger, kept, status.name, by=by, now_us=now_us)
    artifact_files.sign(ledger, kept, status.name, key=key, by=by, now_us=now_us)
    reader = ledger.reader
    command = bindings.follow(
        refusals.present(reader.get(bindings.KIND, target), kind=bindings.KIND, name=target),
        child=refusals.present(reader.get(artifacts.KIND, status.name), kind=artifacts.KIND, name=status.name),
        now_us=now_us,
        reason=reason,
    )
    ledger.execute(by, command)
    return bindings.read(reader.get(bindings.KIND, target)).champion


def _keep(state: working_state.WorkingState, target: str, after: Following, expected: int) -> None:
    state.remember(KIND, target, after.to_body(), expected=expected)


def _line(anchor: document.Artifact) -> online.Anchor:
    found = anchor.calibrator
    assert isinstance(found, identity.Identity | logistic.Intercept | logistic.Platt | logistic.Temperature)
    return found


def _largest(anchor: document.Artifact, allowed: envelope.Envelope) -> float:
    """The largest difference of losses between the anchor and anything inside its envelope: at one of its corners."""
    known = envelope.line(anchor.calibrator)
    assert known is not None
    slope, intercept = known
    at = logistic.Platt(slope, intercept).apply(_TABLE)
    corners = [
        logistic.Platt(max(slope + s * allowed.slope, 1e-3), intercept + i * allowed.intercept).apply(_TABLE)
        for s in (-1.0, 1.0)
        for i in (-1.0, 1.0)
    ]
    return max(losses.bound(np.asarray(at), np.asarray(one)) for one in corners)
