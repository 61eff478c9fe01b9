"""Summaries by example, by law, and where double precision ends."""

from itertools import pairwise
from math import inf, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.summary import Summary, summarize

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=40)
NOTHING = summarize([])


def close(found: Summary, wanted: Summary) -> bool:
    """Compare as far as a double holds the squares of such values."""
    scale = 1 + wanted.total_squares
    return (found.n == wanted.n and found.centre == pytest.approx(wanted.centre, abs=1e-12 * sqrt(scale), rel=1e-12)
            and found.spread == pytest.approx(wanted.spread, abs=1e-12 * scale, rel=1e-12))


def test_a_sample_by_hand() -> None:
    found = summarize([2, 4, 4, 4, 5, 5, 7, 9])
    assert (found.n, found.mean, found.total, found.total_squares) == (8, 5, 40, 232)
    assert found.variance == pytest.approx(32 / 7)
    assert found.sd == pytest.approx(sqrt(32 / 7))


def test_what_is_not_there_is_none_and_not_zero() -> None:
    assert (NOTHING.mean, NOTHING.variance, NOTHING.sd, NOTHING.varies) == (None, None, None, False)
    one = summarize([3.5])
    assert (one.mean, one.variance, one.sd, one.varies) == (3.5, None, None, False)


@given(VALUES, st.lists(st.integers(0, 40), max_size=5))
def test_summaries_add_up_in_any_grouping(values: list[float], cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(values)]
    parts = [summarize(values[a:b]) for a, b in pairwise(edges)]
    assert close(sum(parts, NOTHING), summarize(values))
    assert close(sum(reversed(parts), NOTHING), summarize(values))


@given(VALUES, VALUES, VALUES)
def test_adding_is_associative_and_commutative(one: list[float], two: list[float], three: list[float]) -> None:
    a, b, c = summarize(one), summarize(two), summarize(three)
    assert close((a + b) + c, a + (b + c))
    assert close(a + b, b + a)


@given(VALUES)
def test_nothing_added_changes_nothing_at_all(values: list[float]) -> None:
    assert summarize(values) + NOTHING == NOTHING + summarize(values) == summarize(values)


@given(VALUES)
def test_recorded_sums_give_the_summary_back(values: list[float]) -> None:
    whole = summarize(values)
    assert close(Summary.from_sums(whole.n, whole.total, whole.total_squares), whole)


@given(VALUES, VALUES)
def test_recorded_sums_add_up_like_the_samples(one: list[float], two: list[float]) -> None:
    a, b = (Summary.from_sums(s.n, s.total, s.total_squares) for s in (summarize(one), summarize(two)))
    assert close(a + b, summarize([*one, *two]))


def test_a_small_spread_far_from_zero_is_kept_to_the_last_digits() -> None:
    values = [1e9 + v for v in (4, 7, 13, 16)]
    assert summarize(values).variance == 30
    assert (summarize(values[:1]) + summarize(values[1:])).variance == pytest.approx(30, rel=1e-12)


def test_a_spread_that_sums_of_squares_cannot_hold_is_none_and_never_noise() -> None:
    for sd in (1e-3, 1.0, 10.0):
        whole = summarize([1.7e9 + sd * (n % 7) for n in range(700)])
        assert whole.varies
        assert not Summary.from_sums(whole.n, whole.total, whole.total_squares).varies
    whole = summarize([1.7e9 + 1e4 * (n % 7) for n in range(700)])
    assert Summary.from_sums(whole.n, whole.total, whole.total_squares).sd == pytest.approx(whole.sd, rel=1e-3)


@given(st.floats(-1e100, 1e100), st.lists(st.integers(1, 300), min_size=2, max_size=6))
def test_equal_observations_never_vary_however_they_were_added(value: float, sizes: list[int]) -> None:
    parts = [summarize([value] * size) for size in sizes]
    assert all(p.spread == 0 for p in parts)
    assert not sum(parts, NOTHING).varies
    assert not sum((Summary.from_sums(p.n, p.total, p.total_squares) for p in parts), NOTHING).varies


@given(st.integers(-1000, 1000), st.integers(1, 1000))
def test_observations_that_differ_do_vary(value: int, apart: int) -> None:
    assert summarize([value, value + apart]).varies


@pytest.mark.parametrize("value", [nan, inf, -inf, 1e200])
def test_what_cannot_be_summed_is_refused(value: float) -> None:
    with pytest.raises(Invalid, match="finite"):
        summarize([1.0, value])
    with pytest.raises(Invalid, match="finite"):
        Summary.from_sums(2, value, 4.0)
    with pytest.raises(Invalid, match="finite"):
        Summary(n=2, centre=0.0, spread=value * value)


def test_the_largest_values_still_add_up() -> None:
    assert summarize([1e150, -1e150]).sd == pytest.approx(sqrt(2) * 1e150)
    assert (summarize([1e150] * 3) + summarize([-1e150] * 3)).mean == pytest.approx(0, abs=1e135)


@pytest.mark.parametrize(("n", "total", "squares"), [
    (3, 30.0, 299.0), (2, 0.0, -1.0), (1, 2.0, 10.0), (0, 1.0, 0.0), (0, 0.0, 1.0), (-1, 0.0, 0.0), (-2, 3.0, 9.0)])
def test_sums_that_no_sample_can_have_are_refused(n: int, total: float, squares: float) -> None:
    with pytest.raises(Invalid, match="sum"):
        Summary.from_sums(n, total, squares)


def test_a_summary_cannot_be_made_of_a_negative_count_or_spread() -> None:
    with pytest.raises(Invalid, match="-1 observations"):
        Summary(n=-1, centre=0.0, spread=0.0)
    with pytest.raises(Invalid, match="finite"):
        Summary(n=2, centre=0.0, spread=-1.0)
