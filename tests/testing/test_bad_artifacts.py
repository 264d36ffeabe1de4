"""The corpus of bad artifacts: every one is refused with its code, and the files are what the recipes make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calibrant import errors
from calibrant.artifacts import document
from calibrant.testing import bad_artifacts
from calibrant.testing.bad_artifacts import make

CASES = bad_artifacts.cases()
FOLDER = Path(bad_artifacts.__file__).parent / "cases"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_bad_artifact_is_refused_for_its_reason(case: bad_artifacts.Case) -> None:
    """All of them, each with the code that it states."""
    with pytest.raises(errors.ArtifactError) as caught:
        case.verify()
    assert caught.value.code == case.expected


def test_the_good_one_is_accepted() -> None:
    """Otherwise refusing proves nothing."""
    assert bad_artifacts.good().verify().artifact == make.artifact()
    assert bad_artifacts.good().expected is None


def test_there_are_many_and_no_two_alike() -> None:
    """At least 40; each says why, and differs from the good one and from all others in what a verifier is given."""
    assert len(CASES) >= 40
    both = (bad_artifacts.good(), *CASES)
    given = [repr((c.files, c.signatures, c.trust, c.now_us, c.stream, c.attributes, c.newest_version)) for c in both]
    assert len(set(given)) == len(given)
    assert all(case.why for case in CASES)


def test_every_reason_to_refuse_has_a_case() -> None:
    """Whatever the readers and ``verify`` can refuse with; the rest is about key files and folders."""
    source = Path(document.__file__).parent
    said = {line.strip()[1:8] for path in source.glob("*.py") for line in path.read_text().splitlines()
            if line.strip().startswith('"CAL-6')}  # fmt: skip
    elsewhere = {"CAL-647", "CAL-648", "CAL-649", "CAL-670", "CAL-671", "CAL-675"}
    assert said - elsewhere <= {case.expected for case in CASES}


def test_the_files_are_what_the_recipes_make() -> None:
    """Generated, never edited: python -m calibrant.testing.bad_artifacts.make."""
    made = {f"{name}.json": make.text(found) for name, found in make.everything()}
    assert made == {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}


def test_another_verifier_can_be_examined() -> None:
    """One that believes everything fails the exam."""

    def gullible(files: dict[str, bytes], signatures: Any, **asked: Any) -> Any:
        return document.loads(files["artifact.json"])

    case = next(case for case in CASES if case.name == "key-unknown")
    assert case.verify(gullible) == make.artifact()
