"""``calibrant trust``: whose signatures count, from when to when. Every change is on record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calibrant import errors
from calibrant.cli import console, control

if TYPE_CHECKING:
    from calibrant.artifacts.trust import Purpose, TrustPolicy

_KEY = click.argument("keyid", metavar="KEYID")


@click.group(
    "trust",
    epilog="""\b
Examples:
  calibrant trust show
  calibrant trust add release.pub --owner bob
  calibrant trust retire 3f9a1c20b7de --reason "yearly rotation\"

\b
Every command takes --json. Exit codes: 0 done, 2 wrong use or refused.""",
)
def command() -> None:
    """Public keys that artifacts and checkpoints are verified with."""


@command.command("keygen", epilog=control.examples("trust keygen", "release.key", "release.key --p256"))
@click.argument("output", metavar="FILE")
@click.option("--p256", is_flag=True, help="ECDSA on P-256, for those who verify with OpenSSF's model_signing.")
def keygen(output: str, p256: bool) -> int:
    """Make a private key FILE that only you can read, and FILE.pub. Trust it with: calibrant trust add FILE.pub"""
    from calibrant.artifacts import keys

    made = keys.generate("ecdsa-p256" if p256 else "ed25519")
    path = Path(output)
    keys.save(made, path)
    path.with_name(path.name + ".pub").write_bytes(made.public.pem)
    click.echo(made.public.keyid)
    console.talk(f"wrote {path.name} and {path.name}.pub")
    return console.FINE


@command.command("show", epilog=control.examples("trust show", "", "--json > trust.json"))
@control.READS
def show(store: str | None, as_json: bool) -> int:
    """The trust policy; --json writes the file that calibrant artifact verify --trust takes."""
    from calibrant.artifacts import trust
    from calibrant.workflow import artifact_files

    with control.looking(store) as (_, reader):
        policy = artifact_files.trust_policy(reader)
    if as_json:
        click.echo(trust.dumps(policy).decode(), nl=False)
    else:
        _show(policy)
    return console.FINE


@command.command(
    "add",
    epilog=control.examples(
        "trust add",
        "release.key.pub --owner bob",
        'audit.pub --owner alice --for checkpoint --reason "yearly rotation"',
    ),
)
@click.argument("public", metavar="PUBLIC_KEY", type=click.Path(dir_okay=False))
@click.option("--owner", required=True, metavar="PRINCIPAL", help="Who holds the private key.")
@click.option("--for", "purpose", type=click.Choice(["artifact", "checkpoint"]), default="artifact", show_default=True)
@control.REASON
@control.DECIDES
def add(
    public: str, owner: str, purpose: Purpose, reason: str | None, store: str | None, as_json: bool
) -> int:  # fmt: skip
    """Trust a key from now on."""
    from calibrant.artifacts import keys, trust

    pem = keys.load_public(Path(public)).pem.decode()

    def with_key(policy: TrustPolicy, now_us: int) -> TrustPolicy:
        return policy.with_key(trust.TrustedKey(pem, owner, (purpose,), now_us))

    return _change(with_key, reason, store, as_json)


@command.command(
    "retire", epilog=control.examples("trust retire", "3f9a1c20b7de", '3f9a1c20b7de --reason "yearly rotation"')
)
@_KEY
@control.REASON
@control.DECIDES
def retire(keyid: str, reason: str | None, store: str | None, as_json: bool) -> int:
    """A key signs nothing from now on; what it signed before stays good. For rotation."""

    def retired(policy: TrustPolicy, now_us: int) -> TrustPolicy:
        return policy.retired(_named(policy, keyid), at_us=now_us)

    return _change(retired, reason, store, as_json)


@command.command(
    "revoke", epilog=control.examples("trust revoke", "3f9a1c20b7de", '3f9a1c20b7de --reason "laptop stolen"')
)
@_KEY
@control.REASON
@control.DECIDES
def revoke(keyid: str, reason: str | None, store: str | None, as_json: bool) -> int:
    """Nothing that a key ever signed is good any more. For a key that somebody else may have."""

    def revoked(policy: TrustPolicy, now_us: int) -> TrustPolicy:
        return policy.revoked(_named(policy, keyid), at_us=now_us)

    return _change(revoked, reason, store, as_json)


def _change(
    change: Callable[[TrustPolicy, int], TrustPolicy], reason: str | None, store: str | None, as_json: bool
) -> int:
    from calibrant.artifacts import trust
    from calibrant.workflow import people

    with control.deciding(store) as desk:
        after = people.change_trust(
            desk.ledger, lambda policy: change(policy, desk.now_us), by=desk.who, reason=reason
        )  # fmt: skip
    if as_json:
        click.echo(trust.dumps(after).decode(), nl=False)
    else:
        _show(after)
    return console.FINE


def _named(policy: TrustPolicy, start: str) -> str:
    """The one key whose name begins like this."""
    found = [key.public.keyid for key in policy.keys if key.public.keyid.startswith(start)]
    if len(found) != 1 or len(start) < 8:
        raise errors.UsageError(
            "CAL-952",
            f"{start!r} names no key of the trust policy",
            cause=f"{len(found)} of its keys begin like this" if len(start) >= 8 else "fewer than 8 digits were given",
            fix="take at least 8 digits from: calibrant trust show",
        )
    return found[0]


def _show(policy: TrustPolicy) -> None:
    rows = [
        (
            key.public.keyid[:12],
            key.public.algorithm,
            ", ".join(key.purposes),
            key.owner,
            control.moment(key.not_before_us),
            control.moment(key.not_after_us),
            "–" if key.revoked_at_us is None else control.moment(key.revoked_at_us),
        )
        for key in policy.keys
    ]
    console.table("", ("key", "kind", "signs", "owner", "from", "until", "revoked"), rows, text_columns=7)
    if policy.threshold > 1:
        click.echo(f"{policy.threshold} owners must sign an artifact")
