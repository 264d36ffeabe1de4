"""Write docs/errors.md from the places in the source where errors are raised: `make pages`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from calibrant.cli import error_sites

ROOT = Path(__file__).resolve().parents[1]
FAMILIES = {
    "1": ("Sources", "A file or stream that cannot be read."),
    "2": ("Columns", "A column that is missing, doubled or of the wrong type."),
    "3": ("Values", "Values that no honest number can be computed from."),
    "4": ("Options", "Options that contradict each other or make no sense."),
    "5": ("Fits", "A map that must not be fitted to these data."),
    "6": ("Artifacts", "A calibrator or summary that cannot be trusted."),
    "7": ("Extras", "An optional dependency that is not installed."),
    "8": ("Streams and stores", "A declaration, an event or a store that cannot be used as asked; findings of lint."),
    "9": (
        "Control",
        "A change that nobody may make, that came too late, or whose state does not allow it; findings of doctor.",
    ),
}
INTRODUCTION = """\
# Errors

Every error that Calibrant raises on purpose has a stable code, says what happened, why, and how to fix it, in at
most six lines. On the command line it goes to standard error, nothing is written, and the exit code is 2. In
Python it is a `calibrant.errors.CalibrantError` with the attributes `code`, `what`, `cause` and `fix`; the classes
also derive from `ValueError` (or `ImportError`), so that existing handlers catch them.

Codes never change their meaning. An ellipsis (…) stands for what depends on the case.
"""


def render(found: dict[str, list[error_sites.Site]]) -> str:
    parts = [INTRODUCTION]
    for digit, (title, sentence) in FAMILIES.items():
        codes = [code for code in sorted(found) if code[4] == digit]
        if codes:
            parts.append(f"## {title}: CAL-{digit}xx\n\n{sentence}\n")
        parts += [entry(code, found[code]) for code in codes]
    return "\n".join(parts)


def entry(code: str, places: list[error_sites.Site]) -> str:
    lines = [f"### {code}", ""]
    for site in places:
        lines.append(f"**{plain(site.what)}**")
        lines += [f"<br>cause: {plain(site.cause)}"] if site.cause.strip(" …") else []
        lines += [f"<br>fix: {plain(site.fix)}"] if site.fix.strip(" …") else []
        lines.append("")
    return "\n".join(lines)


def plain(message: str) -> str:
    """Markdown that shows the message as it is."""
    return re.sub(r"([*_`<\[\]])", r"\\\1", re.sub(r"…(\s*…)+", "…", message))


if __name__ == "__main__":
    found = error_sites.sites()
    (ROOT / "docs" / "errors.md").write_text(render(found), encoding="utf-8")
    sys.stdout.write(f"docs/errors.md: {len(found)} codes\n")
