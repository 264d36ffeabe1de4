"""``calibrant check``: measure, print, and say with the exit code whether the scores can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from calibrant.cli import console, options, streams

if TYPE_CHECKING:
    from calibrant.evidence.assess import Evidence

#: Cohorts shown in the table; --json has all of them.
SHOWN = 20


@click.command(
    "check",
    epilog="""\b
Examples:
  calibrant check preds.csv --score p --label y
  calibrant check 'day-*.parquet' --score p --label y --cohort country --tolerance .01 --json
  calibrant check --stream fraud --from 2026-03-01 --as-of 2026-06-01

\b
Exit codes: 0 calibrated, 1 miscalibrated, 2 wrong use or bad input, 3 not enough data to tell.""",
)
@options.FILES_IF_ANY
@streams.SOURCE
@options.DATA_IF_FILES
@options.JUDGING
@options.SEED
@options.JSON
def command(files: tuple[str, ...], tolerance: float, level: float, seed: int, as_json: bool, **data: Any) -> int:
    """Are the scores calibrated? Measures the whole and every cohort, each number with its uncertainty.

    FILE is CSV, JSON lines or Parquet, a quoted pattern, or - for standard input; several are read as one.
    Instead of files, --stream NAME takes the matured pairs of a stream, by its model and declared cohorts.
    """
    from calibrant.evidence import assess
    from calibrant.frames import summaries

    asked, data = streams.split(files, data)
    if asked is not None:
        evidence = asked.assessed(tolerance=tolerance, level=level, seed=seed).evidence
        return told(evidence, as_json=as_json)
    rows = options.Data(**data).read(files)
    summed = summaries.summarise_rows(rows)
    evidence = assess.assess(
        summed.overall,
        summed.cohorts,
        tolerance=tolerance,
        level=level,
        seed=seed,
        about=about(rows),
    )
    return told(evidence, as_json=as_json)


def told(evidence: Evidence, *, as_json: bool) -> int:
    """Print the evidence; the exit code."""
    if as_json:
        console.emit_json(evidence.to_dict())
    else:
        show(evidence)
    return conclude(evidence)


def about(rows: Any) -> dict[str, str | int | float | None]:
    """What is known of the data, for the document."""
    return {
        "source": rows.source,
        "rows_read": rows.read,
        "rows_skipped": rows.read - len(rows),
        "scale": str(rows.scale),
        "target": rows.target,
        "first_time": None if rows.times is None else str(rows.times.min()),
        "last_time": None if rows.times is None else str(rows.times.max()),
    }


def conclude(evidence: Evidence) -> int:
    """The exit code of a verdict; an inconclusive one is explained on standard error."""
    if evidence.verdict == "miscalibrated":
        return console.FINDINGS
    if evidence.verdict == "calibrated":
        return console.FINE
    console.explain(
        "CAL-320",
        "not enough data for a verdict",
        cause="; ".join(evidence.overall.verdict.reasons) or "the rows can neither show nor exclude a miscalibration",
        fix="collect more labelled rows, or declare another --tolerance",
    )
    return console.INCONCLUSIVE


def show(evidence: Evidence) -> None:
    """The evidence as tables for people."""
    overall = evidence.overall.to_dict()
    console.out().print(f"{overall['verdict'].upper()}  n = {overall['n']:,}", style="bold")
    for reason in overall["reasons"]:
        click.echo(f"  {reason}")
    for line in streams.provenance(evidence.about):
        click.echo(f"  {line}")
    click.echo()
    console.table("", ("measure", "value", "interval"), list(_measures(overall)), text_columns=1)
    if evidence.cohorts:
        click.echo()
        _cohorts(evidence)


NAMES = (
    ("base rate", "base_rate"),
    ("mean score", "mean_score"),
    ("Brier score", "brier"),
    ("log loss", "log_loss"),
    ("ECCE", "ecce"),
    ("smECE", "smece"),
    ("MCE", "mce"),
    ("MCB", "mcb"),
    ("DSC", "dsc"),
    ("UNC", "unc"),
    ("AUC", "auc"),
)


def _measures(overall: dict[str, Any]) -> Any:
    intervals = overall.get("intervals", {})
    for line in ("slope", "intercept"):
        found = overall[line]
        yield f"calibration {line}", console.number(found["value"]), _interval(found)
    for title, name in NAMES:
        yield title, console.number(overall.get(name)), _interval(intervals.get(name))
    for count, value in overall["ece"].items():
        yield f"ECE, {count} bins", console.number(value), _interval(None)
    yield "  of a perfect model", console.number(overall["expected_ece"]), ""


def _interval(found: dict[str, Any] | None) -> str:
    if not found or found.get("low") is None:
        return ""
    return f"{found['low']:.4f} to {found['high']:.4f}"


def _cohorts(evidence: Evidence) -> None:
    rows = [
        (
            " ".join(f"{field}={value or '(missing)'}" for field, value in each["cohort"].items()),
            each["verdict"],
            f"{each['n']:,}",
            console.number(each["base_rate"], 3),
            console.number(each["mean_score"], 3),
            console.number(each.get("ecce"), 3),
            console.number(each["slope"]["value"], 2),
            console.number(each["intercept"]["value"], 2),
            console.p_value(each["adjusted_p"]),
        )
        for each in (cohort.to_dict() for cohort in evidence.cohorts[:SHOWN])
    ]
    found, count = evidence.outcomes.get("miscalibrated", 0), len(evidence.cohorts)
    console.table(
        f"{found:,} of {count:,} cohorts miscalibrated, strongest evidence first (p after Benjamini-Hochberg)",
        ("cohort", "verdict", "n", "rate", "score", "ECCE", "slope", "intercept", "p"),
        rows,
        text_columns=2,
    )
    if count > SHOWN:
        click.echo(f"… and {count - SHOWN:,} more (--json has all)")
