"""``calibrant watch``: what the monitors of a stream say, and what advice remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from calibrant.cli import console, control

if TYPE_CHECKING:
    from calibrant.workflow.watching import Alarm, Watch


@click.command(
    "watch",
    epilog="""\b
Examples:
  calibrant watch fraud
  calibrant watch fraud --json
  calibrant watch fraud --release --reason "the label feed was broken, and is mended"

\b
Exit codes: 0 no alarm, 1 something is off beyond the tolerance, 2 wrong use, 3 nothing watched yet.""",
)
@click.argument("stream")
@click.option("--release", is_flag=True, help="Let a latched stream change again: you looked, and say so.")
@control.REASON
@control.READS
def command(stream: str, release: bool, reason: str | None, store: str | None, as_json: bool) -> int:
    """What a controller has seen of STREAM: e-values by cohort since the present rule serves, alarms, latches."""
    from calibrant import wiring
    from calibrant.registry import latches
    from calibrant.workflow import watching

    if release:
        with control.deciding(store) as desk:
            found = desk.reader.get(latches.KIND, stream)
            desk.ledger.execute(desk.who, latches.release(found, stream, now_us=desk.now_us, reason=reason))
        console.talk(f"{stream} may change again at the next look")
    with control.looking(store) as (project, _), project.open_control() as opened:
        declared = project.stream(stream)
        watch, revision = watching.recall(wiring.state_of(opened), declared, champion=None)
        alarms = watching.alarms(watch, declared)
    if as_json:
        console.emit_json(_document(stream, watch, alarms))
    elif revision:
        _show(stream, watch, alarms)
    if not revision:
        console.explain(
            "CAL-323",
            f"{stream} has not been watched yet",
            cause="no controller has looked at it",
            fix="start one: calibrant run",
        )
        return console.INCONCLUSIVE
    return console.FINDINGS if alarms else console.FINE


def _document(stream: str, watch: Watch, alarms: tuple[Alarm, ...]) -> dict[str, Any]:
    states = watch.monitors
    return {
        "schema": "calibrant.watch/1",
        "stream": stream,
        "champion": watch.champion,
        "labels_through": control.moment(watch.through_us),
        "groups": [
            {"name": name, "rows": int(rows), "log_e_value": float(log_e), "p_value": float(p)}
            for name, rows, log_e, p in zip(watch.names, states.rows, states.log_e_values, states.p_values, strict=True)
        ],
        "alarms": [{"name": one.name, "p_value": one.p_value, "changed": one.changed} for one in alarms],
        "acting": watch.remembered.gate.acting,
        "latched": watch.remembered.latched,
    }


def _show(stream: str, watch: Watch, alarms: tuple[Alarm, ...]) -> None:
    console.out().print(f"{stream}  labels through {control.moment(watch.through_us)}", style="bold")
    click.echo(f"serving {control.short(watch.champion)}" if watch.champion else "serving raw scores")
    off = {one.name for one in alarms}
    rows = [
        (name, "OFF" if name in off else "", f"{int(n):,}", console.p_value(float(p)))
        for name, n, p in zip(watch.names, watch.monitors.rows, watch.monitors.p_values, strict=True)
    ]
    console.table("", ("group", "", "rows", "p-value at any time"), rows, text_columns=2)
    if watch.remembered.latched:
        click.echo("latched: changes were taken back twice in a row, a person must look")
