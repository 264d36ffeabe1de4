"""One look at one stream: watch it, carry its rollout on, let its map follow, and do what is advised.

The order is the order of harm: what is being rolled out is judged first, a map that moves by itself moves next, and
only a stream at rest is advised. Everything that changes goes through the ledger, fenced with the controller's lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from calibrant import errors
from calibrant.advice import candidates, effects, memory
from calibrant.artifacts import document, keys
from calibrant.calibrators import identity
from calibrant.ports import contents, working_state
from calibrant.registry import bindings, latches, principals
from calibrant.rollout import plans, readings, states
from calibrant.streams import declaration, freezes
from calibrant.workflow import (
    advice_record,
    advising,
    artifact_files,
    fitted_artifacts,
    following,
    guarding,
    partitions,
    promotions,
    rollouts,
    watching,
)
from calibrant.workflow import ledger as ledgers


@dataclass(frozen=True, slots=True)
class Post:
    """Where a controller acts: its ledger, the working state, contents, events, the key that signs, and who it is."""

    ledger: ledgers.Ledger
    state: working_state.WorkingState
    contents: contents.Contents
    events: partitions.Store
    key: keys.PrivateKey
    by: principals.Principal


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found and did, for people: one sentence for each thing; ``pages`` wake somebody up."""

    stream: str
    at_us: int
    champion: str | None
    alarms: tuple[watching.Alarm, ...]
    no_data: bool
    done: tuple[str, ...] = field(default=())
    pages: tuple[str, ...] = field(default=())


def look(
    post: Post, stream: declaration.Stream, environment: str, *, now_us: int, resamples: int | None = None
) -> Seen:  # fmt: skip
    """Look once, and do what follows."""
    target = bindings.name(stream.name, environment)
    signs = watching.signs(post.events.counts(stream.name), stream, now_us=now_us)
    serving = advising.serving(post.ledger.reader, post.contents, stream, environment)
    watch, revision = _watched(post, stream, serving, now_us)
    done: list[str] = []
    running = _rollout(post, target)
    if running is not None and running.state.running:
        told = _carry_on(post, stream, running, now_us, no_data=signs.no_data)
        done += _said(running, told)
        watch = _remember(post, watch, running, told, now_us)
        running = told
    elif not signs.no_data:
        moved = following.step(
            post.ledger, post.state, post.contents, post.events, stream, environment, key=post.key, by=post.by,
            now_us=now_us,
        )  # fmt: skip
        if moved.outcome != "nothing":
            done.append(f"{moved.outcome.replace('_', ' ')}: {moved.champion.artifact if moved.champion else 'raw'}")
            serving = advising.serving(post.ledger.reader, post.contents, stream, environment)
            watch = _after_step(watch, moved, serving)
        advised = advising.advise_now(post.events, stream, watch, serving, now_us=now_us, resamples=resamples)
        watch = advised.watch
        acted = _act(post, stream, environment, advised, now_us)
        if acted is not None:
            done.append(acted.said)
            watch = replace(watch, remembered=acted.remembered)
    watching.keep(post.state, stream, watch, expected=revision)
    champion = bindings.read(post.ledger.reader.get(bindings.KIND, target)).champion
    return Seen(
        stream.name,
        now_us,
        None if champion is None else champion.artifact,
        watching.alarms(watch, stream),
        signs.no_data,
        tuple(done),
        _pages(running),
    )


def _pages(running: rollouts.Told | None) -> tuple[str, ...]:
    """What must wake somebody up, at every look for as long as it is so."""
    if running is None or running.state.phase != "rollback_failed":
        return ()
    return (f"{running.state.target} could not be rolled back: {running.state.reason}",)


def _after_step(watch: watching.Watch, moved: following.Moved, serving: advising.Serving) -> watching.Watch:
    """A step inside the envelope is no promotion: what is watched is the map that follows, and the monitors go on.

    They stay valid, because each step was made before the labels that it is judged by were taken.
    """
    if moved.outcome == "back_to_the_anchor" or moved.champion is None:
        return watching.serving(watch, serving.champion)
    return replace(watch, champion=moved.champion.digest)


def _watched(
    post: Post, stream: declaration.Stream, serving: advising.Serving, now_us: int
) -> tuple[watching.Watch, int]:  # fmt: skip
    digest = None if serving.champion is None else serving.champion.digest
    watch, revision = watching.recall(post.state, stream, champion=digest)
    watch = watching.serving(watch, serving.champion)
    released = latches.released_us(post.ledger.reader.get(latches.KIND, stream.name))
    if released is not None and released > (watch.remembered.released_us or 0):
        watch = replace(watch, remembered=watch.remembered.released(released))
    return watching.take(post.events, stream, watch, rule=serving.rule.calibrator, now_us=now_us), revision


def _rollout(post: Post, target: str) -> rollouts.Told | None:
    found = post.ledger.reader.get(states.KIND, target)
    return None if found is None or found.body is None else rollouts.get(post.ledger.reader, target)


def _carry_on(
    post: Post, stream: declaration.Stream, running: rollouts.Told, now_us: int, *, no_data: bool
) -> rollouts.Told:
    """Judge the rollout and take at most one step. Without telemetry no guard says anything, and it holds."""
    state = running.state
    given: tuple[readings.Reading, ...] = ()
    if state.phase in ("shadowing", "progressing", "baking") and not no_data:
        given = _read(post, stream, state, now_us)
    frozen = freezes.holding(stream.policies.advice.freezes, now_us)
    return rollouts.look(
        post.ledger, post.contents, state.target, by=post.by, now_us=now_us, given=given,
        freeze=None if frozen is None else frozen[0],
    )  # fmt: skip


def _read(post: Post, stream: declaration.Stream, state: states.Rollout, now_us: int) -> tuple[readings.Reading, ...]:
    """What the guards say; a map that cannot be read is an error of the guard, and the deadline goes on."""
    reader = post.ledger.reader
    try:
        candidate = advising.rule_of(reader, post.contents, state.candidate)
        incumbent = effects.Rule(identity.Identity(stream.scale))
        if state.incumbent is not None:
            incumbent = advising.rule_of(reader, post.contents, state.incumbent)
    except (errors.ArtifactError, errors.StoreError, errors.UsageError) as unread:
        broken = readings.Reading("paired_loss", "matured", "error", 0, now_us, state.stage, cause=unread.what)
        return (broken,)
    return guarding.read(post.events, stream, state, incumbent=incumbent, candidate=candidate, now_us=now_us)


def _said(before: rollouts.Told, after: rollouts.Told) -> Sequence[str]:
    if after.state.stage == before.state.stage:
        return ()
    return (f"rollout of {after.state.candidate.artifact}: {after.state.phase}, {after.state.reason}",)


def _remember(
    post: Post, watch: watching.Watch, before: rollouts.Told, after: rollouts.Told, now_us: int
) -> watching.Watch:
    """Changes that proved themselves, and changes that had to be taken back."""
    if after.state.phase == before.state.phase:
        return watch
    remembered = watch.remembered
    if after.state.phase == "completed":
        remembered = remembered.proved(now_us)
    elif after.state.phase in ("rolled_back", "aborted"):
        remembered = remembered.taken_back(_called(post, after.state.candidate), now_us)
    return replace(watch, remembered=remembered)


def _called(post: Post, ref: bindings.Ref) -> str:
    """What advice calls the rule of an artifact, so that it is not proposed again under another version."""
    try:
        return candidates.digest(advising.rule_of(post.ledger.reader, post.contents, ref))
    except (errors.ArtifactError, errors.StoreError, errors.UsageError):
        # bytes that are gone cannot be proposed again either
        return ref.digest


@dataclass(frozen=True, slots=True)
class _Acted:
    """What was done, and what advice remembers of it."""

    said: str
    remembered: memory.Memory


def _act(
    post: Post, stream: declaration.Stream, environment: str, advised: advising.Advised, now_us: int
) -> _Acted | None:
    """Do what is advised, as far as the mode of the stream lets a controller: advice only, or a rollout.

    In the mode ``approve`` the rollout itself asks people at each step.
    """
    told, remembered = advised.recommendation, advised.watch.remembered
    if not told.ready or stream.policies.advice.mode == "manual":
        return None
    target = bindings.name(stream.name, environment)
    rests_on = (post.contents.put(advice_record.dumps(advised, stream, environment, now_us=now_us)),)
    if told.action == "roll_back":
        hurt = bindings.read(post.ledger.reader.get(bindings.KIND, target)).champion
        promotions.rollback(post.ledger, target, by=post.by, reason=" ".join(told.reasons), rests_on=rests_on)
        back = remembered if hurt is None else remembered.taken_back(_called(post, hurt), now_us)
        return _Acted(f"rolled back: {told.reasons[0]}", back)
    if advised.fitted is None or advised.candidate is None:
        return None
    name = _draft(post, stream, advised, now_us)
    artifact_files.seal(post.ledger, post.contents, name, by=post.by, now_us=now_us)
    artifact_files.sign(post.ledger, post.contents, name, key=post.key, by=post.by, now_us=now_us)
    try:
        rollouts.start(
            post.ledger, post.contents, name, environment, plan=plans.of(stream.policies), by=post.by, now_us=now_us,
            reason=" ".join(told.reasons), rests_on=rests_on,
        )  # fmt: skip
    except errors.RefusedError as refused:
        return _Acted(f"{name} was not rolled out: {refused.what}", remembered)
    return _Acted(f"began to roll out {name}: {told.reasons[0]}", remembered.changed(now_us))


def _draft(post: Post, stream: declaration.Stream, advised: advising.Advised, now_us: int) -> str:
    """The candidate as an artifact, damped as advised, with the envelope of the stream."""
    assert advised.fitted is not None
    assert advised.candidate is not None
    reader = post.ledger.reader
    made = fitted_artifacts.draw_up(
        advised.fitted,
        version=artifact_files.next_version(reader, stream.name),
        selector={},
        parent=artifact_files.parent_of(reader, stream.name),
        sealed_at_us=now_us,
        expires_us=None,
    )
    rule = advised.candidate.rule
    stepped = rule.threshold is not None and any(one.value != rule.threshold for one in made.thresholds)
    if rule.calibrator != made.calibrator or stepped:
        reads = document.map_digest(rule.calibrator)
        thresholds = tuple(
            replace(one, reads=reads, value=one.value if rule.threshold is None else rule.threshold)
            for one in made.thresholds
        )
        damped = replace(made.provenance, approach="damped")
        made = replace(made, calibrator=rule.calibrator, thresholds=thresholds, provenance=damped)
    made = replace(made, envelope=following.envelope_of(stream.policies.online))
    status = artifact_files.draft(post.ledger, post.contents, made, evidence=advised.fitted.evidence, by=post.by)
    return status.name
