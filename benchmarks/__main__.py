"""`python -m benchmarks`: measure everything and write the table of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

from benchmarks import clock, data, table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
QUESTIONS = (
    "summarising", "fits", "measures", "cohorts", "applying", "starting", "joining", "ingesting", "auditing",
    "detecting", "engines",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the stream (default 10,000,000)")
    parser.add_argument("--only", action="append", choices=QUESTIONS, help="one question; may be given more than once")
    parser.add_argument("--write", action="store_true", help="replace the table in docs/benchmarks.md")
    options = parser.parse_args()
    stream = data.make(options.rows)
    sections: dict[str, list[clock.Line]] = {}
    for name in options.only or QUESTIONS:
        start = time.perf_counter()
        question = importlib.import_module(f"benchmarks.{name}")
        lines = sections.setdefault(question.TITLE, [])
        for line in question.run(stream):
            lines.append(line)
            compared = "" if line.theirs is None else f", {line.peer} {clock.seconds(line.theirs)}"
            print(f"{question.TITLE}: {line.what}: {clock.seconds(line.ours)}{compared}", file=sys.stderr)
        print(f"-- {name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    text = table.render(sections, rows=options.rows)
    print(text)
    if options.write:
        table.write(PAGE, text)


if __name__ == "__main__":
    main()
