"""The worked examples of the documentation are streams that lint accepts and that say what the text says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from calibrant.streams import declaration, yaml_file

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXAMPLES = {
    stream.name: text
    for text in BLOCK.findall((DOCS / "label-contracts.md").read_text(encoding="utf-8"))
    for stream in [yaml_file.read(text)]
}
#: Warnings that the page itself explains.
EXPLAINED = {"pump-anomaly": ["CAL-835"]}


def test_there_are_five_of_them() -> None:
    """Fraud with chargebacks, SOC triage, churn, autoscaling, sensors."""
    assert sorted(EXAMPLES) == ["autoscaling", "card-fraud", "churn", "pump-anomaly", "soc-triage"]


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_each_lints_clean(name: str) -> None:
    """No errors, and no warnings but those that the text explains."""
    assert [one.code for one in yaml_file.lint(EXAMPLES[name])] == EXPLAINED.get(name, [])
    stream = yaml_file.read(EXAMPLES[name])
    assert yaml_file.read(yaml_file.to_yaml(stream)) == stream


def test_they_use_every_kind_of_contract() -> None:
    """All four conflict policies, both targets, silence that means 0 and silence that means nothing."""
    streams = [yaml_file.read(text) for text in EXAMPLES.values()]
    policies = {"last_revision", "labeler_priority", "majority_vote", "reject"}
    assert {one.labels.conflicts for one in streams} == policies
    assert {one.target for one in streams} == {"probability", "rate"}
    assert {one.labels.implicit_negative for one in streams} == {True, False}


def test_the_example_of_the_streams_page_lints_clean() -> None:
    """And is of this form."""
    [text] = BLOCK.findall((DOCS / "streams.md").read_text(encoding="utf-8"))
    assert yaml_file.lint(text) == ()
    assert isinstance(yaml_file.read(text), declaration.Stream)
