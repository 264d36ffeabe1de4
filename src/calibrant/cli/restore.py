"""``calibrant restore``: an installation again, out of a backup."""

from __future__ import annotations

from pathlib import Path

import click

from calibrant.cli import backup, console, options


@click.command(
    "restore",
    epilog="""\b
Examples:
  calibrant restore calibrant-2026-03-01.tar --to restored.d
  calibrant restore calibrant-2026-03-01.tar.gz --to restored.d --json
  calibrant audit verify --store restored.d

\b
Exit codes: 0 restored, 1 restored with the damage that the backup tells of, 2 refused: nothing was written.""",
)
@click.argument("archive", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--to", "folder", metavar="FOLDER", required=True, type=click.Path(path_type=Path),
    help="The project's folder; it must be empty or not there.",
)  # fmt: skip
@options.JSON
def command(archive: Path, folder: Path, as_json: bool) -> int:
    """Restore a backup into a new folder: every byte, the audit log and all counts are compared first."""
    from calibrant.storage.backup import restoring

    made = restoring.restore(archive, folder)
    backup.tell(made, as_json, f"restored {folder}")
    return console.FINDINGS if made.damaged or (made.log is not None and not made.log.sound) else console.FINE
