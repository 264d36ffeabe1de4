"""Items about what is on record, and about who is there to act."""

from __future__ import annotations

from typing import Final

from calibrant.joining import contract
from calibrant.registry import policy, principals
from calibrant.workflow.readiness.facts import Answer, Decisions, Known, failed, passed, undecided

_BEGIN: Final = "begin one: calibrant people init"
#: The watch of a stream may be so many of its periods behind before its controller counts as gone.
_PERIODS: Final = 3


def _decided(known: Known) -> Decisions | Answer:
    return failed("there is no registry of decisions", _BEGIN) if known.decisions is None else known.decisions


def signed(known: Known) -> Answer:
    """What serves is signed, and its bytes verify as a serving process would verify them."""
    found = _decided(known)
    if isinstance(found, Answer):
        return found
    if found.champion is None:
        return failed("no artifact is bound: raw scores act", "fit, sign and promote one: calibrant artifact")
    if found.unverified is not None:
        return failed(
            f"{found.champion.name} may not serve: {found.unverified}", "roll back: calibrant binding rollback"
        )
    return passed(f"{found.champion.name} verifies with the trusted keys")


def validated(known: Known) -> Answer:
    """What serves was validated on rows that it was not fitted to."""
    found = _decided(known)
    if isinstance(found, Answer):
        return found
    if found.champion is None:
        return failed("no artifact is bound", "fit one with its evidence: calibrant artifact draft")
    if found.champion.evidence is None:
        return failed(f"{found.champion.name} was drafted without evidence", "draft the next one with its evidence")
    return passed(f"{found.champion.name} has evidence")


def tried(known: Known) -> Answer:
    """What serves was in shadow or in a canary before it served everybody."""
    found = _decided(known)
    if isinstance(found, Answer):
        return found
    if found.champion is None:
        return failed("no artifact is bound, so none was tried", "roll one out: calibrant rollout start")
    if not found.tried:
        return failed(
            f"{found.champion.name} was promoted without shadow or canary", "roll the next one out: calibrant rollout"
        )
    return passed(f"{found.champion.name} was tried before it served everybody")


def asked(known: Known) -> Answer:
    """The environment asks for approval."""
    found = _decided(known)
    if isinstance(found, Answer):
        return found
    if found.approvals is None:
        return failed(f"there is no environment {known.environment}", "declare it: calibrant environment")
    if found.approvals:
        return passed(f"{known.environment} asks for approvals by others: {found.approvals}")
    if known.stream.policies.advice.mode == "auto":
        return undecided(
            f"{known.environment} asks nobody, and advice is in mode auto",
            "say that the loop may act alone here, or ask for approval: calibrant environment",
        )
    return failed(f"{known.environment} asks nobody", "ask for approval: calibrant environment set --approvals 1")


def hands(known: Known) -> Answer:
    """One person can propose and another approve; somebody can sign, promote and roll back."""
    found = _decided(known)
    if isinstance(found, Answer):
        return found
    may = {
        action: {one.person for one in found.people if policy.allowed(action, one.roles)}
        for action in ("artifact.draft", "approval.decide", "binding.rollback")
    }
    for action, people in may.items():
        if not people:
            return failed(f"nobody may do {action}", "give somebody the role: calibrant people roles")
    if len(may["artifact.draft"] | may["approval.decide"]) < 2:
        return failed("who proposes is the only one who approves", "enrol a second person: calibrant people enrol")
    operators = _persons(found.people) & may["binding.rollback"]
    if not operators:
        return failed("only services may roll back", "make a person an operator: calibrant people roles")
    # who they are is for those who may read people
    return passed(f"persons who may approve: {len(may['approval.decide'])}; who may roll back: {len(operators)}")


def _persons(every: tuple[principals.Principal, ...]) -> set[str]:
    return {one.name for one in every if one.type == "person"}


def rollback(known: Known) -> Answer:
    """There is something to go back to, and its bytes verify."""
    found = _decided(known)
    if isinstance(found, Answer):
        return found
    if found.binding.champion is None:
        return passed("raw scores serve: there is nothing to take back")
    if found.former is None:
        return failed("no promotion is left to undo", "promote an artifact that may follow: calibrant rollout start")
    if found.former.champion is None:
        return passed("going back leads to raw scores")
    if found.former_unverified is not None:
        return failed(
            f"going back leads to {found.former.champion.artifact}, which may not serve: {found.former_unverified}",
            "restore its bytes, or promote a successor: calibrant doctor",
        )
    return passed(f"going back leads to {found.former.champion.artifact}, which verifies")


def channels(known: Known) -> Answer:
    """Both severities reach channels that are declared and have their secrets."""
    alerts = known.stream.policies.alerts
    for severity, names in (("page", alerts.page), ("ticket", alerts.ticket)):
        if not names:
            return failed(f"a {severity} of this stream reaches nobody", f"name channels: policies.alerts.{severity}")
    declared = {one.name for one in known.declared.channels}
    for name in (*alerts.page, *alerts.ticket):
        if name not in declared:
            return failed(f"alerts.yaml declares no channel {name}", "declare it there")
        if name in known.broken:
            return failed(f"{name} cannot send: {known.broken[name]}", "put the secret where alerts.yaml says")
    return passed("pages go to " + ", ".join(alerts.page) + ", tickets to " + ", ".join(alerts.ticket))


def routed(known: Known) -> Answer:
    """Something of this stream arrived at each channel; a test message leaves no trace, so a person must say."""
    alerts = known.stream.policies.alerts
    names = sorted({*alerts.page, *alerts.ticket})
    if not names:
        return failed("there are no channels", "name channels: policies.alerts")
    reached = frozenset() if known.decisions is None else known.decisions.delivered
    missing = [name for name in names if name not in reached]
    if missing:
        return undecided(
            f"no alert of this stream went to {', '.join(missing)} yet",
            "send a test and say that it came: calibrant alert",
        )
    return passed("alerts arrived at " + ", ".join(names))


def audited(known: Known) -> Answer:
    """Decisions are in the log, and signed checkpoints cover it."""
    found = _decided(known)
    if isinstance(found, Answer):
        return found
    if found.uncovered:
        return failed(f"{found.uncovered:,} entries have no signed checkpoint", "sign one: calibrant audit checkpoint")
    return passed(f"{found.entries:,} entries, all under a signed checkpoint")


def elsewhere(known: Known) -> Answer:
    """The second place of the log is not lost with the first."""
    found = _decided(known)
    if isinstance(found, Answer):
        return found
    if known.same_disk is None:
        return undecided("where the second place of the audit log lies cannot be told", "say that it lies elsewhere")
    if known.same_disk:
        return failed(
            "the second place of the audit log is on the same disk",
            "name a folder elsewhere in CALIBRANT_AUDIT_COPY",
        )
    return passed("the second place of the audit log is on another disk")


def controller(known: Known) -> Answer:
    """Somebody looks: a lease is held, or what has matured was taken."""
    found = _decided(known)
    if isinstance(found, Answer):
        return found
    lease = found.lease
    if lease is not None and lease.body["holder"] is not None and known.now_us < lease.body["expires_us"]:
        return passed(f"{lease.body['holder']} is looking now")
    if found.watch is None or found.watch.through_us is None:
        return failed("no controller has looked at this stream yet", "start one: calibrant run")
    stream = known.stream
    slack = _PERIODS * stream.policies.watch.every + stream.labels.horizon
    day = 86_400_000_000
    newest = known.now_us if known.events is None else known.events.counts.last_at_us or known.now_us
    behind = newest - found.watch.through_us - slack // contract.MICROSECOND - 2 * day
    if behind > 0:
        return failed(f"its controller is {behind / day:.1f} days behind what has matured", "start one: calibrant run")
    return passed("its controller has taken what has matured")
