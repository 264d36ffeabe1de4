"""Evidence as rows of words: what the tables of the report page and their downloads hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from calibrant.charts import forest, theme, words
from calibrant.stats import results

if TYPE_CHECKING:
    from calibrant.evidence import assess, measurement

#: Cohorts listed on the page and in its download: so that the file stays small, the strongest evidence first.
LISTED, DOWNLOADED = 400, 4_000
#: Columns of the downloaded table that are measures.
DOWNLOAD = (
    "base_rate",
    "mean_score",
    "brier",
    "log_loss",
    "ecce",
    "ecce_in_sigmas",
    "ecce_p",
    "slope",
    "intercept",
    "auc",
)


class Number(NamedTuple):
    """A row of the table of numbers, as words."""

    name: str
    value: str
    interval: str
    method: str
    meaning: str


class Cell(NamedTuple):
    """What a cell says, and the number that it sorts by (None sorts last)."""

    text: str
    order: float | None


class CohortRow(NamedTuple):
    """A row of the cohort table."""

    label: str
    verdict: tuple[str, str, str]
    cells: tuple[Cell, ...]
    reasons: str


#: Headings of ``CohortRow.cells``.
COLUMNS = ("Rows", "Base rate", "Mean score", "ECCE, σ", "Adjusted p", "Slope")


def label(cohort: Mapping[str, str]) -> str:
    """A cohort in one line: the value alone where there is one field, else field=value of each."""
    if len(cohort) == 1:
        return next(iter(cohort.values()))
    return ", ".join(f"{name}={value}" for name, value in cohort.items())


def headline(evidence: assess.Evidence) -> str:
    """What was found, in one sentence."""
    whole, tolerance = evidence.overall.verdict.outcome, f"{evidence.tolerance:g}"
    bad = evidence.outcomes.get("miscalibrated", 0)
    count = len(evidence.cohorts)
    verb = "is" if bad == 1 else "are"
    cohorts = f"{bad} of {count} cohorts {verb}"
    match whole:
        case "miscalibrated":
            also = f", and so {verb} {bad} of {count} cohorts." if bad else "."
            return f"These scores are miscalibrated by more than the tolerance of {tolerance}" + also
        case "calibrated" if bad:
            return f"On the whole these scores are calibrated within {tolerance}, but {cohorts} not."
        case "calibrated":
            also = " No cohort was found to be off." if count else ""
            return f"These scores are calibrated within the tolerance of {tolerance}." + also
        case "insufficient":
            also = f" But {cohorts} miscalibrated." if bad else ""
            return f"There is not enough data to say whether these scores are calibrated within {tolerance}." + also
    raise AssertionError(whole)


def number_rows(whole: measurement.Measurement) -> list[Number]:
    """The numbers of all rows, with intervals and what each means."""
    effective = "" if whole.effective_n > 0.999 * whole.n else f" (worth {whole.effective_n:,.0f} of equal weight)"
    found = [Number("Rows", f"{whole.n:,}", "", "", "Rows that were measured" + effective + ".")]
    for meaning in words.MEASURES:
        if meaning.key in ("ece", "expected_ece"):
            by_bins = whole.ece if meaning.key == "ece" else whole.expected_ece
            found += [_number(meaning, f"{meaning.name}, {count} bins", value) for count, value in by_bins.items()]
        elif meaning.key in whole.measures:
            found.append(_number(meaning, meaning.name, whole.measures[meaning.key]))
    return found


def _number(meaning: words.Meaning, name: str, value: results.Measured) -> Number:
    if isinstance(value, results.Insufficient):
        return Number(name, "—", "", str(value), meaning.text)
    interval = _interval(value)
    told = theme.p_value(value.value) if meaning.key.endswith("_p") else theme.number(value.value)
    return Number(name, told, interval, value.method if interval else "", meaning.text)


def _interval(value: results.Estimate) -> str:
    if value.low is not None and value.high is not None:
        return f"{theme.number(value.low)} to {theme.number(value.high)}"
    return f"at most {theme.number(value.high)}" if value.high is not None else ""


def cohort_rows(evidence: assess.Evidence) -> list[CohortRow]:
    """The cohorts with the strongest evidence, as words."""
    return [
        CohortRow(
            label(member.cohort),
            words.VERDICTS[member.measurement.verdict.outcome],
            _cells(member.measurement),
            "; ".join(member.measurement.verdict.reasons),
        )
        for member in evidence.cohorts[:LISTED]
    ]


def _cells(found: measurement.Measurement) -> tuple[Cell, ...]:
    p = found.verdict.adjusted_p
    small = "< 0.001" if p < 0.001 else f"{p:.3f}"
    keys = ("base_rate", "mean_score", "ecce_in_sigmas")
    return (
        Cell(f"{found.n:,}", found.n),
        *(_cell(found.measures.get(key), interval=False) for key in keys),
        Cell(small, p),
        _cell(found.measures.get("slope"), interval=True),
    )


def _cell(value: results.Measured | None, *, interval: bool) -> Cell:
    if not isinstance(value, results.Estimate):
        return Cell("—", None)
    text = theme.number(value.value)
    if interval and value.low is not None and value.high is not None:
        text += f" [{theme.number(value.low)}, {theme.number(value.high)}]"
    return Cell(text, value.value)


def cohort_table(evidence: assess.Evidence) -> pa.Table:
    """The cohorts as a table of numbers, for download."""
    members = evidence.cohorts[:DOWNLOADED]
    fields = list(members[0].cohort) if members else []
    columns: dict[str, list[object]] = {name: [member.cohort[name] for member in members] for name in fields}
    found = [member.measurement for member in members]
    columns["n"] = [each.n for each in found]
    for key in DOWNLOAD:
        columns[key] = [_value(each.measures.get(key)) for each in found]
    columns["adjusted_p"] = [each.verdict.adjusted_p for each in found]
    columns["verdict"] = [each.verdict.outcome for each in found]
    return pa.table(columns)


def _value(measured: results.Measured | None) -> float | None:
    return measured.value if isinstance(measured, results.Estimate) else None


def slopes(evidence: assess.Evidence, most: int) -> list[forest.Row]:
    """Slopes of the cohorts with the most rows that have one, largest cohort first."""
    found = [
        forest.Row(label(member.cohort), slope, member.measurement.n)
        for member in evidence.cohorts
        if isinstance(slope := member.measurement.measures.get("slope"), results.Estimate)
    ]
    return sorted(found, key=lambda row: -row.n)[:most]
