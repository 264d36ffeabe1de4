"""``calibrant evidence``: everything on record about an artifact, for somebody who has no Calibrant."""

from __future__ import annotations

from pathlib import Path

import click

from calibrant.cli import console, control, options


@click.group(
    "evidence",
    epilog="""\b
Examples:
  calibrant evidence export fraud@7 -o bundle.zip
  calibrant evidence export fraud@7 -o bundle.zip --json
  python bundle.zip                  (verifies it, without Calibrant)

\b
Exit codes: 0 done, 2 wrong use or refused.""",
)
def command() -> None:
    """Evidence bundles: one zip for auditors, which verifies itself with Python alone."""


@command.command("export")
@click.argument("name", metavar="ARTIFACT")
@click.option("-o", "--output", metavar="FILE", required=True, type=click.Path(path_type=Path), help="The zip.")
@control.STORE
@options.JSON
def export(name: str, output: Path, store: str | None, as_json: bool) -> int:
    """Write artifact, signatures, approvals, evidence, the audit entries about it with proofs, and what verifies them.

    The same state gives the same bytes. Hashes of keys and erased words are not in it; reasons that people gave are.
    """
    from calibrant.artifacts import document
    from calibrant.workflow import evidence_bundle

    with control.looking(store, action="evidence.export") as (project, reader):
        files = evidence_bundle.collect(reader, project.contents(), name)
    evidence_bundle.write(files, output)
    digest = document.digest(files[evidence_bundle.MANIFEST])
    if as_json:
        console.emit_json(
            {
                "schema": "calibrant.evidence-export/1",
                "name": name,
                "output": str(output),
                "files": len(files),
                "manifest": digest,
            }
        )
    else:
        click.echo(f"{output}: {len(files)} files, manifest {digest}")
        console.talk(f"verify it anywhere: python {output}")
    return console.FINE
