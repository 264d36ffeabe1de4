"""The packaged year through the whole loop: better than maps made by hand, on record, and the same when repeated."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibrant import errors, wiring
from calibrant.artifacts import document
from calibrant.cli import demo, demo_project, demo_story
from calibrant.registry import artifacts, refusals
from calibrant.workflow import baselines, replaying

Floats = NDArray[np.float64]
QUICK = 40


@dataclass(frozen=True, eq=False)
class Ran:
    project: wiring.Project
    replayed: replaying.Replayed
    proved: demo_project.Proved


def run(folder: Path, days: int | None = None) -> Ran:
    project = demo_project.prepare(folder / "project")
    year = demo_project.read_year(project.stream("flights"), days=days)
    replayed = demo_project.replay(project, year)
    return Ran(project, replayed, demo_project.prove(project, folder / "evidence.zip"))


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("weeks"), QUICK)


def test_forty_days_find_roll_out_and_follow(weeks: Ran) -> None:
    replayed, proved = weeks.replayed, weeks.proved
    said = "\n".join(demo_story.story(replayed.seen))
    for each in ("off beyond the tolerance: all", "began to roll out flights@1", "completed, passed", "followed"):
        assert each in said
    assert proved.findings.sound
    assert proved.findings.entries > 50
    assert proved.bundle is not None
    assert proved.bundle.stat().st_size > 10_000
    *_, whole = demo.compared(replayed)
    assert whole.log_loss["oracle"] < whole.log_loss["governed"] < whole.log_loss["frozen"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    mine = tmp_path / "project" / "mine.txt"
    mine.write_text("keep")
    with pytest.raises(errors.UsageError, match="CAL-890"):
        demo_project.prepare(tmp_path / "project")
    assert mine.read_text() == "keep"


def test_the_demo_removes_what_it_made(tmp_path: Path) -> None:
    first = demo_project.prepare(tmp_path / "project")
    (first.folder / "left.txt").write_text("of an earlier demo")
    again = demo_project.prepare(tmp_path / "project")
    assert not (again.folder / "left.txt").exists()
    policies = again.stream("flights").policies
    assert policies.advice.mode == "auto"
    assert policies.online.enabled


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(tmp_path_factory.mktemp("year"))


@pytest.mark.theory
def test_the_year_is_better_than_maps_made_by_hand(year: Ran) -> None:
    replayed, proved = year.replayed, year.proved
    *months, whole = demo.compared(replayed)
    assert len(months) == 10
    loss = whole.log_loss
    assert loss["governed"] <= 0.5260
    assert loss["oracle"] < loss["governed"] < min(loss[name] for name in ("frozen", "first_platt", "last_isotonic"))
    assert proved.findings.sound


@pytest.mark.theory
def test_no_promotion_makes_the_next_month_worse_more_than_once(year: Ran) -> None:
    """Losses of the 30 days after each promotion, next to what served the day before it, kept as it was."""
    replayed = year.replayed
    loss = baselines.log_losses(replayed.served, replayed.outcome)
    turns = [
        (before, after.at_us)
        for before, after in itertools.pairwise(replayed.seen)
        if any(said.endswith("promoted") for said in after.done)
    ]
    assert turns
    worse = 0
    for before, at in turns:
        mine = (replayed.at_us >= at) & (replayed.at_us < at + 30 * replaying.DAY_US)
        kept = baselines.log_losses(_answers(year, before.champion, replayed.raw), replayed.outcome)
        by_day = _by_day((loss - kept)[mine], replayed.at_us[mine])
        worse += bool(by_day.mean() > 2.0 * by_day.std(ddof=1) / np.sqrt(len(by_day)))
    assert worse <= 1


@pytest.mark.theory
def test_a_replay_again_serves_the_same(weeks: Ran, tmp_path: Path) -> None:
    first, again = weeks.replayed, run(tmp_path, QUICK).replayed
    assert np.array_equal(first.served, again.served)
    assert list(demo_story.story(first.seen)) == list(demo_story.story(again.seen))


def _answers(year: Ran, champion: str | None, raw: Floats) -> Floats:
    """What an artifact says, or the scores as they are before there is any."""
    if champion is None:
        return raw
    with year.project.control_reader() as reader:
        found = refusals.present(reader.get(artifacts.KIND, champion), kind=artifacts.KIND, name=champion)
    held = year.project.contents({}).get(artifacts.read(found).digest)
    return np.asarray(document.loads(held).calibrator.apply(raw))  # type: ignore[call-arg]


def _by_day(loss: Floats, at_us: NDArray[np.int64]) -> Floats:
    """Mean differences of days: flights of one day share its weather."""
    known = ~np.isnan(loss)
    _, day = np.unique(at_us[known] // replaying.DAY_US, return_inverse=True)
    return np.bincount(day, loss[known]) / np.bincount(day)
