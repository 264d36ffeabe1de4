"""The report page: one HTML file that needs no network, no script from elsewhere, and says first what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from calibrant.charts import (
    chart,
    cohorts,
    cost,
    diagram,
    difference,
    drift,
    forest,
    held_out,
    rows,
    templating,
    theme,
    words,
)
from calibrant.evidence import reliability
from calibrant.stats import results

if TYPE_CHECKING:
    from calibrant.decisions import costs
    from calibrant.evidence import assess

#: Widths of the two drawings of every large chart, for wide and for narrow screens.
WIDE, NARROW = 520, 270
#: Cohorts drawn as small multiples, and as rows of the forest plot.
MULTIPLES, FOREST = 24, 40


@dataclass(frozen=True, slots=True)
class Candidate:
    """A map that was tried: its name, what it costs and gains on held-out rows, and what spoke for or against it."""

    name: str
    log_loss: results.Measured
    gain: results.Measured
    chosen: bool
    why: str


@dataclass(frozen=True, slots=True)
class Advice:
    """The recommendation as the page shows it.

    ``sentence`` says what to do, ``scheme`` how it was proved (folds, or earlier against later rows). ``before`` and
    ``after`` are diagrams of the same held-out rows. ``threshold`` is a sentence; ``costs`` its curve.
    """

    sentence: str
    scheme: str
    candidates: Sequence[Candidate]
    before: reliability.Reliability | None = None
    after: reliability.Reliability | None = None
    threshold: str | None = None
    threshold_value: float | None = None
    costs: costs.CostCurve | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two windows as the page shows them: a sentence, numbers (name, value, meaning), and both diagrams."""

    sentence: str
    numbers: Sequence[tuple[str, results.Measured, str]]
    reference: reliability.Reliability | None = None
    current: reliability.Reliability | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows; nothing is computed from data here.

    Parameters
    ----------
    evidence
        The assessment; its ``about`` is listed as it is.
    overall
        Diagram of all rows, or what is missing for one.
    cohorts
        Diagrams of cohorts by their label (``rows.label``); those that are absent are in the table only.
    advice, comparison
        Recommendation and drift, where there are any.
    next_steps
        Commands or sentences: what to do next, most useful first.
    notes
        Method notes of the caller, after those that the page always has.
    versions
        Name to version of the software behind the numbers.
    made_at
        When, as the caller wants to see it written.
    """

    title: str
    evidence: assess.Evidence
    overall: reliability.Reliability | results.Insufficient
    cohorts: Mapping[str, reliability.Reliability] = field(default_factory=dict)
    advice: Advice | None = None
    comparison: Comparison | None = None
    next_steps: Sequence[str] = ()
    notes: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    made_at: str | None = None


def render(report: Report) -> str:
    """The page as one string, below 2 MB whatever the number of cohorts."""
    css, script = templating.part("report.css"), templating.part("report.js")
    table = rows.cohort_rows(report.evidence)
    return templating.template("report.html").render(
        report=report,
        css=css,
        script=script,
        policy=templating.policy(css, script),
        headline=rows.headline(report.evidence),
        numbers=rows.number_rows(report.evidence.overall),
        cohort_rows=table,
        cohorts_csv=chart.csv_uri(rows.cohort_table(report.evidence)),
        left_out=len(report.evidence.cohorts) - len(table),
        box=diagram.lines(report.overall.box) if isinstance(report.overall, reliability.Reliability) else (),
        pictures=_pictures(report),
        measured=diagram.say,
        verdicts=words.VERDICTS,
        columns=rows.COLUMNS,
    )


def _pictures(report: Report) -> dict[str, str]:
    """Markup of every large chart by name, drawn twice; the small multiples are figures one after the other."""
    pictures: dict[str, str] = {}
    found, evidence = report.overall, report.evidence
    if isinstance(found, reliability.Reliability):
        tolerance = evidence.tolerance
        pictures["diagram"] = _pair(lambda width: diagram.draw(found, title=None, width=width, box=False))
        pictures["difference"] = _pair(
            lambda width: difference.draw(found, tolerance=tolerance, title=None, width=width)
        )
        pictures["multiples"] = _multiples(report, found)
    slopes = rows.slopes(evidence, FOREST)
    if slopes:
        line = evidence.overall.measures.get("slope")
        overall = line.value if isinstance(line, results.Estimate) else None
        pictures["forest"] = _pair(
            lambda width: forest.draw(slopes, ideal=1.0, measure="Slope", overall=overall, width=width - 90, title=None)
        )
    return pictures | _advised(report.advice) | _compared(report.comparison)


def _advised(advice: Advice | None) -> dict[str, str]:
    pictures: dict[str, str] = {}
    if advice is None:
        return pictures
    if advice.before is not None and advice.after is not None:
        before, after = advice.before, advice.after
        pictures["held_out"] = _pair(lambda width: held_out.draw(before, after, title=None, width=width))
    if advice.costs is not None:
        curve, chosen = advice.costs, advice.threshold_value
        pictures["cost"] = _pair(lambda width: cost.draw(curve, chosen=chosen, title=None, width=width))
    return pictures


def _compared(comparison: Comparison | None) -> dict[str, str]:
    if comparison is None or comparison.reference is None or comparison.current is None:
        return {}
    first, second = comparison.reference, comparison.current
    return {"drift": _pair(lambda width: drift.draw(first, second, title=None, width=width))}


def _multiples(report: Report, overall: reliability.Reliability) -> str:
    panels = [
        cohorts.Panel(label, cohorts.thin(report.cohorts[label]), member.measurement.verdict.adjusted_p)
        for member in report.evidence.cohorts
        if (label := rows.label(member.cohort)) in report.cohorts
    ]
    behind = cohorts.thin(overall)
    shown = cohorts.ordered(panels)[:MULTIPLES]
    ruler = theme.Ruler.of(behind, *(panel.found for panel in shown))
    return "".join(cohorts.single(panel, behind, ruler).html(data=False) for panel in shown)


def _pair(draw: Callable[[int], chart.Chart]) -> str:
    """A figure with a drawing for wide and one for narrow screens; style decides which of them is there."""
    wide, narrow = draw(WIDE), draw(NARROW)
    return (
        f'<figure class="chart"><div class="wide">{wide.inline()}</div><div class="narrow">{narrow.inline()}</div>'
        f"<figcaption>{wide.download()}</figcaption></figure>"
    )
