"""The words of an incident: its page, and a draft of the postmortem with all that is on record filled in."""

from __future__ import annotations

from calibrant.charts import incident_page as pages
from calibrant.charts import theme, words
from calibrant.diagnosis import catalogue
from calibrant.events import times
from calibrant.stats import results
from calibrant.streams import durations
from calibrant.workflow import incident as reviewed
from calibrant.workflow.timeline import Happening

_NOBODY = "–"
#: Happenings that change what serves.
_ACTS = ("binding", "rollout")


def page(found: reviewed.Incident) -> pages.Page:
    """The incident for people."""
    stream = found.stream
    facts = [
        ("Stream", stream.name),
        ("Environment", found.environment),
        ("Answers for it", stream.owner or "nobody"),
        ("Runbook", stream.runbook or "none"),
        ("Labels are due after", durations.write(stream.labels.horizon)),
    ]
    if found.unread:
        facts.append(("Bytes are gone of", ", ".join(found.unread) + ": raw scores stand in for them"))
    return pages.Page(
        f"{stream.name} in {found.environment}",
        f"{times.text(found.start_us)} to {times.text(found.end_us)}, as known at {times.text(found.now_us)}",
        _headline(found),
        facts,
        (_numbers(found), _timeline(found), _live(found), _alerts(found), _gaps(found), _parts(found)),
        _draft(found),
    )


def _headline(found: reviewed.Incident) -> str:
    before, now = found.numbers[0], found.numbers[-1]
    what = words.VERDICTS[now.verdict][0].lower()
    was = words.VERDICTS[before.verdict][0].lower()
    return f"{now.predictions:,} predictions, {what}; the window before was {was}."


def _numbers(found: reviewed.Incident) -> pages.Table:
    names = {one.key: one.name for one in words.MEASURES}
    return pages.Table(
        "Numbers",
        ("Window", "Served by", "Predictions", "With outcome", "Verdict", *(names[key] for key in reviewed.MEASURES)),
        [_row(one, one.name) for one in found.numbers],
        "There are none.",
        "Made again from events; scores as they were served. What was known then had fewer labels than now.",
    )


def _parts(found: reviewed.Incident) -> pages.Table:
    table = _numbers(found)
    rows = [_row(one, times.text(one.start_us)) for one in found.parts]
    return pages.Table("Day by day", ("From", *table.head[1:]), rows, "There are none.", "As known now.")


def _row(one: reviewed.Numbers, name: str) -> tuple[str, ...]:
    share = f"{one.pairs:,} of {one.matured:,} matured"
    values = tuple(_value(one.measures.get(key)) for key in reviewed.MEASURES)
    return (name, ", ".join(one.served), f"{one.predictions:,}", share, words.VERDICTS[one.verdict][0], *values)


def _value(value: results.Measured | None) -> str:
    if value is None or isinstance(value, results.Insufficient):
        return _NOBODY
    if value.low is None or value.high is None:
        return theme.number(value.value)
    return f"{theme.number(value.value)} ({theme.number(value.low)} to {theme.number(value.high)})"


def _timeline(found: reviewed.Incident) -> pages.Table:
    rows = [
        (times.text(one.at_us), one.actor, one.text, one.said or "", str(one.index)) for one in found.happened
    ]  # fmt: skip
    return pages.Table(
        "What happened",
        ("Time", "Who", "What", "In their words", "Entry"),
        rows,
        "Nothing is on record for this window.",
    )


def _live(found: reviewed.Incident) -> pages.Table:
    rows = [
        (
            times.text(one.since_us),
            "now" if one.until_us is None else times.text(one.until_us),
            reviewed.RAW if one.binding.champion is None else one.binding.champion.artifact,
            _NOBODY if one.binding.challenger is None else one.binding.challenger.artifact,
            f"{one.action.replace('binding.', '')} by {one.actor}",
            ", ".join(each.person for each in one.approvers) or "nobody",
        )
        for one in found.live
    ]
    return pages.Table(
        "What was live",
        ("From", "Until", "Champion", "Challenger", "How", "Approved by"),
        rows,
        "Nothing was bound: raw scores acted.",
    )


def _alerts(found: reviewed.Incident) -> pages.Table:
    rows = [
        (
            times.text(one.fired_us),
            _NOBODY if one.ended_us is None else times.text(one.ended_us),
            f"{one.labels.alertname} ({one.labels.severity})",
            one.labels.cohort,
            one.annotations.get("summary", ""),
            one.acknowledged_by or "nobody",
            _snapshot(one.snapshot),
        )
        for one in found.alerts
    ]
    head = ("Fired", "Ended", "Alert", "Cohort", "Says", "Acknowledged by", "Known when it fired")
    return pages.Table("Alerts", head, rows, "No alert fired.")


def _snapshot(held: object) -> str:
    if not isinstance(held, dict):
        return _NOBODY
    labels = f"{held['labelled'] or 0:,} of {held['matured'] or 0:,} matured labelled"
    artifact = str(held["artifact"]).removeprefix("sha256:")[:12] if held["artifact"] else "not on record"
    return f"{labels}; artifact {artifact}; as of {times.text(int(held['as_of_us']))}"


def _gaps(found: reviewed.Incident) -> pages.Table:
    rows = [
        (times.text(begin), times.text(end), f"{(end - begin) / 3.6e9:.1f} h") for begin, end in found.silences_us
    ]  # fmt: skip
    limit = durations.write(found.stream.policies.watch.silence)
    return pages.Table(
        "Telemetry", ("No prediction from", "To", "For"), rows, f"No gap was longer than {limit}, which is declared."
    )


def _draft(found: reviewed.Incident) -> tuple[pages.Section, ...]:
    now = found.numbers[-1]
    return (
        pages.Section(
            "What people noticed",
            (f"{now.predictions:,} predictions were served by {', '.join(now.served)}.",),
            ("Who was affected, by how many decisions, and what did it cost?",),
        ),
        pages.Section(
            "How it was found",
            _detection(found),
            ("Who or what noticed it first, and how could it have been earlier?",),
        ),
        pages.Section("What was done", _response(found), ("What helped, what did not, and what was luck?",)),
        pages.Section(
            "Why",
            (f"To be asked of the data: calibrant diagnose {found.stream.name}.",),
            (
                "Data: did labels, cohorts or inputs change, and who knew?",
                "Thresholds: did a map or a threshold make it worse, and on what evidence was it promoted?",
                "Automation: what did the loop do, and what should it have done or asked?",
            ),
        ),
        pages.Section(
            "What will change",
            (),
            ("Each action with an owner and a date.", catalogue.BY_CODE["CHK-756"].asks or ""),
        ),
    )


def _detection(found: reviewed.Incident) -> tuple[str, ...]:
    fired = sorted(found.alerts, key=lambda one: one.fired_us)
    if not fired:
        return ("No alert fired.",)
    first = fired[0]
    hours = (first.fired_us - found.start_us) / 3.6e9
    return (
        f"{first.labels.alertname} fired first, {hours:.1f} h after the window begins: {times.text(first.fired_us)}.",
    )


def _response(found: reviewed.Incident) -> tuple[str, ...]:
    acts = [one for one in found.happened if one.kind in _ACTS]
    return tuple(_sentence(one) for one in acts[:20]) or ("Nothing that serves was changed in the window.",)


def _sentence(one: Happening) -> str:
    said = "" if one.said is None else f' "{one.said}"'
    return f"{times.text(one.at_us)} {one.actor}: {one.text}{said}"
