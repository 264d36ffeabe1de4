"""Warnings: a stream that works, and that somebody will regret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from calibrant.streams.declaration import Stream
from calibrant.streams.findings import Finding
from calibrant.streams.yaml_reader import line_of

#: A horizon beyond which nobody waits for an answer.
LONG = timedelta(days=730)


def warnings(stream: Stream, lines: Mapping[str, int]) -> list[Finding]:
    """What lint says of a stream without errors; ``lines`` tells what the file itself says."""
    return [
        *_responsible(stream, lines),
        *_caps(stream, lines),
        *_unit(stream, lines),
        *_waiting(stream, lines),
    ]


def _warning(code: str, what: str, path: str, lines: Mapping[str, int], *, cause: str, fix: str) -> Finding:
    return Finding(code, what, path, line_of(path, lines), fix, cause, "warning")


def _responsible(stream: Stream, lines: Mapping[str, int]) -> Iterator[Finding]:
    if not stream.owner.strip():
        yield _warning(
            "CAL-830",
            "the stream has no owner",
            "metadata.owner",
            lines,
            cause="alerts and approvals need somebody to go to",
            fix="name the team that answers for it",
        )
    if not stream.runbook.strip():
        yield _warning(
            "CAL-831",
            "the stream has no runbook",
            "metadata.runbook",
            lines,
            cause="whoever is called at night needs to know what to do",
            fix="give the address of a page, even a short one",
        )
    elif not stream.runbook.startswith(("https://", "http://")):
        yield _warning(
            "CAL-832",
            "the runbook is not an address",
            "metadata.runbook",
            lines,
            cause="alerts carry it as a link",
            fix="give an address that begins with https://",
        )


def _caps(stream: Stream, lines: Mapping[str, int]) -> Iterator[Finding]:
    for at, cohort in enumerate(stream.cohorts):
        if f"spec.cohorts[{at}].cap" not in lines:
            yield _warning(
                "CAL-833",
                "the cohort field has no cap",
                f"spec.cohorts[{at}]",
                lines,
                cause=f"{cohort.cap:,} values are kept apart, whatever comes",
                fix="say how many different values you expect, such as cap: 50",
            )


def _unit(stream: Stream, lines: Mapping[str, int]) -> Iterator[Finding]:
    if stream.unit is None:
        return
    if stream.unit not in (*stream.context.allow, *stream.context.hmac):
        yield _warning(
            "CAL-834",
            "the unit is not in the context",
            "spec.unit",
            lines,
            cause="neither context.allow nor context.hmac lists it, so every event must carry unit itself",
            fix="list it in context.hmac if it identifies a person, else in context.allow",
        )
    elif stream.unit in stream.context.allow:
        yield _warning(
            "CAL-835",
            "the unit is kept as it is",
            "spec.unit",
            lines,
            cause="identifiers of people are personal data",
            fix="list it in context.hmac unless it identifies a thing",
        )


def _waiting(stream: Stream, lines: Mapping[str, int]) -> Iterator[Finding]:
    if stream.labels.horizon > LONG:
        yield _warning(
            "CAL-836",
            "the label horizon is longer than two years",
            "spec.labels.horizon",
            lines,
            cause="no prediction counts before its horizon has passed, unless its label is terminal",
            fix="check the unit of the duration",
        )
    if stream.target == "probability" and len(set(stream.labels.terminal)) == 1:
        yield _warning(
            "CAL-839",
            "one outcome ends the wait and the other does not",
            "spec.labels.terminal",
            lines,
            cause="predictions younger than the horizon then count with that outcome alone, which bends every rate",
            fix="list both outcomes or none, or measure only windows older than the horizon",
        )
    if stream.labels.implicit_negative and 0.0 in stream.labels.terminal:
        yield _warning(
            "CAL-837",
            "0 is final and also assumed",
            "spec.labels.terminal",
            lines,
            cause="with implicit negatives, a sent 0 that is later revised would count too early",
            fix="keep 0 out of terminal unless the sender never revises it",
        )
    if stream.labels.implicit_negative and stream.target == "rate":
        yield _warning(
            "CAL-838",
            "no label counts as a rate of 0",
            "spec.labels.implicitNegative",
            lines,
            cause="the target is a rate, for which silence seldom means none",
            fix="set it to false unless silence does mean 0",
        )
