"""What a controller saw and advised, as a document that its changes rest on: the audit entry names its digest."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from calibrant import errors
from calibrant.calibrators import canonical
from calibrant.ports import contents
from calibrant.streams import declaration
from calibrant.workflow import advising, watching

SCHEMA: Final = "calibrant.advice-record/1"


def dumps(advised: advising.Advised, stream: declaration.Stream, environment: str, *, now_us: int) -> bytes:
    """The recommendation with the alarms, the reading and the labels that it was made from, as canonical JSON."""
    facts = advised.facts
    return canonical.dumps(
        {
            "schema": SCHEMA,
            "stream": stream.name,
            "environment": environment,
            "at_us": now_us,
            "mode": stream.policies.advice.mode,
            "champion": facts.champion,
            "alarms": [_alarm(one) for one in watching.alarms(advised.watch, stream)],
            "departure": facts.departure.to_dict(),
            "labels": {"pairs": facts.labels.pairs, "coverage": facts.labels.coverage},
            "recommendation": advised.recommendation.to_dict(),
        }
    )


def find(kept: contents.Contents, digests: Iterable[str]) -> Mapping[str, Any] | None:
    """The advice among the documents that a change rests on; None where there is none, or its bytes are gone."""
    for digest in digests:
        try:
            found = json.loads(kept.get(digest))
        except (errors.CalibrantError, ValueError):
            # other evidence, or not here any more: whatever is on record is shown without it
            continue
        if isinstance(found, dict) and found.get("schema") == SCHEMA:
            return found
    return None


def _alarm(one: watching.Alarm) -> dict[str, Any]:
    # evidence beyond the largest double is as good as that
    e_value = one.e_value if math.isfinite(one.e_value) else None
    return {"group": one.name, "e_value": e_value, "p_value": one.p_value, "rows": one.rows, "changed": one.changed}
