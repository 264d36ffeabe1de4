"""People, services, their keys, and environments: each call reads what is, asks the rule, and executes the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from calibrant import errors
from calibrant.artifacts import trust
from calibrant.ports import control_store
from calibrant.registry import environments, keys, principals, refusals, resources, words
from calibrant.registry import trust as trusted
from calibrant.workflow import artifact_files
from calibrant.workflow import ledger as ledgers

#: Marks an installation that has begun: there is a first admin, and from then on only admins make principals.
INSTALLATION: Final = "installation"
#: Who acts before there is anybody.
_NOBODY_YET: Final = principals.Principal("installation", "service", None, frozenset({"admin"}))

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Issued:
    """A principal with a new key; the token is shown once."""

    principal: str
    prefix: str
    expires_us: int
    token: str


def begin(
    ledger: ledgers.Ledger,
    name: str,
    *,
    roles: Iterable[str],
    own_keys: Mapping[str, Any],
    expires_us: int,
    now_us: int,
    random: Random,
) -> Issued:
    """Make the first principal, an admin, with a key; trust our own keys; let production ask for another person.

    Once: RefusedError (CAL-933) for an installation that has begun.
    """
    demand_new(ledger.reader)
    mark = resources.Change(INSTALLATION, "this", resources.ABSENT, {"begun_at_us": now_us}, "principal.enrol")
    admin = principals.enrol(None, name, roles={"admin", *roles})
    holder = resources.Resource(principals.KIND, name, 1, admin.changes[0].body, now_us, 0)
    key, token = keys.issue(holder, expires_us=expires_us, now_us=now_us, random=random, label="first key")
    parts = (
        resources.Command((mark,)),
        admin,
        key,
        trusted.replace(None, own_keys, reason="the keys of this installation"),
        environments.declare(None, "production", approvals=1),
        environments.declare(None, "staging", approvals=0),
    )
    # one transaction: an admin without a key would lock everybody out
    ledger.execute(_NOBODY_YET, resources.Command(tuple(one for part in parts for one in part.changes)))
    return Issued(name, token.prefix, expires_us, token.reveal())


def demand_new(reader: control_store.ControlReader) -> None:
    """RefusedError (CAL-933) for an installation that has begun."""
    if reader.get(INSTALLATION, "this") is not None:
        raise errors.RefusedError(
            "CAL-933",
            "this installation has begun already",
            cause="its first admin was made before",
            fix="ask an admin for a key: calibrant people key issue",
        )


def enrol(
    ledger: ledgers.Ledger, name: str, *, by: principals.Principal, roles: Iterable[str], owner: str | None = None
) -> principals.Principal:
    """Make a person, or with an owner a service."""
    answers = None if owner is None else _the(ledger.reader, principals.KIND, owner)
    command = principals.enrol(ledger.reader.get(principals.KIND, name), name, roles=roles, owner=answers)
    ledger.execute(by, command)
    return principals.read(_the(ledger.reader, principals.KIND, name))


def set_roles(ledger: ledgers.Ledger, name: str, roles: Iterable[str], *, by: principals.Principal) -> None:
    """Give other roles."""
    found = _the(ledger.reader, principals.KIND, name)
    ledger.execute(by, principals.set_roles(found, roles, admins=_everybody(ledger.reader)))


def suspend(ledger: ledgers.Ledger, name: str, *, by: principals.Principal) -> None:
    """Take away everything at once; keys stay what they are and prove nobody."""
    found = _the(ledger.reader, principals.KIND, name)
    ledger.execute(by, principals.suspend(found, admins=_everybody(ledger.reader)))


def reinstate(ledger: ledgers.Ledger, name: str, *, by: principals.Principal) -> None:
    """Give it back."""
    ledger.execute(by, principals.reinstate(_the(ledger.reader, principals.KIND, name)))


def issue(
    ledger: ledgers.Ledger,
    name: str,
    *,
    by: principals.Principal,
    expires_us: int,
    now_us: int,
    random: Random,
    label: str = "",
) -> Issued:
    """A new key; older ones of the same principal go on, so that keys can be changed without an outage."""
    holder = _the(ledger.reader, principals.KIND, name)
    command, token = keys.issue(holder, expires_us=expires_us, now_us=now_us, random=random, label=label)
    ledger.execute(by, command)
    return Issued(name, token.prefix, expires_us, token.reveal())


def revoke_key(ledger: ledgers.Ledger, prefix: str, *, by: principals.Principal) -> None:
    """End a key at once."""
    ledger.execute(by, keys.revoke(_the(ledger.reader, keys.KIND, prefix)))


def declare_environment(ledger: ledgers.Ledger, name: str, *, approvals: int, by: principals.Principal) -> None:
    """Make an environment, or change how many approvals it asks for."""
    found = ledger.reader.get(environments.KIND, name)
    ledger.execute(by, environments.declare(found, name, approvals=approvals))


def change_trust(
    ledger: ledgers.Ledger,
    change: Callable[[trust.TrustPolicy], trust.TrustPolicy],
    *,
    by: principals.Principal,
    reason: str | None = None,
) -> trust.TrustPolicy:
    """Put another trust policy in the place of the one that is there; the new one."""
    found = ledger.reader.get(trusted.KIND, trusted.NAME)
    after = change(artifact_files.trust_policy(ledger.reader))
    ledger.execute(by, trusted.replace(found, trust.to_dict(after), reason=reason))
    return after


def forget_words(ledger: ledgers.Ledger, commitment: str, *, by: principals.Principal) -> bool:
    """Erase what somebody said, on record; whether it was still there. Entries and proofs stay valid."""
    if ledger.reader.get(words.KIND, commitment) is None:
        ledger.execute(by, words.erase(commitment))
    return ledger.store.erase([commitment]) > 0


def _everybody(reader: control_store.ControlReader) -> tuple[resources.Resource, ...]:
    return reader.browse(principals.KIND)


def _the(reader: control_store.ControlReader, kind: str, name: str) -> resources.Resource:
    return refusals.present(reader.get(kind, name), kind=kind, name=name)
