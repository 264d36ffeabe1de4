"""What a person waits for before anything is computed: import and the first help text, in fresh processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import clock, data

TITLE = "Starting"


def run(stream: data.Stream) -> Iterator[clock.Line]:
    del stream  # nothing is read

    def python(code: str) -> float:
        return clock.median(lambda: subprocess.run([sys.executable, "-c", code], check=True), times=9)

    nothing = python("pass")
    yield clock.Line(
        "import calibrant", max(python("import calibrant") - nothing, 1e-6), goal=clock.Goal("at_most", 0.3)
    )
    summary = "import calibrant; calibrant.summarise"
    yield clock.Line("import calibrant, first use of summarise", python(summary) - nothing, "import numpy",
                     python("import numpy") - nothing)  # fmt: skip
    command = [str(Path(sys.executable).with_name("calibrant")), "--help"]
    shown = clock.median(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), times=5)
    yield clock.Line("calibrant --help, with the interpreter", shown)
