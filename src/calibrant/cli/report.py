"""``calibrant report``: one HTML page to send around."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import check, console, options, recommend, streams

if TYPE_CHECKING:
    from calibrant.evidence.recommend import Recommendation


@click.command(
    "report",
    epilog="""\b
Examples:
  calibrant report preds.parquet --score p --label y -o report.html
  calibrant report 'day-*.csv' --score p --label y --cohort country --time at -o report.html
  calibrant report --stream fraud --from 2026-03-01 -o report.html

\b
Exit codes: 0 calibrated, 1 miscalibrated, 2 wrong use or bad input (nothing is written), 3 not enough
data to tell (below 50 rows nothing is written).""",
)
@options.FILES_IF_ANY
@streams.SOURCE
@options.DATA_IF_FILES
@options.JUDGING
@click.option("-o", "--output", required=True, metavar="OUT", help="The page to write: report.html.")
@click.option("--title", metavar="TEXT", help="Title of the page; the source by default.")
@click.option("--advice/--no-advice", default=True, show_default=True, help="With or without a recommendation.")
@options.SEED
@options.JSON
def command(
    files: tuple[str, ...],
    output: str,
    title: str | None,
    advice: bool,
    tolerance: float,
    level: float,
    seed: int,
    as_json: bool,
    **data: Any,
) -> int:
    """Write one self-contained HTML page: diagram, numbers, cohorts, and what to do, proved on held-out rows.

    FILE is CSV, JSON lines or Parquet, a quoted pattern, or - for standard input; several are read as one.
    Instead of files, --stream NAME takes the matured pairs of a stream.
    """
    from calibrant.evidence import assess
    from calibrant.frames import measurable, summaries

    asked, data = streams.split(files, data)
    if asked is not None:
        return of_stream(
            asked,
            output=output,
            title=title,
            advice=advice,
            tolerance=tolerance,
            level=level,
            seed=seed,
            as_json=as_json,
        )
    rows = options.Data(**data).read(files)
    summed = summaries.summarise_rows(rows)
    evidence = assess.assess(
        summed.overall, summed.cohorts, tolerance=tolerance, level=level, seed=seed, about=check.about(rows)
    )
    if summed.overall.effective_n[0] < measurable.FEW:
        return check.conclude(evidence)
    from calibrant.cli import pages

    basis = recommend.Basis(rows) if advice else None
    proposal = recommended(basis, tolerance=tolerance, level=level, seed=seed)
    made = pages.compose(
        rows,
        summed,
        evidence,
        title=title or f"Calibration of {rows.source}",
        advice=proposal,
        next_steps=next_steps(evidence.verdict, proposal),
        made_at=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    )
    pages.write(made, output)
    console.talk(f"wrote {output}")
    if as_json:
        console.emit_json(evidence.to_dict())
    return check.conclude(evidence)


def of_stream(
    asked: streams.Asked,
    *,
    output: str,
    title: str | None,
    advice: bool,
    tolerance: float,
    level: float,
    seed: int,
    as_json: bool,
) -> int:
    """The page of a stream's matured pairs."""
    from calibrant.evidence import reliability
    from calibrant.frames import measurable

    answer = asked.assessed(tolerance=tolerance, level=level, seed=seed)
    evidence, about = answer.evidence, answer.evidence.about
    if answer.summed.overall.effective_n[0] < measurable.FEW:
        return check.conclude(evidence)
    from calibrant.cli import pages

    basis = recommend.of_stream(asked, answer.stream, answer.found) if advice else None
    proposal = recommended(basis, tolerance=tolerance, level=level, seed=seed)
    made = pages.compose(
        None,
        answer.summed,
        evidence,
        title=title or f"Calibration of {about['source']}",
        advice=proposal,
        next_steps=next_steps(evidence.verdict, proposal, source=f"--stream {asked.stream}"),
        made_at=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        caption=reliability.Caption(
            matured=answer.found.counts.matured_share,
            window=" to ".join(str(about[name] or "…") for name in ("first_time", "last_time")),
            data_cutoff=str(about["as_of"]),
        ),
    )
    pages.write(made, output)
    console.talk(f"wrote {output}")
    if as_json:
        console.emit_json(evidence.to_dict())
    return check.conclude(evidence)


def recommended(basis: recommend.Basis | None, *, tolerance: float, level: float, seed: int) -> Recommendation | None:
    """The advice of the page, or None where these rows allow none; the reason is told on standard error."""
    if basis is None:
        return None
    try:
        return basis.recommend(tolerance=tolerance, level=level, seed=seed)
    except (errors.FitError, errors.UsageError) as error:
        console.talk(f"without a recommendation: {error.what} ({error.code})")
        return None


def next_steps(verdict: str, proposal: Recommendation | None, *, source: str = "FILE …") -> tuple[str, ...]:
    """What to do next, as the page says it; ``source`` is what the rows are called on the command line."""
    if proposal is not None and proposal.action == "apply":
        return (
            f"calibrant recommend {source} -o calibrator.json: writes the map that was proved here",
            "calibrant transform calibrator.json FILE --score COL -o OUT: applies it",
            "calibrant drift REFERENCE CURRENT …: compare with the next window before trusting it for long",
        )
    if verdict == "insufficient":
        return ("Collect more labelled rows; the reasons above say how many would decide.",)
    if verdict == "miscalibrated" and proposal is None:
        return (f"calibrant recommend {source}: looks for a map on labelled rows of this window and proves it.",)
    if verdict == "miscalibrated":
        return ("No map gained on held-out rows: look at the cohorts, at drift, and at the model itself.",)
    return ("Nothing to repair. Check again when the next labels have arrived.",)
