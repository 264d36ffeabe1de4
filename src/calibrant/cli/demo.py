"""``calibrant demo``: a year of real flights through the whole loop, from the first look to the evidence bundle."""

from __future__ import annotations

import gc
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calibrant.cli import console, demo_maps, demo_project, demo_story, options

if TYPE_CHECKING:
    from calibrant.workflow.baselines import Month
    from calibrant.workflow.replaying import Replayed

#: Without a terminal, progress is a line every so many days.
LINE_EVERY = 30


@click.command(
    "demo",
    epilog="""\b
Examples:
  calibrant demo
  calibrant demo --output elsewhere --json

\b
Exit codes: 0 done, 1 the audit log is not sound, 2 the folder cannot be written.""",
)
@click.option("-o", "--output", default="demo", show_default=True, metavar="FOLDER", help="Where files are written.")
@click.option(
    "--days", type=click.IntRange(min=35), metavar="N", help="Replay only the first N days; the whole year by default."
)
@options.SEED
@options.JSON
def command(output: str, days: int | None, seed: int, as_json: bool) -> int:
    """Replay a year of 300,948 real flights through the loop: watch, advise, roll out, follow, prove.

    A model gives the probability that a flight arrives late. A controller looks once a day, on a clock that is moved;
    what it did is told and compared with maps made by hand. Writes report.html, evidence.zip, and a project folder.
    """
    from calibrant.frames import atomic

    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic.refused(folder, error) from error
    project = demo_project.prepare(folder / "project")
    with _beside(demo_maps.make, folder, seed) as maps:
        console.talk("reading a year of flights …")
        year = demo_project.read_year(project.stream("flights"), days=days)
        # what is loaded by now stays until the end: looking through it again and again costs seconds
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        with _progress() as progress:
            replayed = demo_project.replay(project, year, progress=progress)
        console.talk("verifying the audit log, exporting the evidence …")
        proved = demo_project.prove(project, folder / "evidence.zip")
        months = compared(replayed)
        made = maps()
    if as_json:
        console.emit_json(_document(made, replayed, months, proved, folder))
    else:
        demo_story.tell(replayed.seen, months, made, proved, folder)
    return console.FINE if proved.findings.sound else console.FINDINGS


def compared(replayed: Replayed) -> tuple[Month, ...]:
    """What was served next to maps made by hand, month by month."""
    import numpy as np

    from calibrant.workflow import baselines, replaying

    known = ~np.isnan(replayed.outcome)
    month, outcome = replaying.months(replayed.at_us[known]), replayed.outcome[known]
    found = baselines.answers(replayed.raw[known], replayed.served[known], outcome, month)
    return baselines.table(found, outcome, month)


@contextmanager
def _beside(
    work: Callable[[Path, int], demo_maps.Made], folder: Path, seed: int
) -> Iterator[Callable[[], demo_maps.Made]]:  # fmt: skip
    """Work that is done by a process of its own meanwhile; what is given waits for its result."""
    with futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool.submit(work, folder, seed).result


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, otherwise a line now and then, on standard error."""
    if not sys.stderr.isatty():
        yield lambda day, days: None if day % LINE_EVERY else console.talk(f"replayed {day} of {days} days")
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("a look a day", total=None)
        yield lambda day, days: bar.update(task, completed=day, total=days)


def _document(
    made: demo_maps.Made,
    replayed: Replayed,
    months: tuple[Month, ...],
    proved: demo_project.Proved,
    folder: Path,
) -> dict[str, Any]:
    files = (*demo_maps.FILES, *(["evidence.zip"] if proved.bundle is not None else []), "project")
    return {
        "schema": "calibrant.demo/2",
        "story": list(demo_story.story(replayed.seen)),
        "months": [asdict(month) for month in months],
        "audit": {"entries": proved.findings.entries, "sound": proved.findings.sound},
        "artifact": proved.artifact,
        "evidence": made.evidence,
        "recommendation": made.recommendation,
        "drift": made.drift,
        "files": [str(folder / name) for name in files],
    }
