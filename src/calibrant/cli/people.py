"""``calibrant people``: who may do what here; principals, roles and keys."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from calibrant.cli import console, control

if TYPE_CHECKING:
    from calibrant.workflow.people import Issued

_ROLE = click.option("--role", "roles", metavar="ROLE", multiple=True, help="A role; several are allowed.")
_DAYS = click.option(
    "--days", type=click.FloatRange(min=0, min_open=True, max=366), default=90.0, show_default=True,
    help="Days until the key expires.",
)  # fmt: skip


@click.group(
    "people",
    epilog="""\b
Examples:
  calibrant people init alice --role proposer
  calibrant people add bob --role approver --role operator
  calibrant people key issue bob --days 90

\b
Roles are explained by: calibrant people roles

\b
Every command takes --json. Exit codes: 0 done, 2 wrong use or refused.""",
)
def command() -> None:
    """People and services, their roles and keys. Every change is on record."""


@command.command("init", epilog=control.examples("people init", "alice --role proposer", "alice --days 30"))
@click.argument("name")
@_ROLE
@_DAYS
@control.DECIDES
def init(name: str, roles: tuple[str, ...], days: float, store: str | None, as_json: bool) -> int:
    """Begin: the first admin, keys to sign with, and the environments production and staging.

    Prints the admin's key once. Set CALIBRANT_KEY to it.
    """
    from calibrant import wiring
    from calibrant.workflow import people

    project = wiring.project(store)
    now_us = wiring.clock().now_us()
    with project.open_control() as store_of_decisions:
        # no keys are made beside those of an installation that has begun elsewhere
        people.demand_new(store_of_decisions)
    project.make_keys()
    with project.ledger() as ledger:
        issued = people.begin(
            ledger,
            name,
            roles=roles,
            own_keys=project.own_trust(owner=name, now_us=now_us),
            expires_us=control.after(now_us, days),
            now_us=now_us,
            random=os.urandom,
        )
    _show_key(issued, as_json)
    console.talk(f"{name} is admin. production asks for approval by another person, staging does not.")
    return console.FINE


@command.command("list", epilog=control.examples("people list", "", "--json"))
@control.READS
def list_(store: str | None, as_json: bool) -> int:
    """All principals with their roles."""
    from calibrant.registry import principals

    with control.looking(store, action="people.read") as (_, reader):
        everybody = [principals.read(one) for one in reader.browse(principals.KIND)]
    if as_json:
        console.emit_json(
            {"schema": "calibrant.people/1", "people": [{"name": one.name, **one.to_body()} for one in everybody]}
        )
        return console.FINE
    rows = [(one.name, one.type, one.owner or "", ", ".join(sorted(one.roles)), one.state) for one in everybody]
    console.table("", ("name", "type", "owner", "roles", "state"), rows, text_columns=5)
    return console.FINE


@command.command(
    "add", epilog=control.examples("people add", "bob --role approver", "robot --role operator --owner otto")
)
@click.argument("name")
@_ROLE
@click.option("--owner", metavar="PERSON", help="Makes it a service that this person answers for.")
@control.DECIDES
def add(name: str, roles: tuple[str, ...], owner: str | None, store: str | None, as_json: bool) -> int:
    """Enrol a person, or with --owner a service. A name stays in the audit log: take a handle."""
    from calibrant.workflow import people

    with control.deciding(store) as desk:
        made = people.enrol(desk.ledger, name, by=desk.who, roles=roles, owner=owner)
    if as_json:
        console.emit_json({"schema": "calibrant.principal/1", "name": made.name, **made.to_body()})
    else:
        click.echo(f"{made.name}: {made.type}, " + (", ".join(sorted(made.roles)) or "no role yet"))
    return console.FINE


@command.command("roles", epilog=control.examples("people roles", "", "bob --role approver --role viewer"))
@click.argument("name", required=False)
@_ROLE
@control.DECIDES
def roles_(name: str | None, roles: tuple[str, ...], store: str | None, as_json: bool) -> int:
    """Give a principal exactly these roles; without a name, say what each role is for and may do."""
    from calibrant.registry import policy
    from calibrant.workflow import people

    if name is not None:
        with control.deciding(store) as desk:
            people.set_roles(desk.ledger, name, roles, by=desk.who)
        console.talk(f"{name}: " + (", ".join(roles) or "no role"))
        return console.FINE
    matrix = {
        role: sorted(action for action, may in policy.MATRIX.items() if role in may) for role in policy.ROLES
    }  # fmt: skip
    if as_json:
        console.emit_json({"schema": "calibrant.roles/1", "roles": matrix})
    else:
        rows = [(role, policy.MEANS[role], ", ".join(matrix[role])) for role in policy.ROLES]
        console.table("", ("role", "is for", "may"), rows, text_columns=3, whole=("role",))
    return console.FINE


@command.command("suspend", epilog=control.examples("people suspend", "bob", "robot --json"))
@click.argument("name")
@control.DECIDES
def suspend(name: str, store: str | None, as_json: bool) -> int:
    """Take away everything a principal may do, and what their services may do."""
    from calibrant.workflow import people

    with control.deciding(store) as desk:
        people.suspend(desk.ledger, name, by=desk.who)
    return _told({"name": name, "state": "suspended"}, as_json)


@command.command("reinstate", epilog=control.examples("people reinstate", "bob", "robot --json"))
@click.argument("name")
@control.DECIDES
def reinstate(name: str, store: str | None, as_json: bool) -> int:
    """Give a suspended principal, and their services, everything back."""
    from calibrant.workflow import people

    with control.deciding(store) as desk:
        people.reinstate(desk.ledger, name, by=desk.who)
    return _told({"name": name, "state": "active"}, as_json)


@command.group("key")
def key() -> None:
    """Keys that prove who is acting."""


@key.command("issue", epilog=control.examples("people key issue", "bob --days 30", 'robot --label "nightly promotion"'))
@click.argument("name")
@_DAYS
@click.option("--label", metavar="TEXT", default="", help="What the key is for.")
@control.DECIDES
def issue(name: str, days: float, label: str, store: str | None, as_json: bool) -> int:
    """Issue a key for a principal and print it, this once. Older keys go on until they expire or are revoked."""
    from calibrant.workflow import people

    with control.deciding(store) as desk:
        issued = people.issue(
            desk.ledger, name, by=desk.who, expires_us=control.after(desk.now_us, days), now_us=desk.now_us,
            random=os.urandom, label=label,
        )  # fmt: skip
    _show_key(issued, as_json)
    return console.FINE


@key.command("revoke", epilog=control.examples("people key revoke", "63a1f0c2b7d4", "63a1f0c2b7d4 --json"))
@click.argument("prefix")
@control.DECIDES
def revoke(prefix: str, store: str | None, as_json: bool) -> int:
    """End a key at once. PREFIX are the 12 characters after cal_."""
    from calibrant.workflow import people

    with control.deciding(store) as desk:
        people.revoke_key(desk.ledger, prefix, by=desk.who)
    return _told({"key": prefix, "state": "revoked"}, as_json)


@command.command(
    "forget", epilog=control.examples("people forget", "sha256:9f86d0…0f00a08", "sha256:9f86d0…0f00a08 --json")
)
@click.argument("commitment")
@control.DECIDES
def forget(commitment: str, store: str | None, as_json: bool) -> int:
    """Erase words that somebody said with a change. The audit log and all proofs stay valid."""
    from calibrant.workflow import people

    with control.deciding(store) as desk:
        there = people.forget_words(desk.ledger, commitment, by=desk.who)
    return _told({"commitment": commitment, "state": "erased" if there else "was not there"}, as_json)


def _show_key(issued: Issued, as_json: bool) -> None:
    if as_json:
        console.emit_json(
            {
                "schema": "calibrant.issued-key/1",
                "principal": issued.principal,
                "prefix": issued.prefix,
                "expires": control.moment(issued.expires_us),
                "key": issued.token,
            }
        )
        return
    click.echo(issued.token)
    console.talk(
        f"the key of {issued.principal} until {control.moment(issued.expires_us)}: not kept, and not shown again.\n"
        "export CALIBRANT_KEY=...  to act with it"
    )


def _told(document: dict[str, Any], as_json: bool) -> int:
    if as_json:
        console.emit_json({"schema": "calibrant.done/1", **document})
    else:
        click.echo(": ".join(str(value) for value in document.values()))
    return console.FINE
