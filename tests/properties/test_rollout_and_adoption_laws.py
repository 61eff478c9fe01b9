"""Laws: a growing phase takes nobody's access away, and no published figure speaks of a small group."""

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.steps.adoption.contracts import COHORT_FLOOR, WeeklyUse
from pilothouse.steps.adoption.logic.shielding import shield
from pilothouse.steps.rollout.logic.assigning import bucket, served

shares = st.floats(0, 1)
counts = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda p: (max(p), min(p)))


@given(st.text(max_size=20), st.text(max_size=20), shares, shares)
def test_growing_a_share_never_removes_anybody(person: str, use_case: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if served(person, "u", use_case, units=(), share=small):
        assert served(person, "u", use_case, units=(), share=large)


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_bucket_is_stable_and_inside_the_unit_interval(person: str, use_case: str) -> None:
    assert 0 <= bucket(person, use_case) < 1
    assert bucket(person, use_case) == bucket(person, use_case)


def test_buckets_spread_people_evenly() -> None:
    inside = sum(bucket(f"person-{i}", "uc") < 0.2 for i in range(5_000))
    assert 900 < inside < 1_100


@given(st.lists(counts, min_size=1, max_size=6))
def test_no_published_week_reveals_fewer_people_than_the_floor(units: list[tuple[int, int]]) -> None:
    rows = [WeeklyUse(unit=f"u{i}", week="w", eligible=n, active=a, share=a / n if n else None, tasks=a)
            for i, (n, a) in enumerate(units)]
    total, active = sum(n for n, _ in units), sum(a for _, a in units)
    rows.append(WeeklyUse(unit="", week="w", eligible=total, active=active, share=None, tasks=active))
    shown = shield(rows, COHORT_FLOOR)
    for row in shown:
        if row.active is not None:
            assert (row.eligible or 0) >= COHORT_FLOOR
            assert row.active == 0 or row.active >= COHORT_FLOOR
    hidden = [r for r, s in zip(rows[:-1], shown[:-1], strict=True) if s.active is None and r.active]
    if shown[-1].active is not None and hidden:  # what total minus shown units reveals is itself a group of the floor
        assert sum(r.active or 0 for r in hidden) >= COHORT_FLOOR
