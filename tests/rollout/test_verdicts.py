"""What guards say together: no data is never good news, and one failure is enough."""

from __future__ import annotations

import pytest

from calibrant.rollout import plans, verdicts


def judged(tools, *given, phase="progressing", due=True, **changes):
    return verdicts.judge(tools.plan(**changes), phase, given, stage=3, due=due)


def test_everything_passed(tools) -> None:
    """Each guard that is asked has passed on enough rows."""
    assert judged(tools, *tools.good(3)) == verdicts.Judgement()


@pytest.mark.parametrize(
    ("n", "positives"), [(0, 0), (0, None), (20, 10), (999, 500), (5_000, 0), (5_000, 5_000), (5_000, None)]
)
@pytest.mark.parametrize("phase", ["shadowing", "progressing"])
def test_few_or_one_sided_labels_never_pass(tools, n: int, positives: int | None, phase) -> None:
    """A canary of 0, 20 or one-class events holds, whatever the guard made of it."""
    weak = tools.reading(3, n=n, positives=positives)
    assert judged(tools, weak, *tools.good(3)[1:], phase=phase).holds == ("immature",)


@pytest.mark.parametrize("n", [0, 20])
def test_few_rows_without_labels_never_pass(tools, n: int) -> None:
    """Not even for a guard that needs no label."""
    weak = tools.reading(3, "mean_score", n=n)
    assert judged(tools, weak, *tools.good(3)[:2]).holds == ("immature",)


def test_no_reading_holds(tools) -> None:
    """Nothing was read, or only what is about another stage."""
    assert judged(tools).holds == ("immature",)
    assert judged(tools, *tools.good(2)).holds == ("immature",)


def test_one_failure_is_enough(tools) -> None:
    """It counts although the others passed, and although nobody asked that guard."""
    bad = tools.reading(3, "latency", "failed", cause="1.8 times slower")
    assert judged(tools, *tools.good(3), bad).failed == "latency failed: 1.8 times slower"
    assert judged(tools, tools.reading(3, verdict="failed", n=20)).failed == "paired_loss failed"


def test_unequal_arms_hold(tools) -> None:
    """They say that the comparison is broken, not that the candidate is."""
    bad = tools.reading(3, "sample_ratio", "failed")
    assert judged(tools, *tools.good(3), bad) == verdicts.Judgement(None, ("sample_ratio",))


def test_errors_and_inconclusive_readings_hold(tools) -> None:
    """Each with its own name, and together."""
    given = (tools.reading(3, verdict="inconclusive"), tools.reading(3, "mean_score", "error"), tools.good(3)[1])
    assert judged(tools, *given).holds == ("inconclusive", "source_error")


def test_what_no_data_means(tools) -> None:
    """hold, fail once the time of the step is over, or skip; labels are never skipped."""

    def guards(no_data):
        return (plans.Guard("paired_loss", "matured"), plans.Guard("latency", "label_free", no_data))

    passed = tools.reading(3)
    assert judged(tools, passed, guards=guards("hold")).holds == ("immature",)
    assert judged(tools, passed, guards=guards("skip")) == verdicts.Judgement()
    assert judged(tools, passed, guards=guards("fail")).failed == "latency has no data"
    assert judged(tools, passed, guards=guards("fail"), due=False).holds == ("immature",)
    empty = tools.reading(3, "latency", n=0)
    assert judged(tools, passed, empty, guards=guards("fail")).failed == "latency has no data"
    assert judged(tools, guards=guards("skip")).holds == ("immature",)


def test_a_guard_cannot_call_itself_another_kind(tools) -> None:
    """The plan says which guard rests on labels, not the reading."""
    import dataclasses

    poser = dataclasses.replace(tools.reading(3, n=200), kind="label_free")
    assert judged(tools, poser, *tools.good(3)[1:]).holds == ("immature",)


def test_guards_by_phase(tools) -> None:
    """Before there are arms only labels are asked; after promotion labels may take longer than baking."""
    assert judged(tools, tools.reading(3), phase="shadowing") == verdicts.Judgement()
    assert judged(tools, *tools.good(3)[1:], phase="baking") == verdicts.Judgement()
    assert judged(tools, *tools.good(3)[1:], tools.reading(3, verdict="failed"), phase="baking").failed
