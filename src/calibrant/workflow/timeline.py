"""What happened to a stream, as the audit log has it: each entry about it, in words, with what people said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from calibrant.audit import entries
from calibrant.ports import control_store
from calibrant.registry import approvals, artifacts, bindings, resources
from calibrant.rollout import states
from calibrant.slo import alerts, silences

#: Said where words were erased.
ERASED: Final = "(erased)"
_ARTIFACT: Final[Mapping[str, str]] = {
    "artifact.draft": "was drafted",
    "artifact.seal": "was sealed",
    "artifact.sign": "was signed",
    "artifact.deprecate": "was deprecated",
    "artifact.revoke": "was revoked",
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry of the log. ``said`` is None where nobody said anything, ``ERASED`` where the words are gone."""

    at_us: int
    index: int
    kind: str
    actor: str
    text: str
    said: str | None

    def to_dict(self) -> dict[str, str | int | None]:
        return {
            "at_us": self.at_us,
            "audit_index": self.index,
            "kind": self.kind,
            "actor": self.actor,
            "text": self.text,
            "said": self.said,
        }


def between(
    reader: control_store.ControlReader, stream: str, environment: str, *, start_us: int, end_us: int
) -> tuple[Happening, ...]:
    """Everything in [start, end) about the artifacts, alerts and silences of a stream, and its place in one
    environment.
    """
    with reader.snapshot() as view:
        first, last = _index(view, start_us), _index(view, end_us)
        revisions = _Revisions(view)
        every = (entries.loads(one) for one in view.entries(first, last))
        return tuple(
            found for one in every if (found := _happening(view, revisions, one, stream, environment)) is not None
        )


class _Revisions:
    """Past contents of resources; each history is read once."""

    def __init__(self, view: control_store.ControlReader) -> None:
        self._view = view
        self._known: dict[tuple[str, str], Mapping[int, resources.Resource]] = {}

    def of(self, entry: entries.Entry) -> resources.Resource | None:
        """What the entry made of its resource."""
        key = entry.kind, entry.name
        if key not in self._known:
            self._known[key] = {one.revision: one for one in self._view.history(*key)}
        return self._known[key].get(entry.revision)


def _index(view: control_store.ControlReader, at_us: int) -> int:
    """The first entry at or after a time: times never fall."""
    low, high = 0, view.size()
    while low < high:
        middle = (low + high) // 2
        if entries.loads(next(iter(view.entries(middle, middle + 1)))).at_us < at_us:
            low = middle + 1
        else:
            high = middle
    return low


def _happening(
    view: control_store.ControlReader, revisions: _Revisions, entry: entries.Entry, stream: str, environment: str
) -> Happening | None:
    target = bindings.name(stream, environment)
    mine = {
        bindings.KIND: entry.name == target,
        states.KIND: entry.name == target,
        artifacts.KIND: entry.name.startswith(f"{stream}@"),
        alerts.KIND: entry.name.startswith(f"{stream}/"),
        approvals.KIND: True,
        silences.KIND: True,
    }
    if not mine.get(entry.kind, False):
        return None
    found = revisions.of(entry)
    text = None if found is None or found.body is None else "; ".join(_texts(found, entry, stream, target))
    if not text:
        return None
    said = None
    if entry.reason is not None:
        words = view.said(entry.reason)
        said = ERASED if words is None else words.text
    return Happening(entry.at_us, entry.index, entry.kind, entry.actor, text, said)


def _texts(found: resources.Resource, entry: entries.Entry, stream: str, target: str) -> Iterator[str]:
    """The entry in words; nothing if it is about another stream."""
    if found.kind == bindings.KIND:
        held = bindings.read(found)
        slots = [f"{slot} {ref.artifact}" for slot in bindings.SLOTS if (ref := getattr(held, slot)) is not None]
        yield f"{entry.action.replace('binding.', '')}: {', '.join(slots) or 'raw scores serve'}"
    elif found.kind == states.KIND:
        state = states.read(found)
        yield f"rollout {state.name} of {state.candidate.artifact} is {state.phase.replace('_', ' ')}: {state.reason}"
        for one in state.readings:
            if one.verdict in ("failed", "error"):
                yield f"guard {one.guard} {one.verdict}" + (f", {one.cause}" if one.cause else "")
    elif found.kind == artifacts.KIND:
        yield f"{found.name} {_ARTIFACT.get(entry.action, entry.action)}"
    elif found.kind == alerts.KIND:
        yield _alert(found, entry)
    elif found.kind == approvals.KIND:
        asked = approvals.read(found)
        if asked.target == target:
            yield f"approval of {asked.artifact} as {asked.slot} is {asked.state}"
    elif found.kind == silences.KIND:
        silence = silences.read(found)
        if silence.matches.get("stream", stream) == stream:
            about = ", ".join(f"{name}={value}" for name, value in sorted(silence.matches.items()))
            yield f"{'silenced' if entry.action == 'silence.begin' else 'no longer silenced'}: {about}"


def _alert(found: resources.Resource, entry: entries.Entry) -> str:
    alert = alerts.read(found)
    what = f"{alert.labels.alertname} ({alert.labels.severity}, {alert.labels.cohort})"
    if entry.action == "alert.acknowledge":
        return f"{what} was acknowledged"
    summary = alert.annotations.get("summary")
    return f"{what} is {alert.status}" + (f": {summary}" if summary and alert.status == "firing" else "")
