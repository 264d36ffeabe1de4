"""The command line: a thin face over the other rooms.

Card
----
Lives here: options, tables, progress, exit codes; one file per command. Comes in: arguments and files. Goes out: data
on standard output, talk on standard error, files that are whole or not there. Never: a computation, a traceback.

Exit codes: 0 fine, 1 findings, 2 wrong use or bad input, 3 inconclusive.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from calibrant import errors
from calibrant.cli import console, root


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code; every expected failure is told in at most six lines."""
    sys.exit(invoke(arguments))


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        code = root.calibrant.main(arguments, prog_name="calibrant", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except errors.CalibrantError as error:
        console.fail(error)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
    except click.UsageError as error:
        console.fail(console.wrong_use(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; nothing was written", err=True)
        return 130
    except (BrokenPipeError, root.ReaderGone):
        # the reader of standard output has gone; keep the interpreter from writing there once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return console.WRONG_USE
