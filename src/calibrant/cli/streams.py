"""What the commands on streams share: their options, times as people write them, progress over partitions."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import options

if TYPE_CHECKING:
    from calibrant.evidence.assess import Evidence
    from calibrant.frames.summaries import Summarised
    from calibrant.streams.declaration import Stream
    from calibrant.wiring import Project
    from calibrant.workflow.evidence_of_stream import Matured
    from calibrant.workflow.partitions import Progress
    from calibrant.workflow.rows_of_stream import StreamRows

#: Fewer partitions than this are through before a bar is understood.
MANY = 30

NAME = click.argument("stream", metavar="STREAM")
STORE = click.option(
    "--store",
    metavar="PATH",
    help="The project folder, or postgresql://… of its events; CALIBRANT_STORE or ./calibrant.d by default.",
)
WINDOW = options.all_of(
    click.option("--from", "begin", metavar="TIME", help="Only predictions made at or after: 2026-03-01 or RFC 3339."),
    click.option("--to", "end", metavar="TIME", help="Only predictions made before."),
)
AS_OF = click.option("--as-of", "as_of", metavar="TIME", help="Answer with what had been received by then.")
WEIGHTING = click.option(
    "--weighting",
    type=click.Choice(["plain", "inverse-propensity"]),
    default="plain",
    show_default=True,
    help="How labels that were chosen with a known propensity count.",
)

SOURCE = options.all_of(
    click.option("--stream", metavar="NAME", help="The matured pairs of this stream, instead of files."),
    WINDOW,
    AS_OF,
    WEIGHTING,
    STORE,
)
#: Options of SOURCE besides the stream, and those of files that a declaration takes the place of.
_OF_STREAM = {"begin": "--from", "end": "--to", "as_of": "--as-of", "store": "--store"}
_OF_FILES = {"score": "--score", "label": "--label", "weight": "--weight", "time": "--time"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The pairs of a stream, and the evidence of them."""

    stream: Stream
    found: Matured
    summed: Summarised
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Asked:
    """Which pairs of which stream, as asked for on the command line."""

    stream: str
    begin: str | None
    end: str | None
    as_of: str | None
    weighting: str
    store: str | None
    by: tuple[str, ...]

    def matured(self) -> tuple[Stream, Matured]:
        """Read, and join what is new."""
        from calibrant import wiring

        project = wiring.project(self.store)
        declared = project.stream(self.stream)
        found = matured(project, declared, begin=self.begin, end=self.end, as_of=self.as_of, weighting=self.weighting)
        return declared, found

    def assessed(self, *, tolerance: float, level: float, seed: int) -> Answer:
        """The evidence of what has matured."""
        from calibrant.frames import summaries
        from calibrant.workflow import evidence_of_stream

        declared, found = self.matured()
        by = self.by or None
        evidence = evidence_of_stream.assessed(found, declared, by=by, tolerance=tolerance, level=level, seed=seed)
        groups = None if found.one_sided else evidence_of_stream.cohorts_by(found, declared, by)
        summed = summaries.Summarised(found.pairs.pooled(), groups)
        return Answer(declared, found, summed, evidence)

    def rows(self, declared: Stream, found: Matured) -> StreamRows:
        """The same pairs one by one, for fitting."""
        from calibrant import wiring
        from calibrant.workflow import rows_of_stream

        with wiring.project(self.store).answering() as (store, _), steps("reading") as progress:
            return rows_of_stream.read(
                store,
                declared,
                found,
                by=self.by or None,
                received_by_us=moment(self.as_of, "--as-of"),
                progress=progress,
            )


def split(files: tuple[str, ...], data: dict[str, Any]) -> tuple[Asked | None, dict[str, Any]]:
    """What is asked of a stream, or else None and the options of files, of which none is missing."""
    rest = dict(data)
    of_stream = {name: rest.pop(name) for name in ("stream", "begin", "end", "as_of", "weighting", "store")}
    context = click.get_current_context()
    if of_stream["stream"] is None:
        given = [option for name, option in _OF_STREAM.items() if of_stream[name] is not None and name != "store"]
        if given or of_stream["weighting"] != "plain":
            raise errors.UsageError(
                "CAL-494",
                f"{(given or ['--weighting'])[0]} is for streams",
                cause="no --stream was given",
                fix="add --stream NAME, or leave it out",
            )
        if not files:
            raise click.MissingParameter(ctx=context, param_hint="'FILE...'", param_type="argument")
        for name in ("score", "label"):
            if rest[name] is None:
                raise click.MissingParameter(ctx=context, param_hint=f"'--{name}'", param_type="option")
        return None, rest
    given = [*files[:1], *(option for name, option in _OF_FILES.items() if rest[name] is not None)]
    if given or rest["skip_bad_rows"]:
        raise errors.UsageError(
            "CAL-495",
            f"{(given or ['--skip-bad-rows'])[0]!r} and --stream exclude each other",
            cause="what the scores and labels of a stream are is said in its declaration",
            fix="keep one of them",
        )
    return Asked(**of_stream, by=tuple(rest["cohorts"])), rest


def provenance(about: Mapping[str, Any]) -> Iterator[str]:
    """What an answer about a stream rests on; nothing for files."""
    if "as_of" not in about:
        return
    share = share_text(about["matured_share"])
    yield f"{about['source']} as of {about['as_of']}: {share} of {about['predictions']:,} predictions have matured"
    if about["matured"]:
        yield f"{share_text(about['pairs'] / about['matured'])} of the matured ones have an outcome"
    gap = about.get("selection_gap")
    if gap is not None:
        yield f"labels weighted by their propensities, which moves the base rate by {gap:+.4f}"


def moment(text: str | None, option: str) -> int | None:
    """Microseconds of a date (midnight UTC) or a time with a zone."""
    from calibrant.events import refusals, times

    if text is None:
        return None
    written = f"{text}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text
    try:
        return times.to_us(times.parse(written, option))
    except (refusals.Refused, errors.ValueRangeError) as error:
        raise errors.UsageError(
            "CAL-488",
            f"{option} {text!r} names no instant",
            cause="it is neither a date nor a time with a zone between 1970 and 2200",
            fix="write 2026-03-01 (midnight UTC) or 2026-03-01T12:00:00Z",
        ) from error


@contextmanager
def steps(title: str) -> Iterator[Progress | None]:
    """A bar over partitions on standard error, on a terminal only, when there are many."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, visible=False, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, visible=total >= MANY, completed=done, total=total)

        yield update


def matured(
    project: Project,
    stream: Stream,
    *,
    begin: str | None,
    end: str | None,
    as_of: str | None,
    weighting: str,
) -> Matured:
    """The matured evidence that the options ask for."""
    from calibrant import wiring
    from calibrant.workflow import evidence_of_stream

    start_us, end_us, as_of_us = moment(begin, "--from"), moment(end, "--to"), moment(as_of, "--as-of")
    if start_us is not None and end_us is not None and start_us >= end_us:
        raise errors.UsageError(
            "CAL-490", "--from is not before --to", cause="the window holds no time", fix="exchange them"
        )
    with project.answering() as (store, keep), steps("summarising") as progress:
        return evidence_of_stream.matured(
            store,
            stream,
            now_us=wiring.clock().now_us(),
            start_us=start_us,
            end_us=end_us,
            as_of_us=as_of_us,
            weighting="inverse_propensity" if weighting == "inverse-propensity" else "plain",
            keep=keep,
            progress=progress,
        )


def time_text(us: int | None) -> str:
    """A time for people and for JSON; nothing is a dash."""
    from calibrant.events import times

    return "–" if us is None else times.text(us)


def length_text(us: int) -> str:
    """A length of time in the unit that fits.

    >>> length_text(90_000_000), length_text(5_400_000_000), length_text(200_000_000_000)
    ('1.5 min', '1.5 h', '2.3 d')
    """
    for size, unit in ((86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "min")):
        if abs(us) >= size:
            return f"{us / size:.1f} {unit}"
    return f"{us / 1_000_000:.1f} s"


def share_text(share: float | None) -> str:
    """A share in per cent."""
    return "–" if share is None else f"{100 * share:.1f} %"
