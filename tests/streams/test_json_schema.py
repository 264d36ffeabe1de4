"""The published schema is the declaration's, and agrees with the reader."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from calibrant.streams import json_schema, template, yaml_file

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "stream.json"
SCHEMA = json_schema.json_schema()


def test_the_published_file_is_the_schema() -> None:
    """docs/schemas/stream.json is generated, never edited."""
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == SCHEMA


def test_it_is_a_valid_schema_and_every_key_is_described() -> None:
    """Editors show the descriptions."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def described(form: dict[str, object]) -> None:
        for name, member in form.get("properties", {}).items():  # type: ignore[attr-defined]
            assert "const" in member or member["description"], name
            described(member)

    for section in ("metadata", "spec"):
        described(SCHEMA["properties"][section])


def test_the_example_and_its_canonical_form_are_valid() -> None:
    """What `init` and `to_yaml` write."""
    text = template.example()
    for one in (text, yaml_file.to_yaml(yaml_file.read(text))):
        jsonschema.validate(yaml.safe_load(one), SCHEMA)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("calibrant/v1", "calibrant/v2"),
        ("owner:", "ownr:"),
        ("horizon: 30d", "horizon: 30"),
        ("horizon: 30d", "horizon: 3 months"),
        ("    horizon: 30d", "    other: 30d"),
        ("target: probability", "target: class"),
        ("scale: probability", "scale: percentage"),
        ("implicitNegative: false", "implicitNegative: 0"),
        ("terminal: []", "terminal: 1"),
        ("conflicts: last_revision", "conflicts: newest"),
        ("cap: 250", "cap: 0"),
        ("maxBytes: 2048", "maxBytes: 4096"),
        ("sampling: 1.0", "sampling: 2"),
        ("type: managed", "type: tabel"),
        ("type: managed", "type: table"),
        ("name: my-stream ", "name: My-Stream "),
    ],
)
def test_schema_and_reader_refuse_the_same(before: str, after: str) -> None:
    """A file that an editor marks red is one that lint refuses."""
    text = template.example()
    assert before in text
    broken = text.replace(before, after, 1)
    assert any(one.severity == "error" for one in yaml_file.lint(broken))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(broken), SCHEMA)
