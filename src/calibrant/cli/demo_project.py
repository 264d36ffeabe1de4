"""The project of ``calibrant demo``: a folder like any other, with keys, people, a stream, and a year in it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibrant import errors

if TYPE_CHECKING:
    import pyarrow as pa

    from calibrant.audit.verification import Findings
    from calibrant.ports.clock import Clock
    from calibrant.registry.resources import Resource
    from calibrant.streams.declaration import Stream
    from calibrant.wiring import Project
    from calibrant.workflow.controlling import Post
    from calibrant.workflow.ledger import Ledger
    from calibrant.workflow.replaying import Progress, Replayed

ENVIRONMENT: Final = "production"
#: The person who began the installation, and the service that the controller runs as.
PERSON, SERVICE = "ada", "controller"
KEY_FILE: Final = "ada.key"
_DAY_US: Final = 86_400_000_000
_MARK: Final = ".made-by-calibrant-demo"
#: The demo keeps everything in its own folder, whatever is configured for real projects.
_NOTHING_SET: Final[Mapping[str, str]] = {}

#: Evidence of a fortnight, maps of four weeks, a new map at most once in as long as evidence takes to gather anew, and
#: between these a map that follows yesterday's labels by itself.
DECLARATION: Final = """\
apiVersion: calibrant/v1
kind: Stream
metadata:
  name: flights
  owner: the demo
  runbook: https://example.org/runbooks/flights
  description: The probability that a flight from New York arrives more than 15 minutes late; known within a day.
spec:
  labels:
    horizon: 1d
  cohorts:
    - field: carrier
      cap: 20
    - field: origin
      cap: 5
  policies:
    watch:
      window: 14d             # the evidence that advice rests on
      silence: 2d
    advice:
      mode: auto              # inside these limits nobody is asked
      refit: 28d              # maps are fitted to the last four weeks
      cooldown: 14d           # a new one only on new evidence
      readings: 2
      enter: 0.015            # act when rates are this far from the scores, in probability
      leave: 0.01
      leastGain: 0.005        # nats a row, with confidence
      maxShift: 0.5
    online:
      enabled: true           # between rollouts the map follows the labels, inside its envelope
      halfLife: 7d
    rollout:
      shadow: 1d
      weights: [0.5]
      hold: 1d
      bake: 1d
      matured: 1000
      margin: 0.01
"""


class ReplayClock:
    """The clock of the year: it stands still until the replay sets it."""

    def __init__(self, us: int) -> None:
        self.us = us

    def now_us(self) -> int:
        return self.us


@dataclass(frozen=True, slots=True)
class Year:
    """Events of the packaged flights, ready to be replayed."""

    predictions: pa.Table
    labels: pa.Table
    start_us: int


@dataclass(frozen=True, slots=True)
class Proved:
    """What the audit log says of itself after the year."""

    findings: Findings
    bundle: Path | None
    artifact: str | None


def prepare(folder: Path) -> Project:
    """A new project in a folder; what an earlier demo left there is removed, anything else is not touched."""
    from calibrant import wiring
    from calibrant.frames import atomic

    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise errors.UsageError(
                "CAL-890",
                f"{str(folder)!r} holds something that the demo did not make",
                cause="the demo begins with a new project, and removes only what it made itself",
                fix="name another folder with --output, or move this one away",
            )
        shutil.rmtree(folder)
    try:
        (folder / "streams").mkdir(parents=True, mode=0o700, exist_ok=True)
        (folder / _MARK).write_text("calibrant demo removes this folder when it runs again\n")
    except OSError as error:
        raise atomic.refused(folder, error) from error
    (folder / "streams" / "flights.yaml").write_text(DECLARATION)
    return wiring.Project(folder)


def read_year(stream: Stream, *, days: int | None = None) -> Year:
    """The packaged flights as two feeds, or the first days of them."""
    import pyarrow as pa
    from pyarrow import compute, parquet

    from calibrant import datasets
    from calibrant.events import wire_arrow

    table = parquet.read_table(datasets.flights()).sort_by("predicted_at")
    zone = pa.timestamp("us", "UTC")
    made, known = table["predicted_at"].cast(zone), table["labeled_at"].cast(zone)
    first = made.cast(pa.int64())[0].as_py()
    if days is not None:
        few = int(compute.sum(compute.less(made.cast(pa.int64()), first + days * _DAY_US)).as_py())
        table, made, known = table.slice(0, few), made.slice(0, few), known.slice(0, few)
    members = {"id": table["prediction_id"], "at": made, "score": table["score"]}
    cohorts = {f"cohorts.{name}": table[name] for name in stream.cohort_fields}
    whole = pa.table(members | cohorts)
    told = pa.table({"prediction": table["prediction_id"], "value": table["label"].cast(pa.float64()), "at": known})
    predictions = wire_arrow.read_predictions(whole, stream=stream, columns={name: name for name in whole.column_names})
    return Year(
        pa.concat_tables([part.batch.table for part in predictions]),
        pa.concat_tables([part.batch.table for part in wire_arrow.read_labels(told, stream=stream)]),
        first - first % _DAY_US,
    )


def replay(project: Project, year: Year, *, progress: Progress | None = None) -> Replayed:
    """Begin the installation on the first day of the year, and let the controller look once a day."""
    from calibrant.workflow import replaying

    clock = ReplayClock(year.start_us)
    stream = project.stream("flights")
    with _opened(project, clock) as post:
        return replaying.replay(
            post, stream, ENVIRONMENT, predictions=year.predictions, labels=year.labels, clock=clock, resamples=20,
            progress=progress,
        )  # fmt: skip


@contextmanager
def _opened(project: Project, clock: ReplayClock) -> Iterator[Post]:
    from calibrant import wiring
    from calibrant.registry import principals
    from calibrant.workflow import controlling, people

    project.make_keys()
    with _ledger(project, clock) as ledger, project.open_store() as events:
        people.begin(
            ledger, PERSON, roles=("auditor", "operator"), own_keys=project.own_trust(owner=PERSON, now_us=clock.us),
            expires_us=clock.us + _DAY_US, now_us=clock.us, random=os.urandom,
        )  # fmt: skip
        ada = principals.read(_the(ledger, PERSON))
        # in the demo nobody is there to approve
        people.declare_environment(ledger, ENVIRONMENT, approvals=0, by=ada)
        service = people.enrol(ledger, SERVICE, by=ada, roles=("proposer", "operator"), owner=PERSON)
        yield controlling.Post(
            ledger, wiring.working(ledger), project.contents(_NOTHING_SET), events, project.key("artifacts"), service
        )


def prove(project: Project, bundle: Path) -> Proved:
    """Verify the audit log, export the evidence of what serves at the end, and give the person a key for today."""
    from calibrant import wiring
    from calibrant.registry import bindings, principals
    from calibrant.workflow import audit_log, evidence_bundle, people

    clock = wiring.clock()
    with _ledger(project, clock) as ledger:
        now_us = clock.now_us()
        ada = principals.read(_the(ledger, PERSON))
        issued = people.issue(
            ledger, PERSON, by=ada, expires_us=now_us + 30 * _DAY_US, now_us=now_us, random=os.urandom,
            label="after the demo",
        )  # fmt: skip
    _keep_key(project.folder / KEY_FILE, issued.token)
    with project.control_reader() as reader:
        found = audit_log.verify(reader, project.audit_copy(_NOTHING_SET), keys=[project.key("audit").public])
        champion = bindings.read(reader.get(bindings.KIND, bindings.name("flights", ENVIRONMENT))).champion
        if champion is None:
            return Proved(found, None, None)
        evidence_bundle.write(
            evidence_bundle.collect(reader, project.contents(_NOTHING_SET), champion.artifact), bundle
        )
    return Proved(found, bundle, champion.artifact)


@contextmanager
def _ledger(project: Project, clock: Clock) -> Iterator[Ledger]:
    """The ledger of the project on a clock of ours; a checkpoint covers everything at the end."""
    from calibrant.workflow import ledger as ledgers

    with project.open_control() as store:
        opened = ledgers.Ledger(store, project.audit_copy(_NOTHING_SET), project.log_signer(store), clock)
        yield opened
        with contextlib.suppress(errors.AuditCopyError):
            opened.checkpoint()


def _the(ledger: Ledger, name: str) -> Resource:
    from calibrant.registry import principals, refusals

    return refusals.present(ledger.reader.get(principals.KIND, name), kind=principals.KIND, name=name)


def _keep_key(path: Path, token: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(token + "\n")
