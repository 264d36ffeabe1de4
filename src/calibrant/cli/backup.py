"""``calibrant backup``: one file with everything that an installation in a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from calibrant import errors
from calibrant.cli import console, control, options

if TYPE_CHECKING:
    from calibrant.workflow.backup import Manifest


@click.command(
    "backup",
    epilog="""\b
Examples:
  calibrant backup calibrant-2026-03-01.tar
  calibrant backup calibrant-2026-03-01.tar.gz --store /srv/calibrant.d
  calibrant backup --check calibrant-2026-03-01.tar

\b
Exit codes: 0 whole, 1 saved, but parts of the installation are damaged, 2 wrong use, or no backup was made.""",
)
@click.argument("out", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--with-keys", is_flag=True, help="Put the private keys in it too: whoever has it can sign then.")
@click.option("--check", is_flag=True, help="Only read FILE and compare every byte with what was written.")
@control.STORE
@options.JSON
def command(out: Path, with_keys: bool, check: bool, store: str | None, as_json: bool) -> int:
    """Save declarations, events, decisions, contents and the audit log while others go on working.

    FILE ends in .tar, .tar.gz or .tgz, and only its owner can read it: it holds every event, and hashes of API keys.
    """
    from calibrant import wiring
    from calibrant.storage.backup import making

    project = wiring.project(store)
    if check:
        made = making.check(out)
    else:
        if project.server is not None:
            raise _on_a_server()
        source = making.Installation(project.folder, project.contents(), project.copy_folder())
        made = making.make(source, out, with_keys=with_keys, now_us=wiring.clock().now_us())
    tell(made, as_json, f"{out.name} is whole" if check else f"wrote {out}, and read it back")
    return console.FINDINGS if made.damaged or (made.log is not None and not made.log.sound) else console.FINE


def tell(made: Manifest, as_json: bool, done: str) -> None:
    """What is in a backup."""
    if as_json:
        from calibrant.workflow import backup

        console.emit_json(backup.to_dict(made))
        return
    click.echo(f"{done}: {len(made.files):,} files, {sum(size for size, _ in made.files.values()):,} bytes")
    click.echo(f"saved at {control.moment(made.at_us)} by Calibrant {made.calibrant}")
    if made.log is not None:
        sound = "sound" if made.log.sound else "NOT sound: see calibrant audit verify"
        click.echo(f"audit log: {made.log.size:,} entries, root {made.log.root[:16]}, {sound}")
    for name, counts in made.streams.items():
        click.echo(f"stream {name}: {counts.predictions:,} predictions, {counts.labels:,} labels")
    click.echo("private keys: " + ("in it" if made.has_keys else "not in it; keep them elsewhere (--with-keys)"))
    for part in made.damaged:
        click.echo(f"damaged in the installation: {part}")


def _on_a_server() -> errors.UsageError:
    return errors.UsageError(
        "CAL-416",
        "a store on a PostgreSQL server is not backed up by this command",
        cause="events and decisions lie on the server, which has its own consistent copies",
        fix="pg_dump --schema=calibrant --schema=calibrant_control, and then copy the folder calibrant.d",
    )
