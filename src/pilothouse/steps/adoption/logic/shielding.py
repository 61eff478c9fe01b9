"""Small groups shielded: no figure about fewer people than the floor, nor one from which such a figure follows.

A group is small when the active or the inactive among its people are fewer than the floor but not none. Of a week,
small units are withheld; what the total minus the shown units says of the withheld ones is itself a group of the floor,
and leaves at least two possibilities for each of them, even to a reader who knows these rules and everybody's unit.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pilothouse.steps.adoption.contracts import SMALL_UNITS, WeeklyUse

FLOOR_MIN = 3
"""Below, a withheld figure has a single possible value: of two people, one was active."""
RETURNING_FLOORS = 2
"""How many times the floor must be active before a share of them is told at all."""


def pool(eligible: Mapping[str, frozenset[str]], floor: int) -> tuple[Mapping[str, frozenset[str]], tuple[str, ...]]:
    """Put units of fewer people than the floor into one, with the next larger ones until it reaches the floor.

    Which units that are follows from their sizes alone, so it says nothing about use and stays the same every week.
    """
    by_size = sorted(eligible, key=lambda unit: (len(eligible[unit]), unit))
    small = [u for u in by_size if len(eligible[u]) < floor]
    larger = by_size[len(small):]
    while small and larger and sum(len(eligible[u]) for u in small) < floor:
        small.append(larger.pop(0))
    if len(small) < 2:
        return eligible, ()
    together = frozenset[str]().union(*(eligible[u] for u in small))
    return {**{u: eligible[u] for u in sorted(larger)}, SMALL_UNITS: together}, tuple(sorted(small))


def shield(rows: Sequence[WeeklyUse], floor: int) -> tuple[WeeklyUse, ...]:
    """Withhold what is small in each week, and what would give it away. Units must have the floor's people or more."""
    assert floor >= FLOOR_MIN, f"a cohort floor below {FLOOR_MIN} hides nothing"
    by_week: dict[str, list[WeeklyUse]] = defaultdict(list)
    for row in rows:
        by_week[row.week].append(row)
    hidden = {(unit, week) for week, held in by_week.items() for unit in _hidden(held, floor)}
    return tuple(_withheld(r, floor) if (r.unit, r.week) in hidden else r for r in rows)


def _hidden(rows: Sequence[WeeklyUse], floor: int) -> Collection[str]:
    """Return the units of one week whose figures are withheld; the empty name stands for the total."""
    if any(r.eligible is not None and r.eligible < floor for r in rows):
        return {r.unit for r in rows}
    units = [r for r in rows if r.unit and r.active is not None]
    primary = [r for r in units if _is_small(r.active or 0, r.eligible or 0, floor)]
    if not primary:
        return ()
    others = [r for r in units if r not in primary]
    # One withheld unit alone would be the total minus the others; the largest other one goes with it.
    beside = sorted(others, key=lambda r: (-(r.eligible or 0), r.unit))[:1] if len(primary) == 1 else []
    names = {r.unit for r in (*primary, *beside)}
    return names if _total_is_safe(primary, beside, floor) else {*names, ""}


def _total_is_safe(primary: Sequence[WeeklyUse], beside: Sequence[WeeklyUse], floor: int) -> bool:
    """Say whether the sum over the withheld units gives none of them away.

    The answer depends on that sum and on sizes only, both of which a reader of the total has anyway.
    """
    withheld = (*primary, *beside)
    active, eligible = (sum(getattr(r, name) or 0 for r in withheld) for name in ("active", "eligible"))
    could_be = [_values(r.eligible or 0, floor, small=r in primary) for r in withheld]
    return len(withheld) > 1 and not _is_small(active, eligible, floor) and all(
        _possibilities(n, could_be, active) > 1 for n in range(len(withheld)))


def _values(eligible: int, floor: int, *, small: bool) -> frozenset[int]:
    return frozenset(a for a in range(eligible + 1) if _is_small(a, eligible, floor) == small)


def _possibilities(which: int, could_be: Sequence[frozenset[int]], total: int) -> int:
    """Count the values one unit may have when all units together have `total`."""
    reached = 1  # bit n is set when the other units can add up to n
    for n, values in enumerate(could_be):
        if n != which:
            reached = _either(reached << v for v in values)
    return sum(total >= v and bool(reached >> (total - v) & 1) for v in could_be[which])


def _either(sums: Iterable[int]) -> int:
    merged = 0
    for bits in sums:
        merged |= bits
    return merged


def _is_small(active: int, eligible: int, floor: int) -> bool:
    """Say whether the active or the inactive are a group smaller than the floor; nobody is no group."""
    return 0 < active < floor or 0 < eligible - active < floor


def returning_share(active: int, returned: int, floor: int) -> float | None:
    """Return the share of active people who came back, to the nearest tenth; None when too few were active."""
    return None if active < RETURNING_FLOORS * floor else round(returned / active, 1)


def _withheld(row: WeeklyUse, floor: int) -> WeeklyUse:
    eligible = row.eligible if (row.eligible or 0) >= floor else None
    return replace(row, eligible=eligible, active=None, share=None, tasks=None)
