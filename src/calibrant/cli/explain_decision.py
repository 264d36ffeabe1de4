"""``calibrant explain-decision``: why something is live, from what is on record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from calibrant import errors
from calibrant.cli import binding, console, control, rollout_tree, streams

if TYPE_CHECKING:
    from calibrant.registry.approvals import Approval
    from calibrant.workflow.decision_record import Drawn, Explained

#: What each change of a binding is, in words.
_ACTIONS = {
    "binding.promote": "was promoted",
    "binding.rollback": "came back by a rollback",
    "binding.follow": "followed the labels inside its envelope",
    "binding.assign": "was put into a slot beside the champion, or taken out",
}
#: What each recommendation that changes what serves asks for.
_ADVICE = {
    "new_artifact": "roll out a new map",
    "new_threshold": "roll out a new threshold for the same map",
    "roll_back": "go back to what served before",
}


@click.command(
    "explain-decision",
    epilog="""\b
Examples:
  calibrant explain-decision fraud/production
  calibrant explain-decision fraud/production --at 2026-03-08
  calibrant explain-decision fraud/production --index 412 --json

\b
Exit codes: 0 explained, 2 wrong use, or nothing was bound then.""",
)
@binding.TARGET
@click.option("--at", metavar="TIME", help="Why was live what was live then; now by default.")
@click.option("--index", type=click.IntRange(0), help="The change with this entry in the audit log.")
@control.READS
def command(target: str, at: str | None, index: int | None, store: str | None, as_json: bool) -> int:
    """Why is it live? What was seen and advised, the candidate's evidence, what guards read, who agreed, who did it.

    TARGET is STREAM/ENVIRONMENT. Everything is as it was put on record when it was decided.
    """
    from calibrant.workflow import decision_record

    if at is not None and index is not None:
        raise errors.UsageError(
            "CAL-420", "--at and --index both name a change", cause="both were given", fix="keep one of them"
        )
    with control.looking(store) as (project, reader):
        found = decision_record.explain(
            reader, project.contents(), target, at_us=streams.moment(at, "--at"), index=index
        )
    if as_json:
        console.emit_json(document(found))
    else:
        show(found)
    return console.FINE


def document(found: Explained) -> dict[str, Any]:
    """The explanation as plain data."""
    tenure = found.tenure
    return {
        "schema": "calibrant.decision/1",
        "target": found.target,
        "since": control.moment(tenure.since_us),
        "until": None if tenure.until_us is None else control.moment(tenure.until_us),
        "before": found.before.to_body(),
        "binding": tenure.binding.to_body(),
        "action": tenure.action,
        "audit_index": tenure.index,
        "anchor_audit_index": found.anchor,
        "actor": tenure.actor,
        "actor_type": None if found.actor is None else found.actor.type,
        "answers_for_it": None if found.actor is None else found.actor.person,
        "reason": tenure.said,
        "advice": found.advice,
        "artifact": None if found.drawn is None else _artifact(found.drawn),
        "rollout": None if not found.turns else _rollout(found),
        "approvals": [{"name": one.name, **one.to_body()} for one in found.asked],
        "in_words": list(sentences(found)),
    }


def _artifact(drawn: Drawn) -> dict[str, Any]:
    return {
        **control.artifact_document(drawn.status),
        "replaces": drawn.parent,
        "provenance": drawn.provenance,
        "gain": None if drawn.validation is None else drawn.validation.get("gain"),
        "rows_judged": _judged(drawn.validation),
    }


def _rollout(found: Explained) -> dict[str, Any]:
    return {
        "name": found.turns[-1].state.name,
        "turns": rollout_tree.turns(found.turns),
        "is_by_now": found.became,
    }


def show(found: Explained) -> None:
    """The explanation for people."""
    console.out().print(f"{found.target} since {control.moment(found.tenure.since_us)}", style="bold")
    for one in sentences(found):
        click.echo(click.wrap_text(one, 110, "  ", "  "))
    if found.turns:
        click.echo()
        state = found.turns[-1].state
        click.echo(rollout_tree.tree(state, found.turns, binding_revision=found.tenure.revision))


def sentences(found: Explained) -> Iterator[str]:
    """The answer in plain words, one thought a line."""
    tenure = found.tenure
    now, before = control.binding_text(tenure.binding), control.binding_text(found.before)
    yield f"Now: {now}. Before: {before}."
    yield f"{_what(found)} by {_who(found)}, entry {tenure.index} of the audit log."
    if tenure.said is not None:
        yield f'They said: "{tenure.said}"'
    if found.anchor is not None:
        yield f"It moved by itself since entry {found.anchor}: that one is explained by --index {found.anchor}."
    yield from _advice(found.advice)
    if found.drawn is not None:
        yield from _candidate(found.drawn)
    if found.turns:
        yield from _proved(found)
    if not found.asked:
        yield "Nobody was asked to approve it."
    for one in found.asked:
        yield _approval(one)


def _what(found: Explained) -> str:
    champion = found.tenure.binding.champion
    name = "What serves" if champion is None else champion.artifact
    if found.tenure.action == "binding.assign" and found.drawn is not None:
        name = found.drawn.status.name
    return f"{name} {_ACTIONS.get(found.tenure.action, found.tenure.action)}"


def _who(found: Explained) -> str:
    actor = found.actor
    if actor is None or actor.type == "person":
        return found.tenure.actor
    return f"{actor.name} (a service that {actor.person} answers for)"


def _advice(advice: Mapping[str, Any] | None) -> Iterator[str]:
    if advice is None:
        yield "No advice of a controller is on record for it."
        return
    alarms = [f"{one['group']} (p {console.p_value(one['p_value'])}, {one['rows']:,} rows)" for one in advice["alarms"]]
    yield f"Seen: rates were off by {_measured(advice['departure'])} in probability; " + (
        "alarms for " + ", ".join(alarms) + "." if alarms else "no alarm."
    )
    told = advice["recommendation"]
    yield f"Advised: {_ADVICE.get(told['action'], told['action'])}. " + " ".join(told["reasons"])
    effect = told["effect"]
    if effect is not None:
        flips = "" if effect["flips"] is None else f"; {effect['flips']:,} decisions flip"
        yield f"Expected: {_measured(effect['gain'])} nats a row on {effect['rows']:,} rows not fitted to{flips}."


def _candidate(drawn: Drawn) -> Iterator[str]:
    status, made = drawn.status, drawn.provenance
    replaces = "" if drawn.parent is None else f", in place of {drawn.parent}"
    yield f"{status.name} ({control.short(status.digest)}) is {status.state}{replaces}."
    if made is None:
        yield "Its provenance is not in the contents any more."
    else:
        as_of = "" if made["as_of_us"] is None else f", labels as of {control.moment(made['as_of_us'])}"
        yield (
            f"It is a {made['method']} map ({made['approach']}) of {made['rows']:,} rows of the "
            f"{made['source']['kind']} {made['source']['name']} (data {control.short(made['data_digest'])}){as_of}, "
            f"made with Calibrant {made['code']['calibrant']}."
        )
    gain = None if drawn.validation is None else drawn.validation.get("gain")
    if isinstance(gain, Mapping):
        rows = _judged(drawn.validation)
        of = "" if rows is None else f" on {rows:,} held-out rows"
        yield f"Its validation: {_measured(gain)} nats a row{of}, evidence {control.short(status.evidence)}."
    else:
        yield "No validation with a gain is on record for it."


def _proved(found: Explained) -> Iterator[str]:
    state = found.turns[-1].state
    became = (found.became or state.phase).replace("_", " ")
    yield f"The rollout {state.name} brought it there: {state.reason}. By now it is {became}; its stages are below."


def _approval(one: Approval) -> str:
    voices = ", ".join(
        f"{each.person} ({each.verdict}, {control.moment(each.at_us)})" for each in one.decisions
    )  # fmt: skip
    asked = f"{one.name} for {one.slot}, drafted by {one.drafted_by}, asked by {one.proposed_by}"
    return f"Approval {asked}: {voices or 'no answer'}; it is {one.state}."


def _measured(plain: Mapping[str, Any]) -> str:
    """A number with its interval, from its JSON form."""
    if plain.get("value") is None:
        return f"an unknown amount ({plain.get('have', 0):,g} {plain.get('insufficient', 'rows')})"
    low, high = plain.get("low"), plain.get("high")
    if low is None and high is None:
        return f"{plain['value']:.4g}"
    ends = " to ".join("…" if one is None else f"{one:.4g}" for one in (low, high))
    return f"{plain['value']:.4g} ({ends})"


def _judged(validation: Mapping[str, Any] | None) -> int | None:
    """The held-out rows of a validation, where its form says them."""
    overall = ((validation or {}).get("before") or {}).get("overall") or {}
    rows = overall.get("n")
    return rows if isinstance(rows, int) else None
