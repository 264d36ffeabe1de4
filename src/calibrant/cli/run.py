"""``calibrant run``: the controller that watches, advises, rolls out and takes back."""

from __future__ import annotations

import json
import random
import secrets
import signal
import threading
from types import FrameType

import click

from calibrant.cli import console, control


@click.command(
    "run",
    epilog="""\b
Examples:
  calibrant run --environment production
  calibrant run --environment staging --stream fraud --once --json

\b
Exit codes: 0 ended as asked, 1 a look failed (with --once), 2 wrong use or refused.""",
)
@click.option("--environment", required=True, metavar="NAME", help="Where bindings live: production.")
@click.option(
    "--stream", "only", metavar="NAME", multiple=True, help="Only these streams; all declared ones by default."
)
@click.option("--once", is_flag=True, help="Look at each stream once and end.")
@control.DECIDES
def command(environment: str, only: tuple[str, ...], once: bool, store: str | None, as_json: bool) -> int:
    """Look at every stream when it is due, and do what its policies allow.

    The key in CALIBRANT_KEY must be that of a proposer and operator: a service of its own. Several controllers may run:
    each stream is looked at by one. SIGTERM ends it after the looks that are under way.
    """
    from calibrant import wiring
    from calibrant.workflow import running

    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signature of handlers
        stopped.set()

    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, stop)
    failed = False
    with control.deciding(store) as desk, desk.project.open_store() as events:
        post = wiring.post(desk.project, desk.ledger, events, by=desk.who)
        holder = f"controller-{secrets.token_hex(4)}"
        dice = random.Random()  # noqa: S311  # it only spreads looks over time
        controller = running.Controller(post, environment, holder, wiring.clock(), dice, desk.project.office())
        while not stopped.is_set():
            streams = [desk.project.stream(name) for name in only or desk.project.declared()]
            for turn in controller.round(streams, wait=once):
                failed |= turn.failure is not None
                _tell(running.told(turn), as_json)
            if once:
                break
            stopped.wait(1.0)
        controller.close()
    return console.FINDINGS if once and failed else console.FINE


def _tell(line: object, as_json: bool) -> None:
    text = json.dumps(line, ensure_ascii=False)
    if as_json:
        click.echo(text)
        return
    assert isinstance(line, dict)
    said = "; ".join(line.get("done") or []) or line.get("what") or "nothing to do"
    alarms = ", ".join(one["group"] for one in line.get("alarms") or [])
    click.echo(f"{line['stream']}: {said}" + (f" (off: {alarms})" if alarms else ""))
