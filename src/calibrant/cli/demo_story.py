"""What ``calibrant demo`` tells at its end, in sentences that hold the numbers of this run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calibrant.cli import console, demo_maps, demo_project

if TYPE_CHECKING:
    from calibrant.workflow.baselines import Month
    from calibrant.workflow.controlling import Seen

#: What follows the labels by itself says so in these words; many days in a row become one line.
FOLLOWED = "followed: "
_HEADS = {
    "frozen": "frozen",
    "governed": "the loop",
    "first_platt": "Platt of February",
    "last_isotonic": "last month's isotonic",
    "oracle": "oracle",
}


def tell(
    seen: Sequence[Seen],
    months: Sequence[Month],
    maps: demo_maps.Made,
    proved: demo_project.Proved,
    folder: Path,
) -> None:
    """The whole story."""
    _title("What the loop saw and did, a look a day")
    for line in story(seen):
        click.echo(f"  {line}")
    _losses("Log loss by month", months, "log_loss")
    _losses("Brier score by month", months, "brier")
    click.echo("  oracle: each month's own isotonic map, fitted with hindsight; nothing can serve it.")
    _by_hand(maps)
    _title("The record")
    state = "sound" if proved.findings.sound else "NOT SOUND"
    click.echo(f"  audit log: {proved.findings.entries:,} entries, {state}")
    if proved.bundle is not None:
        click.echo(f"  evidence of {proved.artifact}: {proved.bundle} (verify it anywhere: python {proved.bundle})")
    _title("Written")
    for name in demo_maps.FILES:
        click.echo(f"  {folder / name}")
    click.echo(f"  {folder / 'project'}: the stream, its events, artifacts, decisions and keys")
    _title("Next")
    for step in (*next_steps(folder, proved), *demo_maps.next_steps(folder)):
        click.echo(f"  {step}")


def story(seen: Sequence[Seen]) -> Iterator[str]:
    """One line for each thing that happened; days on which the map followed the labels are counted."""
    followed: list[Seen] = []
    off = False
    for one in seen:
        quiet = [said for said in one.done if said.startswith(FOLLOWED)]
        if quiet:
            followed.append(one)
        others = [said for said in one.done if not said.startswith(FOLLOWED)]
        alarmed = bool(one.alarms) and not off
        if others or alarmed:
            yield from _following(followed)
            followed = []
        if alarmed:
            names = ", ".join(alarm.name for alarm in one.alarms[:4])
            more = f" and {len(one.alarms) - 4} more" if len(one.alarms) > 4 else ""
            yield f"{day(one.at_us)}  off beyond the tolerance: {names}{more}"
        off = bool(one.alarms)
        for said in others:
            yield f"{day(one.at_us)}  {said}"
    yield from _following(followed)


def day(at_us: int) -> str:
    """The day that a look at midnight ends."""
    return datetime.fromtimestamp(at_us / 1e6 - 1.0, UTC).strftime("%Y-%m-%d")


def next_steps(folder: Path, proved: demo_project.Proved) -> tuple[str, ...]:
    """Commands about the year that was replayed; the first one says who is asking."""
    store, target = f"--store {folder / 'project'}", f"flights/{demo_project.ENVIRONMENT}"
    asks = f"export CALIBRANT_KEY=$(cat {folder / 'project' / demo_project.KEY_FILE})"
    record = (
        f"calibrant audit verify {store}",
        f"calibrant binding history {target} {store}",
        f"calibrant rollout get {target} {store}",
        f"calibrant explain-decision {target} {store}",
    )
    return (asks, *record) if proved.artifact is not None else record[:1]


def _following(days: Sequence[Seen]) -> Iterator[str]:
    if not days:
        return
    first, last = days[0], days[-1]
    many = "1 day" if len(days) == 1 else f"{len(days)} days"
    yield (
        f"{day(first.at_us)}  the map followed the labels on {many}, until {day(last.at_us)}: {last.champion} serves"
    )  # fmt: skip


def _losses(title: str, months: Sequence[Month], measure: str) -> None:
    click.echo()
    rows = []
    for month in months:
        found = getattr(month, measure)
        rows.append((month.name, f"{month.rows:,}", *(f"{found[name]:.4f}" for name in _HEADS)))
    console.table(title, ("month", "flights", *_HEADS.values()), rows)


def _by_hand(maps: demo_maps.Made) -> None:
    """The map per carrier of February to August on the months after, in two lines."""
    found = maps.recommendation
    before, after = found["before"]["overall"], found["after"]["overall"]
    _title("Without a loop")
    click.echo(
        f"  One map per carrier, fitted on February to August: log loss of September to December "
        f"{before['log_loss']:.4f} -> {after['log_loss']:.4f}, verdict {before['verdict']} -> {after['verdict']}."
    )
    threshold = found["threshold"]
    if threshold is not None and "value" in threshold:
        click.echo(f"  If a missed delay costs 4 and a false alarm 1, act from {threshold['value']:.2f} on.")


def _title(text: str) -> None:
    click.echo("\n" + click.style(text, bold=True))
