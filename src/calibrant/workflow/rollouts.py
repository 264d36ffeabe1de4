"""Rollouts, executed: each turn reads what is, asks the rule, and commits rollout, binding and approval together.

Whoever looks hands readings over; nothing here knows how they were computed. Going back asks for nothing: no readings,
no approvals, none of the artifact's bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from calibrant import errors
from calibrant.ports import contents, control_store
from calibrant.registry import approvals, artifacts, bindings, environments, principals, refusals, resources
from calibrant.rollout import exposure, plans, readings, signals, starting, states, turns
from calibrant.slo import budgets
from calibrant.workflow import ledger as ledgers
from calibrant.workflow import objectives, promotions

#: Turns that follow each other at once, without waiting for anything.
_AT_ONCE: Final = frozenset({"pending", "awaiting_start", "promoting", "rolling_back"})
#: A person's word is said again when somebody else was quicker.
_TRIES: Final = 5

Word = Literal["pause", "resume", "abort", "rollback", "advance", "override"]


@dataclass(frozen=True, slots=True)
class Told:
    """A rollout now. ``turned``: how many turns it made by this call; ``pages``: what somebody must be woken up for."""

    state: states.Rollout
    revision: int
    turned: int = 0
    pages: tuple[str, ...] = ()


def start(
    ledger: ledgers.Ledger,
    kept: contents.Contents,
    artifact: str,
    environment: str,
    *,
    plan: plans.Plan,
    by: principals.Principal,
    now_us: int,
    override: bool = False,
    reason: str | None = None,
    rests_on: tuple[str, ...] = (),
) -> Told:
    """Begin to roll an artifact out, after verifying its bytes; nothing is bound before a controller looks.

    ``rests_on`` are digests of what it was decided on, beside the artifact and its evidence.
    """
    reader = ledger.reader
    found = refusals.present(reader.get(artifacts.KIND, artifact), kind=artifacts.KIND, name=artifact)
    status = artifacts.demand_servable(found, now_us=now_us)
    promotions.demand_verified(reader, kept, status, now_us=now_us)
    where = refusals.present(reader.get(environments.KIND, environment), kind=environments.KIND, name=environment)
    target = bindings.name(status.stream, environment)
    if override:
        _demand_reason(reason)
    # what the loop proposes rests on evidence that something is off: it repairs what has used the budget up
    spent = objectives.exhausted(reader, status.stream)
    budgets.demand(spent, "rollout.start", repairs=override or bool(rests_on))
    command = starting.start(
        reader.get(states.KIND, target), artifact=found, binding=reader.get(bindings.KIND, target), environment=where,
        plan=plan, now_us=now_us, override=override, reason=reason, rests_on=rests_on,
    )  # fmt: skip
    ledger.execute(by, command)
    return get(reader, target)


def look(
    ledger: ledgers.Ledger,
    kept: contents.Contents,
    target: str,
    *,
    by: principals.Principal,
    now_us: int,
    given: Sequence[readings.Reading] = (),
    freeze: str | None = None,
    exhausted: bool = False,
) -> Told:
    """What a controller does at each look: at most one step, and whatever follows from it at once.

    ``freeze`` names what forbids changes now, ``exhausted`` says that no error budget is left to begin. The ledger of a
    controller is fenced with its lease: ConflictError when the lease was lost, or when somebody else was quicker.
    """
    turned, pages = 0, list[str]()
    for _ in range(len(states.PHASES)):
        scene = _Scene.of(ledger.reader, target)
        signal = signals.Look(
            scene.state.stage, now_us, tuple(given), exposure.bound(scene.state, scene.place), scene.place.revision,
            environments.approvals(scene.place.environment), scene.answer(), None, freeze, exhausted,
        )  # fmt: skip
        made = _decided(ledger.reader, kept, scene, signal, by=by, now_us=now_us)
        if made is None:
            break
        ledger.execute(by, made.command)
        turned += 1
        pages += made.pages
        if made.state.phase not in _AT_ONCE:
            break
    return replace(get(ledger.reader, target), turned=turned, pages=tuple(pages))


def say(
    ledger: ledgers.Ledger,
    target: str,
    word: Word,
    *,
    by: principals.Principal,
    now_us: int,
    stage: int | None = None,
    reason: str | None = None,
) -> Told:
    """A person's word. ``advance`` and ``override`` are about a ``stage``: the one that it is in, unless given.

    A rollback is complete when this returns, unless the binding could not be restored.
    """
    if word == "override":
        _demand_reason(reason)
    for attempt in range(1, _TRIES + 1):
        try:
            return _said(ledger, target, word, by=by, now_us=now_us, stage=stage, reason=reason)
        except errors.ConflictError:
            # somebody else was quicker; the word is meant all the same
            if attempt == _TRIES or word in ("advance", "override"):
                raise
    raise AssertionError("the last attempt returns or raises")


def get(reader: control_store.ControlReader, target: str) -> Told:
    """The rollout of a stream in an environment; the newest one."""
    found = refusals.present(reader.get(states.KIND, target), kind=states.KIND, name=target)
    return Told(states.read(found), found.revision)


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything that a turn is decided on, as it was at one moment."""

    found: resources.Resource
    state: states.Rollout
    place: exposure.Place
    approval: resources.Resource | None

    @classmethod
    def of(cls, reader: control_store.ControlReader, target: str) -> _Scene:
        stream, _, environment = target.partition("/")
        with reader.snapshot() as view:
            found = refusals.present(view.get(states.KIND, target), kind=states.KIND, name=target)
            state = states.read(found)
            known = {one.name: one for one in view.browse(artifacts.KIND, prefix=stream + "@")}
            place = exposure.Place(
                view.get(bindings.KIND, target),
                view.history(bindings.KIND, target),
                known[state.candidate.artifact],
                refusals.present(view.get(environments.KIND, environment), kind=environments.KIND, name=environment),
                frozenset(name for name, one in known.items() if artifacts.read(one).state == "revoked"),
            )
            return cls(found, state, place, view.get(approvals.KIND, turns.approval_name(state, place.revision)))

    def answer(self) -> signals.Answer:
        """What became of the request of this stage; one that too few people were asked in counts as open."""
        if self.approval is None:
            return "none"
        asked = approvals.read(self.approval)
        match asked.state:
            case "declined" | "withdrawn":
                return "declined"
            case "approved":
                return "approved" if asked.needs >= environments.approvals(self.place.environment) else "requested"
            case "requested":
                return "requested"
            case "used":
                return "none"
            case never:
                assert_never(never)


def _decided(
    reader: control_store.ControlReader,
    kept: contents.Contents,
    scene: _Scene,
    signal: signals.Look,
    *,
    by: principals.Principal,
    now_us: int,
) -> turns.Turn | None:
    """The turn of a look. Before the candidate is bound any further its bytes are verified; going back reads none."""
    status = artifacts.read(scene.place.artifact)
    try:
        made = turns.turn(
            scene.found, signal, place=scene.place, by=by, now_us=now_us, approval=scene.approval
        )  # fmt: skip
        if made is not None and made.state.phase in ("shadowing", "progressing", "promoting"):
            artifacts.demand_servable(scene.place.artifact, now_us=now_us)
            promotions.demand_verified(reader, kept, status, now_us=now_us)
    except (errors.RefusedError, errors.ArtifactError) as refused:
        unfit = replace(signal, unfit=f"{status.name} may not be bound: {refused.what} ({refused.code})")
        return turns.turn(scene.found, unfit, place=scene.place, by=by, now_us=now_us, approval=scene.approval)
    return made


def _said(
    ledger: ledgers.Ledger,
    target: str,
    word: Word,
    *,
    by: principals.Principal,
    now_us: int,
    stage: int | None,
    reason: str | None,
) -> Told:
    reader, turned, pages = ledger.reader, 0, list[str]()
    scene = _Scene.of(reader, target)
    signal = _signal(word, scene, now_us, scene.state.stage if stage is None else stage)
    made = turns.turn(scene.found, signal, place=scene.place, by=by, now_us=now_us, reason=reason)
    if made is None:
        _demand_heard(word, scene, signal)
        made = _confirmed(reader, target, by=by, now_us=now_us)
    while made is not None:
        ledger.execute(by, made.command)
        turned += 1
        pages += made.pages
        made = _confirmed(reader, target, by=by, now_us=now_us)
    return replace(get(reader, target), turned=turned, pages=tuple(pages))


def _confirmed(
    reader: control_store.ControlReader, target: str, *, by: principals.Principal, now_us: int
) -> turns.Turn | None:
    """The turn that ends going back, or tries again; None when it has ended."""
    scene = _Scene.of(reader, target)
    if scene.state.phase != "rolling_back":
        return None
    look = signals.Look(scene.state.stage, now_us, bound=exposure.bound(scene.state, scene.place))
    return turns.turn(scene.found, look, place=scene.place, by=by, now_us=now_us)


def _signal(word: Word, scene: _Scene, now_us: int, stage: int) -> signals.Signal:
    bound = exposure.bound(scene.state, scene.place)
    match word:
        case "pause":
            return signals.Pause(now_us)
        case "resume":
            return signals.Resume(now_us)
        case "abort":
            return signals.Abort(now_us, bound)
        case "rollback":
            return signals.RollBack(now_us, bound)
        case "advance" | "override":
            return signals.Advance(stage, now_us, override=word == "override")
        case never:
            assert_never(never)


def _demand_heard(word: Word, scene: _Scene, signal: signals.Signal) -> None:
    """A word that was said before is fine; one that came too late, or that nothing can follow, is refused."""
    state = scene.state
    late = isinstance(signal, signals.Advance) and signal.stage != state.stage
    ended = not state.running and word not in ("abort", "rollback")
    overtaken = word in ("abort", "rollback") and state.phase == "completed"
    if late or ended or overtaken:
        cause = f"it is at stage {state.stage} by now" if late and not ended else f"it is {state.phase}"
        raise errors.RefusedError(
            "CAL-939",
            f"{state.name} cannot {word} any more",
            cause="something else is bound since it was completed" if overtaken and word == "rollback" else cause,
            fix="look at it: calibrant rollout get; for what is bound now: calibrant binding rollback",
        )


def _demand_reason(reason: str | None) -> None:
    if not (reason or "").strip():
        raise errors.UsageError(
            "CAL-955",
            "an override takes a reason",
            cause="it goes on although the rules say otherwise, and the audit log keeps why",
            fix="say it: --reason",
        )
