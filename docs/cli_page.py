"""Write docs/cli.md from the help texts of the command line: `make pages`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from calibrant.cli import root

ROOT = Path(__file__).resolve().parents[1]
INTRODUCTION = """\
# Command line

Standard output is data, standard error is talk. `--json` prints one JSON document. Nothing asks a question.

| exit code | meaning |
|---|---|
| 0 | fine |
| 1 | findings: miscalibrated, or drifted beyond the tolerance |
| 2 | wrong use: an option, a file or a value that cannot be right ([errors](errors.md)) |
| 3 | inconclusive: not enough data for a verdict |

The texts below are what `--help` prints.
"""


def render(main: click.Command) -> str:
    """Each command with its help, as the terminal shows it at 100 columns."""
    parts = [INTRODUCTION]
    for name, command in commands(main, "calibrant"):
        context = click.Context(command, info_name=name, terminal_width=100, max_content_width=100)
        parts.append(f"## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def commands(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    """The command and those below it, parents first."""
    found = [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for child in command.list_commands(context):
            below = command.get_command(context, child)
            if below is not None and not below.hidden:
                found += commands(below, f"{name} {child}")
    return found


if __name__ == "__main__":
    if "--show" in sys.argv:
        sys.stdout.write(render(root.calibrant))
    else:
        (ROOT / "docs" / "cli.md").write_text(render(root.calibrant), encoding="utf-8")
        sys.stdout.write("docs/cli.md\n")
