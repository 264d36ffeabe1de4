"""The artifact: a map, the thresholds that read it and where both come from, as one sealed document.

Its bytes are unique: canonical JSON (RFC 8785), one newline at the end, nothing else is accepted. Its name in the
registry, in audit entries and in signatures is the SHA-256 of these bytes.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from calibrant import errors
from calibrant.artifacts import checks, shape
from calibrant.artifacts.envelope import Envelope
from calibrant.artifacts.provenance import Provenance
from calibrant.calibrators import affine, canonical, kinds, piecewise, quantile

SCHEMA: Final = "calibrant.artifact/1"

#: What a map puts out: probabilities, or numbers in the unit of a measurement.
OutputScale: TypeAlias = Literal["probability", "measurement"]
_MEASUREMENTS: Final = (affine.Affine, piecewise.Piecewise, quantile.ConformalShift)
#: The threshold that nothing reaches is the next number above the highest score, which may be 1.
_HIGHEST: Final = math.nextafter(1.0, 2.0)


def digest(data: bytes) -> str:
    """The name of a content: ``sha256:`` and 64 hexadecimal digits.

    >>> digest(b"")[:15]
    'sha256:e3b0c442'
    """
    return "sha256:" + hashlib.sha256(data).hexdigest()


def map_digest(calibrator: kinds.Kind) -> str:
    """The name of a map alone, for thresholds: SHA-256 of the canonical JSON of its kind and parameters."""
    return digest(canonical.dumps(kinds.encode(calibrator)))


def output_scale(calibrator: kinds.Kind) -> OutputScale:
    """On which scale a map answers, hence on which a threshold that reads it must stand."""
    return "measurement" if isinstance(calibrator, _MEASUREMENTS) else "probability"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Act when the map's answer is at least ``value``.

    ``reads`` is the digest of the map whose answers it was chosen on, and ``scale`` theirs: a threshold beside another
    map cannot be constructed. ``objective`` says in words how it was chosen; ``expected`` holds what it promised on
    the rows it was chosen on.
    """

    name: str
    value: float
    objective: str
    expected: Mapping[str, float]
    reads: str
    scale: OutputScale

    def __post_init__(self) -> None:
        checks.name("the name of a threshold", self.name)
        checks.digest("reads", self.reads)
        object.__setattr__(self, "value", checks.finite("value", self.value))
        known = {name: checks.finite(name, value) for name, value in self.expected.items()}
        object.__setattr__(self, "expected", known)
        if self.scale not in get_args(OutputScale):
            raise checks.illegal(f"the scale of a threshold is one of {', '.join(get_args(OutputScale))}")
        if self.scale == "probability" and not 0.0 <= self.value <= _HIGHEST:
            raise checks.illegal("a threshold on probabilities lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is sealed, signed, promoted and rolled back together.

    ``selector`` are attributes of a prediction that must match exactly ({"model": "m-2013"}; empty: any prediction of
    the stream). ``parent`` is the digest of the artifact that this one replaces, ``evidence`` that of the evidence
    that it was validated with. ``envelope`` says how far the map may follow the labels without another gate; None: it
    stays as it is. Times are microseconds since 1970, UTC.
    """

    stream: str
    version: int
    selector: Mapping[str, str]
    calibrator: kinds.Kind
    thresholds: tuple[Threshold, ...]
    provenance: Provenance
    parent: str | None
    evidence: str | None
    sealed_at_us: int
    expires_us: int | None
    envelope: Envelope | None = None

    def __post_init__(self) -> None:
        checks.name("stream", self.stream)
        checks.whole("version", self.version, least=1)
        checks.whole("sealed_at_us", self.sealed_at_us, least=0)
        object.__setattr__(self, "selector", dict(self.selector))
        object.__setattr__(self, "thresholds", tuple(self.thresholds))
        if not all(isinstance(text, str) and text for pair in self.selector.items() for text in pair):
            raise checks.illegal("selector maps names of attributes to text, neither of them empty")
        for what, found in (("parent", self.parent), ("evidence", self.evidence)):
            if found is not None:
                checks.digest(what, found)
        if self.expires_us is not None:
            checks.whole("expires_us", self.expires_us, least=self.sealed_at_us + 1)
        self._demand_one_map()

    def _demand_one_map(self) -> None:
        names = [threshold.name for threshold in self.thresholds]
        if len(set(names)) < len(names):
            raise checks.illegal("two thresholds have one name")
        mine, scale = map_digest(self.calibrator), output_scale(self.calibrator)
        for threshold in self.thresholds:
            if threshold.reads != mine or threshold.scale != scale:
                raise errors.ArtifactError(
                    "CAL-645",
                    f"threshold {threshold.name!r} was chosen on the answers of another map",
                    cause=f"it reads {threshold.reads[:15]} on the scale {threshold.scale}, the map beside it is "
                    f"{mine[:15]} and answers on the scale {scale}",
                    fix="choose the threshold again on the answers of this map",
                )

    @property
    def name(self) -> str:
        """How people and the registry call it: ``fraud@7``."""
        return f"{self.stream}@{self.version}"


def dumps(artifact: Artifact) -> bytes:
    """The one byte sequence of an artifact."""
    return shape.dumps(artifact, SCHEMA)


@functools.lru_cache(maxsize=256)
def loads(data: bytes) -> Artifact:
    """Read an artifact; every deviation is an ArtifactError, so what is returned is what was sealed."""
    return shape.loads(Artifact, data, SCHEMA)
