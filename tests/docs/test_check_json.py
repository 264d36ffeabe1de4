"""docs/check-json.md describes what `check --json` prints: every key, with its type, and no key besides."""

from __future__ import annotations

import csv
import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "check-json.md"
ROW = re.compile(r"^\| `(\w+)` \| ([\w ]+) \|", re.MULTILINE)
KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


@pytest.fixture(scope="module", params=[20_000, 30], ids=["enough", "too few"])
def document(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command prints for an overconfident model with two cohorts, with many rows and with few."""
    dice, file = random.Random(3), tmp_path_factory.mktemp("json") / "preds.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["p", "y", "country"])
        for row in range(request.param):
            x = dice.gauss(-1, 1.8)
            writer.writerow([1 / (1 + math.exp(-x)), int(dice.random() < 1 / (1 + math.exp(-0.6 * x))), "AB"[row % 2]])
    script = "from calibrant import cli; cli.main()"
    command = [sys.executable, "-c", script, "check", str(file), "--score", "p", "--label", "y", "--cohort", "country"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 3), done.stderr
    found: dict[str, Any] = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    return found


def described(heading: str) -> dict[str, tuple[type, ...]]:
    """Key -> allowed types, from the table below a heading."""
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return {key: sum((KINDS[kind] for kind in kinds.split(" or ")), ()) for key, kinds in ROW.findall(section)}


def compare(found: dict[str, Any], told: dict[str, tuple[type, ...]]) -> None:
    assert set(found) == set(told)
    wrong = {key: value for key, value in found.items() if not isinstance(value, told[key]) or isinstance(value, bool)}
    assert wrong == {}


def test_the_document_is_as_described(document: dict[str, Any]) -> None:
    """The outer object."""
    compare(document, described("The document"))


def test_every_measurement_is_as_described(document: dict[str, Any]) -> None:
    """The whole and each cohort share their keys; the whole has more measures, cohorts say which one they are."""
    shared = described("A measurement")
    compare(document["overall"], shared | described("The whole only"))
    assert len(document["cohorts"]) == 2
    for cohort in document["cohorts"]:
        compare(cohort, shared | described("A cohort only"))
        assert set(cohort["cohort"]) == {"country"}


def test_what_is_missing_is_explained(document: dict[str, Any]) -> None:
    """A null measure has its reason under `insufficient`, and a measure with a value has none there."""
    for part in (document["overall"], *document["cohorts"]):
        for name, reason in part["insufficient"].items():
            value = part[name]
            assert value is None or (isinstance(value, dict) and set(value.values()) == {None})
            assert reason
