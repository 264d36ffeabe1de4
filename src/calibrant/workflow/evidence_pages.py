"""The pages of an evidence bundle, drawn up from the same revisions and entries that the bundle carries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from calibrant.artifacts import document, trust
from calibrant.audit import entries
from calibrant.charts import bundle_page
from calibrant.events import times
from calibrant.registry import approvals, artifacts, bindings, resources
from calibrant.workflow import fitted_artifacts


@dataclass(frozen=True, slots=True)
class Known:
    """What the pages are made of. ``revisions`` and ``log`` go together, in the order of the log; ``words`` are the
    reasons by commitment."""

    artifact: document.Artifact
    status: artifacts.Status
    revisions: Sequence[resources.Resource]
    log: Sequence[entries.Entry]
    words: Mapping[str, str]
    policy: trust.TrustPolicy
    evidence: bytes | None

    @property
    def as_of_us(self) -> int:
        """When the last of these decisions was made."""
        return self.log[-1].at_us


def index(known: Known) -> bytes:
    """index.html: what was decided, by whom, on what evidence, and how to verify it."""
    code = known.artifact.provenance.code
    versions = {"Calibrant": code.calibrant, "Python": code.python, "numpy": code.numpy, "scipy": code.scipy}
    shown = bundle_page.Index(
        name=known.artifact.name,
        digest=known.status.digest,
        state=known.status.state,
        as_of=_time(known.as_of_us),
        facts=_facts(known),
        steps=[_step(known, one, entry) for one, entry in zip(known.revisions, known.log, strict=True)],
        live=list(_live(known)),
        keys=[_signer(key) for key in known.policy.keys],
        versions={
            **{f"{name}, fitted with": version for name, version in versions.items()},
            "Calibrant, exported with": fitted_artifacts.code().calibrant,
        },
        has_evidence=known.evidence is not None,
    )
    return bundle_page.index(shown, _read(known.evidence)).encode()


def evidence(known: Known) -> bytes:
    """evidence.html: the numbers that the artifact was validated with."""
    return bundle_page.evidence(known.artifact.name, _read(known.evidence)).encode()


def _read(data: bytes | None) -> Any:
    """The evidence as plain data; what is no JSON has no tables."""
    try:
        return None if data is None else json.loads(data)
    except ValueError:
        return None


def _facts(known: Known) -> list[tuple[str, str]]:
    artifact, origin = known.artifact, known.artifact.provenance
    window = None if origin.window_us is None else " to ".join(_time(us) for us in origin.window_us)
    every = [
        ("Map", f"{artifact.calibrator.kind}, chosen among {', '.join(origin.candidates)}"),
        *((f"Threshold {one.name}", f"{one.value:.6g}: {one.objective}") for one in artifact.thresholds),
        ("For", ", ".join(f"{name} = {value}" for name, value in artifact.selector.items()) or "every prediction"),
        ("Data", f"{origin.rows:,} rows of the {origin.source.kind} {origin.source.name}"),
        ("Window", window),
        ("As known at", None if origin.as_of_us is None else _time(origin.as_of_us)),
        ("Digest of the data", origin.data_digest),
        ("Evidence", artifact.evidence),
        ("Replaces", artifact.parent),
        ("Sealed", _time(artifact.sealed_at_us)),
        ("Expires", None if artifact.expires_us is None else _time(artifact.expires_us)),
    ]
    return [(name, value) for name, value in every if value is not None]


#: What an action means to somebody who does not know the vocabulary.
_MEANS: Final[Mapping[str, str]] = {
    "artifact.draft": "drafted",
    "artifact.seal": "sealed: the content is fixed from here on",
    "artifact.sign": "signed: it may serve",
    "artifact.deprecate": "deprecated: nothing takes it up any more",
    "artifact.revoke": "revoked: it must not serve any more",
    "approval.request": "asked for approval",
    "approval.decide": "answered",
    "approval.withdraw": "withdrew the request",
    "binding.rollback": "went back to what was bound before",
    "trust.set": "set which keys are trusted",
    "environment.set": "set how many people must approve",
}


def _step(known: Known, one: resources.Resource, entry: entries.Entry) -> bundle_page.Step:
    text = _MEANS.get(entry.action, entry.action)
    if one.kind == approvals.KIND:
        text = "used the approval up" if entry.action == "binding.promote" else _answer(one, entry, text)
    elif one.kind == bindings.KIND:
        held = bindings.read(one)
        slots = [f"{slot} {ref.artifact}" for slot in bindings.SLOTS if (ref := getattr(held, slot)) is not None]
        text = f"{_MEANS.get(entry.action, 'bound')}: {', '.join(slots) or 'nothing'}"
    why = None if entry.reason is None else known.words.get(entry.reason, "(erased)")
    return bundle_page.Step(_time(entry.at_us), entry.actor, f"{one.kind} {one.name}: {text}", why)


def _answer(one: resources.Resource, entry: entries.Entry, text: str) -> str:
    asked = approvals.read(one)
    if entry.action == "approval.decide" and asked.decisions:
        verdict: str = asked.decisions[-1].verdict
        return {"approve": "approved", "decline": "declined"}.get(verdict, verdict)
    return f"{text} as {asked.slot} of {asked.target}" if entry.action == "approval.request" else text


def _live(known: Known) -> Iterator[bundle_page.Live]:
    """When the artifact was in which slot: from the revision that brought it to the one that took it away."""
    targets = sorted({one.name for one in known.revisions if one.kind == bindings.KIND})
    log = {entry.index: entry for entry in known.log}
    for target in targets:
        chain = [one for one in known.revisions if (one.kind, one.name) == (bindings.KIND, target)]
        for slot in bindings.SLOTS:
            since: resources.Resource | None = None
            for one in chain:
                ref = getattr(bindings.read(one), slot)
                holds = ref is not None and ref.artifact == known.artifact.name
                if holds and since is None:
                    since = one
                elif since is not None and not holds:
                    yield _tenure(known, log, target, slot, since, until_us=one.at_us)
                    since = None
            if since is not None:
                yield _tenure(known, log, target, slot, since, until_us=None)


def _tenure(
    known: Known,
    log: Mapping[int, entries.Entry],
    target: str,
    slot: str,
    since: resources.Resource,
    *,
    until_us: int | None,
) -> bundle_page.Live:
    entry = log[since.index]
    asked = [approvals.read(one) for one in known.revisions if one.kind == approvals.KIND]
    about = (target, slot, since.revision - 1, "used")
    used = [one for one in asked if (one.target, one.slot, one.target_revision, one.state) == about]
    voices = [each.person for one in used for each in one.decisions if each.verdict == "approve"]
    until = None if until_us is None else _time(until_us)
    how = f"{entry.action} by {entry.actor}"
    return bundle_page.Live(
        target, slot, _time(since.at_us), until, how, voices if entry.action == "binding.promote" else ()
    )


def _signer(key: trust.TrustedKey) -> bundle_page.Signer:
    state = f"since {_time(key.not_before_us)}"
    if key.not_after_us is not None:
        state += f", until {_time(key.not_after_us)}"
    if key.revoked_at_us is not None:
        state = f"revoked {_time(key.revoked_at_us)}"
    return bundle_page.Signer(key.public.keyid, key.owner, ", ".join(key.purposes), state)


def _time(us: int) -> str:
    """A time for people, to the second."""
    return times.text(us - us % 1_000_000)
