"""Options that several commands share, and the step that they lead to: checked rows and their summaries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

import click

from calibrant.cli import console

if TYPE_CHECKING:
    from calibrant.frames.columns import Rows, Target

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Data:
    """Which rows, and what their columns mean; as declared on the command line."""

    score: str
    label: str
    weight: str | None
    cohorts: tuple[str, ...]
    time: str | None
    scale: str
    target: Target
    skip_bad_rows: bool

    def read(self, files: str | tuple[str, ...], *, title: str = "reading") -> Rows:
        """Read and check; rows skipped on request are told on standard error, data of one kind refused."""
        from calibrant.calibrators.scales import Scale
        from calibrant.frames import columns, measurable

        with console.progress(title) as update:
            rows = columns.read(
                files if isinstance(files, str) else list(files),
                score=self.score,
                label=self.label,
                weight=self.weight,
                cohorts=self.cohorts,
                time=self.time,
                scale=Scale.parse(self.scale),
                target=self.target,
                skip_bad_rows=self.skip_bad_rows,
                progress=update,
            )
        console.tell_skipped(rows)
        measurable.require(rows)
        return rows


def all_of(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several decorators as one, the first on top in --help."""
    return lambda command: reduce(lambda inner, decorate: decorate(inner), reversed(decorators), command)


FILES = click.argument("files", metavar="FILE...", nargs=-1, required=True)

_SCORE_AND_LABEL = (("--score", "Column of scores."), ("--label", "Column of outcomes: 0/1 or true/false."))
_OTHER_DATA = all_of(
    click.option("--weight", metavar="COL", help="Column of row weights, not negative."),
    click.option("--cohort", "cohorts", metavar="COL", multiple=True, help="Cohort column; several are crossed."),
    click.option("--time", metavar="COL", help="Column of times: ISO 8601 or timestamps."),
    click.option(
        "--scale",
        default="probability",
        show_default=True,
        metavar="SCALE",
        help="What the scores are: probability, percent, logit, unbounded or unbounded:CENTER,SPREAD.",
    ),
    click.option(
        "--target",
        type=click.Choice(["binary", "rate"]),
        default="binary",
        show_default=True,
        help="What the labels are: outcomes, or rates in [0, 1].",
    ),
    click.option("--skip-bad-rows", is_flag=True, help="Leave out rows that fail a check, and count them."),
)

DATA = all_of(
    *(click.option(name, required=True, metavar="COL", help=says) for name, says in _SCORE_AND_LABEL), _OTHER_DATA
)
#: The same where ``--stream`` may take the place of files; ``streams.split`` asks for what is missing then.
FILES_IF_ANY = click.argument("files", metavar="[FILE...]", nargs=-1)
DATA_IF_FILES = all_of(*(click.option(name, metavar="COL", help=says) for name, says in _SCORE_AND_LABEL), _OTHER_DATA)

JUDGING = all_of(
    click.option(
        "--tolerance",
        type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
        default=0.02,
        show_default=True,
        help="Miscalibration that nobody minds, in probability.",
    ),
    click.option(
        "--level",
        type=click.FloatRange(0.5, 1.0, max_open=True),
        default=0.95,
        show_default=True,
        help="Confidence of intervals and verdicts.",
    ),
)

SEED = click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all resampling.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

#: What a threshold is for; ``decisions.aims`` reads them.
AIMS = all_of(
    click.option("--cost-fp", type=float, metavar="X", help="Cost of acting on a negative."),
    click.option("--cost-fn", type=float, metavar="Y", help="Cost of not acting on a positive."),
    click.option("--cost-action", type=float, metavar="Z", help="Cost of acting at all."),
    click.option("--precision", type=float, metavar="P", help="Share of alerts that must be positive."),
    click.option("--recall", type=float, metavar="R", help="Share of positives that must be found."),
    click.option("--capacity", type=float, metavar="N", help="Alerts a day that can be handled."),
    click.option("--rows-per-day", type=float, metavar="M", help="For --capacity where there is no --time."),
)
