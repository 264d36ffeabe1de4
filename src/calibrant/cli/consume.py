"""``calibrant consume``: messages of Kafka or NATS into the store, committed when they are kept."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from calibrant import errors
from calibrant.cli import console, ingest, options, streams

if TYPE_CHECKING:
    from types import FrameType

    from calibrant.ports.message_source import Address
    from calibrant.workflow.consume import Consumed
    from calibrant.workflow.messages import Kind

#: Seconds between two lines that say how far it is.
SAY: Final = 10.0
COUNTS: Final = ("messages", *ingest.COUNTS)


@click.command(
    "consume",
    epilog="""\b
Examples:
  calibrant consume fraud --from 'kafka://localhost:9092/scores?group=calibrant' --kind predictions
  calibrant consume fraud --from 'nats://localhost:4222/EVENTS/fraud.>?durable=calibrant' --kind events \\
      --config nats.properties --idle-exit 5 --json

\b
Secrets and settings: lines NAME=VALUE in --config FILE, or the environment: CALIBRANT_KAFKA_SASL_PASSWORD
is librdkafka's sasl.password, CALIBRANT_NATS_PASSWORD is password. Never on the command line.

\b
Exit codes: 0 all taken or there already, 1 some were rejected, conflicting or expired (the others are
kept), 2 wrong use, bad input, or a broker or store that fails (what was kept is safe: start again).""",
)
@streams.NAME
@click.option("--from", "source", metavar="ADDRESS", required=True, help="kafka:// or nats://, as in the examples.")
@click.option(
    "--kind",
    type=click.Choice(["predictions", "labels", "events"]),
    required=True,
    help="What plain JSON lines are; events: CloudEvents only, which say themselves what they are.",
)
@click.option("--max-events", type=click.IntRange(1), help="Stop after so many; a message is never split.")
@click.option("--idle-exit", type=click.FloatRange(0.0, min_open=True), metavar="SECONDS", help="Stop after silence.")
@click.option("--config", metavar="FILE", help="Settings of the client: user, password, TLS, librdkafka's own.")
@streams.STORE
@options.JSON
def command(
    stream: str,
    source: str,
    kind: Kind,
    max_events: int | None,
    idle_exit: float | None,
    config: str | None,
    store: str | None,
    as_json: bool,
) -> int:
    """Take in messages until stopped: each event is checked, kept once, and only then acknowledged to the broker.

    SIGTERM or Ctrl-C finishes the batch and prints the exact counts. A run that was killed goes on where the
    broker was told; what comes again counts as duplicate. A message that cannot be read is rejected and counted.
    """
    from calibrant import wiring
    from calibrant.ports import message_source
    from calibrant.workflow import consume

    project = wiring.project(store)
    declared = project.stream(stream)
    key = project.hmac_key(declared)
    address = message_source.Address.parse(source)
    teller = _Teller()
    with (
        _stopping() as stop,
        project.open_store() as opened,
        wiring.message_source(address, _settings(address, config)) as messages,
        teller,
    ):
        found = consume.consume(
            opened,
            declared,
            messages,
            kind=kind,
            time=wiring.clock(),
            pace=consume.Pace(time.monotonic, time.sleep, stop),
            until=consume.Until(max_events, idle_exit),
            hmac_key=key,
            progress=teller,
        )
    _print(found, stream, kind, address, as_json=as_json)
    return console.FINE if found.clean else console.FINDINGS


def _print(found: Consumed, stream: str, kind: str, address: Address, *, as_json: bool) -> None:
    if as_json:
        console.emit_json(
            {
                "schema": "calibrant.consume/1",
                "stream": stream,
                "kind": kind,
                "source": f"{address.scheme}://{','.join(address.hosts)}/{'/'.join(address.path)}",
                **{count: getattr(found, count) for count in COUNTS},
                "forgotten": found.forgotten,
                "named": [
                    {"place": one.place, "code": one.code, "path": one.path, "reason": one.reason}
                    for one in found.named
                ],
            }
        )
    else:
        console.table("", (kind, "count"), [(count, f"{getattr(found, count):,}") for count in COUNTS])
    if found.forgotten:
        console.talk(
            f"{found.forgotten:,} events were deleted: older than the stream's retention, or orphans for too long"
        )
    for one in found.named[:4]:
        where = f"{one.path}: " if one.path else ""
        console.talk(f"{one.place}: {one.code} {where}{one.reason}")
    refused = found.rejected + found.conflicting + found.expired
    if refused > 4:
        console.talk(f"… {refused:,} items were not taken; calibrant status counts them by reason")


class _Teller:
    """Says how far it is, now and then; and after a failure what was kept and committed before it."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._last: Consumed | None = None

    def __call__(self, found: Consumed) -> None:
        self._last = found
        if time.monotonic() - self._said >= SAY:
            self._said = time.monotonic()
            console.talk(_line(found))

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._last is not None:
            console.talk(f"kept and committed before the failure: {_line(self._last)}")


def _line(found: Consumed) -> str:
    return f"{found.items:,} events: " + ", ".join(f"{getattr(found, name):,} {name}" for name in ingest.COUNTS[1:])


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or SIGINT has come; a second one ends the process at once."""
    asked = False

    def hear(number: int, _: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, hear)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _settings(address: Address, config: str | None, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Settings of the file, and over them those of the environment."""
    prefix = f"CALIBRANT_{address.scheme.upper()}_"
    joint = "." if address.scheme == "kafka" else "_"
    found = _of_file(Path(config)) if config is not None else {}
    return found | {
        name.removeprefix(prefix).lower().replace("_", joint): value
        for name, value in environ.items()
        if name.startswith(prefix)
    }


def _of_file(path: Path) -> dict[str, str]:
    """Lines NAME=VALUE; # begins a comment. A bad line is named by its number: it may hold a secret."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.SourceError(
            "CAL-121",
            f"cannot read the settings in {str(path)!r}",
            cause=getattr(error, "strerror", None) or "it is not UTF-8",
            fix="check the path and its rights",
        ) from None
    found = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not (sign and name.strip()) or name.strip() in found:
            raise errors.UsageError(
                "CAL-443",
                f"line {number} of {path.name} is no setting",
                cause="it is not NAME=VALUE, or the name came before",
                fix="write one setting in each line, as in sasl.username=calibrant",
            )
        found[name.strip()] = value.strip()
    return found
