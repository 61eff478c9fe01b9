"""Laws of shielding: a reader who knows the rules, the sizes and every shown figure singles out no small group."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.steps.adoption.contracts import COHORT_FLOOR, SMALL_UNITS, WeeklyUse
from pilothouse.steps.adoption.logic.shielding import pool, returning_share, shield

Shown = tuple[int | None, ...]
"""Active people by unit, then in total, as published."""


def published(sizes: Sequence[int], active: Sequence[int], floor: int) -> Shown:
    rows = [WeeklyUse(unit=f"u{n}", week="w", eligible=size, active=a, share=a / size, tasks=a)
            for n, (size, a) in enumerate(zip(sizes, active, strict=True))]
    total = WeeklyUse(unit="", week="w", eligible=sum(sizes), active=sum(active), share=0.0, tasks=sum(active))
    shown = shield([*rows, total], floor)
    for before, after in zip([*rows, total], shown, strict=True):
        assert after == before or (after.active, after.share, after.tasks) == (None, None, None)
    return tuple(r.active for r in shown)


def is_group(active: int, eligible: int, floor: int) -> bool:
    """Say whether these active and inactive people are nobody or enough."""
    return all(n == 0 or n >= floor for n in (active, eligible - active))


def check(sizes: Sequence[int], floor: int) -> int:
    """Publish every possible week and read each publication as its reader would; returns how many there are."""
    worlds: dict[Shown, list[tuple[int, ...]]] = defaultdict(list)
    for active in itertools.product(*(range(n + 1) for n in sizes)):
        worlds[published(sizes, active, floor)].append(active)
    for shown, possible in worlds.items():
        check_differences(shown, sizes, floor)
        for n in range(len(sizes)):
            if shown[n] is None:
                assert len({w[n] for w in possible}) > 1, f"{shown} of {sizes} gives unit {n} away: {possible}"
    return len(worlds)


def check_differences(shown: Shown, sizes: Sequence[int], floor: int) -> None:
    """No shown figure, and no shown total minus any shown units, speaks of a group below the floor."""
    open_units = [n for n in range(len(sizes)) if shown[n] is not None]
    for n in open_units:
        assert is_group(shown[n] or 0, sizes[n], floor), shown
    if (total := shown[-1]) is not None:
        for some in subsets(open_units):
            left = total - sum(shown[n] or 0 for n in some)
            assert is_group(left, sum(sizes) - sum(sizes[n] for n in some), floor), (shown, some)


def subsets(of: Sequence[int]) -> Iterable[tuple[int, ...]]:
    return itertools.chain.from_iterable(itertools.combinations(of, k) for k in range(len(of) + 1))


@pytest.mark.parametrize("sizes", list(itertools.combinations_with_replacement(range(3, 8), 3)))
def test_every_week_of_three_small_units_keeps_the_promises(sizes: tuple[int, ...]) -> None:
    assert check(sizes, 3) > 1


@pytest.mark.parametrize("sizes", [(5,), (9,), (5, 5), (5, 12), (11, 12), (14, 20)])
def test_every_week_of_one_or_two_units_keeps_the_promises_at_the_real_floor(sizes: tuple[int, ...]) -> None:
    assert check(sizes, COHORT_FLOOR) > 1


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(3, 6), min_size=4, max_size=4))
def test_every_week_of_four_units_keeps_the_promises(sizes: list[int]) -> None:
    check(sizes, 3)


def test_a_week_in_which_every_group_is_large_is_shown_whole() -> None:
    assert published((20, 30, 12), (10, 0, 6), COHORT_FLOOR) == (10, 0, 6, 16)


def test_a_unit_withheld_alone_takes_the_largest_other_with_it_so_that_the_total_can_be_told() -> None:
    assert published((20, 30, 12), (10, 12, 2), COHORT_FLOOR) == (10, None, None, 24)


def test_a_total_over_several_small_units_is_still_told() -> None:
    assert published((12, 12, 12), (3, 4, 2), COHORT_FLOOR) == (None, None, None, 9)


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 12), max_size=7))
def test_pooling_moves_people_and_loses_none(sizes: dict[str, int]) -> None:
    names = itertools.count()
    eligible = {unit: frozenset(f"p{next(names)}" for _ in range(n)) for unit, n in sizes.items()}
    pooled, which = pool(eligible, COHORT_FLOOR)
    assert sorted(p for people in pooled.values() for p in people) == sorted(
        p for people in eligible.values() for p in people)
    assert all(len(people) >= COHORT_FLOOR for people in pooled.values()) or sum(sizes.values()) < COHORT_FLOOR
    assert (SMALL_UNITS in pooled) == bool(which)


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_share_of_returning_people_is_a_tenth_or_nothing(active: int, returned: int) -> None:
    share = returning_share(active, min(active, returned), COHORT_FLOOR)
    assert (share is None) == (active < 2 * COHORT_FLOOR)
    assert share is None or share in [n / 10 for n in range(11)]
