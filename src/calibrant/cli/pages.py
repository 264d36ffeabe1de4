"""From checked rows to the report page: which diagrams are drawn, which advice is shown, what comes next."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from calibrant.calibrators import by_cohort
from calibrant.charts import page
from calibrant.charts import rows as page_rows
from calibrant.decisions import thresholds
from calibrant.evidence import assess, drift, recommend, reliability
from calibrant.stats import results

if TYPE_CHECKING:
    from calibrant.frames.columns import Rows
    from calibrant.frames.summaries import Summarised

#: Cohorts that get a diagram of their own, strongest evidence first.
DRAWN = 24
SOFTWARE = ("calibrant", "numpy", "scipy")


def compose(
    rows: Rows | None,
    summed: Summarised,
    evidence: assess.Evidence,
    *,
    title: str,
    advice: recommend.Recommendation | None,
    next_steps: Sequence[str],
    made_at: str,
    change: drift.Drift | None = None,
    caption: reliability.Caption | None = None,
) -> page.Report:
    """Everything the page shows; equal rows and seeds give equal pages but for ``made_at``.

    ``caption`` says where the rows come from when they are not at hand.
    """
    rng = np.random.default_rng(evidence.seed)
    if caption is None:
        caption = reliability.Caption() if rows is None else _caption(rows)
    return page.Report(
        title=title,
        evidence=evidence,
        overall=reliability.reliability(summed.overall, rng=rng, level=evidence.level, smoothed=True, caption=caption),
        cohorts=_cohorts(summed, evidence, rng),
        advice=None if advice is None else _advice(advice, rng),
        comparison=None if change is None else _comparison(change),
        next_steps=next_steps,
        versions={name: importlib.metadata.version(name) for name in SOFTWARE},
        made_at=made_at,
    )


def write(report: page.Report, path: str) -> None:
    """Render the page and write it, whole or not at all."""
    from calibrant.frames import atomic

    content = page.render(report).encode()
    with atomic.replacing(Path(path)) as file:
        file.write(content)


def _caption(rows: Rows) -> reliability.Caption:
    if rows.times is None or not len(rows):
        return reliability.Caption()
    first, last = str(rows.times.min())[:16], str(rows.times.max())[:16]
    return reliability.Caption(window=f"{first} to {last}", data_cutoff=last)


def _cohorts(
    summed: Summarised, evidence: assess.Evidence, rng: np.random.Generator
) -> dict[str, reliability.Reliability]:
    if summed.cohorts is None:
        return {}
    drawn: dict[str, reliability.Reliability] = {}
    for member in evidence.cohorts[:DRAWN]:
        key = tuple(member.cohort[field] for field in summed.cohorts.fields)
        found = reliability.reliability(summed.cohorts[key], rng=rng, level=evidence.level, detail="panel")
        if isinstance(found, reliability.Reliability):
            drawn[page_rows.label(member.cohort)] = found
    return drawn


def _advice(advice: recommend.Recommendation, rng: np.random.Generator) -> page.Advice:
    before, after = (
        reliability.reliability(summary, rng=rng, level=advice.before.level)
        for summary in (advice.held_out, advice.mapped)
    )
    applied = advice.action == "apply"
    threshold = advice.choice if isinstance(advice.choice, thresholds.Choice) else None
    return page.Advice(
        sentence=_sentence(advice),
        scheme=" ".join(advice.reasons),
        candidates=[
            page.Candidate(
                name=each.method,
                log_loss=results.Estimate(each.log_loss, method="cross-fitted"),
                gain=each.gain,
                chosen=each.method == advice.selection.method,
                why=advice.selection.reason if each.method == advice.selection.method else "",
            )
            for each in advice.selection.candidates
        ],
        before=before if isinstance(before, reliability.Reliability) else None,
        after=after if isinstance(after, reliability.Reliability) and applied else None,
        threshold=None if threshold is None else f"{threshold.sentence[:1].upper()}{threshold.sentence[1:]}.",
        threshold_value=None if threshold is None else threshold.value,
        costs=advice.costs,
    )


def _sentence(advice: recommend.Recommendation) -> str:
    """What to do, with what it is worth."""
    gain = advice.gain
    if advice.action == "keep" or not isinstance(gain, results.Estimate):
        return "Keep the scores as they are."
    kind = "one per cohort" if isinstance(advice.document.calibrator, by_cohort.ByCohort) else advice.selection.method
    return (
        f"Apply the map ({kind}): on rows it never saw it lowers the log loss by {gain.value:.2g} nats a row "
        f"({gain.low:.2g} to {gain.high:.2g})."
    )


def _comparison(change: drift.Drift) -> page.Comparison:
    return page.Comparison(
        sentence=" ".join(change.findings),
        numbers=[(each.name.replace("_", " "), each.effect, drift.WORDS[each.name]) for each in change.changes],
    )
