"""Who an alert is: a closed set of names that stay the same for as long as the trouble does.

Receivers tell alerts apart by their labels, so labels hold no measured value and no time: those are annotations. One
trouble is one alert, whatever its numbers do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, get_args

from calibrant import errors
from calibrant.calibrators import canonical
from calibrant.slo import budgets, members
from calibrant.streams import bounds, burn_rules

#: What kind of trouble: the budget burns, labels are missing, a guard of a rollout, the way that events take.
Kind = Literal["burn", "coverage", "guardrail", "pipeline"]
#: In the order in which they are written.
NAMES: Final = ("alertname", "severity", "stream", "cohort", "slo", "kind")
_ALERT: Final = re.compile(r"[A-Z][A-Za-z]{2,62}")


@dataclass(frozen=True, slots=True)
class Labels:
    """``cohort`` is the name of a member (``members.write``); ``slo`` names the objective, or what else is watched."""

    alertname: str
    severity: burn_rules.Severity
    stream: str
    kind: Kind
    cohort: str = members.ALL
    slo: str = "calibration"

    def __post_init__(self) -> None:
        sound = (
            _ALERT.fullmatch(self.alertname)
            and self.severity in get_args(burn_rules.Severity)
            and self.kind in get_args(Kind)
            and all(re.fullmatch(bounds.NAME.strip("^$"), one) for one in (self.stream, self.slo))
            and members.write(members.read(self.cohort)) == self.cohort
        )
        if not sound:
            raise errors.UsageError(
                "CAL-991",
                "these cannot be the labels of an alert",
                cause="a label is not of its closed form, or a value or a time is in it",
                fix="name the alert in letters (LabelsNotArriving), and put what was measured into annotations",
            )

    def to_dict(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in NAMES}

    @property
    def fingerprint(self) -> str:
        """The name of this alert, for ever: 20 hexadecimal digits.

        >>> Labels("CalibrationBurn", "page", "fraud", "burn").fingerprint
        'b05248a1e776bd832da5'
        """
        return hashlib.sha256(canonical.dumps(dict(self.to_dict()))).hexdigest()[:20]

    @property
    def group(self) -> str:
        """Alerts of one stream, cause and severity are told together."""
        return f"{self.stream}/{self.kind}/{self.severity}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was so when the alert fired, for the time after: digests, and how complete the labels were."""

    as_of_us: int
    artifact: str | None = None
    evidence: str | None = None
    matured: int | None = None
    labelled: int | None = None

    def to_dict(self) -> dict[str, int | str | None]:
        return {
            "as_of_us": self.as_of_us,
            "artifact": self.artifact,
            "evidence": self.evidence,
            "matured": self.matured,
            "labelled": self.labelled,
        }


@dataclass(frozen=True, slots=True)
class Reading:
    """What some watch found about one possible alert. ``annotations`` are for people and hold the numbers."""

    labels: Labels
    condition: budgets.Condition
    annotations: Mapping[str, str]
    snapshot: Snapshot | None = field(default=None)

    def __post_init__(self) -> None:
        if not self.annotations.get("runbook_url"):
            raise errors.UsageError(
                "CAL-991",
                "an alert without a runbook",
                cause="annotations.runbook_url is missing",
                fix="say what to do: metadata.runbook of the stream",
            )
        object.__setattr__(self, "annotations", MappingProxyType(dict(self.annotations)))
