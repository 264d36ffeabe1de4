"""``calibrant explain``: what a code means, why it comes and what to do about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, error_sites, options

if TYPE_CHECKING:
    from calibrant.diagnosis.check import Check


@click.command(
    "explain",
    epilog="""\b
Examples:
  calibrant explain CHK-104
  calibrant explain labels-late --json
  calibrant explain CAL-320

\b
Exit codes: 0 done, 2 no such code.""",
)
@click.argument("code", metavar="[CODE]", required=False)
@options.JSON
def command(code: str | None, as_json: bool) -> int:
    """What does a code of an error (CAL-...) or of a check (CHK-...) mean? Without a code: the list of checks."""
    if code is None:
        _list(as_json)
        return console.FINE
    document = _explained(code)
    if as_json:
        console.emit_json(document)
    else:
        show(document)
    return console.FINE


def _explained(code: str) -> dict[str, Any]:
    asked = code.strip().upper()
    # errors are read from the source: the checks and their mathematics need not be loaded
    sites = error_sites.of(asked) if error_sites.CODE.fullmatch(asked) else []
    if sites:
        return {"code": asked, "kind": "error", "cases": [one._asdict() for one in map(_told, sites)]}
    from calibrant.diagnosis import catalogue

    named = {one.name.upper(): one for one in catalogue.ALL}
    check = catalogue.BY_CODE.get(asked) or named.get(asked)
    if check is None:
        raise _unknown(code, [*catalogue.BY_CODE, *named, *error_sites.sites()])
    return check_document(check)


def check_document(check: Check) -> dict[str, Any]:
    """A check as plain data."""
    return {
        "code": check.code,
        "kind": "check",
        "name": check.name,
        "title": check.title,
        "family": check.family,
        "severity": check.severity,
        "cause": check.cause,
        "why": check.why,
        "fix": check.fix,
        "needs": list(check.needs),
        "asks": check.asks,
        "runbook": check.runbook,
    }


def show(document: dict[str, Any]) -> None:
    """The explanation for people."""
    out = console.out()
    if document["kind"] == "error":
        out.print(document["code"], style="bold")
        for case in document["cases"]:
            click.echo("\n" + "\n".join(f"  {name + ':':<6} {case[name]}" for name in ("what", "cause", "fix")))
        click.echo("\n… stands for what depends on the case; see also docs/errors.md")
        return
    out.print(f"{document['code']} {document['name']}", style="bold")
    click.echo(f"  {document['title']} ({document['severity']})\n")
    lines = [("why", document["why"]), ("fix", document["fix"])]
    if document["asks"]:
        lines.append(("ask", document["asks"]))
    else:
        lines.append(("reads", ", ".join(document["needs"])))
    lines.append(("page", f"docs/{document['runbook']}"))
    for name, text in lines:
        click.echo(click.wrap_text(text, 98, f"  {name + ':':<6} ", " " * 9))


def _list(as_json: bool) -> None:
    from calibrant.diagnosis import catalogue

    if as_json:
        console.emit_json({"checks": [check_document(one) for one in catalogue.ALL]})
        return
    for family, says in catalogue.FAMILIES.items():
        mine = [one for one in catalogue.ALL if one.family == family]
        rows = [(one.code, one.name, one.title + ("" if one.decide else " (asked)")) for one in mine]
        console.table(says, ("code", "name", "what it is"), rows, text_columns=3)
        click.echo()


def _told(site: error_sites.Site) -> error_sites.Site:
    """Computed parts that follow one another are one ellipsis."""
    return error_sites.Site(*(re.sub(r"…(\s*…)+", "…", part) for part in site))


def _unknown(code: str, known: list[str]) -> errors.UsageError:
    return errors.UsageError(
        "CAL-468",
        f"there is no code {code[:60]!r}",
        cause="codes look like CAL-320 (errors) and CHK-104 (checks); checks also have names",
        fix=f"did you mean {console.closest(code.strip().upper(), known)}? calibrant explain lists the checks",
    )
