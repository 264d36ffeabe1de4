"""What lint has to say: errors that keep a file from being used, warnings that somebody will regret."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: a stable code, what is wrong, where (``spec.labels.horizon`` and the line, from 1), what to do."""

    code: str
    what: str
    path: str
    line: int
    fix: str
    cause: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"line {self.line}: {self.path}: " if self.path else f"line {self.line}: "
        return f"{self.severity} {self.code} {where}{self.what}; {self.fix}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A fix that names the nearest known key, or all of them."""
    choices = list(known)
    by_lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(name.lower().replace("_", ""), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[near[0]]}?" if near else "known are " + ", ".join(choices)
