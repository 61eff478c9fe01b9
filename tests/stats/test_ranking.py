"""Ranking measures against hand-worked figures and laws; resampling against theory and itself."""

from math import log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.intervals import mean_interval
from pilothouse.stats.ranking import average_precision, ndcg, recall, reciprocal_rank
from pilothouse.stats.resampling import bootstrap, paired_bootstrap
from pilothouse.stats.summary import summarize

RANKED = ["d1", "d2", "d3", "d4", "d5"]
ITEMS = st.permutations([f"d{n}" for n in range(12)])
RELEVANT = st.frozensets(st.sampled_from([f"d{n}" for n in range(15)]), min_size=1)


def test_average_precision_by_hand() -> None:
    assert average_precision(RANKED, {"d1", "d3", "d9"}) == pytest.approx((1 / 1 + 2 / 3) / 3)
    assert average_precision(RANKED, {"d1", "d3", "d9"}, depth=2) == pytest.approx(1 / 3)
    assert average_precision(RANKED, {"d9"}) == 0
    assert average_precision(RANKED, set()) is None


def test_ndcg_by_hand() -> None:
    gains = {"d2": 1.0, "d5": 3.0, "d9": 2.0}
    best = 3 + 2 / log2(3) + 1 / 2
    assert ndcg(RANKED, gains, 10) == pytest.approx((1 / log2(3) + 3 / log2(6)) / best)
    assert ndcg(RANKED, gains, 2) == pytest.approx((1 / log2(3)) / (3 + 2 / log2(3)))
    assert ndcg(RANKED, {"d1": 0.0}, 10) is None


def test_recall_and_reciprocal_rank_by_hand() -> None:
    assert recall(RANKED, {"d2", "d9"}, 3) == 0.5
    assert recall(RANKED, set(), 3) is None
    assert reciprocal_rank(RANKED, {"d4", "d5"}) == 0.25
    assert reciprocal_rank(RANKED, {"d4"}, depth=3) == 0
    assert reciprocal_rank(RANKED, set()) is None


@given(ranked=ITEMS, relevant=RELEVANT, depth=st.integers(1, 14))
def test_measures_are_shares_and_a_perfect_ranking_gets_all(ranked: list[str], relevant: frozenset[str], depth: int
                                                            ) -> None:
    gains = dict.fromkeys(relevant, 1.0)
    for found in (average_precision(ranked, relevant, depth), ndcg(ranked, gains, depth),
                  recall(ranked, relevant, depth), reciprocal_rank(ranked, relevant, depth)):
        assert found is not None
        assert 0 <= found <= 1
    perfect = sorted({*ranked, *relevant}, key=lambda d: d not in relevant)
    assert average_precision(perfect, relevant) == pytest.approx(1)
    assert ndcg(perfect, gains, depth) == pytest.approx(1)


@given(ranked=ITEMS, relevant=RELEVANT, at=st.integers(0, 10))
def test_moving_a_relevant_item_up_never_hurts(ranked: list[str], relevant: frozenset[str], at: int) -> None:
    if ranked[at] in relevant or ranked[at + 1] not in relevant:
        return
    better = [*ranked[:at], ranked[at + 1], ranked[at], *ranked[at + 2:]]
    gains = dict.fromkeys(relevant, 1.0)
    assert (average_precision(better, relevant) or 0) > (average_precision(ranked, relevant) or 0)
    assert (ndcg(better, gains, 12) or 0) > (ndcg(ranked, gains, 12) or 0)


def test_an_item_ranked_twice_and_a_negative_gain_are_refused() -> None:
    with pytest.raises(Invalid, match="ranked twice"):
        average_precision(["a", "a"], {"a"})
    with pytest.raises(Invalid, match="negative"):
        ndcg(["a"], {"a": -1.0}, 10)
    with pytest.raises(Invalid, match="no number"):
        ndcg(["a"], {"a": float("nan")}, 10)
    with pytest.raises(Invalid, match="depth 0"):
        recall(["a"], {"a"}, 0)
    with pytest.raises(Invalid, match="depth 0"):
        ndcg(["a"], {"a": 1.0}, 0)


def test_the_same_seed_gives_the_same_interval_and_another_a_near_one() -> None:
    values = np.random.default_rng(1).normal(10, 2, 60).tolist()
    one, again, other = bootstrap(values, seed=7), bootstrap(values, seed=7), bootstrap(values, seed=8)
    assert one is not None
    assert other is not None
    assert one == again != other
    assert one.low == pytest.approx(other.low, abs=0.05)


def test_a_bootstrap_interval_is_close_to_students_on_a_well_behaved_sample() -> None:
    values = np.random.default_rng(2).normal(0, 1, 400).tolist()
    ours, students = bootstrap(values, seed=1), mean_interval(summarize(values))
    assert ours is not None
    assert students is not None
    assert ours.value == pytest.approx(students.value)
    assert (ours.low, ours.high) == pytest.approx((students.low, students.high), abs=0.1 / sqrt(400))


def test_about_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    draw = np.random.default_rng(3)
    found = [bootstrap(draw.normal(5, 3, 50).tolist(), seed=n, resamples=1000) for n in range(400)]
    held = sum(e is not None and e.low <= 5 <= e.high for e in found)
    assert 0.90 < held / 400 < 0.98


def test_pairs_cancel_what_the_cases_share() -> None:
    draw = np.random.default_rng(4)
    hard = draw.normal(0, 10, 50)
    before, after = hard + draw.normal(0, 0.1, 50), hard + 0.5 + draw.normal(0, 0.1, 50)
    found = paired_bootstrap(before.tolist(), after.tolist(), seed=1)
    assert found is not None
    assert found.n == 50
    assert 0.4 < found.low < found.value < found.high < 0.6
    back = paired_bootstrap(after.tolist(), before.tolist(), seed=1)
    assert back is not None
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))


def test_too_few_cases_give_nothing_and_unequal_ones_are_refused() -> None:
    assert bootstrap([1.0], seed=1) is None
    assert paired_bootstrap([], [], seed=1) is None
    with pytest.raises(Invalid, match="no pairs"):
        paired_bootstrap([1.0, 2.0], [1.0], seed=1)
    with pytest.raises(Invalid, match="finite"):
        bootstrap([1.0, float("nan")], seed=1)
    for seed, resamples, confidence in ((-1, 100, 0.95), (1, 0, 0.95), (1, 100, 1.0)):
        with pytest.raises(Invalid, match="resampling needs"):
            bootstrap([1.0, 2.0], seed=seed, resamples=resamples, confidence=confidence)


def test_cases_that_never_disagree_give_an_interval_of_no_width() -> None:
    same = paired_bootstrap([0.2, 0.9, 0.4], [0.2, 0.9, 0.4], seed=1)
    assert same is not None
    assert (same.value, same.low, same.high, same.n) == (0, 0, 0, 3)
