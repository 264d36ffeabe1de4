"""``calibrant drift``: what has changed from one window to the next, and which kind of change it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, options

if TYPE_CHECKING:
    from calibrant.evidence.drift import Drift
    from calibrant.frames.columns import Rows
    from calibrant.frames.summaries import Summarised
    from calibrant.stats.summary import Summary

#: Cohorts compared one by one, those with most rows first.
COMPARED = 30
SEASONS = ("auto", "none", "hour-of-week", "day-of-week", "month")


@click.command(
    "drift",
    epilog="""\b
Examples:
  calibrant drift january.parquet june.parquet --score p --label y
  calibrant drift 'spring-*.csv' summer.csv --score p --label y --time at --season day-of-week --json

\b
Exit codes: 0 stable, 1 drifted, 2 wrong use or bad input, 3 not enough data to tell.""",
)
@click.argument("reference", metavar="REFERENCE")
@click.argument("current", metavar="CURRENT")
@options.DATA
@options.JUDGING
@click.option(
    "--season",
    type=click.Choice(SEASONS),
    default="auto",
    show_default=True,
    help="With --time: compare with the reference as it would be with the seasons of the current window.",
)
@options.SEED
@options.JSON
def command(
    reference: str,
    current: str,
    season: str,
    tolerance: float,
    level: float,
    seed: int,
    as_json: bool,
    **data: Any,
) -> int:
    """Compare two windows of one stream: scores, base rate, and what a score means; split by cause.

    REFERENCE and CURRENT are files or quoted patterns. With --cohort each cohort is compared as well, at a level
    corrected for their number (Bonferroni).
    """
    from calibrant.evidence import drift
    from calibrant.frames import summaries

    if reference == current == "-":
        raise errors.UsageError(
            "CAL-420", "standard input can be read once", cause="- was given twice", fix="name a file for one of them"
        )
    declared = options.Data(**data)
    before, after = declared.read(reference, title="reference"), declared.read(current, title="current")
    first, second = summaries.summarise_rows(before), summaries.summarise_rows(after)
    baseline, used = _baseline(before, after, first.overall, season)
    found = drift.compare(baseline, second.overall, tolerance=tolerance, level=level, seed=seed)
    members, left_out = _cohorts(first, second, tolerance=tolerance, level=level, seed=seed)
    if as_json:
        console.emit_json(
            {
                **found.to_dict(),
                "season": used,
                "cohorts": [{"cohort": cohort, **each.to_dict()} for cohort, each in members],
                "cohorts_not_compared": left_out,
            }
        )
    else:
        show(found, used, members, left_out)
    return _conclude(found, members)


def _baseline(before: Rows, after: Rows, reference: Summary, season: str) -> tuple[Summary, str | None]:
    """The reference, brought to the seasons of the current window where that was asked for and can be done."""
    from calibrant.evidence import drift
    from calibrant.frames import seasons

    if season == "none" or (season == "auto" and before.times is None):
        return reference, None
    used: Any = seasons.finest(before, after) if season == "auto" else season
    if used is None:
        console.talk("the reference does not cover the hours or days of the current window: compared as it is")
        return reference, None
    return drift.seasonal_baseline(seasons.by_season(before, used), seasons.weights(after, used)), used


def _cohorts(
    first: Summarised, second: Summarised, *, tolerance: float, level: float, seed: int
) -> tuple[list[tuple[dict[str, str], Drift]], int]:
    """The drift of the largest cohorts that both windows have, and how many cohorts were not compared."""
    from calibrant.evidence import drift

    if first.cohorts is None or second.cohorts is None:
        return [], 0
    every = {*first.cohorts.keys, *second.cohorts.keys}
    shared = [key for key in second.cohorts.keys if key in set(first.cohorts.keys)]
    rows = dict(zip(second.cohorts.keys, second.cohorts.summary.rows.tolist(), strict=True))
    chosen = sorted(shared, key=lambda key: -rows[key])[:COMPARED]
    strict = 1.0 - (1.0 - level) / max(1, len(chosen))
    found = [
        (
            dict(zip(second.cohorts.fields, key, strict=True)),
            drift.compare(
                first.cohorts[key].to_dyadic(),
                second.cohorts[key].to_dyadic(),
                tolerance=tolerance,
                level=strict,
                seed=seed,
            ),
        )
        for key in chosen
    ]
    return found, len(every) - len(chosen)


def _conclude(found: Drift, members: list[tuple[dict[str, str], Drift]]) -> int:
    if found.verdict == "drifted" or any(each.verdict == "drifted" for _, each in members):
        return console.FINDINGS
    if found.verdict == "stable":
        return console.FINE
    console.explain(
        "CAL-320",
        "not enough data for a verdict",
        cause=found.findings[0],
        fix="compare longer windows, or declare another --tolerance",
    )
    return console.INCONCLUSIVE


def show(found: Drift, season: str | None, members: list[tuple[dict[str, str], Drift]], left_out: int) -> None:
    """The comparison for people."""
    document = found.to_dict()
    severity = "" if found.severity == "none" else f" ({found.severity})"
    console.out().print(f"{found.verdict.upper()}{severity}", style="bold")
    if season is not None:
        click.echo(f"  compared with the reference at the current mix of seasons ({season})")
    for sentence in found.findings:
        click.echo(f"  {sentence}")
    click.echo()
    first, second = document["reference"], document["current"]
    console.table(
        "",
        ("window", "rows", "base rate", "mean score"),
        [
            (name, f"{each['n']:,}", console.number(each["base_rate"]), console.number(each["mean_score"]))
            for name, each in (("reference", first), ("current", second))
        ],
    )
    click.echo()
    console.table("", ("change", "size", "interval", "p", "outcome"), [_change(each) for each in _changes(document)])
    if members:
        click.echo()
        rows = [
            (
                " ".join(f"{field}={value or '(missing)'}" for field, value in cohort.items()),
                each.verdict,
                f"{each.current.n:,}",
                *(_size(change) for change in _changes(each.to_dict())),
            )
            for cohort, each in members
        ]
        console.table("by cohort", ("cohort", "verdict", "n", "scores", "base rate", "curve"), rows, text_columns=2)
    if left_out:
        click.echo(f"{left_out:,} cohorts were not compared: too small to be among the {COMPARED}, or in one window")


def _changes(document: dict[str, Any]) -> list[dict[str, Any]]:
    return list(document["changes"].values())


def _change(change: dict[str, Any]) -> tuple[str, ...]:
    effect = change["effect"]
    interval = "" if effect.get("low") is None else f"{effect['low']:.4f} to {effect['high']:.4f}"
    p = console.p_value(change["adjusted_p"])
    return change["name"].replace("_", " "), _size(change), interval, p, change["outcome"]


def _size(change: dict[str, Any]) -> str:
    return console.number(change["effect"].get("value"))
