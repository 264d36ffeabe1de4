"""The life of an artifact: draft -> sealed -> signed -> deprecated | revoked. Nothing goes back.

A draft can be drawn up anew; sealing freezes its bytes, of which the digest is the name from then on; signing says that
the bytes may serve; deprecating says that no binding may take it up any more; revoking takes it out of every binding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from calibrant import errors
from calibrant.registry import refusals, resources

KIND: Final = "artifact"

State = Literal["draft", "sealed", "signed", "deprecated", "revoked"]


@dataclass(frozen=True, slots=True)
class Status:
    """What the registry knows of an artifact beside its bytes.

    ``digest`` is that of the bytes of artifact.json, ``evidence`` that of the evidence it was validated with,
    ``signatures`` those of the signature bundles; the bytes are in the contents store. ``drafted_by`` is the person.
    """

    stream: str
    version: int
    state: State
    digest: str
    evidence: str | None
    parent: str | None
    expires_us: int | None
    drafted_by: str
    signatures: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return name(self.stream, self.version)

    def to_body(self) -> dict[str, Any]:
        return {
            "stream": self.stream,
            "version": self.version,
            "state": self.state,
            "digest": self.digest,
            "evidence": self.evidence,
            "parent": self.parent,
            "expires_us": self.expires_us,
            "drafted_by": self.drafted_by,
            "signatures": list(self.signatures),
        }


def name(stream: str, version: int) -> str:
    """What an artifact is called.

    >>> name("fraud", 7)
    'fraud@7'
    """
    return f"{stream}@{version}"


def read(found: resources.Resource) -> Status:
    """The status that a resource describes."""
    assert found.body is not None
    body = dict(found.body)
    return Status(**{**body, "signatures": tuple(body["signatures"])})


def next_version(existing: Sequence[resources.Resource]) -> int:
    """The version after the newest of a stream's artifacts; versions only grow and are never used twice."""
    return 1 + max((read(one).version for one in existing), default=0)


def draft(status: Status, *, found: resources.Resource | None = None) -> resources.Command:
    """Draw up an artifact, or draw up anew one that is still a draft."""
    refusals.demand_name(status.stream, of="a stream")
    if found is not None and read(found).state != "draft":
        raise refusals.wrong_state(status.name, read(found).state, needs="a draft", fix="draft the next version")
    revision = resources.ABSENT if found is None else found.revision
    evidence = _known(status.digest, status.evidence)
    body = replace(status, state="draft", signatures=()).to_body()
    return resources.Command(
        (resources.Change(KIND, status.name, revision, body, "artifact.draft", evidence=evidence),)
    )


def seal(found: resources.Resource, *, digest: str) -> resources.Command:
    """Freeze the bytes: ``digest`` is that of the final bytes, which carry the time of sealing."""
    status = read(found)
    if status.state != "draft":
        raise refusals.wrong_state(status.name, status.state, needs="a draft", fix="draft the next version")
    after = replace(status, state="sealed", digest=digest)
    return _to(found, after, "artifact.seal", _known(digest, status.evidence))


def sign(found: resources.Resource, *, digest: str, bundle: str) -> resources.Command:
    """Add a signature over the sealed bytes; ``bundle`` is the digest of the signature's bytes."""
    status = read(found)
    if status.state not in ("sealed", "signed"):
        raise refusals.wrong_state(
            status.name, status.state, needs="sealed", fix="seal it first: calibrant artifact seal"
        )
    if digest != status.digest:
        raise errors.RefusedError(
            "CAL-923",
            f"the signature is not over {status.name}",
            cause="it covers other bytes than were sealed",
            fix="sign the sealed bytes",
        )
    after = replace(status, state="signed", signatures=(*status.signatures, bundle))
    return _to(found, after, "artifact.sign", (digest, bundle))


def deprecate(found: resources.Resource, *, reason: str | None) -> resources.Command:
    """No binding may take it up any more; where it serves, it goes on serving."""
    status = read(found)
    if status.state != "signed":
        raise refusals.wrong_state(status.name, status.state, needs="signed", fix="only what may serve is deprecated")
    return _to(found, replace(status, state="deprecated"), "artifact.deprecate", (status.digest,), reason)


def revoke(found: resources.Resource, *, reason: str | None) -> resources.Command:
    """It must not serve any more, anywhere; ``bindings.without`` takes it out of bindings, in the same transaction."""
    status = read(found)
    if status.state == "revoked":
        raise refusals.wrong_state(status.name, "revoked already", needs="not revoked", fix="nothing is left to do")
    return _to(found, replace(status, state="revoked"), "artifact.revoke", (status.digest,), reason)


def demand_servable(found: resources.Resource, *, now_us: int) -> Status:
    """The status; RefusedError unless a binding may take it up now (CAL-920 state, CAL-924 expired)."""
    status = read(found)
    if status.state != "signed":
        raise refusals.wrong_state(
            status.name, status.state, needs="signed", fix="seal and sign it, or choose another version"
        )
    if status.expires_us is not None and now_us >= status.expires_us:
        raise errors.RefusedError(
            "CAL-924", f"{status.name} has expired", cause="its validity ended", fix="fit and propose the next version"
        )  # fmt: skip
    return status


def _known(*digests: str | None) -> tuple[str, ...]:
    return tuple(one for one in digests if one is not None)


def _to(
    found: resources.Resource, after: Status, action: str, evidence: tuple[str, ...], reason: str | None = None
) -> resources.Command:
    return resources.Command(
        (resources.Change(KIND, found.name, found.revision, after.to_body(), action, reason, evidence),)
    )
