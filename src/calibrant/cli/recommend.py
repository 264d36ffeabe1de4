"""``calibrant recommend``: choose a map and a threshold, and prove them on rows that they were not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, options, streams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from calibrant.calibrators.scales import Scale
    from calibrant.decisions.thresholds import Objective
    from calibrant.evidence.recommend import Recommendation
    from calibrant.frames.columns import Rows
    from calibrant.streams.declaration import Stream
    from calibrant.workflow.evidence_of_stream import Matured


@click.command(
    "recommend",
    epilog="""\b
Examples:
  calibrant recommend preds.parquet --score p --label y -o calibrator.json
  calibrant recommend preds.csv --score p --label y --time at --cost-fp 1 --cost-fn 20 -o calibrator.json
  calibrant recommend --stream fraud --from 2026-03-01 -o calibrator.json

\b
Exit codes: 0 recommended and written (it may be to keep the scores), 2 wrong use or bad input,
3 not enough data, or no threshold can be proved; then nothing is written.""",
)
@options.FILES_IF_ANY
@streams.SOURCE
@options.DATA_IF_FILES
@options.JUDGING
@click.option("-o", "--output", metavar="OUT", help="The calibrator file to write: calibrator.json.")
@options.AIMS
@options.SEED
@options.JSON
def command(
    files: tuple[str, ...], output: str | None, tolerance: float, level: float, seed: int, as_json: bool, **rest: Any
) -> int:
    """Find the map that these scores need, or show that they need none.

    Candidates are fitted and chosen on one part of the rows and judged once on the other: on the latest rows if
    there is a --time. With --cohort every cohort gets a map of its own, shrunk towards the common one.
    Instead of files, --stream NAME takes the raw scores of its matured pairs; the latest partitions judge.
    """
    from calibrant.calibrators import codec
    from calibrant.decisions import aims
    from calibrant.frames import atomic, measurable
    from calibrant.stats import results

    given = {name: rest.pop(name) for name in aims.NAMES}
    aims.demand_one([name for name, value in given.items() if value is not None])
    asked, rest = streams.split(files, rest)
    basis = Basis(options.Data(**rest).read(files)) if asked is None else of_stream(asked, *asked.matured())
    if basis is None:
        return console.INCONCLUSIVE
    if len(basis.rows) < measurable.FEW:
        return _too_few(f"{len(basis.rows)} rows, at least {measurable.FEW} are needed")
    measurable.require(basis.rows)
    objective = aims.objective(aims_of(given, basis.rows))
    found = basis.recommend(objective=objective, tolerance=tolerance, level=level, seed=seed)
    if isinstance(found.choice, results.Insufficient):
        console.explain(
            "CAL-321",
            "no threshold can be proved",
            cause=str(found.choice),
            fix="ask for less, collect more labelled rows, or leave the aim out to get the map alone",
        )
        return console.INCONCLUSIVE
    if output is not None:
        with atomic.replacing(Path(output)) as file:
            file.write(codec.dumps(found.document))
        console.talk(f"wrote {output}")
    if as_json:
        console.emit_json(found.to_dict())
    else:
        show(found)
    return console.FINE


@dataclass(frozen=True, eq=False, slots=True)
class Basis:
    """Rows to fit and judge on; for those of a stream also which judge, and what stands for many cohorts."""

    rows: Rows
    judged: NDArray[np.bool_] | None = None
    mixed: str | None = None
    scale: Scale | None = None

    def recommend(
        self, *, tolerance: float, level: float, seed: int, objective: Objective | None = None
    ) -> Recommendation:
        """Choose and prove a map."""
        from calibrant.evidence import recommend

        return recommend.recommend(
            self.rows,
            judged=self.judged,
            mixed=self.mixed,
            scale=self.scale,
            objective=objective,
            tolerance=tolerance,
            level=level,
            seed=seed,
        )


def of_stream(asked: streams.Asked, stream: Stream, found: Matured) -> Basis | None:
    """The rows of a stream's matured pairs; None, with the reason told, if they do not stand for all."""
    from calibrant.joining import caps

    if found.one_sided:
        console.explain(
            "CAL-322",
            "nothing can be recommended from labels that are missing by score",
            cause="a map fitted to the labelled predictions would not suit the others",
            fix="wait for the labels, or send propensities and add --weighting inverse-propensity",
        )
        return None
    read = asked.rows(stream, found)
    return Basis(read.rows, read.judged, caps.OTHER, stream.scale)


def _too_few(cause: str) -> int:
    console.explain("CAL-320", "not enough data to recommend anything", cause=cause, fix="collect more labelled rows")
    return console.INCONCLUSIVE


def aims_of(given: dict[str, float | None], rows: Rows) -> dict[str, float]:
    """The aims that were given, with the rows a day that a capacity needs."""
    aims = {name: value for name, value in given.items() if value is not None}
    if "capacity" in aims and "rows_per_day" not in aims:
        aims["rows_per_day"] = _rows_per_day(rows)
    return aims


def _rows_per_day(rows: Rows) -> float:
    """Rows divided by the days from the first to the last time."""
    if rows.times is None:
        raise errors.UsageError(
            "CAL-429",
            "a capacity a day needs to know how many rows a day brings",
            cause="there is no --time column to count them by",
            fix="add --time COL or --rows-per-day M",
        )
    import numpy as np

    days = float((rows.times.max() - rows.times.min()) / np.timedelta64(1, "D"))
    if days < 1.0:
        raise errors.UsageError(
            "CAL-429",
            "a capacity a day needs to know how many rows a day brings",
            cause=f"the rows span {days:.2g} days",
            fix="add --rows-per-day M",
        )
    return len(rows) / days


def show(found: Recommendation) -> None:
    """The recommendation for people."""
    document = found.to_dict()
    verb = f"APPLY the map: {document['method']}" if found.action == "apply" else "KEEP the scores as they are"
    console.out().print(verb, style="bold")
    for reason in found.reasons:
        click.echo(f"  {reason}")
    before, after = document["before"]["overall"], document["after"]["overall"]
    click.echo()
    console.table(
        f"on {before['n']:,} held-out rows",
        ("measure", "scores", "mapped"),
        [
            ("verdict", before["verdict"], after["verdict"]),
            *(
                (title, console.number(before.get(name)), console.number(after.get(name)))
                for title, name in (("log loss", "log_loss"), ("Brier score", "brier"), ("ECCE", "ecce"))
            ),
            *(
                (f"calibration {name}", console.number(before[name]["value"]), console.number(after[name]["value"]))
                for name in ("slope", "intercept")
            ),
        ],
    )
    gain = document["gain"]
    if gain.get("value") is not None:
        interval = f" ({gain['low']:.3g} to {gain['high']:.3g})" if gain.get("low") is not None else ""
        click.echo(f"\ngain in log loss: {gain['value']:.3g} a row{interval}")
    candidates = [
        (
            ("→ " if each.method == found.selection.method else "  ") + each.method,
            f"{each.log_loss:.5f}",
            f"{each.gain.value:+.2e}",
        )
        for each in found.selection.candidates
    ]
    if candidates:
        click.echo()
        console.table("candidates, cross-fitted", ("map", "log loss", "gain"), candidates)
    if document["threshold"] is not None:
        click.echo(f"\nthreshold {document['threshold']['value']:.4g}: {document['threshold']['sentence']}")
