"""Small groups shielded: no figure about fewer people than the floor, nor one from which such a figure follows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pilothouse.steps.adoption.contracts import WeeklyUse


def shield(rows: Sequence[WeeklyUse], floor: int) -> tuple[WeeklyUse, ...]:
    """Withhold figures of units that are small, or where the few active (or the few inactive) would be told apart.

    Where one unit of a week is withheld, its figure would follow from the total minus the others, so the total of that
    week is withheld too unless the withheld units together reach the floor on both sides.
    """
    by_week: dict[str, list[WeeklyUse]] = defaultdict(list)
    for row in rows:
        by_week[row.week].append(row)
    shown = {(r.unit, r.week): r for week in by_week.values() for r in _shield_week(week, floor)}
    return tuple(shown[r.unit, r.week] for r in rows)


def _shield_week(rows: Sequence[WeeklyUse], floor: int) -> Iterable[WeeklyUse]:
    units = [r for r in rows if r.unit]
    hidden = [r for r in units if _small(r, floor)]
    total_safe = not hidden or (sum(r.active or 0 for r in hidden) >= floor and _inactive(hidden) >= floor
                                and len(hidden) > 1)
    for r in rows:
        if r.unit:
            yield _withheld(r, floor) if r in hidden else r
        else:
            yield r if total_safe and not _small(r, floor) else _withheld(r, floor)


def _inactive(rows: Sequence[WeeklyUse]) -> int:
    return sum((r.eligible or 0) - (r.active or 0) for r in rows)


def _small(row: WeeklyUse, floor: int) -> bool:
    """Say whether a row speaks about fewer people than the floor: those eligible, or the active among them."""
    if row.active is None:
        return (row.eligible or 0) < floor
    return (row.eligible or 0) < floor or 0 < row.active < floor


def _withheld(row: WeeklyUse, floor: int) -> WeeklyUse:
    eligible = row.eligible if (row.eligible or 0) >= floor else None
    return replace(row, eligible=eligible, active=None, share=None, tasks=None)
