"""Settings of a consumer: a file, over it the environment; secrets are not repeated in errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibrant import cli, errors
from calibrant.cli import consume
from calibrant.ports.message_source import Address

KAFKA = Address.parse("kafka://a:1/t?group=g")
NATS = Address.parse("nats://a:1/s/s?durable=d")


def test_the_environment_is_over_the_file(tmp_path: Path) -> None:
    """Names are those of each client."""
    path = tmp_path / "c"
    path.write_text("# comment\n\n sasl.password = of=the file \nsasl.username=u\n")
    environ = {"CALIBRANT_KAFKA_SASL_PASSWORD": "e", "CALIBRANT_NATS_ACK_WAIT": "3", "CALIBRANT_STORE": "x"}
    assert consume._settings(KAFKA, str(path), {}) == {"sasl.password": "of=the file", "sasl.username": "u"}
    assert consume._settings(KAFKA, str(path), environ) == {"sasl.password": "e", "sasl.username": "u"}
    assert consume._settings(NATS, None, environ) == {"ack_wait": "3"}


@pytest.mark.parametrize("text", ["secret", "=secret", "a=1\na=secret"])
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, text: str) -> None:
    """It may hold a password."""
    (tmp_path / "c").write_text(text)
    with pytest.raises(errors.UsageError, match="CAL-443") as caught:
        consume._settings(KAFKA, str(tmp_path / "c"), {})
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(errors.SourceError, match="CAL-121"):
        consume._settings(KAFKA, str(tmp_path / "none"), {})


def test_other_brokers_are_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, three lines, an example of an address."""
    (tmp_path / "streams").mkdir()
    (tmp_path / "streams" / "s.yaml").write_text(
        "apiVersion: calibrant/v1\nkind: Stream\nmetadata: {name: s}\nspec:\n  labels: {horizon: 2d}\n"
    )
    said = ["consume", "s", "--store", str(tmp_path), "--kind", "labels", "--from", "amqp://a:1/q?x=1"]
    assert cli.invoke(said) == 2
    assert "CAL-439" in capsys.readouterr().err
