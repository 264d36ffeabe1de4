"""``calibrant rollout``: an artifact on its way to everybody, step by step, and back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from calibrant.cli import binding, console, control, rollout_tree

if TYPE_CHECKING:
    from calibrant.ports.control_store import ControlReader
    from calibrant.workflow.rollouts import Told, Word

TARGET = binding.TARGET
#: Seconds between two looks of ``get --watch``.
EVERY = 2.0


@click.group(
    "rollout",
    epilog="""\b
Examples:
  calibrant rollout start fraud@8 production --reason "March drifted"
  calibrant rollout get fraud/production --watch
  calibrant rollout rollback fraud/production --reason "false alarms doubled"

\b
A controller moves it: calibrant run. Every command takes --json.
Exit codes: 0 done, 1 (get --watch) it ended otherwise than completed, 2 wrong use or refused.""",
)
def command() -> None:
    """Roll artifacts out: shadow, canary, everybody; and back from anywhere."""


@command.command(
    "start", epilog=control.examples("rollout start", "fraud@8 production", "fraud@8 staging --reason 'March drifted'")
)
@click.argument("artifact")
@click.argument("environment")
@click.option("--override", is_flag=True, help="Although it cools down or is latched; takes --reason.")
@control.REASON
@control.DECIDES
def start(
    artifact: str, environment: str, override: bool, reason: str | None, store: str | None, as_json: bool
) -> int:  # fmt: skip
    """Begin to roll ARTIFACT (fraud@8) out in ENVIRONMENT, as the stream's policies say."""
    from calibrant.rollout import plans
    from calibrant.workflow import rollouts

    with control.deciding(store) as desk:
        declared = desk.project.stream(artifact.partition("@")[0])
        told = rollouts.start(
            desk.ledger, desk.contents, artifact, environment, plan=plans.of(declared.policies), by=desk.who,
            now_us=desk.now_us, override=override, reason=reason,
        )  # fmt: skip
        _told(desk.reader, told, as_json)
    return console.FINE


@command.command("list", epilog=control.examples("rollout list", "", "--json"))
@control.READS
def list_(store: str | None, as_json: bool) -> int:
    """The newest rollout of every stream in every environment."""
    from calibrant.rollout import states

    with control.looking(store) as (_, reader):
        every = [states.read(one) for one in reader.browse(states.KIND)]
    if as_json:
        console.emit_json({"schema": "calibrant.rollouts/1", "rollouts": [rollout_tree.body(one) for one in every]})
    else:
        rows = [(one.name, one.candidate.artifact, rollout_tree.label(one), rollout_tree.waits(one)) for one in every]
        console.table("", ("rollout", "artifact", "is", "waits for"), rows, text_columns=4)
    return console.FINE


@command.command("get", epilog=control.examples("rollout get", "fraud/production", "fraud/production --watch"))
@TARGET
@click.option("-w", "--watch", "watch", is_flag=True, help="Go on telling until it has ended.")
@control.READS
def get(target: str, watch: bool, store: str | None, as_json: bool) -> int:
    """Where it is: steps, weights, what guards said, what it waits for."""
    from calibrant.workflow import rollouts

    with control.looking(store) as (_, reader):
        told = rollouts.get(reader, target)
        _told(reader, told, as_json)
        while watch and told.state.running:
            time.sleep(EVERY)
            now = rollouts.get(reader, target)
            if now.revision != told.revision:
                _told(reader, now, as_json)
            told = now
    return console.FINDINGS if watch and told.state.phase != "completed" else console.FINE


@command.command(
    "history", epilog=control.examples("rollout history", "fraud/production", "fraud/production --number 3")
)
@TARGET
@click.option("--number", type=click.IntRange(1), help="Another one than the newest.")
@control.READS
def history(target: str, number: int | None, store: str | None, as_json: bool) -> int:
    """Every turn: when, by whom, why, and its entry in the audit log."""
    from calibrant.workflow import rollout_record, rollouts

    with control.looking(store) as (_, reader):
        rollouts.get(reader, target)
        turns = rollout_record.record(reader, target, number=number)
    if as_json:
        console.emit_json({"schema": "calibrant.rollout-history/1", "name": target, "turns": rollout_tree.turns(turns)})
        return console.FINE
    rows = [
        (
            control.moment(one.at_us),
            rollout_tree.label(one.state),
            rollout_tree.waits(one.state) or one.state.reason,
            f"{one.action} by {one.actor}" + (f': "{one.said}"' if one.said else ""),
            str(one.index),
        )
        for one in turns
    ]
    console.table("", ("when", "is", "because", "who", "entry"), rows, text_columns=4)
    return console.FINE


def _speaking(word: Word, title: str, *examples: str) -> None:
    @command.command(word, help=title, epilog=control.examples(f"rollout {word}", *examples))
    @TARGET
    @control.REASON
    @control.DECIDES
    def speak(target: str, reason: str | None, store: str | None, as_json: bool) -> int:
        return _say(target, word, reason, store, as_json)


@command.command(
    "advance",
    epilog=control.examples(
        "rollout advance", "fraud/production", "fraud/production --override --reason 'seen by hand'"
    ),
)
@TARGET
@click.option("--stage", type=click.IntRange(0), help="Only if it is at this stage; the present one by default.")
@click.option("--override", is_flag=True, help="Although guards have not passed; for approvers, takes --reason.")
@control.REASON
@control.DECIDES
def advance(
    target: str, stage: int | None, override: bool, reason: str | None, store: str | None, as_json: bool
) -> int:  # fmt: skip
    """In mode manual, let the present stage go on once its guards have passed."""
    return _say(target, "override" if override else "advance", reason, store, as_json, stage=stage)


_speaking("pause", "Stop it where it is; guards go on being watched.", "fraud/production")
_speaking("resume", "Let it go on.", "fraud/production")
_speaking("abort", "Give it up: taken back where anybody was exposed.", "fraud/production --reason 'wrong month'")
_speaking(
    "rollback",
    "Restore exactly what was bound before it, now; also after it was completed. Needs no approval and no data.",
    "fraud/production",
    "fraud/production --reason 'false alarms doubled'",
)


def _say(
    target: str, word: Word, reason: str | None, store: str | None, as_json: bool, *, stage: int | None = None
) -> int:  # fmt: skip
    from calibrant.workflow import rollouts

    with control.deciding(store) as desk:
        told = rollouts.say(
            desk.ledger, target, word, by=desk.who, now_us=desk.now_us, stage=stage, reason=reason
        )  # fmt: skip
        _told(desk.reader, told, as_json)
    for page in told.pages:
        console.talk(page)
    return console.FINDINGS if told.pages else console.FINE


def _told(reader: ControlReader, told: Told, as_json: bool) -> None:
    from calibrant.workflow import promotions, rollout_record

    turns = rollout_record.record(reader, told.state.target)
    if as_json:
        console.emit_json(rollout_tree.document(told, turns))
    else:
        revision = promotions.bound(reader, told.state.target).revision
        click.echo(rollout_tree.tree(told.state, turns, binding_revision=revision))
