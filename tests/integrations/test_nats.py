"""Messages of a real NATS server: exact counts, each event once whatever is killed, nothing lost."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from calibrant import errors
from calibrant.events import wire_cloudevents, wire_jsonl
from calibrant.integrations import nats
from calibrant.ports import message_source
from calibrant.testing import made_up

Sent = list[tuple[dict[str, str], bytes]]


def lines(n: int) -> Sent:
    """So many predictions, a message each."""
    return [({}, wire_jsonl.prediction(made_up.prediction(f"p{number:04}"))) for number in range(n)]


def names(n: int) -> list[str]:
    return [f"p{number:04}" for number in range(n)]


@pytest.fixture
def config(nats_server: Any, tmp_path: Path) -> Path:
    """The password in a file."""
    path = tmp_path / "nats.properties"
    path.write_text(f"# secrets\nuser=u\npassword = {nats_server.password}\n")
    return path


@pytest.fixture
def soon(config: Path) -> Path:
    """The same, and a message that was not committed comes again after four seconds: more than a batch takes."""
    config.write_text(config.read_text() + "ack_wait=4\n")
    return config


def options(server: Any, stream: str, config: Path, *, kind: str = "predictions", idle: str = "2.5") -> list[str]:
    """How the command is told to read all subjects of a stream."""
    address = f"nats://127.0.0.1:{server.port}/{stream}/{stream}.>?durable=d"
    return ["--from", address, "--kind", kind, "--config", str(config), "--idle-exit", idle]


def source(server: Any, stream: str, *, durable: str = "d", subject: str | None = None, **more: str) -> nats.NatsSource:
    text = f"nats://127.0.0.1:{server.port}/{stream}/{subject or stream + '.>'}?durable={durable}"
    settings = {"user": "u", "password": server.password} | more
    return nats.NatsSource(message_source.Address.parse(text), settings)


def test_counts_are_exact_through_the_command(nats_server: Any, project: Any, config: Path) -> None:
    """Lines, CloudEvents in three modes, a duplicate publish, a conflict, poison: every item in one count."""
    more = [made_up.prediction(f"c{number}") for number in range(4)]
    sent = lines(300)
    sent.insert(7, ({}, b"poison"))
    sent += [sent[0], ({}, wire_jsonl.prediction(made_up.prediction("p0001", score=0.75)))]
    sent += [
        wire_cloudevents.write_binary("s", more[0]),
        ({"Content-Type": wire_cloudevents.STRUCTURED}, wire_cloudevents.write_structured("s", more[1])),
        ({"Content-Type": wire_cloudevents.BATCH}, wire_cloudevents.write_batch("s", more[2:])),
        wire_cloudevents.write_binary("s", made_up.label("p0000")),
    ]
    nats_server.publish("exact", "exact.p", sent)
    found = project.consume(*options(nats_server, "exact", config, idle="0.5"))
    counted = {
        name: found.get(name) for name in ("messages", "items", "accepted", "duplicate", "conflicting", "rejected")
    }
    assert counted == {
        "messages": 307, "items": 308, "accepted": 305, "duplicate": 1, "conflicting": 1, "rejected": 1,
    }, found["talk"]  # fmt: skip
    assert found["exit"] == 1
    assert found["named"][0]["place"].startswith("exact@")
    assert nats_server.password not in found["talk"] + str(found)
    assert project.ids() == sorted([*names(300), "c0", "c1", "c2", "c3"])
    assert project.counts().labels == 1


@pytest.mark.parametrize(
    ("where", "again"),
    [
        ("before-commit", 20),
        pytest.param("before-append", 0, marks=pytest.mark.theory),
        pytest.param("after-commit", 0, marks=pytest.mark.theory),
    ],
)
def test_kill_nine_between_two_steps(nats_server: Any, project: Any, soon: Path, where: str, again: int) -> None:
    """The process is gone in the middle of its second batch; the next one goes on: each event once, none lost."""
    stream = f"kill-{where}"
    nats_server.publish(stream, f"{stream}.p", lines(100))
    killed = project.consume(*options(nats_server, stream, soon), where=where, batch=20)
    assert killed["exit"] == -signal.SIGKILL
    kept = project.counts().predictions
    assert kept == (20 if where == "before-append" else 40)
    left = 60 if where == "after-commit" else 80
    found = project.consume(*options(nats_server, stream, soon, idle="20"), "--max-events", str(left))
    assert (found["accepted"], found["duplicate"]) == (100 - kept, again), found["talk"]
    assert project.ids() == names(100)


@pytest.mark.theory
@pytest.mark.parametrize("seed", [1, 2])
def test_kill_nine_at_any_time(nats_server: Any, project: Any, soon: Path, seed: int) -> None:
    """Eight kills from outside: the store has each event once."""
    stream = f"any-{seed}"
    nats_server.publish(stream, f"{stream}.p", lines(2_000))
    found = project.killed_now_and_then(*options(nats_server, stream, soon, idle="6"), kills=8, seed=seed)
    assert found["exit"] == 0, found["talk"]
    assert project.ids() == names(2_000)


def test_a_request_to_stop_ends_with_counts(nats_server: Any, project: Any, config: Path) -> None:
    """SIGTERM finishes the batch, commits it, prints what was taken; the next run has nothing to do twice."""
    nats_server.publish("term", "term.p", lines(50))
    process = project.start(*options(nats_server, "term", config, idle="60"), batch=10)
    try:
        while project.counts().predictions < 50:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert '"accepted": 50' in out
    assert project.consume(*options(nats_server, "term", config))["items"] == 0


def test_only_what_was_committed_is_gone(nats_server: Any) -> None:
    """Closing does not acknowledge; what was polled comes again after ack_wait, what was committed does not."""
    nats_server.publish("port", "port.p", lines(6))
    with source(nats_server, "port", ack_wait="0.5") as first:
        polled = first.poll(6, seconds=5.0)
        assert [one.place for one in polled] == [f"port@{number}" for number in range(1, 7)]
        first.commit(polled[:4])
    first.close()
    with source(nats_server, "port") as second:
        again: list[str] = []
        while len(again) < 2:
            some = second.poll(10, seconds=5.0)
            second.commit(some)
            again += [one.place for one in some]
        assert again == ["port@5", "port@6"]
        assert second.poll(10, seconds=0.8) == []


def test_no_more_are_out_than_allowed(nats_server: Any) -> None:
    """``max_ack_pending`` holds the server back until something is committed."""
    nats_server.publish("pending", "pending.p", lines(10))
    with source(nats_server, "pending", max_ack_pending="4") as opened:
        polled = opened.poll(10, seconds=1.0)
        assert len(polled) == 4
        assert opened.poll(10, seconds=0.3) == []
        opened.commit(polled)
        assert len(opened.poll(10, seconds=1.0)) == 4


def test_what_cannot_be_read_is_told_at_once(nats_server: Any) -> None:
    """No stream, no right, no server: an error with its cause, not silence."""
    for stream, more, cause in (
        ("nowhere", {}, "no stream 'nowhere'"),
        # the server says why and hangs up: on a busy machine the hanging up is seen first
        ("nowhere", {"password": "wrong"}, "(?i)authorization|connection reset"),
    ):
        with pytest.raises(errors.SourceError, match=cause) as caught:
            source(nats_server, stream, **more)
        assert caught.value.code == "CAL-122"


def test_a_server_that_goes_away_is_an_error_not_a_commit(nats_server: Any) -> None:
    """What the server does not confirm is not committed."""
    nats_server.publish("gone", "gone.p", lines(2))
    with source(nats_server, "gone") as opened:
        polled = opened.poll(2, seconds=5.0)
        asyncio.run_coroutine_threadsafe(opened._client.close(), opened._loop).result()
        with pytest.raises(errors.SourceError) as caught:
            opened.commit(polled)
        assert caught.value.code == "CAL-123"
        with pytest.raises(errors.SourceError):
            opened.poll(2, seconds=0.2)


def test_a_durable_of_another_kind_is_refused(nats_server: Any) -> None:
    """It would skip what it does not read, or forget what was not kept."""
    nats_server.publish("other", "other.p", [])
    source(nats_server, "other").close()
    with pytest.raises(errors.UsageError, match="CAL-442"):
        source(nats_server, "other", subject="other.q")


@pytest.mark.parametrize("more", [{"passwort": "x"}, {"ack_wait": "soon"}, {"max_ack_pending": "0"}, {"tls_ca": "/no"}])
def test_settings_are_checked(more: dict[str, str]) -> None:
    """A misspelt setting is an error, not a default, and its value is not repeated."""
    address = message_source.Address.parse("nats://127.0.0.1:1/s/s?durable=d")
    with pytest.raises(errors.UsageError, match="CAL-441"):
        nats.NatsSource(address, more)


@pytest.mark.parametrize("path", ["", "stream", "stream/subject", "stream/subject?durable=", "a/b?durable=d&x=1"])
def test_an_address_names_stream_subject_and_durable(path: str) -> None:
    """Anything else is told with an example."""
    with pytest.raises(errors.UsageError, match="CAL-439"):
        nats.NatsSource(message_source.Address.parse(f"nats://127.0.0.1:1/{path}"), {})
