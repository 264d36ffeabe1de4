"""The table of docs/benchmarks.md: written between two marks, so that the words around it stay."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from benchmarks import clock

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PACKAGES = (
    "numpy", "scipy", "pyarrow", "scikit-learn", "betacal", "relplot", "netcal", "probmetrics", "polars", "duckdb",
    "pyspark", "river",
)  # fmt: skip


def machine() -> str:
    """What it ran on, without names of hosts or folders."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES if _known(name))
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.system()}, "
        f"Python {platform.python_version()}; {versions}."
    )


def _known(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def render(sections: dict[str, list[clock.Line]], *, rows: int) -> str:
    """Markdown: the machine, then a table for each question, then what was missed and why."""
    parts = [f"{rows:,} rows unless a line says otherwise. {machine()}", ""]
    for title, lines in sections.items():
        parts += [f"### {title}", "", "| what | Calibrant | peer | time of peer | ratio | goal | reached |"]
        parts += ["|---|---:|---|---:|---:|---|---|"]
        parts += [_row(line) for line in lines]
        notes = [f"* {line.what}: {text}" for line in lines for text in (line.agreement, line.note) if text]
        parts += ["", *notes, ""] if notes else [""]
    missed = [line.what for lines in sections.values() for line in lines if line.met is False]
    parts.append("Goals missed: " + ("; ".join(missed) if missed else "none") + ".")
    return "\n".join(parts) + "\n"


def _row(line: clock.Line) -> str:
    theirs = "" if line.theirs is None else clock.seconds(line.theirs)
    ratio = "" if line.theirs is None else _ratio(line.theirs / line.ours)
    goal = "" if line.goal is None else str(line.goal)
    reached = {True: "yes", False: "**no**", None: ""}[line.met]
    return f"| {line.what} | {clock.seconds(line.ours)} | {line.peer} | {theirs} | {ratio} | {goal} | {reached} |"


def _ratio(times_faster: float) -> str:
    return f"{times_faster:,.3g} × faster" if times_faster >= 1.0 else f"{1.0 / times_faster:.2f} × slower"


def write(page: Path, text: str) -> None:
    """Replace what stands between the marks of the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
