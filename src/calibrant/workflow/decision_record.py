"""Why something is live: one change of a binding with everything on record that it rests on.

What was seen and advised, the artifact with its provenance and its validation, the rollout with what guards read at
each stage, the requests for approval, and who did it. Nothing is computed again, so the answer is what was known then;
what was erased, or was never put on record, is None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from calibrant import errors
from calibrant.audit import entries
from calibrant.ports import contents, control_store
from calibrant.registry import approvals, artifacts, bindings, principals, resources
from calibrant.rollout import states
from calibrant.workflow import advice_record, history, rollout_record

#: Entries of one transaction of a rollout: the rollout, the binding, the approval.
_TOGETHER: Final = 3


@dataclass(frozen=True, slots=True)
class Drawn:
    """The artifact that a change was about. ``provenance`` and ``validation`` are None when their bytes are gone.

    ``parent`` is the name of the artifact that it replaces or follows.
    """

    status: artifacts.Status
    parent: str | None
    provenance: Mapping[str, Any] | None
    validation: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Explained:
    """One change of a binding. ``before`` is what was bound until then.

    ``turns`` are those of the rollout that made it, up to this change, and ``became`` the phase that this rollout is in
    by now; none where somebody changed it by hand. ``asked`` are the requests for approval that it rests on. ``anchor``
    is the entry of the promotion that a map began to follow the labels from; None for other changes.
    """

    target: str
    tenure: history.Tenure
    before: bindings.Binding
    actor: principals.Principal | None
    advice: Mapping[str, Any] | None
    drawn: Drawn | None
    turns: tuple[rollout_record.Recorded, ...]
    became: states.Phase | None
    asked: tuple[approvals.Approval, ...]
    anchor: int | None


def explain(
    reader: control_store.ControlReader,
    kept: contents.Contents,
    target: str,
    *,
    at_us: int | None = None,
    index: int | None = None,
) -> Explained:
    """The change that made live what was live at a time, or the change with an entry in the audit log; or the newest.

    UsageError (CAL-958) when nothing was bound then, or when the entry is not a change of this binding.
    """
    with reader.snapshot() as view:
        tenures = history.tenures(view, target)
        place = _place(tenures, target, at_us=at_us, index=index)
        tenure = tenures[place]
        turns = _rollout(view, tenure, target)
        entry = _entry(view, tenure.index)
        rests_on = [*entry.evidence, *(_entry(view, turns[0].index).evidence if turns else ())]
        return Explained(
            target,
            tenure,
            tenures[place - 1].binding if place else bindings.EMPTY,
            _actor(view, tenure.actor),
            advice_record.find(kept, rests_on),
            _drawn(view, kept, tenure, turns),
            turns,
            _became(view, target, turns),
            _asked(view, entry, turns),
            _anchor(tenures[: place + 1]),
        )


def _place(tenures: Sequence[history.Tenure], target: str, *, at_us: int | None, index: int | None) -> int:
    if index is not None:
        found = [place for place, one in enumerate(tenures) if one.index == index]
        if not found:
            known = ", ".join(str(one.index) for one in tenures[-10:]) or "none"
            raise _nothing(f"entry {index} changed no binding of {target}", f"its changes are the entries {known}")
        return found[0]
    live = [place for place, one in enumerate(tenures) if at_us is None or one.since_us <= at_us]
    if not live:
        raise _nothing(f"nothing was bound to {target} then", "its first change came later, or there was none")
    place = live[-1]
    champion = tenures[place].binding.champion
    # other slots may have changed since the champion came
    while champion is not None and place and tenures[place - 1].binding.champion == champion:
        place -= 1
    return place


def _anchor(tenures: Sequence[history.Tenure]) -> int | None:
    """The promotion before the last steps that a map took by itself; other slots may have changed in between."""
    if tenures[-1].action != "binding.follow":
        return None
    promoted = [one.index for one in tenures if one.action in ("binding.promote", "binding.rollback")]
    return promoted[-1] if promoted else None


def _nothing(what: str, cause: str) -> errors.UsageError:
    return errors.UsageError(
        "CAL-958", what, cause=cause, fix="see every change with its entry: calibrant binding history"
    )


def _rollout(
    view: control_store.ControlReader, tenure: history.Tenure, target: str
) -> tuple[rollout_record.Recorded, ...]:  # fmt: skip
    """The turns of the rollout in whose transaction the binding changed: its entry comes shortly before."""
    made = [
        one
        for one in view.history(states.KIND, target)
        if 0 < tenure.index - one.index < _TOGETHER and one.at_us == tenure.since_us
    ]
    if not made:
        return ()
    number = states.read(made[-1]).number
    turns = rollout_record.record(view, target, number=number)
    return tuple(one for one in turns if one.index <= tenure.index)


def _became(
    view: control_store.ControlReader, target: str, turns: Sequence[rollout_record.Recorded]
) -> states.Phase | None:  # fmt: skip
    if not turns:
        return None
    return rollout_record.record(view, target, number=turns[0].state.number)[-1].state.phase


def _drawn(
    view: control_store.ControlReader,
    kept: contents.Contents,
    tenure: history.Tenure,
    turns: Sequence[rollout_record.Recorded],
) -> Drawn | None:
    """The candidate of the rollout, or else the champion that the change left."""
    ref = turns[-1].state.candidate if turns else tenure.binding.champion
    found = None if ref is None else view.get(artifacts.KIND, ref.artifact)
    if found is None:
        return None
    status = artifacts.read(found)
    body = _document(kept, status.digest)
    known = {artifacts.read(one).digest: one.name for one in view.browse(artifacts.KIND, prefix=status.stream + "@")}
    return Drawn(
        status,
        None if status.parent is None else known.get(status.parent, status.parent),
        None if body is None else body.get("provenance"),
        _document(kept, status.evidence),
    )


def _document(kept: contents.Contents, digest: str | None) -> Mapping[str, Any] | None:
    if digest is None:
        return None
    try:
        found = json.loads(kept.get(digest))
    except (errors.CalibrantError, ValueError):
        # the bytes are gone, or are no JSON: what is on record is told without them
        return None
    return found if isinstance(found, dict) else None


def _asked(
    view: control_store.ControlReader, entry: entries.Entry, turns: Sequence[rollout_record.Recorded]
) -> tuple[approvals.Approval, ...]:  # fmt: skip
    """The requests of the rollout by then, or the one that was used up in the same transaction."""
    if turns:
        prefix = turns[-1].state.name + "/"
        found = [one for one in view.browse(approvals.KIND, prefix=prefix) if _begun(view, one) <= entry.at_us]
        return tuple(approvals.read(one) for one in found)
    if entry.action != "binding.promote" or entry.index + 1 >= view.size():
        return ()
    following = _entry(view, entry.index + 1)
    used = view.get(approvals.KIND, following.name) if following.kind == approvals.KIND else None
    return () if used is None else (approvals.read(used),)


def _begun(view: control_store.ControlReader, one: resources.Resource) -> int:
    return view.history(one.kind, one.name)[0].at_us


def _actor(view: control_store.ControlReader, name: str) -> principals.Principal | None:
    found = view.get(principals.KIND, name)
    return None if found is None or found.body is None else principals.read(found)


def _entry(view: control_store.ControlReader, index: int) -> entries.Entry:
    return entries.loads(next(iter(view.entries(index, index + 1))))
