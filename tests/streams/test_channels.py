"""alerts.yaml: what is read, and what is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from calibrant import errors
from calibrant.streams import addresses, channels, channels_file

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas" / "alerts.json"
TEXT = """apiVersion: calibrant/v1
kind: Alerts
channels:
  - name: oncall
    type: pagerduty
    secret: env:PAGERDUTY_KEY
    repeat: 4h
  - name: team
    type: slack
    url: env:SLACK_URL
  - name: hook
    type: webhook
    url: https://hooks.example.org/calibrant
    secret: file:/run/secrets/hook
  - name: prometheus
    type: alertmanager
    url: http://127.0.0.1:9093
    networks: [127.0.0.1/32]
  - name: mail
    type: email
    url: smtp://mail.example.org:587
    sender: calibrant@example.org
    to: [fraud@example.org]
quiet:
  - window: Sat 02:00/Sat 04:00
    streams: [fraud]
"""


def test_a_file_of_all_types() -> None:
    """Read, and valid by the published schema."""
    found = channels_file.read(TEXT)
    assert [one.type for one in found.channels] == ["pagerduty", "slack", "webhook", "alertmanager", "email"]
    assert found.named("hook").secret == "file:/run/secrets/hook"
    jsonschema.Draft202012Validator(channels_file.json_schema()).validate(yaml.safe_load(TEXT))


def test_the_published_file_is_the_schema() -> None:
    """docs/schemas/alerts.json is generated, never edited."""
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == channels_file.json_schema()


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("kind: Alerts", "kind: Alarms", "CAL-825", 2),
        ("    secret: env:PAGERDUTY_KEY\n", "", "CAL-842", 4),
        ("    url: env:SLACK_URL", "    url: env:SLACK_URL\n    to: [a@example.org]", "CAL-842", 11),
        ("https://hooks.example.org", "http://hooks.example.org", "CAL-845", 13),
        ("https://hooks.example.org", "https://user:pass@hooks.example.org", "CAL-845", 13),
        ("smtp://mail", "http://mail", "CAL-845", 21),
        ("[127.0.0.1/32]", "[127.0.0.1/8]", "CAL-844", 18),
        ("[fraud@example.org]", '["fraud@example.org\\nBcc: all@example.org"]', "CAL-847", 23),
        ("name: team", "name: oncall", "CAL-805", 8),
        ("Sat 02:00/", "Sat 2/", "CAL-814", 25),
        ("type: slack", "type: slac", "CAL-804", 9),
        ("repeat: 4h", "repeat: often", "CAL-826", 7),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, code: str, line: int) -> None:
    """One thing wrong at a time."""
    found = channels_file.lint(TEXT.replace(old, new, 1))
    assert [(one.code, one.line) for one in found][:1] == [(code, line)]
    with pytest.raises(errors.UsageError, match=code):
        channels_file.read(TEXT.replace(old, new, 1))


def test_a_secret_that_stands_in_the_file_is_refused_and_not_repeated() -> None:
    """Whatever else is wrong beside it."""
    for more in ("", "\n    bogus: 1", "\n    repeat: often"):
        text = TEXT.replace("secret: env:PAGERDUTY_KEY", "secret: R0UT1NGKEY" + more)
        assert not any("R0UT1NGKEY" in str(one) + one.cause for one in channels_file.lint(text))
    assert "CAL-843" in {one.code for one in channels_file.lint(TEXT.replace("env:PAGERDUTY_KEY", "R0UT1NGKEY"))}


def test_no_file_is_no_channel(tmp_path: Path) -> None:
    """And a channel that is not there is said so."""
    none = channels_file.load(tmp_path / "alerts.yaml")
    assert none == channels.Channels()
    with pytest.raises(errors.UsageError, match="CAL-846"):
        none.named("oncall")


@pytest.mark.parametrize(
    "text",
    [
        "", "https://", "https:///path", "//host", "HTTPS://host", "ftp://host", "file:///etc/passwd", "gopher://host",
        "https://user@host", "https://host:0", "https://host:65536", "https://host#x", "https://host/a b",
        "https://host/\r\nX: y", "https://hos\tt", "https://-host", "https://host-", "https://a..b", "https://ex\u00e4mple.org",
        "https://host\\@evil", "https://[::1", "https://[fe80::1%25eth0]/", "https://host?x", " https://host",
        "https://host\n", "javascript:alert(1)", "https://ⓔxample.org",
    ],
)  # fmt: skip
def test_addresses_that_could_be_read_in_two_ways_are_refused(text: str) -> None:
    """Strictly: one form, ASCII."""
    with pytest.raises(errors.UsageError, match="CAL-845"):
        addresses.parse(text)


def test_quiet_windows_are_for_tickets_unless_they_say_so() -> None:
    """A page is not kept back by a window that does not name pages."""
    saturday = 1_772_244_000_000_000  # 2026-02-28 02:00 UTC
    weekly = channels.Quiet("Sat 02:00/Sat 04:00", ("fraud",))
    assert weekly.covers(stream="fraud", severity="ticket", now_us=saturday)
    assert not weekly.covers(stream="fraud", severity="page", now_us=saturday)
    assert not weekly.covers(stream="other", severity="ticket", now_us=saturday)
    assert not weekly.covers(stream="fraud", severity="ticket", now_us=saturday + 2 * 3_600_000_000)
