"""``calibrant artifact``: fit, draft, seal, sign, verify, export, reproduce and revoke what may serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import console, control, drafting, options, streams

if TYPE_CHECKING:
    from calibrant.registry.artifacts import Status

_NAME = click.argument("name", metavar="ARTIFACT")


@click.group(
    "artifact",
    epilog="""\b
Examples:
  calibrant artifact draft fraud --from 2026-03-01 --cost-fp 1 --cost-fn 20
  calibrant artifact seal fraud@7
  calibrant artifact sign fraud@7
  calibrant artifact verify fraud@7
  calibrant artifact reproduce fraud@7

\b
An artifact is named STREAM@VERSION. Its life: draft, sealed, signed, then deprecated or revoked.

\b
Every command takes --json. Exit codes: 0 done or the same, 1 not the same (reproduce), 2 wrong use or refused.""",
)
def command() -> None:
    """Sealed and signed maps with their thresholds: the only thing that may serve."""


@command.command(
    "draft",
    epilog=control.examples(
        "artifact draft",
        "fraud --from 2026-03-01 --cost-fp 1 --cost-fn 20",
        "fraud --by country --precision 0.9 --days 90",
    ),
)
@click.argument("stream")
@streams.WINDOW
@streams.AS_OF
@streams.WEIGHTING
@click.option("--by", "by", metavar="FIELD", multiple=True, help="A map for each value of a cohort field.")
@options.AIMS
@options.JUDGING
@options.SEED
@click.option("--selects", metavar="NAME=VALUE", multiple=True, help="Only predictions with this attribute: model=m-7.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Days until it expires; never by default.")
@click.option("--again", metavar="ARTIFACT", help="Draft this version anew, while it is a draft.")
@control.DECIDES
def draft(stream: str, selects: tuple[str, ...], days: float | None, again: str | None, store: str | None,
          as_json: bool, **rest: Any) -> int:  # fmt: skip
    """Fit a map and a threshold to the matured pairs of STREAM, prove them, and draft the next version with the proof.

    Where the proof fails, the draft keeps the scores as they are: the identity.
    """
    from calibrant import wiring
    from calibrant.registry import policy
    from calibrant.workflow import artifact_files, fitted_artifacts

    selector = dict(drafting.attribute(one) for one in selects)
    project = wiring.project(store)
    declared = project.stream(stream)
    with control.deciding(store) as desk:
        policy.demand("artifact.draft", desk.who.roles, who=desk.who.name)
        request = drafting.request(desk.now_us, rest)
        with project.open_reader() as events, streams.steps("reading") as progress:
            fitted = fitted_artifacts.fit(events, declared, request, progress=progress)
        version = artifact_files.next_version(desk.reader, stream) if again is None else drafting.version(again, stream)
        drawn_up = fitted_artifacts.draw_up(
            fitted, version=version, selector=selector, parent=artifact_files.parent_of(desk.reader, stream),
            sealed_at_us=desk.now_us, expires_us=None if days is None else control.after(desk.now_us, days),
        )  # fmt: skip
        status = artifact_files.draft(desk.ledger, desk.contents, drawn_up, evidence=fitted.evidence, by=desk.who)
    for reason in fitted.recommendation.reasons:
        console.talk(reason)
    _told(status, as_json)
    return console.FINE


@command.command("list", epilog=control.examples("artifact list", "", "fraud --json"))
@click.argument("stream", required=False)
@control.READS
def list_(stream: str | None, store: str | None, as_json: bool) -> int:
    """All artifacts, or those of a stream."""
    from calibrant.registry import artifacts

    with control.looking(store) as (_, reader):
        prefix = "" if stream is None else stream + "@"
        found = [artifacts.read(one) for one in reader.browse(artifacts.KIND, prefix=prefix)]
    found.sort(key=lambda one: (one.stream, one.version))
    if as_json:
        console.emit_json(
            {"schema": "calibrant.artifacts/1", "artifacts": [control.artifact_document(one) for one in found]}
        )
        return console.FINE
    rows = [
        (one.name, one.state, control.short(one.digest), one.drafted_by, control.moment(one.expires_us))
        for one in found
    ]  # fmt: skip
    console.table("", ("artifact", "state", "digest", "drafted by", "expires"), rows, text_columns=5)
    return console.FINE


@command.command("show", epilog=control.examples("artifact show", "fraud@7", "fraud@7 --json > artifact.json"))
@_NAME
@control.READS
def show(name: str, store: str | None, as_json: bool) -> int:
    """The document itself, as it is sealed, and what the registry says of it."""
    from calibrant.artifacts import document

    with control.looking(store) as (project, reader):
        status = _status(reader, name)
        data = project.contents().get(status.digest)
    if as_json:
        click.echo(data.decode(), nl=False)
        return console.FINE
    _told(status, as_json=False)
    artifact = document.loads(data)
    known = artifact.provenance
    click.echo(f"map        {artifact.calibrator.kind}, chosen among {', '.join(known.candidates)}")
    for threshold in artifact.thresholds:
        click.echo(f"threshold  {threshold.name}: {threshold.value:.6g} ({threshold.objective})")
    window = "–" if known.window_us is None else " to ".join(control.moment(us) for us in known.window_us)
    click.echo(
        f"data       {known.rows:,} pairs of {known.source.name}, {window}, as of {control.moment(known.as_of_us)}"
    )
    click.echo("selects    " + (", ".join(f"{key}={value}" for key, value in artifact.selector.items()) or "any"))
    return console.FINE


@command.command("seal", epilog=control.examples("artifact seal", "fraud@7", "fraud@7 --json"))
@_NAME
@control.DECIDES
def seal(name: str, store: str | None, as_json: bool) -> int:
    """Freeze a draft. Its digest is its name from then on."""
    from calibrant.workflow import artifact_files

    with control.deciding(store) as desk:
        status = artifact_files.seal(desk.ledger, desk.contents, name, by=desk.who, now_us=desk.now_us)
    _told(status, as_json)
    return console.FINE


@command.command("sign", epilog=control.examples("artifact sign", "fraud@7", "fraud@7 --key release.key"))
@_NAME
@click.option("--key", "key", type=click.Path(dir_okay=False), help="A private key; this installation's by default.")
@control.DECIDES
def sign(name: str, key: str | None, store: str | None, as_json: bool) -> int:
    """Sign a sealed artifact: from then on it may be bound. The key must be trusted: calibrant trust."""
    from calibrant.artifacts import keys
    from calibrant.workflow import artifact_files

    with control.deciding(store) as desk:
        signer = desk.project.key("artifacts") if key is None else keys.load(Path(key))
        status = artifact_files.sign(desk.ledger, desk.contents, name, key=signer, by=desk.who, now_us=desk.now_us)
    _told(status, as_json)
    return console.FINE


@command.command("verify", epilog=control.examples("artifact verify", "fraud@7", "folder --trust trust.json"))
@_NAME
@click.option("--trust", "trust", type=click.Path(dir_okay=False), help="The trust policy for a folder.")
@control.READS
def verify(name: str, trust: str | None, store: str | None, as_json: bool) -> int:
    """Verify an artifact of the registry, or an exported folder with --trust, as a serving process does."""
    from calibrant import wiring
    from calibrant.artifacts import folder, verify
    from calibrant.artifacts import trust as trusting
    from calibrant.workflow import artifact_files

    now_us = wiring.clock().now_us()
    if Path(name).is_dir():
        if trust is None:
            raise errors.UsageError(
                "CAL-949", "whom to trust is not said", cause=f"{name} is a folder, and folders come from anywhere",
                fix="add --trust FILE, which calibrant trust show --json wrote",
            )  # fmt: skip
        read = folder.read(Path(name))
        found = verify.verify(read.files, read.signatures, trust=trusting.loads(_bytes(trust)), now_us=now_us)
    else:
        with control.looking(store) as (project, reader):
            found = artifact_files.verified(reader, project.contents(), _status(reader, name), now_us=now_us)
    if as_json:
        console.emit_json(
            {
                "schema": "calibrant.verified/1",
                "name": found.artifact.name,
                "digest": found.digest,
                "keyids": list(found.keyids),
                "signed_by": list(found.owners),
            }
        )
    else:
        click.echo(f"{found.artifact.name} {control.short(found.digest)}: good, signed by {', '.join(found.owners)}")
    return console.FINE


@command.command(
    "export", epilog=control.examples("artifact export", "fraud@7 -o folder", "fraud@7 --output /backup/fraud@7")
)
@_NAME
@click.option("-o", "--output", metavar="FOLDER", required=True, help="A new folder.")
@control.READS
def export(name: str, output: str, store: str | None, as_json: bool) -> int:
    """Write an artifact as a folder that needs no registry; OpenSSF's model_signing verifies P-256 signatures of it."""
    from calibrant.workflow import artifact_files

    with control.looking(store) as (project, reader):
        status = _status(reader, name)
        artifact_files.export(reader, project.contents(), status, Path(output))
    _told(status, as_json)
    console.talk(f"wrote {output}")
    return console.FINE


@command.command("reproduce", epilog=control.examples("artifact reproduce", "fraud@7", "fraud@7 --json"))
@_NAME
@control.READS
def reproduce(name: str, store: str | None, as_json: bool) -> int:
    """Fit again from the recorded inputs and compare every byte. Exit code 0: the same; 1: not."""
    from calibrant.artifacts import document
    from calibrant.workflow import fitted_artifacts

    with control.looking(store) as (project, reader):
        artifact = document.loads(project.contents().get(_status(reader, name).digest))
        declared = project.stream(artifact.stream)
        with project.open_reader() as events, streams.steps("reading") as progress:
            found = fitted_artifacts.reproduce(events, declared, artifact, progress=progress)
    if as_json:
        console.emit_json(
            {
                "schema": "calibrant.reproduced/1",
                "name": name,
                "same": found.same,
                "digest": found.digest,
                "again": found.again,
                "difference": found.difference,
            }
        )
    elif found.same:
        click.echo(f"{name}: fitted again, the same to the last byte ({control.short(found.digest)})")
    else:
        click.echo(f"{name}: not the same: {found.difference}")
    return console.FINE if found.same else console.FINDINGS


@command.command(
    "deprecate",
    epilog=control.examples("artifact deprecate", "fraud@7", 'fraud@7 --reason "the model was trained anew"'),
)
@_NAME
@control.REASON
@control.DECIDES
def deprecate(name: str, reason: str | None, store: str | None, as_json: bool) -> int:
    """Let no binding take it up any more; where it serves, it goes on."""
    from calibrant.workflow import artifact_files

    with control.deciding(store) as desk:
        status = artifact_files.deprecate(desk.ledger, name, by=desk.who, reason=reason)
    _told(status, as_json)
    return console.FINE


@command.command(
    "revoke", epilog=control.examples("artifact revoke", "fraud@7", 'fraud@7 --reason "its labels were wrong"')
)
@_NAME
@control.REASON
@control.DECIDES
def revoke(name: str, reason: str | None, store: str | None, as_json: bool) -> int:
    """It must not serve any more: every binding that holds it goes back, in the same transaction."""
    from calibrant.workflow import promotions

    with control.deciding(store) as desk:
        changed = promotions.revoke(desk.ledger, name, by=desk.who, reason=reason)
        status = _status(desk.reader, name)
    _told(status, as_json)
    for one in changed:
        console.talk(f"{one.name} (revision {one.revision}): {control.binding_text(one.binding)}")
    return console.FINE


def _status(reader: Any, name: str) -> Status:
    from calibrant.registry import artifacts, refusals

    return artifacts.read(refusals.present(reader.get(artifacts.KIND, name), kind=artifacts.KIND, name=name))


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise errors.UsageError(
            "CAL-949", "the trust policy cannot be read", cause=error.strerror or type(error).__name__,
            fix="give the file that calibrant trust show --json wrote",
        ) from None  # fmt: skip


def _told(status: Status, as_json: bool) -> None:
    if as_json:
        console.emit_json(control.artifact_document(status))
        return
    click.echo(f"{status.name}  {status.state}  {status.digest}")
    click.echo(f"evidence   {status.evidence or '–'}, drafted by {status.drafted_by}")
