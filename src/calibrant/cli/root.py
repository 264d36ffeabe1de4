"""The command ``calibrant``: names of the subcommands, each loaded when it is needed."""

from __future__ import annotations

import importlib
from typing import Any

import click

from calibrant import errors
from calibrant.cli import console

COMMANDS = (
    "check", "report", "recommend", "transform", "drift", "export", "demo",
    "init", "lint", "ingest", "labels", "consume", "status", "diagnose", "explain", "label-tasks", "verify-summaries",
    "people", "trust", "environment", "artifact", "approval", "binding", "run", "watch", "rollout",
    "slo", "alert", "silence", "readiness", "incident", "explain-decision", "audit", "evidence",
    "backup", "restore", "doctor",
)  # fmt: skip


class ReaderGone(Exception):
    """Whoever read standard output has gone; click would answer that with the exit code of findings."""


class _Lazy(click.Group):
    """A group whose commands are modules: ``calibrant --help`` loads no science."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module: Any = importlib.import_module(f"calibrant.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGone from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise errors.UsageError(
                "CAL-420",
                f"there is no command {args[0]!r}",
                cause="the commands are " + ", ".join(COMMANDS),
                fix=f"did you mean calibrant {console.closest(args[0], COMMANDS)}?",
            )
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  calibrant demo
  calibrant check preds.csv --score p --label y --cohort country

\b
Exit codes: 0 fine, 1 findings, 2 wrong use or bad input, 3 inconclusive.
Completion: eval "$(_CALIBRANT_COMPLETE=bash_source calibrant)"  (or zsh_source, fish_source)""",
)
@click.version_option(package_name="calibrant", message="%(prog)s %(version)s")
def calibrant() -> None:
    """Trust the scores that your automation acts on: measure, prove and repair calibration."""
