"""The reference join: against the rules spelt out row by row, and against any order of the events."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.joining import caps, joined, reference
from calibrant.stats import summary
from calibrant.streams import declaration


def _events() -> ModuleType:
    spec = importlib.util.spec_from_file_location("joining_events", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


events = _events()
CONTRACTS, COHORTS, AS_OF, HOUR, START = (
    events.CONTRACTS, events.COHORTS, events.AS_OF, events.HOUR, events.START,
)  # fmt: skip


def spelt_out(
    feeds: Any, rule: declaration.LabelContract, as_of: int
) -> tuple[dict[str, tuple[str, float, float]], Counter[str]]:
    """(state, value, weight) of every prediction by the rules in plain Python, and the counts of labels."""
    tally: Counter[str] = Counter()
    bodies: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in feeds.predictions.to_pylist():
        if row["received_us"] <= as_of and row["at_us"] <= as_of:
            score = row["score"] if 0.0 <= row["score"] <= 1.0 else -1.0
            key = (row["at_us"], score, row["model"], row["cohorts"], row["weight"])
            bodies[row["id"]].append(key)
    known = {}
    for name, several in bodies.items():
        if len(set(several)) > 1:
            tally["conflicting_predictions"] += len(several)
        else:
            tally["duplicate_predictions"] += len(several) - 1
            known[name] = several[0]
    by_identity: dict[tuple[str, str, int], list[tuple[Any, ...]]] = defaultdict(list)
    for row in feeds.labels.to_pylist():
        if row["received_us"] > as_of:
            continue
        tally["labels"] += 1
        chance = 1.0 if row["propensity"] is None else row["propensity"]
        if row["value"] not in (0.0, 1.0) or not 0 < chance <= 1:
            tally["invalid_labels"] += 1
        elif row["prediction"] not in known:
            tally["orphans"] += 1
        else:
            tally["matched"] += 1
            body = (row["value"], row["at_us"], row["weight"], chance)
            by_identity[row["prediction"], row["source"], row["revision"]].append(body)
    eligible: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for (name, source, revision), several in by_identity.items():
        if len(set(several)) > 1:
            tally["conflicting_labels"] += len(several)
            continue
        tally["duplicate_labels"] += len(several) - 1
        value, at, weight, _ = several[0]
        tally["early"] += at < known[name][0]
        if at <= known[name][0] + 24 * HOUR:
            eligible[name].append((revision, at, source, value, weight))
        else:
            tally["late"] += 1
    return {name: _state(name, body, eligible[name], rule, as_of) for name, body in known.items()}, tally


def _state(
    name: str, body: tuple[Any, ...], labels: list[tuple[Any, ...]], rule: declaration.LabelContract, as_of: int
) -> tuple[str, float, float]:
    at, score, _, _, weight = body
    ranked = sorted(labels)
    values = Counter(label[3] for label in ranked)
    unresolved = False
    if rule.conflicts == "labeler_priority":
        order = {"judge": 2, "desk": 1}
        ranked = sorted(ranked, key=lambda label: (order.get(label[2], 0), label))
    elif rule.conflicts == "majority_vote" and values:
        best = max(values.values())
        leaders = [value for value, votes in values.items() if votes == best]
        unresolved = len(leaders) > 1
        ranked = [label for label in ranked if label[3] == leaders[0]]
    elif rule.conflicts == "reject":
        unresolved = len(values) > 1
    value = ranked[-1][3] if ranked and not unresolved else math.nan
    if score < 0.0:
        return "invalid", math.nan, 0.0
    if as_of < at + 24 * HOUR and value not in rule.terminal:
        return "immature", math.nan, 0.0
    if unresolved:
        return "unresolved", math.nan, 0.0
    if math.isnan(value) and not rule.implicit_negative:
        return "unlabelled", math.nan, 0.0
    pair = weight if math.isnan(value) else weight * ranked[-1][4]
    if pair == 0.0:
        return "weightless", math.nan, 0.0
    return ("implicit", 0.0, pair) if math.isnan(value) else ("labelled", value, pair)


@pytest.mark.parametrize("rule", CONTRACTS, ids=lambda rule: rule.conflicts)
def test_every_prediction_is_where_the_rules_put_it(feeds: Any, rule: declaration.LabelContract) -> None:
    """State, value and weight of each prediction and all counts equal those of a plain reading of the rules."""
    expected, tally = spelt_out(feeds, rule, AS_OF)
    found = reference.pairs(feeds.predictions, feeds.labels, rule=rule, as_of_us=AS_OF)
    names = found.table["id"].to_pylist()
    assert {name: joined.STATES[state] for name, state in zip(names, found.state.tolist(), strict=True)} == {
        name: state for name, (state, _, _) in expected.items()
    }
    for name, state, value, weight in zip(names, found.state, found.value, found.weight, strict=True):
        if state <= joined.IMPLICIT:
            assert (value, weight) == expected[name][1:]
    for name, count in tally.items():
        assert getattr(found.counts, name) == count, name
    # the sample holds every state and every kind of label, so that nothing above is empty
    assert min(tally.values()) > 0
    assert found.counts.predictions == sum(getattr(found.counts, state) for state in joined.STATES)


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), which=st.integers(0, len(CONTRACTS) - 1))
def test_any_order_of_the_events_gives_the_same(seed: int, which: int) -> None:
    """500 permutations, cut into batches at random, with some batches delivered again: equal to the last bit."""
    expected = _whole(which)
    rng = np.random.default_rng(seed)
    shuffled = []
    for table in _small():
        mixed = table.take(rng.permutation(table.num_rows))
        cut = int(rng.integers(0, table.num_rows))
        shuffled.append([mixed.slice(cut), mixed.slice(0, cut)])
    rule = CONTRACTS[which]
    found = reference.join(*shuffled, rule=rule, as_of_us=AS_OF, cohorts=COHORTS)
    assert found.counts == expected.counts
    assert found.cohorts.keys == expected.cohorts.keys
    assert found.kept == expected.kept
    np.testing.assert_array_equal(found.cohorts.summary.n, expected.cohorts.summary.n)
    np.testing.assert_array_equal(found.cohorts.summary.sums, expected.cohorts.summary.sums)


_CACHE: dict[Any, Any] = {}


def _small() -> Any:
    return _CACHE.setdefault("feeds", events.make(60, seed=4))


def _whole(which: int) -> joined.Joined:
    if which not in _CACHE:
        _CACHE[which] = reference.join(*_small(), rule=CONTRACTS[which], as_of_us=AS_OF, cohorts=COHORTS)
    return _CACHE[which]


@pytest.mark.parametrize("rule", CONTRACTS, ids=lambda rule: rule.conflicts)
def test_events_delivered_again_change_nothing_but_their_count(feeds: Any, rule: declaration.LabelContract) -> None:
    """Everything three times: the same summary, and every repeat counted."""
    once = reference.join(*feeds, rule=rule, as_of_us=AS_OF, cohorts=COHORTS)
    thrice = reference.join([feeds.predictions] * 3, [feeds.labels] * 3, rule=rule, as_of_us=AS_OF, cohorts=COHORTS)
    np.testing.assert_array_equal(thrice.cohorts.summary.sums, once.cohorts.summary.sums)
    assert thrice.counts.labelled == once.counts.labelled
    assert thrice.counts.duplicate_predictions > 2 * once.counts.predictions


def test_windows_add_up(feeds: Any) -> None:
    """Three days one by one, with the kept values of the whole, are the whole; the orphans are known to it alone."""
    rule = CONTRACTS[3]
    whole = reference.join(*feeds, rule=rule, as_of_us=AS_OF, cohorts=COHORTS)
    days = [
        reference.join(
            *feeds, rule=rule, as_of_us=AS_OF, cohorts=COHORTS, kept=whole.kept,
            start_us=START + day * 24 * HOUR, end_us=START + (day + 1) * 24 * HOUR,
        )
        for day in range(4)
    ]  # fmt: skip
    total = days[0] + days[1] + days[2] + days[3]
    assert total.cohorts.keys == whole.cohorts.keys
    np.testing.assert_array_equal(total.cohorts.summary.n, whole.cohorts.summary.n)
    np.testing.assert_allclose(total.cohorts.summary.sums, whole.cohorts.summary.sums, rtol=1e-12)
    assert total.counts.orphans is None
    assert total.counts == dataclasses.replace(whole.counts, labels=None, invalid_labels=None)


def test_an_outage_of_labels_leaves_no_trace(feeds: Any) -> None:
    """Labels that arrive 72 hours late, dated as they were, give in the end what a run without outage gives."""
    late = feeds.labels.set_column(2, "received_us", pa.array(feeds.labels["received_us"].to_numpy() + 72 * HOUR))
    after = START + 400 * HOUR
    rule = CONTRACTS[1]
    found, expected = (
        reference.join(feeds.predictions, labels, rule=rule, as_of_us=after, cohorts=COHORTS)
        for labels in (late, feeds.labels)
    )
    assert found.counts == expected.counts
    np.testing.assert_array_equal(found.cohorts.summary.sums, expected.cohorts.summary.sums)


def test_a_cap_keeps_the_most_frequent_and_counts_the_rest(feeds: Any) -> None:
    """Three countries of five stay; the overflow is exactly the predictions of the other two."""
    found = reference.join(*feeds, rule=CONTRACTS[0], as_of_us=AS_OF, cohorts=COHORTS)
    pairs = reference.pairs(*feeds, rule=CONTRACTS[0], as_of_us=AS_OF)
    countries = Counter(json.loads(text)["country"] for text in pairs.table["cohorts"].to_pylist())
    own = Counter({name: count for name, count in countries.items() if name != caps.OTHER})
    assert found.kept["country"] == tuple(sorted(name for name, _ in own.most_common(3)))
    assert found.counts.overflow == {"country": sum(count for _, count in own.most_common()[3:]), "kind": 0}
    assert {key[1] for key in found.cohorts.keys} == {*found.kept["country"], caps.OTHER}


def test_inverse_propensity_weights_divide(feeds: Any) -> None:
    """The weight of a pair is divided by the propensity of its label; an unknown one counts as 1."""
    plain = reference.pairs(*feeds, rule=CONTRACTS[0], as_of_us=AS_OF)
    found = reference.join(*feeds, rule=CONTRACTS[0], as_of_us=AS_OF, weighting="inverse_propensity")
    mine = plain.state <= joined.IMPLICIT
    assert found.cohorts.summary.total("w").sum() == pytest.approx((plain.weight / plain.propensity)[mine].sum())
    assert found.cohorts.summary.total("w").sum() > plain.weight[mine].sum()


def test_nothing_in_nothing_out() -> None:
    """No events at all, and predictions without labels."""
    nothing = reference.join([], [], rule=CONTRACTS[0], as_of_us=AS_OF, cohorts=COHORTS)
    assert nothing.counts == joined.JoinCounts(overflow={"country": 0, "kind": 0})
    assert len(nothing.cohorts) == 0
    assert nothing.counts.matured_share is None
    lonely = reference.join(events.make(50).predictions, [], rule=CONTRACTS[0], as_of_us=AS_OF)
    assert lonely.counts.unlabelled > 0
    assert lonely.counts.pairs == 0
    whole = lonely + nothing
    assert whole.counts.unlabelled == lonely.counts.unlabelled


def test_the_summary_is_that_of_the_pairs(feeds: Any) -> None:
    """On both grids, pooled over cohorts."""
    pairs = reference.pairs(*feeds, rule=CONTRACTS[0], as_of_us=AS_OF)
    mine = pairs.state <= joined.IMPLICIT
    for grid in ("dyadic", "distinct"):
        found = reference.summarise(pairs, as_of_us=AS_OF, cohorts=COHORTS, grid=grid).cohorts.pooled()
        expected = summary.summarise(pairs.scores[mine], pairs.value[mine], weights=pairs.weight[mine], grid=grid)
        np.testing.assert_array_equal(found.keys, expected.keys)
        np.testing.assert_array_equal(found.n, expected.n)
        np.testing.assert_allclose(found.sums, expected.sums, rtol=1e-12)
