"""``calibrant environment``: where bindings live, and how many people must agree there."""

from __future__ import annotations

import click

from calibrant.cli import console, control


@click.group(
    "environment",
    epilog="""\b
Examples:
  calibrant environment list
  calibrant environment set production --approvals 2

\b
Every command takes --json. Exit codes: 0 done, 2 wrong use or refused.""",
)
def command() -> None:
    """Environments and the approvals that they ask for."""


@command.command("list", epilog=control.examples("environment list", "", "--json"))
@control.READS
def list_(store: str | None, as_json: bool) -> int:
    """All environments."""
    from calibrant.registry import environments

    with control.looking(store) as (_, reader):
        every = [(one.name, environments.approvals(one)) for one in reader.browse(environments.KIND)]
    if as_json:
        console.emit_json(
            {
                "schema": "calibrant.environments/1",
                "environments": [{"name": name, "approvals": approvals} for name, approvals in every],
            }
        )
    else:
        console.table("", ("environment", "approvals"), [(name, str(approvals)) for name, approvals in every])
    return console.FINE


@command.command("set", epilog=control.examples("environment set", "production --approvals 2", "canary --approvals 0"))
@click.argument("name")
@click.option("--approvals", type=int, required=True, help="Distinct persons besides the proposer: 0 to 5.")
@control.DECIDES
def set_(name: str, approvals: int, store: str | None, as_json: bool) -> int:
    """Make an environment, or change how many approvals it asks for."""
    from calibrant.workflow import people

    with control.deciding(store) as desk:
        people.declare_environment(desk.ledger, name, approvals=approvals, by=desk.who)
    if as_json:
        console.emit_json({"schema": "calibrant.done/1", "name": name, "approvals": approvals})
    else:
        click.echo(f"{name}: {approvals} approval" + ("" if approvals == 1 else "s"))
    return console.FINE
