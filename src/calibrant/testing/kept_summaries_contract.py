"""The exam of a keeper of summaries; subclass it as ``event_log_contract`` says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from calibrant.ports import kept_summaries
from calibrant.stats import cohorts, summary
from calibrant.testing import made_up

S = "fraud.cards"
KEY = kept_summaries.SummaryKey(("model", "carrier"))


def some_pairs(rng: np.random.Generator, n: int, carriers: int) -> cohorts.Cohorts:
    """Pairs of one model and several carriers."""
    codes = np.sort(np.concatenate([np.arange(carriers), rng.integers(0, carriers, n - carriers)]))
    scores = rng.random(n)
    summed = summary.summarise(scores, rng.random(n) < scores, groups=codes, group_count=carriers)
    return cohorts.Cohorts(KEY.fields, tuple(("m", f"c{number}") for number in range(carriers)), summed)


def kept(day: int, pairs: cohorts.Cohorts | None, **more: Any) -> kept_summaries.KeptSummary:
    """The summary of one day."""
    told: dict[str, Any] = {"through_seq": 1, "as_of_us": 5, "final": True, "counts": {"immature": day}} | more
    return kept_summaries.KeptSummary(made_up.START_US + day * made_up.DAY_US, pairs, **told)


class KeptSummariesContract:
    """The promises of ``ports.kept_summaries``, for a store that the fixture ``opened`` gives."""

    @pytest.fixture
    def opened(self) -> kept_summaries.KeptSummaries:
        """An empty store; overwrite this."""
        pytest.fail("overwrite the fixture `opened`: it gives an empty store of yours")

    def test_merged_days_equal_all_days(self, opened: kept_summaries.KeptSummaries) -> None:
        """The merge of what was kept is the sum of the parts: counts exactly, sums to rounding."""
        rng = np.random.default_rng(11)
        parts = [some_pairs(rng, 200, 1 + day % 3) for day in range(5)]
        for day, part in enumerate(parts):
            assert opened.put(S, KEY, kept(day, part, as_of_us=9 - day))
        merged = opened.get(S, KEY)
        want = parts[0]
        for part in parts[1:]:
            want = want + part
        assert merged.pairs is not None
        assert merged.pairs.keys == want.keys
        assert np.array_equal(merged.pairs.summary.n, want.summary.n)
        assert np.allclose(merged.pairs.summary.sums, want.summary.sums, rtol=1e-12)
        assert (merged.counts, merged.as_of_us, merged.final) == ({"immature": 10}, 5, True)
        assert len(merged.partitions) == 5

    def test_a_window_takes_whole_partitions(self, opened: kept_summaries.KeptSummaries) -> None:
        """Those that start in [start, end)."""
        for day in range(4):
            opened.put(S, KEY, kept(day, None))
        start = made_up.START_US + made_up.DAY_US
        merged = opened.get(S, KEY, start_us=start, end_us=start + 2 * made_up.DAY_US)
        assert merged.partitions == (start, start + made_up.DAY_US)
        assert merged.pairs is None
        assert [one.counts for one in opened.partitions(S, KEY)] == [{"immature": day} for day in range(4)]

    def test_headers_are_summaries_without_pairs(self, opened: kept_summaries.KeptSummaries) -> None:
        """The same partitions in the same windows, with everything but the pairs."""
        pairs = some_pairs(np.random.default_rng(1), 50, 2)
        for day in range(4):
            opened.put(S, KEY, kept(day, pairs, through_seq=day, final=day != 2))
        start = made_up.START_US + made_up.DAY_US
        windows: list[dict[str, int]] = [{}, {"start_us": start}, {"end_us": start + 1}, {"start_us": start + 1}]
        for window in windows:
            whole = opened.partitions(S, KEY, **window)
            headers = opened.headers(S, KEY, **window)
            assert all(one.pairs is not None for one in whole)
            assert headers == tuple(
                kept_summaries.SummaryHeader(one.partition_us, one.through_seq, one.as_of_us, one.final, one.counts)
                for one in whole
            )
        assert [len(opened.headers(S, KEY, **window)) for window in windows] == [4, 3, 2, 2]
        assert opened.headers("never", KEY) == ()
        assert opened.partitions("never", KEY) == ()

    def test_a_newer_summary_replaces_an_older_one_only(self, opened: kept_summaries.KeptSummaries) -> None:
        """By the change that it includes, not by who came last."""
        assert opened.put(S, KEY, kept(0, None, through_seq=5, counts={"n": 5}))
        assert not opened.put(S, KEY, kept(0, None, through_seq=4, counts={"n": 4}))
        assert opened.get(S, KEY).counts == {"n": 5}
        assert opened.put(S, KEY, kept(0, None, through_seq=5, counts={"n": 6}, final=False))
        merged = opened.get(S, KEY)
        assert (merged.counts, merged.final) == ({"n": 6}, False)

    def test_keys_and_streams_do_not_meet(self, opened: kept_summaries.KeptSummaries) -> None:
        """Other fields, another grid or another stream is another summary."""
        opened.put(S, KEY, kept(0, None))
        assert opened.get(S, kept_summaries.SummaryKey(("model",))).partitions == ()
        assert opened.get(S, kept_summaries.SummaryKey(KEY.fields, "distinct")).partitions == ()
        assert opened.get("other", KEY).as_of_us is None
