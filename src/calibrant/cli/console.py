"""Standard output is data, standard error is talk; what people read is told here, in few lines."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors

if TYPE_CHECKING:
    from rich.console import Console

    from calibrant.frames.columns import Progress, Rows

FINE, FINDINGS, WRONG_USE, INCONCLUSIVE = 0, 1, 2, 3
#: Inputs below this many bytes are read faster than a bar is understood.
LONG = 64 << 20
#: Width of tables where there is no terminal to ask.
WIDTH = 110


def talk(text: str) -> None:
    """One or more lines on standard error."""
    click.echo(text, err=True, color=_colour())


def fail(error: errors.CalibrantError) -> None:
    """What happened, why, and what to do: three lines."""
    explain(error.code, error.what, cause=error.cause, fix=error.fix)


def explain(code: str, what: str, *, cause: str, fix: str) -> None:
    """The same three lines for an outcome that is no error: inconclusive data, for example."""
    head = click.style(f"{code}:", fg="red", bold=True)
    talk(f"{head} {_line(what)}\n{_dim('cause:')} {_line(cause)}\n{_dim('fix:')} {_line(fix)}")


def wrong_use(error: click.UsageError) -> errors.UsageError:
    """A mistake on the command line in the form of all other errors."""
    name = error.ctx.command_path if error.ctx is not None else "calibrant"
    cause = error.format_message().partition(" (Did you mean")[0]
    hint = f"{name} --help"
    known = getattr(error, "possibilities", None)
    if known:
        hint = f"did you mean {closest(str(getattr(error, 'option_name', '')), known)}? See {hint}"
    return errors.UsageError("CAL-420", f"cannot run {name!r} like this", cause=cause, fix=hint)


def closest(wrong: str, known: Iterable[str]) -> str:
    """The known name that looks most like a wrong one."""
    return difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.0)[0]


def emit_json(document: Mapping[str, Any]) -> None:
    """The document on standard output; numbers are finite or null."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def table(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    text_columns: int = 1,
    whole: Sequence[str] = (),
) -> None:
    """A table on standard output: the first ``text_columns`` to the left, numbers to the right.

    The columns named in ``whole`` keep each cell on one line; others are folded where the table is too wide.
    """
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, name in enumerate(head):
        made.add_column(
            name, justify="left" if index < text_columns else "right", overflow="fold",
            no_wrap=name in whole)  # fmt: skip
    for row in rows:
        made.add_row(*row)
    if title:
        out().print(title, style="bold")
    out().print(made)


def out() -> Console:
    """The console of standard output."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False, emoji=False)


def number(value: float | None, digits: int = 4) -> str:
    """A number for people; missing data is a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def tell_skipped(rows: Rows) -> None:
    """Say what was left out on request: how many rows, why, and where the first one is."""
    left_out = rows.read - len(rows)
    if not left_out:
        return
    talk(f"skipped {left_out:,} of {rows.read:,} rows")
    for kind in rows.skipped[:4]:
        talk(f"  {kind.count:,}: {kind.reason}; first {kind.first}")


def p_value(value: float) -> str:
    """A p-value for people: below 1e-12 only its smallness matters."""
    return "<1e-12" if value < 1e-12 else f"{value:.2g}"


@contextmanager
def progress(title: str) -> Iterator[Progress | None]:
    """A bar on standard error, on a terminal only, once the input turns out to be long."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, visible=False, total=None)

        def update(done: int, size: int) -> None:
            if max(done, size) > LONG:
                bar.update(task, visible=True, completed=done, total=size or None)

        yield update


def _colour() -> bool | None:
    return False if os.environ.get("NO_COLOR") else None


def _dim(text: str) -> str:
    return click.style(text, dim=True)


def _line(text: str) -> str:
    """One line, so that three lines stay three lines."""
    return " ".join(text.split())
