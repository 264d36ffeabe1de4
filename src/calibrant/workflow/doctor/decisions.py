"""Decisions: what is bound, who may act, and the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from calibrant import errors
from calibrant.artifacts import document
from calibrant.audit import entries
from calibrant.ports import contents, control_store
from calibrant.registry import artifacts, bindings, environments, keys, principals
from calibrant.workflow import artifact_files
from calibrant.workflow.doctor import findings
from calibrant.workflow.doctor.findings import Finding, Installation

DAY_US: Final = 86_400_000_000
#: What ends within two weeks ends soon.
SOON_US: Final = 14 * DAY_US
#: Clocks of several machines differ by less than this; events may be dated ahead by a little more.
SKEW_US: Final = 5_000_000
EVENT_SKEW_US: Final = 300_000_000
_PRODUCTION: Final = "production"
_EXPIRED: Final = ("CAL-662", "CAL-924")


def clock_is_right(installation: Installation) -> Iterator[Finding]:
    """A time that is before the newest entry, or before the newest prediction of a stream."""
    now_us, reader = installation.now_us, installation.control
    if reader is not None and (size := reader.size()):
        for data in reader.entries(size - 1):
            try:
                at_us = entries.loads(data).at_us
            except errors.ArtifactError:
                continue  # the check of the log tells
            if now_us < at_us - SKEW_US:
                yield findings.CLOCK.saw(
                    f"the newest entry of the audit log is of {_day(at_us)}, now is {_day(now_us)}"
                )
    events = installation.events
    for name in () if events is None else events.streams():
        assert events is not None
        last_us = events.counts(name).last_at_us
        if last_us is not None and now_us < last_us - EVENT_SKEW_US:
            yield findings.CLOCK.saw(f"the newest prediction of {name} is of {_day(last_us)}, now is {_day(now_us)}")


def bound_artifacts_may_serve(installation: Installation) -> Iterator[Finding]:
    """Every artifact in every slot, verified as a serving process would."""
    reader = installation.control
    for found in () if reader is None else reader.browse(bindings.KIND):
        assert reader is not None
        binding = bindings.read(found)
        for slot in bindings.SLOTS:
            ref = getattr(binding, slot)
            if ref is not None:
                where = f"{slot} of {found.name}: {ref.artifact}"
                yield from _bound(installation, reader, ref, where)


def _bound(
    installation: Installation, reader: control_store.ControlReader, ref: bindings.Ref, where: str
) -> Iterator[Finding]:
    held = reader.get(artifacts.KIND, ref.artifact)
    if held is None or held.body is None or artifacts.read(held).digest != ref.digest:
        yield findings.CHAMPION_UNTRUSTED.saw(f"{where}; the registry knows no such artifact with this digest")
        return
    status = artifacts.read(held)
    if status.state not in ("signed", "deprecated"):
        yield findings.CHAMPION_UNTRUSTED.saw(f"{where} is {status.state}")
        return
    try:
        artifact = _verified(installation.contents, reader, status, installation.now_us)
    except (errors.UsageError, errors.StoreDamagedError) as error:
        yield findings.BYTES_GONE.saw(f"{where}; {error.what}")
    except (errors.ArtifactError, errors.RefusedError) as error:
        check = findings.EXPIRED if error.code in _EXPIRED else findings.CHAMPION_UNTRUSTED
        yield check.saw(f"{where}; {error.code}, {error.what}")
    else:
        yield from _good(installation, artifact, where)


def _verified(
    kept: contents.Contents | None, reader: control_store.ControlReader, status: artifacts.Status, now_us: int
) -> document.Artifact:
    if kept is None:
        raise errors.UsageError(
            "CAL-881",
            f"the content {status.digest} is not here",
            cause="there is no place for contents",
            fix="name the place where it was kept, or restore it from a backup",
        )
    return artifact_files.verified(reader, kept, status, now_us=now_us).artifact


def _good(installation: Installation, artifact: document.Artifact, where: str) -> Iterator[Finding]:
    """What else there is to say of an artifact that may serve."""
    ends = artifact.expires_us
    if ends is not None and ends - installation.now_us <= 0:
        yield findings.EXPIRED.saw(f"{where} was good until {_day(ends)}")
    elif ends is not None and ends - installation.now_us < SOON_US:
        yield findings.EXPIRES.saw(f"{where} is good until {_day(ends)}")
    here, there = asdict(installation.code), asdict(artifact.provenance.code)
    differ = [f"{name} {there[name]} (here {here[name]})" for name in here if here[name] != there[name]]
    if differ:
        yield findings.OTHER_VERSIONS.saw(f"{where}: " + ", ".join(differ))


def keys_of_principals(installation: Installation) -> Iterator[Finding]:
    """Active keys that end soon, or whose holder is suspended. Ended and revoked ones are nobody's concern."""
    reader, now_us = installation.control, installation.now_us
    for found in () if reader is None else reader.browse(keys.KIND):
        assert reader is not None
        body = found.body or {}
        if body.get("state") != "active" or now_us >= body["expires_us"]:
            continue
        holder = reader.get(principals.KIND, body["principal"])
        whose = f"{found.name} of {body['principal']}"
        if holder is not None and holder.body is not None and principals.read(holder).state == "suspended":
            yield findings.KEY_OF_SUSPENDED.saw(whose)
        elif body["expires_us"] - now_us < SOON_US:
            yield findings.KEY_EXPIRES.saw(f"{whose} is good until {_day(body['expires_us'])}")


def admins(installation: Installation) -> Iterator[Finding]:
    """Fewer than two people who can manage people: a service of the same person is no second one."""
    reader = installation.control
    if reader is not None and reader.size():
        people = {principals.read(one).person for one in reader.browse(principals.KIND) if principals.is_admin(one)}
        if len(people) < 2:
            yield findings.FEW_ADMINS.saw(", ".join(sorted(people)) or "nobody")


def production_needs_approval(installation: Installation) -> Iterator[Finding]:
    """Production that asks nobody."""
    found = None if installation.control is None else installation.control.get(environments.KIND, _PRODUCTION)
    if found is not None and found.body is not None and not environments.approvals(found):
        yield findings.NO_APPROVAL.saw("production asks for 0 approvals")


def _day(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
