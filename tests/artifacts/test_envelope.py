"""What may follow a promoted map without a gate, and everything that may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calibrant import errors
from calibrant.artifacts import document, envelope
from calibrant.calibrators import identity, linear, logistic
from calibrant.calibrators.scales import Scale

DAY = 86_400_000_000
LIMITS = envelope.Envelope(step=0.1, slope=0.5, intercept=1.0, half_life_us=7 * DAY)


def moved(before: document.Artifact, calibrator: logistic.Platt) -> document.Artifact:
    """The next child, with the thresholds of its anchor reading its own map."""
    reads = document.map_digest(calibrator)
    return replace(
        before,
        version=before.version + 1,
        calibrator=calibrator,
        thresholds=tuple(replace(one, reads=reads) for one in before.thresholds),
        provenance=replace(before.provenance, approach=envelope.APPROACH),
        parent=document.digest(document.dumps(before)),
        sealed_at_us=before.sealed_at_us + 1,
    )


@pytest.fixture
def anchor(artifact: document.Artifact) -> document.Artifact:
    """A line with an envelope."""
    calibrator = logistic.Platt(1.1, -0.25)
    reads = document.map_digest(calibrator)
    thresholds = tuple(replace(one, reads=reads) for one in artifact.thresholds)
    return replace(artifact, calibrator=calibrator, thresholds=thresholds, envelope=LIMITS)


def check(anchor: document.Artifact, before: document.Artifact, child: document.Artifact) -> None:
    envelope.demand_inside(anchor, before, child, parent=document.digest(document.dumps(before)))


def test_small_steps_within_reach_may_follow(anchor: document.Artifact) -> None:
    """Step after step, up to the distance and not beyond; the document survives being written."""
    before = anchor
    for number in range(1, 6):
        child = moved(before, logistic.Platt(1.1 + 0.1 * number, -0.25 - 0.1 * number))
        check(anchor, before, child)
        assert document.loads(document.dumps(child)) == child
        before = child
    with pytest.raises(errors.ArtifactError, match="too far"):
        check(anchor, before, moved(before, logistic.Platt(1.7, -0.75)))


def test_what_may_not_follow(anchor: document.Artifact) -> None:
    """Each thing that could be changed on the way is refused with its reason."""
    child = moved(anchor, logistic.Platt(1.15, -0.2))
    check(anchor, anchor, child)
    for reason, wrong in {
        "step is too large": moved(anchor, logistic.Platt(1.25, -0.25)),
        "does not follow": replace(child, parent="sha256:" + "0" * 64),
        "other predictions": replace(child, selector={"model": "another"}),
        "envelope is another": replace(child, envelope=replace(LIMITS, slope=0.6)),
        "thresholds": replace(child, thresholds=()),
        "outlives": replace(child, expires_us=(child.expires_us or 0) + 365 * DAY),
    }.items():
        with pytest.raises(errors.ArtifactError, match=f"CAL-675.*\n.*{reason}"):
            check(anchor, anchor, wrong)
    with pytest.raises(errors.ArtifactError, match="does not follow"):
        check(anchor, anchor, replace(child, version=anchor.version))
    with pytest.raises(errors.ArtifactError, match="envelope is another"):
        check(anchor, anchor, replace(child, provenance=anchor.provenance))
    with pytest.raises(errors.ArtifactError, match="may move by itself"):
        check(replace(anchor, envelope=None), anchor, child)


def test_only_lines_move(anchor: document.Artifact) -> None:
    """A table has no slope to bound."""
    table = linear.CenteredIsotonic((0.0, 1.0), (0.1, 0.9))
    assert envelope.line(table) is None
    assert envelope.line(identity.Identity(Scale())) == (1.0, 0.0)
    reads = document.map_digest(table)
    fixed = replace(anchor, calibrator=table, thresholds=tuple(replace(one, reads=reads) for one in anchor.thresholds))
    with pytest.raises(errors.ArtifactError, match="may move by itself"):
        check(fixed, fixed, moved(fixed, logistic.Platt(1.1, -0.25)))


@pytest.mark.parametrize("name", ["step", "slope", "intercept", "half_life_us"])
def test_an_envelope_has_room(name: str) -> None:
    """Nothing, less than nothing and no number are no envelopes."""
    for value in (0, -1):
        with pytest.raises(errors.ArtifactError):
            replace(LIMITS, **{name: value})
