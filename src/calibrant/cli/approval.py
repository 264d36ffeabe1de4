"""``calibrant approval``: other people look at an artifact before it is promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, control

if TYPE_CHECKING:
    from calibrant.ports.control_store import ControlReader
    from calibrant.registry.approvals import Approval, Slot, Verdict


@click.group(
    "approval",
    epilog="""\b
Examples:
  calibrant approval request fraud@7 production
  calibrant approval show request-1f2e3d4c
  calibrant approval approve request-1f2e3d4c --reason "gain holds for all carriers\"

\b
Every command takes --json. Exit codes: 0 done, 2 wrong use or refused.""",
)
def command() -> None:
    """Ask for approval, look at requests, approve or decline."""


@command.command(
    "request",
    epilog=control.examples("approval request", "fraud@7 production", "fraud@7 production --slot challenger --days 2"),
)
@click.argument("artifact")
@click.argument("environment")
@click.option("--slot", type=click.Choice(["champion", "challenger"]), default="champion", show_default=True)
@click.option("--days", type=click.FloatRange(min=0, min_open=True, max=90), default=7.0, show_default=True,
              help="Days until the request expires.")  # fmt: skip
@control.DECIDES
def request(artifact: str, environment: str, slot: Slot, days: float, store: str | None, as_json: bool) -> int:
    """Ask other people to approve ARTIFACT (fraud@7) for ENVIRONMENT."""
    from calibrant.workflow import promotions

    with control.deciding(store) as desk:
        asked = promotions.ask(
            desk.ledger, artifact, environment, by=desk.who, request=control.new_name("request"), now_us=desk.now_us,
            slot=slot, waits_us=control.after(0, days),
        )  # fmt: skip
    _show(asked, as_json)
    return console.FINE


@command.command("list", epilog=control.examples("approval list", "", "--all --json"))
@click.option("--all", "every", is_flag=True, help="Also those that are decided.")
@control.READS
def list_(every: bool, store: str | None, as_json: bool) -> int:
    """Open requests: neither used, declined, withdrawn nor expired."""
    from calibrant import wiring
    from calibrant.registry import approvals

    now_us = wiring.clock().now_us()

    with control.looking(store) as (_, reader):
        asked = [approvals.read(one) for one in reader.browse(approvals.KIND)]
    shown = [
        one for one in asked if every or (one.state in ("requested", "approved") and now_us < one.expires_us)
    ]  # fmt: skip
    if as_json:
        console.emit_json({"schema": "calibrant.approvals/1", "approvals": [_document(one) for one in shown]})
        return console.FINE
    rows = [
        (
            one.name,
            one.state if now_us < one.expires_us else f"{one.state}, expired",
            one.artifact,
            f"{one.slot} of {one.target}",
            one.proposed_by,
            _voices(one),
        )
        for one in shown
    ]
    console.table("", ("request", "state", "artifact", "as", "asked by", "approved"), rows, text_columns=6)
    return console.FINE


@command.command("show", epilog=control.examples("approval show", "request-1f2e3d4c", "request-1f2e3d4c --json"))
@click.argument("name", metavar="REQUEST")
@control.READS
def show(name: str, store: str | None, as_json: bool) -> int:
    """What is asked for, and the digests that an approval is bound to."""
    with control.looking(store) as (_, reader):
        _show(_read(reader, name), as_json)
    return console.FINE


def _deciding(verdict: Verdict, title: str) -> None:
    @command.command(
        verdict, help=title,
        epilog=control.examples(
            f"approval {verdict}", "request-1f2e3d4c", "request-1f2e3d4c --digest 50d69207dd78 --reason 'read it all'"
        ),
    )  # fmt: skip
    @click.argument("name", metavar="REQUEST")
    @click.option("--digest", metavar="SHA256", help="The artifact that was looked at; the request's by default.")
    @click.option("--evidence", metavar="SHA256", help="The evidence that was looked at; the request's by default.")
    @control.REASON
    @control.DECIDES
    def decide(
        name: str, digest: str | None, evidence: str | None, reason: str | None, store: str | None, as_json: bool
    ) -> int:
        from calibrant.workflow import promotions

        with control.deciding(store) as desk:
            asked = _read(desk.reader, name)
            after = promotions.decide(
                desk.ledger,
                name,
                verdict,
                by=desk.who,
                digest=_full(digest, asked.digest),
                evidence=_full(evidence, asked.evidence or ""),
                now_us=desk.now_us,
                reason=reason,
            )
        _show(after, as_json)
        return console.FINE


_deciding("approve", "Approve a request of somebody else.")
_deciding("decline", "Decline a request: one voice against ends it.")


@command.command(
    "withdraw", epilog=control.examples("approval withdraw", "request-1f2e3d4c", "request-1f2e3d4c --json")
)
@click.argument("name", metavar="REQUEST")
@control.DECIDES
def withdraw(name: str, store: str | None, as_json: bool) -> int:
    """Take a request back."""
    from calibrant.workflow import promotions

    with control.deciding(store) as desk:
        promotions.withdraw(desk.ledger, name, by=desk.who)
        _show(_read(desk.reader, name), as_json)
    return console.FINE


def _read(reader: ControlReader, name: str) -> Approval:
    from calibrant.registry import approvals, refusals

    return approvals.read(refusals.present(reader.get(approvals.KIND, name), kind="request", name=name))


def _full(given: str | None, asked: str) -> str:
    """The digest that a person named, who may name the first 12 or more digits of it."""
    if given is None:
        return asked
    digits = given.removeprefix("sha256:")
    if len(digits) < 12:
        raise errors.UsageError(
            "CAL-948",
            "too little of a digest",
            cause=f"{len(digits)} digits were given",
            fix="give at least 12 of them",
        )
    return asked if asked.removeprefix("sha256:").startswith(digits) else f"sha256:{digits}"


def _document(asked: Approval) -> dict[str, Any]:
    return {"name": asked.name, **asked.to_body()}


def _voices(asked: Approval) -> str:
    given = sum(one.verdict == "approve" for one in asked.decisions)
    return f"{given} of {asked.needs}"


def _show(asked: Approval, as_json: bool) -> None:
    if as_json:
        console.emit_json({"schema": "calibrant.approval/1", **_document(asked)})
        return
    console.out().print(f"{asked.name}  {asked.state}", style="bold")
    click.echo(f"artifact  {asked.artifact}  {control.short(asked.digest)}")
    click.echo(f"evidence  {control.short(asked.evidence)}")
    click.echo(f"as        {asked.slot} of {asked.target} (revision {asked.target_revision})")
    click.echo(
        f"asked by  {asked.proposed_by}, drafted by {asked.drafted_by}; open until {control.moment(asked.expires_us)}"
    )
    for one in asked.decisions:
        click.echo(f"{one.verdict:9} {one.person} through {one.principal}, {control.moment(one.at_us)}")
    if asked.state == "requested":
        click.echo(f"approved  {_voices(asked)}")
