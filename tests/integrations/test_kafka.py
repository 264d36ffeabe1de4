"""Messages of librdkafka's mock cluster, which speaks the real protocol: exact counts, once each, none lost."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from calibrant import errors
from calibrant.events import wire_cloudevents, wire_jsonl
from calibrant.integrations import kafka
from calibrant.ports import message_source
from calibrant.ports.message_source import Message
from calibrant.testing import made_up

#: The mock cluster gives a group three seconds to come together, and after that its session timeout but one second.
SESSION = {"session.timeout.ms": "4000", "heartbeat.interval.ms": "200"}


def lines(n: int) -> list[tuple[dict[str, str | bytes], bytes | None]]:
    """So many predictions, a message each."""
    return [({}, wire_jsonl.prediction(made_up.prediction(f"p{number:04}"))) for number in range(n)]


def names(n: int) -> list[str]:
    return [f"p{number:04}" for number in range(n)]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "kafka.properties"
    path.write_text("".join(f"{name}={value}\n" for name, value in SESSION.items()))
    return path


def options(cluster: Any, topic: str, config: Path, *, kind: str = "predictions", idle: str = "20") -> list[str]:
    address = f"kafka://{cluster.hosts}/{topic}?group=g-{topic}"
    return ["--from", address, "--kind", kind, "--config", str(config), "--idle-exit", idle]


def source(cluster: Any, topic: str, **more: str) -> kafka.KafkaSource:
    address = message_source.Address.parse(f"kafka://{cluster.hosts}/{topic}?group=g-{topic}")
    return kafka.KafkaSource(address, SESSION | more)


def polled(opened: kafka.KafkaSource, n: int) -> list[Message]:
    """So many messages, or what came in half a minute."""
    found: list[Message] = []
    end = time.monotonic() + 30.0
    while len(found) < n and time.monotonic() < end:
        found += opened.poll(n - len(found), seconds=0.2)
    return found


def test_counts_are_exact_through_the_command(kafka_cluster: Any, project: Any, config: Path) -> None:
    """Lines, CloudEvents in three modes, a duplicate, a conflict, poison, a tombstone: every item in one count."""
    more = [made_up.prediction(f"c{number}") for number in range(3)]
    attributes, data = wire_cloudevents.write_binary("s", made_up.prediction("binary"))
    headers = {name.replace("ce-", "ce_"): value for name, value in attributes.items()}
    sent = lines(300)
    sent += [({}, b"poison"), ({}, None), sent[0]]
    sent += [({}, wire_jsonl.prediction(made_up.prediction("p0001", score=0.75)))]
    sent += [
        (headers, data),
        ({"content-type": wire_cloudevents.STRUCTURED}, wire_cloudevents.write_structured("s", more[0])),
        ({"content-type": wire_cloudevents.BATCH}, wire_cloudevents.write_batch("s", more[1:])),
    ]
    kafka_cluster.publish("exact", sent)
    found = project.consume(*options(kafka_cluster, "exact", config), "--max-events", "308")
    counted = {
        name: found.get(name) for name in ("messages", "items", "accepted", "duplicate", "conflicting", "rejected")
    }
    assert counted == {
        "messages": 307, "items": 308, "accepted": 304, "duplicate": 1, "conflicting": 1, "rejected": 2,
    }, found["talk"]  # fmt: skip
    assert found["exit"] == 1
    assert len(project.ids()) == 304


@pytest.mark.theory
@pytest.mark.parametrize(
    ("where", "again"), [("before-append", 0), ("before-commit", 20), ("after-commit", 0)], ids=lambda x: str(x)
)
def test_kill_nine_between_two_steps(kafka_cluster: Any, project: Any, config: Path, where: str, again: int) -> None:
    """The process is gone in the middle of its second batch; the next one goes on: each event once, none lost."""
    topic = f"kill-{where}"
    kafka_cluster.publish(topic, lines(100))
    killed = project.consume(*options(kafka_cluster, topic, config), where=where, batch=20)
    assert killed["exit"] == -signal.SIGKILL
    kept = project.counts().predictions
    left = 60 if where == "after-commit" else 80
    found = project.consume(*options(kafka_cluster, topic, config), "--max-events", str(left))
    assert (found["accepted"], found["duplicate"]) == (100 - kept, again), found["talk"]
    assert project.ids() == names(100)


@pytest.mark.theory
def test_kill_nine_at_any_time(kafka_cluster: Any, project: Any, config: Path) -> None:
    """Four kills from outside: the store has each event once."""
    kafka_cluster.publish("any", lines(2_000))
    found = project.killed_now_and_then(*options(kafka_cluster, "any", config, idle="3"), kills=4, seed=1)
    assert found["exit"] == 0, found["talk"]
    assert project.ids() == names(2_000)


def test_only_what_was_committed_is_gone(kafka_cluster: Any) -> None:
    """Closing commits nothing; what was polled comes again, what was committed does not."""
    kafka_cluster.publish("port", lines(40))
    with source(kafka_cluster, "port") as first:
        assert not first.ready()
        some = polled(first, 40)
        assert len({one.place for one in some}) == 40
        assert first.ready()
        first.commit(some[:25])
    first.close()
    committed = {one.place for one in some[:25]}
    with source(kafka_cluster, "port") as second:
        again = {one.place for one in polled(second, 15)}
    # whole partitions were polled one after the other: what lies before a committed message is committed
    assert again == {one.place for one in some} - committed


@pytest.mark.theory
def test_what_moved_to_another_member_is_not_committed(kafka_cluster: Any) -> None:
    """Partitions are taken away between poll and commit: no error, and whoever has them now reads the messages."""
    kafka_cluster.publish("moved", lines(40))
    with source(kafka_cluster, "moved") as first:
        some = polled(first, 40)
        with source(kafka_cluster, "moved") as second:
            other: list[Message] = []
            end = time.monotonic() + 30.0
            while not other and time.monotonic() < end:
                first.poll(40, seconds=0.2)
                other = list(second.poll(40, seconds=0.2))
            first.commit(some)
            assert other
            second.commit(other)


def test_headers_are_not_percent_encoded_here() -> None:
    """Kafka sends UTF-8 as it is; bytes that are not UTF-8 make the event refused, not another one."""
    assert kafka._header("ä%20b".encode()) == "ä%2520b"
    assert kafka._header(b"\xff") == "\udcff"


def test_no_broker_is_an_error_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause is told after a few seconds."""
    monkeypatch.setattr(kafka, "CONNECT", 0.3)
    with pytest.raises(errors.SourceError, match="CAL-122"):
        kafka.KafkaSource(message_source.Address.parse("kafka://127.0.0.1:1/t?group=g"), {"log_level": "0"})


def test_no_topic_is_an_error_not_silence(kafka_cluster: Any) -> None:
    """A misspelt topic would be read for ever."""
    with pytest.raises(errors.SourceError, match="nowhere"):
        source(kafka_cluster, "nowhere")


@pytest.mark.parametrize("more", [{"enable.auto.commit": "true"}, {"group.id": "x"}, {"sasl.passwort": "secret"}])
def test_settings_are_checked(more: dict[str, str]) -> None:
    """Those that would commit by time, those of the address, and misspelt ones; their values are not repeated."""
    address = message_source.Address.parse("kafka://127.0.0.1:1/t?group=g")
    with pytest.raises(errors.UsageError, match="CAL-441") as caught:
        kafka.KafkaSource(address, more)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "topic", "topic?group=", "a/b?group=g", "t?group=g&x=1"])
def test_an_address_names_topic_and_group(path: str) -> None:
    """Anything else is told with an example."""
    with pytest.raises(errors.UsageError, match="CAL-439"):
        kafka.KafkaSource(message_source.Address.parse(f"kafka://127.0.0.1:1/{path}"), {})
