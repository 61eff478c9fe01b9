"""Intervals by example and by law; what is said when there is nothing to say."""

from math import nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.intervals import (
    Estimate,
    difference,
    mean_interval,
    proportion,
    proportion_difference,
    satterthwaite,
)
from pilothouse.stats.student import t_quantile, z_quantile
from pilothouse.stats.summary import Summary, summarize

SAMPLE = st.lists(st.floats(-1e4, 1e4).map(lambda v: round(v, 3)), min_size=2, max_size=30).map(summarize)
VARIED = SAMPLE.filter(lambda s: s.varies)
COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENCE = st.floats(0.5, 0.999)


def sure(estimate: Estimate | None) -> Estimate:
    assert estimate is not None
    return estimate


def test_a_mean_by_hand() -> None:
    found = sure(mean_interval(summarize([10, 12, 14, 16, 18])))
    half = 2.7764451052 * sqrt(10 / 5)
    assert (found.value, found.n, found.method, found.confidence) == (14, 5, "student-t", 0.95)
    assert (found.low, found.high) == pytest.approx((14 - half, 14 + half), rel=1e-10)


def test_a_difference_by_hand() -> None:
    found = sure(difference(summarize([1, 2, 3]), summarize([6, 8, 10, 12])))
    left, right = 1 / 3, (20 / 3) / 4
    degrees = 4 / (left ** 2 / 2 + right ** 2 / 3)
    half = t_quantile(0.95, degrees) * sqrt(2)
    assert (found.value, found.n, found.method) == (7, 7, "welch-satterthwaite")
    assert (found.low, found.high) == pytest.approx((7 - half, 7 + half))


@given(VARIED, CONFIDENCE)
def test_an_interval_holds_its_point(sample: Summary, confidence: float) -> None:
    found = sure(mean_interval(sample, confidence=confidence))
    assert found.low <= found.value <= found.high
    assert found.low < found.high


@given(VARIED, SAMPLE)
def test_a_difference_holds_its_point_and_swapping_sides_negates_it(before: Summary, after: Summary) -> None:
    there, back = sure(difference(before, after)), sure(difference(after, before))
    assert there.low <= there.value <= there.high
    assert (back.value, back.low, back.high) == (-there.value, -there.high, -there.low)


@given(VARIED, SAMPLE)
def test_more_confidence_is_wider(before: Summary, after: Summary) -> None:
    narrow, wide = sure(difference(before, after, confidence=0.8)), sure(difference(before, after, confidence=0.99))
    assert wide.low < narrow.low <= narrow.high < wide.high


@given(VARIED, VARIED, st.integers(-1000, 1000))
def test_moving_one_side_moves_the_interval_and_not_its_width(before: Summary, after: Summary, by: int) -> None:
    moved = Summary(n=after.n, centre=after.centre + by, spread=after.spread)
    first, second = sure(difference(before, after)), sure(difference(before, moved))
    assert (second.low, second.high) == pytest.approx((first.low + by, first.high + by), rel=1e-9, abs=1e-7)


@given(VARIED, VARIED)
def test_degrees_of_freedom_lie_between_the_smaller_side_and_both(before: Summary, after: Summary) -> None:
    assert before.variance is not None
    assert after.variance is not None
    degrees = satterthwaite(before.variance / before.n, before.n, after.variance / after.n, after.n)
    assert min(before.n, after.n) - 1 - 1e-9 <= degrees <= before.n + after.n - 2 + 1e-9


def test_too_few_observations_give_nothing() -> None:
    enough = summarize([1, 2, 3])
    assert mean_interval(summarize([1])) is None
    assert difference(summarize([]), enough) is None
    assert difference(enough, summarize([1])) is None


def test_two_sides_without_spread_give_nothing_rather_than_certainty() -> None:
    assert mean_interval(summarize([5, 5])) is None
    assert difference(summarize([5, 5]), summarize([3, 3])) is None
    assert difference(summarize([0.1] * 9), summarize([0.3] * 1000)) is None
    recorded = [Summary.from_sums(s.n, s.total, s.total_squares) for s in (summarize([0.1] * 9), summarize([0.3] * 7))]
    assert difference(*recorded) is None


def test_one_side_without_spread_leaves_the_uncertainty_of_the_other() -> None:
    alone, against = summarize([1, 2, 3, 4]), summarize([10, 10])
    mean, found = sure(mean_interval(alone)), sure(difference(alone, against))
    assert (found.low, found.high) == pytest.approx((10 - mean.high, 10 - mean.low))


def test_variances_too_small_to_square_still_have_degrees_of_freedom() -> None:
    assert satterthwaite(1e-300, 5, 1e-300, 5) == pytest.approx(8)
    assert satterthwaite(1e-300, 5, 1.0, 9) == pytest.approx(8)


@given(COUNTS, CONFIDENCE)
def test_a_share_and_its_interval_lie_between_none_and_all(counts: tuple[int, int], confidence: float) -> None:
    found = sure(proportion(*counts, confidence=confidence))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


@given(COUNTS, CONFIDENCE)
def test_failures_mirror_successes(counts: tuple[int, int], confidence: float) -> None:
    successes, n = counts
    yes, no = sure(proportion(successes, n, confidence=confidence)), sure(proportion(n - successes, n,
                                                                                     confidence=confidence))
    assert (no.low, no.high) == pytest.approx((1 - yes.high, 1 - yes.low), abs=1e-12)


@given(COUNTS, COUNTS, CONFIDENCE)
def test_a_difference_of_shares_stays_in_bounds_holds_its_point_and_negates(
        before: tuple[int, int], after: tuple[int, int], confidence: float) -> None:
    there = sure(proportion_difference(before, after, confidence=confidence))
    back = sure(proportion_difference(after, before, confidence=confidence))
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert there.low < there.high
    assert (back.value, back.low, back.high) == (-there.value, -there.high, -there.low)


@given(COUNTS, st.integers(2, 50))
def test_the_same_share_of_more_cases_is_known_better(counts: tuple[int, int], times: int) -> None:
    few, many = sure(proportion(*counts)), sure(proportion(counts[0] * times, counts[1] * times))
    assert many.high - many.low < few.high - few.low


def test_no_success_at_all_still_has_an_upper_bound() -> None:
    found = sure(proportion(0, 40))
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(3.8414588207 / (40 + 3.8414588207))
    both = sure(proportion_difference((0, 40), (0, 40)))
    assert both.value == 0
    assert (both.low, both.high) == pytest.approx((-found.high, found.high))


def test_no_cases_give_nothing_and_impossible_counts_are_refused() -> None:
    assert proportion(0, 0) is None
    assert proportion_difference((0, 0), (3, 4)) is None
    for successes, n in ((5, 4), (-1, 4), (0, -1)):
        with pytest.raises(Invalid, match="no share"):
            proportion(successes, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95.0, nan])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    some = summarize([1, 2, 3])
    with pytest.raises(Invalid, match="confidence"):
        mean_interval(some, confidence=confidence)
    with pytest.raises(Invalid, match="confidence"):
        difference(some, some, confidence=confidence)
    with pytest.raises(Invalid, match="confidence"):
        proportion(1, 2, confidence=confidence)
    with pytest.raises(Invalid, match="confidence"):
        proportion_difference((1, 2), (1, 2), confidence=confidence)


@given(st.floats(1, 1e6), st.floats(0, 1e6), CONFIDENCE)
def test_more_degrees_of_freedom_never_widen_and_the_normal_is_the_limit(degrees: float, more: float, confidence: float
                                                                         ) -> None:
    few, many = t_quantile(confidence, degrees), t_quantile(confidence, degrees + more)
    assert few >= many * (1 - 1e-12)
    assert many > z_quantile(confidence) * (1 - 1e-12)


def test_degrees_that_no_sample_has_are_refused() -> None:
    for degrees in (0.0, 0.5, -1.0, nan):
        with pytest.raises(Invalid, match="degree"):
            t_quantile(0.95, degrees)
