"""Evidence as a small HTML table, for notebooks: no script, no style sheet, every value escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from calibrant.stats import results

if TYPE_CHECKING:
    from calibrant.evidence.assess import Evidence
    from calibrant.evidence.measurement import Measurement

#: Measures shown, in order.
SHOWN = ("base_rate", "mean_score", "brier", "log_loss", "ecce", "slope", "intercept", "smece", "auc")
#: Cohorts shown, strongest evidence first.
COHORTS = 20


def render(evidence: Evidence) -> str:
    """The verdict with its reasons, the whole and the first cohorts."""
    named = [
        (", ".join(f"{field}={value}" for field, value in member.cohort.items()), member.measurement)
        for member in evidence.cohorts[:COHORTS]
    ]
    rows = [[name, *_row(found)] for name, found in [("all rows", evidence.overall), *named]]
    hidden = len(evidence.cohorts) - COHORTS
    more = f"<p>{hidden:,} more cohorts</p>" if hidden > 0 else ""
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in evidence.overall.verdict.reasons)
    head = _cells("th", ["", "verdict", "n", *(name.replace("_", " ") for name in SHOWN)])
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    return (
        f"<p><strong>{html.escape(evidence.verdict)}</strong></p><ul>{reasons}</ul>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"
    )


def _row(found: Measurement) -> Sequence[str]:
    return [found.verdict.outcome, f"{found.n:,}", *(_shown(found.measures.get(name)) for name in SHOWN)]


def _shown(value: results.Measured | None) -> str:
    if not isinstance(value, results.Estimate):
        return "insufficient" if value is not None else "not computed"
    if value.low is None or value.high is None:
        return f"{value.value:.4g}"
    return f"{value.value:.4g} [{value.low:.4g}, {value.high:.4g}]"


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)
