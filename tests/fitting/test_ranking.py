"""The rank-sum test behind the first question of a selection."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from calibrant.fitting import ranking
from calibrant.stats import results, summary


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=8, max_size=80))
def test_equals_scipy_and_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    """AUC and the tie-corrected p-value without continuity correction."""
    p, y = (np.array(column, float) for column in zip(*rows, strict=True))
    if len(set(y)) < 2 or len(set(p)) < 2:
        return
    found = ranking.rank_sum(summary.summarise(p / 10, y, grid="distinct"))
    assert isinstance(found, ranking.Ranking)
    assert found.auc == pytest.approx(roc_auc_score(y, p))
    peer = mannwhitneyu(p[y == 1], p[y == 0], alternative="greater", use_continuity=False, method="asymptotic")
    from scipy.special import ndtr

    assert ndtr(-found.z) == pytest.approx(peer.pvalue, abs=1e-12)


def test_weights_in_another_unit_change_nothing() -> None:
    """w -> c w."""
    rng = np.random.default_rng(0)
    p, w = rng.random(300), rng.gamma(2.0, size=300)
    y = rng.random(300) < p
    one, other = (ranking.rank_sum(summary.summarise(p, y, weights=c * w, grid="distinct")) for c in (1.0, 1e5))
    assert isinstance(one, ranking.Ranking)
    assert isinstance(other, ranking.Ranking)
    assert one.z == pytest.approx(other.z)


def test_constant_scores_show_nothing() -> None:
    """All tied: AUC 1/2, zero standard deviations."""
    assert ranking.rank_sum(summary.summarise([0.3] * 20, [0, 1] * 10)) == ranking.Ranking(0.5, 0.0)


def test_one_class_is_insufficient() -> None:
    """No pair to compare."""
    assert isinstance(ranking.rank_sum(summary.summarise([0.3, 0.4, 0.5], [0, 0, 0])), results.Insufficient)


def test_level_under_permuted_labels() -> None:
    """Evident in 1 % of permutations, within binomial noise of 2,000."""
    rng = np.random.default_rng(1)
    p = rng.random(80)
    y = np.arange(80) < 25
    hits = 0
    for _ in range(2000):
        found = ranking.rank_sum(summary.summarise(p, rng.permutation(y), grid="distinct"))
        assert isinstance(found, ranking.Ranking)
        hits += found.evident
    assert hits <= 36
