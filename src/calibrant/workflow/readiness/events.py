"""Items about the declaration and about what comes in."""

from __future__ import annotations

from datetime import timedelta

from calibrant.joining import contract
from calibrant.streams import declaration, durations
from calibrant.workflow import evidence_of_stream, watching
from calibrant.workflow.readiness.facts import Answer, Known, failed, passed, undecided

#: More labels after the horizon, without a prediction, or cohorts past the cap than this share are no accident.
FEW = 0.01
CAPPED = 0.1


def target(known: Known) -> Answer:
    """What the score promises, and what is decided with it."""
    stream = known.stream
    if not stream.description.strip():
        return failed("nothing says what is decided with these scores", "write metadata.description of the stream")
    tolerance = stream.policies.watch.tolerance
    return passed(f"a {stream.target}, held to ±{tolerance:g}: {stream.description}")


def owner(known: Known) -> Answer:
    if not known.stream.owner.strip():
        return failed("nobody answers for this stream", "write metadata.owner: a team that can be called")
    return passed(f"{known.stream.owner} answers for it")


def runbook(known: Known) -> Answer:
    address = known.stream.runbook.strip()
    if not address:
        return failed("there is no runbook", "write metadata.runbook: what to do when it alarms")
    return passed(f"{address}")


def objective(known: Known) -> Answer:
    """Whether slices can be judged at all: a factor that no data could reach is refused when it is declared."""
    slo = known.stream.policies.slo
    width, period = durations.write(slo.slice), durations.write(slo.period)
    said = f"{slo.objective:.4g} of slices of {width} within tolerance, over {period}"
    if known.events is None or not known.events.matured.counts.pairs:
        return undecided(f"{said}; no outcome has matured", "wait for outcomes, and ask again")
    matured, watch = known.events.matured, known.stream.policies.watch
    first = known.events.counts.first_at_us or known.now_us
    longest = (watch.window + known.stream.labels.horizon) // contract.MICROSECOND
    length = min(known.now_us - first, longest) - contract.horizon_us(known.stream.labels)
    slices = max(1.0, length / (slo.slice // contract.MICROSECOND))
    each = matured.counts.pairs / slices
    if each < slo.least:
        return failed(
            f"a slice of {width} gets {each:,.0f} outcomes, and {slo.least:,} are asked for",
            "declare wider slices or fewer outcomes: policies.slo.slice, policies.slo.least",
        )
    return passed(f"{said}; a slice gets {each:,.0f} outcomes")


def joined(known: Known) -> Answer:
    """Predictions and labels come, and find each other by their identities."""
    if known.events is None:
        return failed("no prediction came in", "send predictions and labels: calibrant ingest")
    counts = known.events.counts
    if not counts.labels:
        return failed(f"{counts.predictions:,} predictions, and no label", "send labels with the prediction's id")
    if counts.orphans > FEW * counts.labels:
        return failed(
            f"{counts.orphans:,} of {counts.labels:,} labels belong to no prediction",
            "send the same identity with both: calibrant status",
        )
    return passed(f"{counts.predictions:,} predictions and {counts.labels:,} labels, {counts.orphans:,} orphans")


def horizon(known: Known) -> Answer:
    """Labels come within the declared horizon."""
    declared = durations.write(known.stream.labels.horizon)
    if known.events is None or not known.events.matured.counts.matched:
        return undecided(f"labels are due after {declared}, and none came yet", "wait for labels, and ask again")
    counts = known.events.matured.counts
    if counts.late > FEW * counts.matched:
        return failed(
            f"{counts.late / counts.matched:.1%} of labels came after the horizon of {declared}, and do not count",
            "declare a longer labels.horizon, or send labels earlier",
        )
    return passed(f"{1 - counts.late / counts.matched:.1%} of labels came within {declared}")


def coverage(known: Known) -> Answer:
    """Enough of what matured is labelled, and alike at all scores."""
    least = known.stream.policies.watch.coverage
    if known.events is None or not known.events.matured.counts.matured:
        return undecided(
            "no prediction has matured", f"wait for {durations.write(known.stream.labels.horizon)}, and ask again"
        )
    found = known.events.matured
    if found.one_sided:
        return failed("labels are missing by score: those that came do not stand for all", "calibrant label-tasks")
    share = found.counts.pairs / found.counts.matured
    if share < least:
        return failed(f"{share:.1%} of matured predictions have a label, {least:.0%} are asked for", "send more labels")
    return passed(f"{share:.1%} of matured predictions have a label")


def evidence(known: Known) -> Answer:
    """The window decides something."""
    if known.events is None:
        return failed("there are no events", "send predictions and labels: calibrant ingest")
    pairs = known.events.matured.counts.pairs
    if known.events.verdict == "insufficient":
        return failed(
            f"{pairs:,} outcomes in the window decide nothing",
            "wait for more, or declare a longer policies.watch.window",
        )
    return passed(f"{pairs:,} outcomes in the window: {known.events.verdict}")


def cohorts(known: Known) -> Answer:
    """Groups that may differ are looked at one by one, and their values fit under the caps."""
    declared = known.stream.cohorts
    if not declared:
        return undecided("no cohorts are declared", "say that no group needs a look of its own, or declare cohorts")
    names = ", ".join(one.field for one in declared)
    if known.events is None:
        return undecided(f"declared are {names}, and nothing came in", "send events, and ask again")
    counts = known.events.matured.counts
    about = evidence_of_stream.about(known.events.matured, known.stream)
    for one in declared:
        n = about.get(f"other_{one.field}")
        if isinstance(n, int) and n > CAPPED * counts.pairs:
            return failed(
                f"{n:,} of {counts.pairs:,} outcomes have a {one.field} past its cap of {one.cap:,}",
                f"raise the cap of {one.field}, or group its values before they are sent",
            )
    return passed(f"looked at one by one: {names}")


def retention(known: Known) -> Answer:
    """Events are kept for as long as the longest window looks back."""
    stream = known.stream
    if not isinstance(stream.source, declaration.Managed):
        return undecided("the events are kept in tables elsewhere", "say that they are kept long enough there")
    policies = stream.policies
    needs = {
        "policies.watch.window": policies.watch.window,
        "policies.watch.season": policies.watch.season + policies.watch.window,
        "policies.advice.refit": policies.advice.refit,
        "policies.slo.period": policies.slo.period,
    }
    name, longest = max(needs.items(), key=lambda one: one[1])
    if stream.retention is not None and stream.retention < longest + stream.labels.horizon:
        return failed(
            f"events are deleted after {durations.write(stream.retention)}, and {name} looks back "
            f"{durations.write(longest)} and the horizon",
            "keep them longer: spec.retention",
        )
    return passed(
        "events are kept for good" if stream.retention is None else f"kept for {durations.write(stream.retention)}"
    )


def telemetry(known: Known) -> Answer:
    """Predictions come now."""
    if known.events is None:
        return failed("no prediction came in", "send predictions: calibrant ingest")
    found = watching.signs(known.events.counts, known.stream, now_us=known.now_us)
    assert found.silent_us is not None
    silent = durations.write(timedelta(seconds=max(1, round(found.silent_us / 1e6))))
    if found.no_data:
        return failed(f"the last prediction is {silent} old", "find out where predictions are lost: calibrant status")
    return passed(f"the last prediction is {silent} old")


def baseline(known: Known) -> Answer:
    """There is a window before this one to compare with."""
    if known.events is None or not known.events.before:
        return failed(
            "there is no window before this one to compare scores with",
            f"wait for {durations.write(known.stream.policies.watch.window)} more, or ingest what came before",
        )
    return passed(f"{known.events.before:,} outcomes in the window before")
