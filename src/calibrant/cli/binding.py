"""``calibrant binding``: which artifact serves a stream, since when, put there by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, control

if TYPE_CHECKING:
    from calibrant.ports.control_store import ControlReader
    from calibrant.registry.approvals import Slot
    from calibrant.workflow.history import Tenure
    from calibrant.workflow.promotions import Bound


def _named(_: click.Context, __: click.Parameter, text: str) -> str:
    """STREAM/ENVIRONMENT as it was typed."""
    if text.count("/") != 1 or text.startswith("/") or text.endswith("/"):
        raise errors.UsageError(
            "CAL-953", "this is no binding", cause="a binding is named STREAM/ENVIRONMENT",
            fix="write fraud/production, or look for it: calibrant binding list",
        )  # fmt: skip
    return text


TARGET = click.argument("target", metavar="STREAM/ENVIRONMENT", callback=_named)


@click.group(
    "binding",
    epilog="""\b
Examples:
  calibrant binding promote fraud@7 production --request request-1f2e3d4c
  calibrant binding history fraud/production --at 2026-11-17T14:05:00Z
  calibrant binding rollback fraud/production --reason "false alarms doubled\"

\b
Every command takes --json. Exit codes: 0 done, 2 wrong use or refused.""",
)
def command() -> None:
    """Bind artifacts to streams, and know who was live when."""


@command.command("list", epilog=control.examples("binding list", "", "--json"))
@control.READS
def list_(store: str | None, as_json: bool) -> int:
    """What is bound now, everywhere."""
    from calibrant.registry import bindings

    with control.looking(store) as (_, reader):
        every = [(one.name, one.revision, bindings.read(one)) for one in reader.browse(bindings.KIND)]
    if as_json:
        console.emit_json(
            {"schema": "calibrant.bindings/1", "bindings": [control.binding_document(*one) for one in every]}
        )
    else:
        rows = [(name, control.binding_text(binding), str(revision)) for name, revision, binding in every]
        console.table("", ("binding", "holds", "revision"), rows, text_columns=2)
    return console.FINE


@command.command("show", epilog=control.examples("binding show", "fraud/production", "fraud/production --json"))
@TARGET
@control.READS
def show(target: str, store: str | None, as_json: bool) -> int:
    """What is bound now."""
    from calibrant.workflow import promotions

    with control.looking(store) as (_, reader):
        _demand_environment(reader, target)
        _told(promotions.bound(reader, target), as_json)
    return console.FINE


@command.command(
    "history",
    epilog=control.examples("binding history", "fraud/production", "fraud/production --at 2026-11-17T14:05:00Z"),
)
@TARGET
@click.option("--at", "at", metavar="TIME", help="Only what was live then: 2026-11-17T14:05:00Z.")
@control.READS
def history(target: str, at: str | None, store: str | None, as_json: bool) -> int:
    """Who was live when, who put it there, who approved it, on what evidence, and why."""
    from calibrant.cli import streams
    from calibrant.workflow import history as histories

    with control.looking(store) as (_, reader):
        _demand_environment(reader, target)
        moment = streams.moment(at, "--at")
        found: tuple[Tenure, ...]
        if moment is None:
            found = histories.tenures(reader, target)
        else:
            live = histories.at(reader, target, moment)
            found = () if live is None else (live,)
    if as_json:
        console.emit_json(
            {"schema": "calibrant.binding-history/1", "name": target, "tenures": [_document(one) for one in found]}
        )
        return console.FINE
    if not found:
        click.echo("nothing was bound: raw scores were served as they are")
    for one in found:
        until = "now" if one.until_us is None else control.moment(one.until_us)
        console.out().print(f"{control.moment(one.since_us)} to {until}", style="bold")
        click.echo(f"  {control.binding_text(one.binding)}")
        click.echo(f"  {one.action} by {one.actor}, audit entry {one.index}" + (f': "{one.said}"' if one.said else ""))
        if one.binding.champion is not None:
            voices = ", ".join(f"{each.person} ({control.moment(each.at_us)})" for each in one.approvers)
            click.echo(
                f"  champion approved by {voices or 'nobody: none was asked for'}, "
                f"on evidence {control.short(one.evidence)}"
            )
    return console.FINE


@command.command(
    "promote",
    epilog=control.examples(
        "binding promote", "fraud@7 production --request request-1f2e3d4c", 'fraud@7 staging --reason "try it"'
    ),
)
@click.argument("artifact")
@click.argument("environment")
@click.option("--request", "request", metavar="REQUEST", help="The approved request that this uses up.")
@click.option("--slot", type=click.Choice(["champion", "challenger"]), default="champion", show_default=True)
@control.REASON
@control.DECIDES
def promote(
    artifact: str,
    environment: str,
    request: str | None,
    slot: Slot,
    reason: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Make ARTIFACT (fraud@7) the champion of its stream in ENVIRONMENT. Its bytes and signature are verified first."""
    from calibrant.workflow import promotions

    with control.deciding(store) as desk:
        bound = promotions.promote(
            desk.ledger, desk.contents, artifact, environment, by=desk.who, now_us=desk.now_us, request=request,
            slot=slot, reason=reason,
        )  # fmt: skip
    _told(bound, as_json)
    return console.FINE


@command.command("shadow", epilog=control.examples("binding shadow", "fraud/production fraud@8", "fraud/production"))
@TARGET
@click.argument("artifact", required=False)
@control.REASON
@control.DECIDES
def shadow(target: str, artifact: str | None, reason: str | None, store: str | None, as_json: bool) -> int:
    """Let ARTIFACT see every score and act on none; without an artifact, stop that."""
    from calibrant.workflow import promotions

    stream, _, environment = target.partition("/")
    with control.deciding(store) as desk:
        bound = promotions.shadow(
            desk.ledger, desk.contents, stream, environment, artifact, by=desk.who, now_us=desk.now_us, reason=reason
        )
    _told(bound, as_json)
    return console.FINE


@command.command(
    "rollback",
    epilog=control.examples("binding rollback", "fraud/production", 'fraud/production --reason "false alarms doubled"'),
)
@TARGET
@control.REASON
@control.DECIDES
def rollback(target: str, reason: str | None, store: str | None, as_json: bool) -> int:
    """Restore exactly what was bound before the last promotion. Needs no approval."""
    from calibrant.workflow import promotions

    with control.deciding(store) as desk:
        bound = promotions.rollback(desk.ledger, target, by=desk.who, reason=reason)
    _told(bound, as_json)
    return console.FINE


def _demand_environment(reader: ControlReader, target: str) -> None:
    """A misspelt environment must not look like one where nothing is bound."""
    from calibrant.registry import environments, refusals

    name = target.partition("/")[2]
    refusals.present(reader.get(environments.KIND, name), kind=environments.KIND, name=name)


def _told(bound: Bound, as_json: bool) -> None:
    if as_json:
        console.emit_json(control.binding_document(bound.name, bound.revision, bound.binding))
    else:
        click.echo(f"{bound.name} (revision {bound.revision}): {control.binding_text(bound.binding)}")


def _document(one: Tenure) -> dict[str, Any]:
    return {
        "revision": one.revision,
        "since": control.moment(one.since_us),
        "until": None if one.until_us is None else control.moment(one.until_us),
        "binding": one.binding.to_body(),
        "action": one.action,
        "actor": one.actor,
        "audit_index": one.index,
        "approvers": [
            {"person": each.person, "principal": each.principal, "at": control.moment(each.at_us)}
            for each in one.approvers
        ],
        "evidence": one.evidence,
        "reason": one.said,
    }
