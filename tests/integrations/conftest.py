"""Real brokers for the tests of sources, and the command that reads them."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from calibrant import wiring
from calibrant.ports.event_log import Counts

CHILD = Path(__file__).with_name("consume_child.py")
DECLARATION = """apiVersion: calibrant/v1
kind: Stream
metadata: {name: s}
spec:
  labels: {horizon: 2d}
"""


def _missing(what: str) -> None:
    """Skip at home, fail where everything is meant to be installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must not skip it")
    pytest.skip(f"{what} is not installed")


@dataclass(frozen=True)
class Project:
    """A folder with the stream ``s``, and ``calibrant consume s`` as a real process."""

    folder: Path

    def start(self, *arguments: str, where: str = "never", batch: int = 20) -> subprocess.Popen[str]:
        """The command, dying where it is told to."""
        command = [
            sys.executable,
            str(CHILD),
            where,
            str(batch),
            "s",
            "--store",
            str(self.folder),
            "--json",
            *arguments,
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def consume(self, *arguments: str, where: str = "never", batch: int = 1_000) -> dict[str, Any]:
        """Run it to its end: the document that it prints with its exit code, or nothing but that of a killed one."""
        process = self.start(*arguments, where=where, batch=batch)
        out, talk = process.communicate(timeout=120)
        return (json.loads(out) if out else {}) | {"exit": process.returncode, "talk": talk}

    def killed_now_and_then(self, *arguments: str, kills: int, seed: int) -> dict[str, Any]:
        """Kill it so often from outside, at times that the dice say after it was up, and then let it go on."""
        dice = random.Random(seed)
        for _ in range(kills):
            process = self.start(*arguments, batch=5)
            try:
                before = self.counts().predictions
                while self.counts().predictions == before and process.poll() is None:
                    time.sleep(0.02)
                time.sleep(dice.random() * 0.2)
            finally:
                process.kill()
                process.communicate(timeout=60)
        return self.consume(*arguments)

    def counts(self) -> Counts:
        """What is in the store, read beside whoever writes."""
        with wiring.project(str(self.folder)).open_reader() as reader:
            return reader.counts("s")

    def ids(self) -> list[str]:
        """Identities of all predictions, sorted: each as often as it is there."""
        with wiring.project(str(self.folder)).open_reader() as reader:
            return sorted(name for table in reader.predictions("s") for name in table["id"].to_pylist())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project, whose store is there: tests read it while the command starts."""
    (tmp_path / "project" / "streams").mkdir(parents=True)
    (tmp_path / "project" / "streams" / "s.yaml").write_text(DECLARATION)
    wiring.project(str(tmp_path / "project")).open_store().close()
    return Project(tmp_path / "project")


# ---------------------------------------------------------------- NATS


def _port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass(frozen=True)
class Nats:
    """A server with JetStream that asks for a password."""

    port: int
    password: str = "p%40ss word"

    def publish(self, stream: str, subject: str, sent: Sequence[tuple[dict[str, str], bytes]]) -> None:
        """Make the stream where it is not there, and publish messages, each confirmed."""
        import asyncio

        import nats

        async def work() -> None:
            client = await nats.connect(f"nats://127.0.0.1:{self.port}", user="u", password=self.password)
            jetstream = client.jetstream()
            await jetstream.add_stream(name=stream, subjects=[f"{stream}.>"])
            for start in range(0, len(sent), 100):
                some = sent[start : start + 100]
                await asyncio.gather(*(jetstream.publish(subject, body, headers=head or None) for head, body in some))
            await client.close()

        asyncio.run(work())


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    """A running NATS server."""
    binary = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/bin")
    if binary is None:
        _missing("nats-server")
    try:
        import nats  # noqa: F401
    except ImportError:
        _missing("nats-py")
    assert binary is not None
    server, folder = Nats(_port()), tmp_path_factory.mktemp("nats")
    config = folder / "server.conf"
    config.write_text(
        f'listen: "127.0.0.1:{server.port}"\njetstream {{ store_dir: "{folder}" }}\n'
        f'authorization {{ user: u, password: "{server.password}" }}\n'
    )
    log = (folder / "log").open("wb")
    process = subprocess.Popen([binary, "-c", str(config)], stdout=log, stderr=log)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


# ---------------------------------------------------------------- Kafka


@dataclass(frozen=True)
class Kafka:
    """librdkafka's own cluster of two brokers, which speaks the real protocol on real ports."""

    producer: Any
    hosts: str

    def publish(self, topic: str, sent: Sequence[tuple[dict[str, str | bytes], bytes | None]]) -> None:
        """Publish messages over the partitions of a topic, each confirmed."""
        for number, (headers, body) in enumerate(sent):
            self.producer.produce(topic, value=body, key=str(number), headers=list(headers.items()))
        assert self.producer.flush(30) == 0


@pytest.fixture(scope="session")
def kafka_cluster() -> Iterator[Kafka]:
    """A running cluster, as long as its first client lives."""
    try:
        from confluent_kafka import Producer
    except ImportError:
        _missing("confluent-kafka")
    producer = Producer({"test.mock.num.brokers": 2, "bootstrap.servers": "replaced", "log_level": 0})
    brokers = producer.list_topics(timeout=10).brokers.values()
    yield Kafka(producer, ",".join(f"{one.host}:{one.port}" for one in brokers))
    producer.flush(10)
