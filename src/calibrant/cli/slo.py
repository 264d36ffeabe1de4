"""``calibrant slo``: how a stream stands with its objective, and how fast its budget burns."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, control, options, streams

if TYPE_CHECKING:
    from calibrant.slo.budgets import Status
    from calibrant.wiring import Project
    from calibrant.workflow.objectives import Assessed


@click.command(
    "slo",
    epilog="""\b
Examples:
  calibrant slo fraud
  calibrant slo fraud --as-of 2026-03-01 --json
  calibrant slo fraud --alert

\b
Exit codes: 0 healthy, 1 burning or used up, 2 wrong use or refused, 3 not enough data to tell.""",
)
@streams.NAME
@streams.AS_OF
@click.option("--environment", metavar="NAME", help="Of what was served there; of the scores as they came by default.")
@click.option("--alert", is_flag=True, help="Also put it on record, and tell the channels of alerts.yaml what is new.")
@streams.STORE
@options.JSON
def command(
    stream: str, as_of: str | None, environment: str | None, alert: bool, store: str | None, as_json: bool
) -> int:
    """The error budget of STREAM and of its cohorts, on the label clock."""
    from calibrant import wiring

    if alert and as_of is not None:
        raise errors.UsageError(
            "CAL-420", "nobody is told of the past", cause="--alert and --as-of were both given", fix="keep one of them"
        )
    project = wiring.project(store)
    if alert:
        with control.deciding(store) as desk:
            desk.demand("alert.record")
            found = assess(project, stream, None, environment)
            told = _take(desk, stream, found)
    else:
        found, told = assess(project, stream, as_of, environment), []
    if as_json:
        console.emit_json({"schema": "calibrant.slo/1", **found.to_dict(), **({"told": told} if alert else {})})
    else:
        show(found)
        for one in told:
            console.talk(f"{one['channel']}: {one['group']} {one['result']} ({one['detail']})")
    return _conclude(found)


def assess(project: Project, stream: str, as_of: str | None, environment: str | None) -> Assessed:
    """Now, or as of an earlier time."""
    from calibrant import wiring
    from calibrant.workflow import advising, objectives

    declared = project.stream(stream)
    served = None
    with contextlib.ExitStack() as opened:
        if environment is not None:
            reader = opened.enter_context(project.control_reader())
            served = advising.rules_over_time(reader, project.contents(), declared, environment)
        events, keep = opened.enter_context(project.answering())
        return objectives.assess(
            events, declared, now_us=wiring.clock().now_us(), as_of_us=streams.moment(as_of, "--as-of"), keep=keep,
            served=served,
        )  # fmt: skip


def _take(desk: control.Desk, stream: str, found: Assessed) -> list[dict[str, Any]]:
    """One round; what was sent."""
    from calibrant.workflow import alarming

    declared = desk.project.stream(stream)
    taken = alarming.take(
        desk.ledger, desk.working, declared, desk.project.office(), found, by=desk.who, now_us=desk.now_us
    )
    return [
        {
            "channel": one.channel,
            "group": one.group,
            "message": one.message,
            "result": one.outcome.result,
            "detail": one.outcome.detail,
        }
        for one in taken.sent
    ]


def show(found: Assessed) -> None:
    """The statuses for people."""
    whole = found.whole
    console.out().print(f"{whole.state.replace('_', ' ').upper()}", style="bold")
    end = control.moment(int(found.slices.starts_us[-1]) + found.slices.width_us)
    as_of = control.moment(found.as_of_us)
    click.echo(f"objective {whole.objective:.4g}, {whole.period.slices} slices to {end}, as of {as_of}")
    if found.held:
        click.echo("labels are missing by score: slices with missing labels are not judged")
    console.table(
        "",
        ("cohort", "state", "bad", "counted", "budget spent", "coverage", "burn (long, short)"),
        [_row(one) for one in found.statuses],
        text_columns=2,
    )


def _row(one: Status) -> tuple[str, ...]:
    fastest = max(one.burns, key=lambda each: each.long.rate(one.objective) / each.rule.factor)
    long, short = (each.rate(one.objective) for each in (fastest.long, fastest.short))
    return (
        one.name,
        one.state.replace("_", " "),
        str(one.period.bad),
        f"{one.period.counted} of {one.period.slices}",
        f"{one.spent:.0%}",
        "–" if one.coverage is None else f"{one.coverage:.0%}",
        f"{long:.1f}x, {short:.1f}x ({fastest.rule.severity} above {fastest.rule.factor:.4g}x)",
    )


def _conclude(found: Assessed) -> int:
    states = {one.state for one in found.statuses}
    if states & {"burning", "exhausted"}:
        return console.FINDINGS
    if found.whole.state == "healthy":
        return console.FINE
    console.explain(
        "CAL-321",
        "too few labels for a verdict",
        cause="too few predictions of the period lie in slices with enough labels",
        fix="wait for labels, or declare wider slices or fewer pairs (policies.slo.slice, policies.slo.least)",
    )
    return console.INCONCLUSIVE
