"""The published schema is the reader's, and agrees with it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from calibrant.artifacts import document, json_schema

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "artifact.json"
SCHEMA = json_schema.json_schema()


def test_the_published_file_is_the_schema() -> None:
    """docs/schemas/artifact.json is generated, never edited."""
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == SCHEMA


def test_it_accepts_an_artifact_and_is_closed_everywhere(artifact: document.Artifact) -> None:
    """Whatever is added or taken away, at any depth, is refused."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    check, found = jsonschema.Draft202012Validator(SCHEMA), json.loads(document.dumps(artifact))
    check.validate(found)
    parts = [found, found["calibrator"], found["thresholds"][0], found["provenance"], found["provenance"]["options"]]
    for part in parts:
        for name, held in list(part.items()):
            del part[name]
            assert not check.is_valid(found), name
            part[name] = held
        part["note"] = "added"
        assert not check.is_valid(found)
        del part["note"]
    check.validate(found)
