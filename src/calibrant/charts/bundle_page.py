"""The pages of an evidence bundle: what was decided, by whom, on what evidence; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from calibrant.charts import templating, theme, words

#: Schema of the evidence that is shown as tables; other evidence is there as JSON only.
RECOMMENDATION: Final = "calibrant.recommendation/1"
#: The measures of the first page; the others are on the second.
FIRST: Final = ("base_rate", "mean_score", "in_the_large", "slope", "ecce", "departure", "brier", "log_loss", "auc")
#: Cohorts with a row of their own; all of them are in evidence.json.
MOST_COHORTS: Final = 500


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was decided. ``why`` is None where nobody said why, or where the words were erased."""

    at: str
    who: str
    what: str
    why: str | None


@dataclass(frozen=True, slots=True)
class Live:
    """When the artifact was in a slot of a binding; ``until`` is None for now. ``voices`` approved the promotion."""

    target: str
    slot: str
    since: str
    until: str | None
    how: str
    voices: Sequence[str]


@dataclass(frozen=True, slots=True)
class Signer:
    """A key of the trust policy."""

    keyid: str
    owner: str
    purposes: str
    state: str


@dataclass(frozen=True, slots=True)
class Index:
    """All that the first page shows. ``facts`` are names and values; times are text already."""

    name: str
    digest: str
    state: str
    as_of: str
    facts: Sequence[tuple[str, str]]
    steps: Sequence[Step]
    live: Sequence[Live]
    keys: Sequence[Signer]
    versions: Mapping[str, str]
    has_evidence: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: its name, what it means, before and after."""

    name: str
    meaning: str
    before: str
    after: str


def index(shown: Index, evidence: Any) -> str:
    """The first page. ``evidence`` is the evidence document as plain data, None where there is none."""
    css = templating.part("report.css")
    known = _known(evidence)
    return templating.template("bundle_index.html").render(
        shown=shown,
        css=css,
        policy=templating.policy(css),
        numbers=numbers(known, FIRST) if known else (),
        n=_n(known) if known else "",
        gain=_interval(known["gain"]) if known else None,
    )


def evidence(name: str, document: Any) -> str:
    """The evidence for people: every number with its interval, of all rows and of cohorts."""
    css = templating.part("report.css")
    known = _known(document)
    threshold = known.get("threshold") if known else None
    return templating.template("bundle_evidence.html").render(
        name=name,
        css=css,
        policy=templating.policy(css),
        known=known,
        numbers=numbers(known) if known else (),
        n=_n(known) if known else "",
        gains=[(text, _interval(known[key])) for key, text in _GAINS] if known else (),
        expected=[(key, _interval(value)) for key, value in threshold["expected"].items()] if threshold else (),
        threshold=threshold,
        candidates=[
            (one["method"], theme.number(one["log_loss"]), _interval(one["gain"]))
            for one in (known["selection"]["candidates"] if known else ())
        ],
        cohorts=cohort_rows(known) if known else (),
        left_out=max(0, len(known["before"]["cohorts"]) - MOST_COHORTS) if known else 0,
        verdicts=words.VERDICTS,
    )


_GAINS: Final = (("gain", "Gain in log loss, nats a row"), ("brier_gain", "Gain in Brier score a row"))


def numbers(document: Mapping[str, Any], keys: Collection[str] | None = None) -> list[Row]:
    """The measures of all held-out rows, before and after; all of them or those with these keys."""
    before, after = document["before"]["overall"], document["after"]["overall"]
    return [
        Row(each.name, each.text, _measure(before, each.key), _measure(after, each.key))
        for each in words.MEASURES
        if (each.key in before or each.key in after) and (keys is None or each.key in keys)
    ]


def cohort_rows(document: Mapping[str, Any]) -> list[tuple[str, str, str, str, str, str]]:
    """Each cohort: its name, rows, verdict, ECCE and slope, before → after."""
    # each list has its own order: the worst first
    mapped = {_key(one): one for one in document["after"]["cohorts"]}
    pairs = [(one, mapped[_key(one)]) for one in document["before"]["cohorts"][:MOST_COHORTS]]
    return [
        (
            ", ".join(f"{key}={value}" for key, value in before["cohort"].items()),
            f"{before['n']:,}",
            _verdict(before),
            _verdict(after),
            f"{_measure(before, 'ecce')} → {_measure(after, 'ecce')}",
            f"{_measure(before, 'slope')} → {_measure(after, 'slope')}",
        )
        for before, after in pairs
    ]


def _key(measured: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What a cohort is called, whatever the order of its fields."""
    return tuple(sorted(measured["cohort"].items()))


def _known(document: Any) -> dict[str, Any] | None:
    """The document if it is of the schema that the tables are for."""
    is_known = isinstance(document, dict) and document.get("schema") == RECOMMENDATION
    return document if is_known else None


def _n(document: Mapping[str, Any]) -> str:
    return f"{document['before']['overall']['n']:,}"


def _verdict(measured: Mapping[str, Any]) -> str:
    known = words.VERDICTS.get(measured["verdict"])
    return str(measured["verdict"]) if known is None else known[0]


def _measure(measured: Mapping[str, Any], key: str) -> str:
    """A number with its interval, or a dash where the rows could not give it."""
    held = measured.get(key)
    if isinstance(held, dict) and "value" not in held:
        return ", ".join(f"{theme.number(value)} ({bins} bins)" for bins, value in held.items()) or "–"
    value = held.get("value") if isinstance(held, dict) else held
    if not isinstance(value, int | float):
        return "–"
    return _interval({"value": value, **measured.get("intervals", {}).get(key, {})})


def _interval(held: Mapping[str, Any]) -> str:
    value, low, high, level = (held.get(key) for key in ("value", "low", "high", "level"))
    if value is None:
        return "–"
    if low is None and high is None:
        return theme.number(value)
    ends = " to ".join("…" if end is None else theme.number(end) for end in (low, high))
    return f"{theme.number(value)} ({ends}" + (f", {level:.0%})" if level is not None else ")")
