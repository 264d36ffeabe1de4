"""``calibrant alert``: what fires, who was told, and that somebody looks after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, control

if TYPE_CHECKING:
    from calibrant.ports.control_store import ControlReader
    from calibrant.slo.alerts import Alert
    from calibrant.wiring import Project


@click.group(
    "alert",
    epilog="""\b
Examples:
  calibrant alert list
  calibrant alert acknowledge fraud/b05248a1 --reason "on it"
  calibrant alert test oncall

\b
Every command takes --json. Exit codes: 0 nothing fires, or done; 1 something fires (list); 2 wrong use or refused.""",
)
def command() -> None:
    """Alerts and the channels that are told of them."""


@command.command("list", epilog=control.examples("alert list", "", "--stream fraud --all"))
@click.option("--stream", metavar="STREAM", help="Of this stream alone.")
@click.option("--all", "every", is_flag=True, help="Also those that have ended.")
@control.READS
def list_(stream: str | None, every: bool, store: str | None, as_json: bool) -> int:
    """What fires now; exit code 1 when anything does."""
    from calibrant import wiring

    with control.looking(store) as (project, reader):
        found = _known(reader, "" if stream is None else f"{stream}/")
        why = _hidden(project, reader, found, wiring.clock().now_us())
    shown = [one for one in found if every or one.status == "firing"]
    if as_json:
        console.emit_json(
            {"schema": "calibrant.alerts/1", "alerts": [document(one, why.get(one.fingerprint, ())) for one in shown]}
        )
    elif shown:
        rows = [_row(one, why.get(one.fingerprint, ())) for one in shown]
        console.table("", ("alert", "severity", "what", "cohort", "state", "since", "said"), rows, text_columns=7)
    else:
        click.echo("nothing fires")
    return console.FINDINGS if any(one.status == "firing" for one in found) else console.FINE


@command.command("show", epilog=control.examples("alert show", "fraud/b05248a1"))
@click.argument("name", metavar="ALERT")
@control.READS
def show(name: str, store: str | None, as_json: bool) -> int:
    """One alert, with what was so when it fired."""
    from calibrant import wiring

    with control.looking(store) as (project, reader):
        alert = _the(reader, name)
        why = _hidden(project, reader, _known(reader, f"{alert.labels.stream}/"), wiring.clock().now_us())
    hidden = why.get(alert.fingerprint, ())
    if as_json:
        console.emit_json({"schema": "calibrant.alert/1", **document(alert, hidden)})
        return console.FINE
    console.out().print(f"{_name(alert)}  {alert.status}", style="bold")
    for label, text in (*alert.labels.to_dict().items(), *sorted(alert.annotations.items())):
        click.echo(f"{label:12} {text}")
    click.echo(f"{'since':12} {control.moment(alert.started_us)}, fired {control.moment(alert.fired_us)}")
    if alert.ended_us is not None:
        click.echo(f"{'until':12} {control.moment(alert.ended_us)}")
    for label, held in (alert.snapshot or {}).items():
        click.echo(f"{label.removesuffix('_us'):12} {control.moment(held) if label == 'as_of_us' else held}")
    if alert.acknowledged_by is not None:
        click.echo(f"{'with':12} {alert.acknowledged_by}")
    if hidden:
        click.echo(f"{'not told':12} because of {', '.join(hidden)}")
    return console.FINE


@command.command("acknowledge", epilog=control.examples("alert acknowledge", "fraud/b05248a1 --reason 'on it'"))
@click.argument("name", metavar="ALERT")
@control.REASON
@control.DECIDES
def acknowledge(name: str, reason: str | None, store: str | None, as_json: bool) -> int:
    """Say that you look after ALERT: it is not repeated until it ends."""
    from calibrant.slo import alerts as slo_alerts
    from calibrant.workflow import alerts

    with control.deciding(store) as desk:
        found = _the(desk.reader, name)
        after = alerts.acknowledge(desk.ledger, slo_alerts.name(found.labels), by=desk.who, reason=reason)
    if as_json:
        console.emit_json({"schema": "calibrant.alert/1", **document(after, ())})
    else:
        click.echo(f"{_name(after)}: {after.acknowledged_by} looks after it")
    return console.FINE


@command.command("deliveries", epilog=control.examples("alert deliveries", "fraud"))
@click.argument("stream")
@control.READS
def deliveries(stream: str, store: str | None, as_json: bool) -> int:
    """What every channel was told of STREAM, and what waits."""
    from calibrant.workflow import deliveries as told

    with control.deciding(store) as desk:
        desk.demand("registry.read")
        found = told.log(desk.working, stream)
    if as_json:
        body = [{"to": name, **one.to_body()} for name, one in sorted(found.items())]
        console.emit_json({"schema": "calibrant.deliveries/1", "deliveries": body})
        return console.FINE
    rows = [
        (control.moment(each.at_us), *name.rsplit("|", 1), each.result, each.detail)
        for name, one in sorted(found.items())
        for each in one.log
    ]
    console.table("", ("at", "group", "channel", "result", "said"), sorted(rows), text_columns=5)
    for name, one in sorted(found.items()):
        if one.waiting is not None:
            click.echo(f"{name}: waits until {control.moment(one.next_us)}, {one.waiting.attempts} attempts so far")
    return console.FINE


@command.command("test", epilog=control.examples("alert test", "oncall"))
@click.argument("channel")
@control.DECIDES
def test(channel: str, store: str | None, as_json: bool) -> int:
    """Send a made-up alert to CHANNEL and take it back, and say what came of it; exit code 1 if it did not arrive."""
    from calibrant.workflow import deliveries

    with control.deciding(store) as desk:
        desk.demand("alert.record")
        outcomes = deliveries.probe(desk.project.office(), channel, now_us=desk.now_us, by=desk.who)
    if as_json:
        body = [{"result": one.result, "detail": one.detail} for one in outcomes]
        console.emit_json({"schema": "calibrant.channel-test/1", "channel": channel, "outcomes": body})
    else:
        for one in outcomes:
            click.echo(f"{channel}: {one.result} ({one.detail})")
    return console.FINE if all(one.result == "delivered" for one in outcomes) else console.FINDINGS


def _known(reader: ControlReader, prefix: str) -> list[Alert]:
    from calibrant.slo import alerts

    return [alerts.read(one) for one in reader.browse(alerts.KIND, prefix=prefix)]


def _the(reader: ControlReader, name: str) -> Alert:
    """The alert of a name, of which the beginning is enough."""
    from calibrant.registry import refusals

    stream, _, digits = name.partition("/")
    found = [one for one in _known(reader, f"{stream}/") if digits and one.fingerprint.startswith(digits)]
    if not found:
        raise refusals.absent("alert", name)
    if len(found) > 1:
        raise errors.UsageError(
            "CAL-948", "too little of a name", cause=f"{len(found)} alerts begin so", fix="give more digits of it"
        )
    return found[0]


def _hidden(project: Project, reader: ControlReader, known: list[Alert], now_us: int) -> dict[str, tuple[str, ...]]:
    from calibrant.workflow import alerts, deliveries

    return deliveries.hidden(known, alerts.silenced(reader), project.channels().quiet, now_us=now_us)


def _name(alert: Alert) -> str:
    return f"{alert.labels.stream}/{alert.fingerprint[:8]}"


def document(alert: Alert, hidden: tuple[str, ...]) -> dict[str, Any]:
    """An alert as plain data."""
    return {"fingerprint": alert.fingerprint, **alert.to_body(), "not_told_because_of": list(hidden)}


def _row(alert: Alert, hidden: tuple[str, ...]) -> tuple[str, ...]:
    flags = [*(["flapping"] if alert.flapping else []), *(["not told"] if hidden else [])]
    flags += [] if alert.acknowledged_by is None else [f"with {alert.acknowledged_by}"]
    return (
        _name(alert),
        alert.labels.severity,
        alert.labels.alertname,
        alert.labels.cohort,
        ", ".join([alert.status, *flags]),
        control.moment(alert.started_us),
        alert.annotations.get("summary", ""),
    )
