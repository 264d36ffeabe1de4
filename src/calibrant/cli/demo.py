"""``calibrant demo``: real flights replayed, from the first look to a proved map, in one go."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calibrant.cli import console, options

if TYPE_CHECKING:
    from calibrant.evidence.assess import Evidence
    from calibrant.evidence.drift import Drift
    from calibrant.evidence.recommend import Recommendation
    from calibrant.frames.columns import Rows

#: Earlier rows fit, later rows judge.
CUT = "2013-09-01"
COLUMNS = "--score score --label label --time predicted_at --cohort carrier"


@click.command(
    "demo",
    epilog="""\b
Examples:
  calibrant demo
  calibrant demo --output elsewhere --json

\b
Exit codes: 0 done, 2 the folder cannot be written.""",
)
@click.option("-o", "--output", default="demo", show_default=True, metavar="FOLDER", help="Where files are written.")
@options.SEED
@options.JSON
def command(output: str, seed: int, as_json: bool) -> int:
    """Replay 300,948 real flights: find what is wrong, repair it, and prove the repair on later months.

    A model gives the probability that a flight arrives late. Maps are fitted per carrier on February to August
    2013 and judged on September to December. Writes report.html, calibrator.json and flights.parquet.
    """
    import numpy as np

    from calibrant import datasets
    from calibrant.calibrators import codec
    from calibrant.cli import check, pages
    from calibrant.decisions import costs
    from calibrant.evidence import assess, drift, recommend
    from calibrant.frames import atomic, columns, summaries

    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic.refused(folder, error) from error
    with atomic.replacing(folder / "flights.parquet") as file:
        file.write(datasets.flights().read_bytes())
    rows = columns.read(datasets.flights(), score="score", label="label", cohorts=["carrier"], time="predicted_at")
    assert rows.times is not None
    later = rows.times >= np.datetime64(CUT)
    console.talk("measuring September to December …")
    judged = rows.where(later)
    summed = summaries.summarise_rows(judged)
    evidence = assess.assess(summed.overall, summed.cohorts, seed=seed, about=check.about(judged))
    console.talk("fitting on February to August, per carrier; judging on September to December …")
    found = recommend.recommend(
        rows, objective=costs.Costs(false_positive=1.0, false_negative=4.0), judged=later, seed=seed
    )
    with atomic.replacing(folder / "calibrator.json") as file:
        file.write(codec.dumps(found.document))
    console.talk("comparing the earlier with the later months …")
    change = drift.compare(summaries.summarise_rows(rows.where(~later), by=()).overall, summed.overall, seed=seed)
    console.talk("drawing the page …")
    made = pages.compose(
        judged,
        summed,
        evidence,
        title="Late arrivals from New York, September to December 2013",
        advice=found,
        change=change,
        next_steps=next_steps(folder),
        made_at=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    )
    pages.write(made, str(folder / "report.html"))
    if as_json:
        console.emit_json(
            {
                "schema": "calibrant.demo/1",
                "evidence": evidence.to_dict(),
                "recommendation": found.to_dict(),
                "drift": change.to_dict(),
                "files": [str(folder / name) for name in FILES],
            }
        )
    else:
        tell(judged, evidence, found, change, folder)
    return console.FINE


FILES = ("report.html", "calibrator.json", "flights.parquet")


def _say(sentence: str, style: str = "") -> None:
    """One line, however long; terminals break it where they like."""
    click.echo(click.style(sentence, bold=style == "bold"))


def next_steps(folder: Path) -> tuple[str, ...]:
    """Commands to type next; each works as it stands."""
    data, calibrator = folder / "flights.parquet", folder / "calibrator.json"
    return (
        f"calibrant check {data} {COLUMNS}",
        f"calibrant transform {calibrator} {data} --score score -o {folder / 'calibrated.parquet'}",
        f"calibrant export {calibrator} --to sql --dialect duckdb",
    )


def tell(judged: Rows, evidence: Evidence, found: Recommendation, change: Drift, folder: Path) -> None:
    """What was found, in sentences that hold the numbers of this run."""
    document: dict[str, Any] = evidence.to_dict()
    overall = document["overall"]
    wrong = [each for each in document["cohorts"] if each["verdict"] == "miscalibrated"]
    _say("\nWhat was found", style="bold")
    _say(
        f"  {len(judged):,} flights: {overall['base_rate']:.1%} were late, the model said {overall['mean_score']:.1%}. "
        f"Verdict: {overall['verdict']}."
    )
    for reason in overall["reasons"]:
        _say(f"  {reason}")
    _say(f"  {len(wrong)} of {len(document['cohorts'])} carriers are miscalibrated; strongest evidence:")
    for each in wrong[:3]:
        _say(
            f"    {each['cohort']['carrier']}: {each['base_rate']:.1%} late, the model said {each['mean_score']:.1%} "
            f"({each['n']:,} flights)"
        )
    before, after = found.before.to_dict()["overall"], found.after.to_dict()["overall"]
    _say("\nWhat to do", style="bold")
    _say(
        f"  {'Apply' if found.action == 'apply' else 'Keep the scores: do not apply'} the map that was fitted on "
        "earlier months. On the later months, which it never saw:"
    )
    for name, title in (("log_loss", "log loss"), ("brier", "Brier score"), ("ecce", "ECCE")):
        _say(f"    {title:12} {before[name]:.4f} -> {after[name]:.4f}")
    _say(f"    verdict      {before['verdict']} -> {after['verdict']}")
    for reason in found.reasons:
        _say(f"  {reason}")
    _say("  Between the two windows:")
    for sentence in change.findings[:2]:
        _say(f"    {sentence}")
    if after["verdict"] == "miscalibrated":
        _say("  So the map helps and is not the end: fit it again on recent months, and watch the drift.")
    threshold = found.to_dict()["threshold"]
    if threshold is not None and "value" in threshold:
        _say(f"  If a missed delay costs 4 and a false alarm 1, act from {threshold['value']:.2f} on.")
    _say("\nWritten", style="bold")
    for name in FILES:
        _say(f"  {folder / name}")
    _say("\nNext", style="bold")
    for step in next_steps(folder):
        click.echo(f"  {step}")
