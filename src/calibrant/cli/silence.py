"""``calibrant silence``: alerts that nobody is told of for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, control

if TYPE_CHECKING:
    from calibrant.slo.silences import Silence


@click.group(
    "silence",
    epilog="""\b
Examples:
  calibrant silence begin stream=fraud severity=ticket --days 0.5 --reason "migration"
  calibrant silence list
  calibrant silence end silence-1f2e3d4c

\b
Every command takes --json. Exit codes: 0 done, 2 wrong use or refused.""",
)
def command() -> None:
    """Silences: who matches is not told to anybody, and stays on record."""


@command.command("begin", epilog=control.examples("silence begin", "stream=fraud cohort=carrier=AA --days 1"))
@click.argument("matches", metavar="LABEL=VALUE...", nargs=-1, required=True)
@click.option("--days", type=click.FloatRange(min=0, min_open=True, max=30), default=1.0, show_default=True,
              help="Days until it ends.")  # fmt: skip
@control.REASON
@control.DECIDES
def begin(matches: tuple[str, ...], days: float, reason: str | None, store: str | None, as_json: bool) -> int:
    """Silence alerts with all of these labels, from now on."""
    from calibrant.slo import silences
    from calibrant.workflow import alerts

    with control.deciding(store) as desk:
        made = silences.begin(
            control.new_name("silence"), _matches(matches), starts_us=desk.now_us,
            ends_us=control.after(desk.now_us, days), by=desk.who.name, reason=reason,
        )  # fmt: skip
        _show([alerts.silence(desk.ledger, made, by=desk.who)], desk.now_us, as_json)
    return console.FINE


@command.command("end", epilog=control.examples("silence end", "silence-1f2e3d4c"))
@click.argument("name", metavar="SILENCE")
@control.REASON
@control.DECIDES
def end(name: str, reason: str | None, store: str | None, as_json: bool) -> int:
    """End a silence before its time."""
    from calibrant.slo import silences
    from calibrant.workflow import alerts

    with control.deciding(store) as desk:
        ending = silences.end(desk.reader.get(silences.KIND, name), name, now_us=desk.now_us, reason=reason)
        _show([alerts.silence(desk.ledger, ending, by=desk.who)], desk.now_us, as_json)
    return console.FINE


@command.command("list", epilog=control.examples("silence list", "", "--all"))
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@control.READS
def list_(every: bool, store: str | None, as_json: bool) -> int:
    """Silences that are active or to come."""
    from calibrant import wiring
    from calibrant.workflow import alerts

    now_us = wiring.clock().now_us()
    with control.looking(store) as (_, reader):
        found = alerts.silenced(reader)
    _show([one for one in found if every or one.state(now_us) != "expired"], now_us, as_json)
    return console.FINE


def _matches(given: tuple[str, ...]) -> dict[str, str]:
    """``stream=fraud`` and so on; a value may hold equals signs."""
    pairs = [one.partition("=") for one in given]
    wrong = [one for one, (_, sign, _) in zip(given, pairs, strict=True) if not sign]
    if wrong or len({name for name, _, _ in pairs}) < len(pairs):
        raise errors.UsageError(
            "CAL-420",
            "these are no labels",
            cause=f"{wrong[0]!r} is not of the form LABEL=VALUE" if wrong else "a label is given twice",
            fix="write stream=fraud severity=ticket",
        )
    return {name: value for name, _, value in pairs}


def _show(silences: list[Silence], now_us: int, as_json: bool) -> None:
    if as_json:
        body: list[dict[str, Any]] = [
            {"name": one.name, "state": one.state(now_us), **one.to_body()} for one in silences
        ]
        console.emit_json({"schema": "calibrant.silences/1", "silences": body})
        return
    rows = [
        (one.name, one.state(now_us), " ".join(f"{name}={value}" for name, value in sorted(one.matches.items())),
         control.moment(one.starts_us), control.moment(one.ends_us), one.by)
        for one in silences
    ]  # fmt: skip
    console.table("", ("silence", "state", "alerts with", "from", "to", "by"), rows, text_columns=6)
