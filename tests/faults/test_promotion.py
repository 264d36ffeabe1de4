"""A promotion that is killed, or whose server is: binding, approval and audit log agree, and it can be done again."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibrant import wiring
from calibrant.audit import entries
from calibrant.registry import approvals, bindings
from calibrant.workflow import audit_log

HERE = Path(__file__).parent
TARGET = "fraud/production"


class Runner:
    """The process that runs commands and has them killed."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    def run(self, office: Any, folder: Path, *arguments: str, by: str, at: int | None = None) -> dict[str, Any]:
        asked = {
            "folder": str(folder), "token": office.tokens[by], "now_us": office.now, "arguments": arguments, "at": at,
        }  # fmt: skip
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(asked) + "\n")
        self._child.stdin.flush()
        found: dict[str, Any] = json.loads(self._child.stdout.readline())
        return found


@pytest.fixture
def runner() -> Iterator[Runner]:
    command = [sys.executable, str(HERE / "promotion_child.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        yield Runner(child)
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(30) == 0


def promotions_of(project: wiring.Project) -> list[str]:
    """The champions in order, after checking that log, second place, bindings and used approvals tell the same."""
    with project.control_reader() as reader:
        key = project.key("audit").public
        found = audit_log.verify(reader, project.audit_copy(), keys=[key])
        assert found.sound, found.problems
    # one state, because others go on promoting
    with project.control_reader() as store, store.snapshot() as reader:
        log = [entries.loads(data) for data in reader.entries()]
        bound = [bindings.read(one).champion for one in reader.history(bindings.KIND, TARGET)]
        told = [one for one in log if one.action == "binding.promote"]
        asked = [approvals.read(one) for one in reader.browse(approvals.KIND)]
        used = [one.name for one in asked if one.state == "used"]
        # each promotion is two entries next to each other: the binding, and the approval that it used up
        assert [one.kind for one in told] == [bindings.KIND, approvals.KIND] * len(bound)
        assert [two.index - one.index for one, two in zip(told[::2], told[1::2], strict=True)] == [1] * len(bound)
        assert sorted(one.name for one in told[1::2]) == sorted(used)
        artifacts = {one.name: one.artifact for one in asked}
        champions = [champion.artifact for champion in bound if champion is not None]
        assert champions == [artifacts[one.name] for one in told[1::2]]
        return champions


@pytest.mark.parametrize("times", [8, pytest.param(50, marks=pytest.mark.theory)])
def test_kills_at_random_points_of_a_promotion(office: Any, tmp_path: Path, runner: Runner, times: int) -> None:
    """All of it or nothing, whatever the point; the same command does it, or says that it is done."""
    request = office.approved(office.signed(1))
    command = ("binding", "promote", "fraud@1", "production", "--request", request, "--reason", "first map")

    def copied(name: str) -> Path:
        shutil.copytree(office.project.folder, tmp_path / name / "calibrant.d")
        return tmp_path / name

    whole = runner.run(office, copied("whole"), *command, by="otto")
    assert whole["code"] == 0, whole
    assert 0 < whole["began"] < whole["ended"] < whole["steps"]
    rng, before = np.random.default_rng(times), office.size()
    # most of them where something is written, some anywhere
    inside = rng.integers(whole["began"], whole["ended"], 3 * times // 4).tolist()
    points = inside + rng.integers(1, whole["steps"], times - len(inside)).tolist()
    outcomes = []
    for point in points:
        folder = copied(f"at-{point}-{len(outcomes)}")
        killed = runner.run(office, folder, *command, by="otto", at=point)
        assert killed["code"] == -9 or point >= whole["steps"] - 500, (point, killed)
        project = wiring.Project(folder / "calibrant.d")
        happened = promotions_of(project)
        assert happened in ([], ["fraud@1"])
        with project.control_reader() as reader:
            assert reader.size() == before + 2 * len(happened)
        again = runner.run(office, folder, *command, by="otto")
        assert (again["code"], "already" in again["said"]) == ((2, True) if happened else (0, False)), again
        assert promotions_of(project) == ["fraud@1"]
        assert runner.run(office, folder, "binding", "rollback", TARGET, by="otto")["code"] == 0
        outcomes.append(bool(happened))
        shutil.rmtree(folder)
    if times >= 50:
        # kills hit before and after the moment at which it happens
        assert True in outcomes
        assert False in outcomes


@pytest.mark.parametrize("times", [2, pytest.param(30, marks=pytest.mark.theory)])
def test_a_server_stopped_in_the_middle_of_promotions(
    office: Any, tmp_path: Path, own_postgres: Any, times: int
) -> None:
    """``pg_ctl stop -m immediate`` under two processes that promote: the same, and they go on when it is back."""
    port = re.search(r"port=(\d+)", own_postgres.address)
    assert port is not None
    address = f"postgresql://calibrant@127.0.0.1:{port[1]}/postgres"
    (tmp_path / "team").mkdir()
    team = type(office)(wiring.Project(tmp_path / "team" / "calibrant.d", address), office.clock)
    team.begin()
    for version in (1, 2):
        team.signed(version)
    (tmp_path / "tokens.json").write_text(json.dumps(team.tokens))
    command = [sys.executable, str(HERE / "promoting_child.py"), address, str(tmp_path / "tokens.json"), str(team.now)]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path / "team") for _ in range(2)
    ]  # fmt: skip
    rng, said, before = np.random.default_rng(times), [], 0
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "open\n"
        for _ in range(times):
            time.sleep(float(rng.uniform(0.5, 1.5)))
            own_postgres.stop()
            own_postgres.start()
            after = len(promotions_of(team.project))
            assert after >= before
            before = after
        time.sleep(2)
    finally:
        for child in children:
            child.kill()
            said += child.communicate()[0].splitlines()
    champions = promotions_of(team.project)
    assert all(one != two for one, two in itertools.pairwise(champions))
    acknowledged = [int(line.split()[1]) for line in said if line.startswith("ack ")]
    assert len(set(acknowledged)) == len(acknowledged)
    assert acknowledged
    assert set(acknowledged) <= set(range(1, len(champions) + 1))
    # what a process was told: the server was gone, or the other process was first
    assert "err CAL-853" in said
    assert {line for line in said if line.startswith("err")} <= {
        f"err {code}" for code in ("CAL-853", "CAL-911", "CAL-920", "CAL-928")
    }
