"""What a promoted map may become by itself: the envelope is signed with the map, and bounds every map that follows it.

A map that follows labels is promoted as a rule: the anchor with its envelope passes the gate once, and children within
the envelope need no gate of their own. Anybody who holds the anchor can check a child.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibrant import errors
from calibrant.artifacts import checks
from calibrant.calibrators import identity, kinds, logistic

if TYPE_CHECKING:
    from calibrant.artifacts.document import Artifact

#: How a child's provenance calls the procedure that made it.
APPROACH: Final = "online"
#: Differences that come from rounding alone.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Envelope:
    """On log-odds: ``step`` is the largest change of slope or intercept from one child to the next, ``slope`` and
    ``intercept`` the largest distances from the anchor's; ``half_life_us`` is how fast old labels lose weight."""

    step: float
    slope: float
    intercept: float
    half_life_us: int

    def __post_init__(self) -> None:
        for name in ("step", "slope", "intercept"):
            object.__setattr__(self, name, checks.finite(name, getattr(self, name)))
            if getattr(self, name) <= 0.0:
                raise checks.illegal(f"{name} of an envelope is above 0")
        checks.whole("half_life_us", self.half_life_us, least=1)


def line(calibrator: kinds.Kind) -> tuple[float, float] | None:
    """Slope and intercept of a map that is a line in log-odds; None for any other.

    >>> line(logistic.Intercept(0.5))
    (1.0, 0.5)
    """
    if isinstance(calibrator, identity.Identity):
        return 1.0, 0.0
    if isinstance(calibrator, logistic.Intercept | logistic.Platt | logistic.Temperature):
        return calibrator.slope, calibrator.intercept
    return None


def demand_inside(anchor: Artifact, before: Artifact, child: Artifact, *, parent: str) -> None:
    """ArtifactError (CAL-675) unless ``child`` may follow ``before``, whose digest is ``parent``, without a gate."""
    allowed = anchor.envelope
    lines = [line(one.calibrator) for one in (anchor, before, child)]
    if allowed is None or None in lines:
        raise _outside(child, f"{anchor.name} is not a map that may move by itself")
    (slope, intercept), (last_slope, last_intercept), (new_slope, new_intercept) = (one for one in lines if one)
    reasons = {
        "it does not follow the map before it": child.parent != parent or child.version <= before.version,
        "it is for other predictions": (child.stream, dict(child.selector)) != (anchor.stream, dict(anchor.selector)),
        "its envelope is another one": child.envelope != allowed or child.provenance.approach != APPROACH,
        "its thresholds are others": _thresholds(child) != _thresholds(anchor),
        "it outlives its anchor": child.expires_us != anchor.expires_us,
        "it is too far from the anchor": _farther(new_slope - slope, allowed.slope)
        or _farther(new_intercept - intercept, allowed.intercept),
        "the step is too large": _farther(new_slope - last_slope, allowed.step)
        or _farther(new_intercept - last_intercept, allowed.step),
        "it turns the order of scores around": new_slope <= 0.0,
    }
    for reason, wrong in reasons.items():
        if wrong:
            raise _outside(child, reason)


def _thresholds(artifact: Artifact) -> list[object]:
    """What thresholds say, whichever map they read."""
    return [replace(one, reads="sha256:" + "0" * 64) for one in artifact.thresholds]


def _farther(distance: float, limit: float) -> bool:
    return abs(distance) > limit + _ROUNDING


def _outside(child: Artifact, cause: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        "CAL-675",
        f"{child.name} may not serve without a rollout",
        cause=cause,
        fix="roll it out as any other artifact: calibrant rollout start",
    )
