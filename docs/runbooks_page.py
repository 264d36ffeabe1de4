"""Write docs/runbooks/ from the catalogue of checks: `make pages`."""

from __future__ import annotations

import sys
from pathlib import Path

from calibrant.diagnosis import catalogue, causes
from calibrant.diagnosis.check import Check, Family

FOLDER = Path(__file__).resolve().parent / "runbooks"
INTRODUCTION = """\
# Runbooks

`calibrant diagnose STREAM` runs every check that data can decide and ranks the causes; `calibrant explain CODE` prints
what stands here. Alerts and findings link to the anchor of their check. A *page* wakes somebody up, a *ticket* can
wait, a *note* is worth knowing. What data cannot decide is a question, marked *asked*.

## Causes, in the order in which to look

While one of the first holds, evidence says little about the scores: repair it before anything else.

| cause | what to do | checks |
|---|---|---|
"""


def overview() -> str:
    """All causes and all checks at a glance."""
    ordered = (*causes.DOUBTS, *causes.SHIFTS, *causes.LAST)
    rows = [
        f"| {cause} | {causes.REMEDIES[cause]} | {' '.join(_link(one) for one in catalogue.ALL if one.cause == cause)} |"
        for cause in ordered
    ]
    parts = [INTRODUCTION + "\n".join(rows) + "\n"]
    for family, says in catalogue.FAMILIES.items():
        parts.append(f"## {says}\n\n| code | what it is | |\n|---|---|---|")
        parts[-1] += "".join(
            f"\n| {_link(one)} | {one.title} | {one.severity if one.decide else 'asked'} |" for one in _of(family)
        )
        parts[-1] += "\n"
    return "\n".join(parts)


def page(family: Family) -> str:
    """One family, each check with its anchor."""
    return "\n".join([f"# {catalogue.FAMILIES[family]}\n", *(_entry(one) for one in _of(family))])


def pages() -> dict[str, str]:
    """Name of each file and what is in it."""
    return {"index.md": overview(), **{f"{family}.md": page(family) for family in catalogue.FAMILIES}}


def _of(family: Family) -> list[Check]:
    return [one for one in catalogue.ALL if one.family == family]


def _link(one: Check) -> str:
    return f"[{one.code}]({one.runbook.removeprefix('runbooks/')})"


def _entry(one: Check) -> str:
    lines = [f"## {one.code} {one.title} {{#{one.code.lower()}}}", "", f"`{one.name}`, {one.severity}"]
    if one.decide is None:
        lines[-1] += ", asked"
        lines += ["", f"**Ask:** {one.asks}"]
    else:
        lines[-1] += f"; reads {', '.join(one.needs)}"
    if one.cause is not None:
        lines[-1] += f"; points to *{one.cause}*"
    lines += ["", f"**Why:** {one.why}", "", f"**Fix:** {one.fix}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"docs/runbooks: {len(catalogue.ALL)} checks\n")
