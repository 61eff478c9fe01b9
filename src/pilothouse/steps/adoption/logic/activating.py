"""Weekly use from raw facts: who was eligible, who was active, how many tasks had assistance."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

from pilothouse.steps.adoption.contracts import WeeklyUse
from pilothouse.steps.gateway.contracts import UsageFact

FORMULA = ("active people are those who got at least one answer in the ISO week; eligible people are those of the "
           "units the use case is for, as the directory has them today; tasks are answers")
COUNTED = frozenset({"final", "held"})
Eligible = Mapping[str, frozenset[str]]
"""People by unit."""


def monday(day: str) -> str:
    """Return the Monday of the ISO week of a day or instant."""
    at = date.fromisoformat(day[:10])
    return (at - timedelta(days=at.weekday())).isoformat()


def weeks_until(today: str, count: int) -> tuple[str, ...]:
    """Return the Mondays of the last `count` weeks, the current one last."""
    last = date.fromisoformat(monday(today))
    return tuple((last - timedelta(weeks=n)).isoformat() for n in reversed(range(count)))


def first_week(live_since: str, facts: Sequence[UsageFact]) -> str | None:
    """Return the Monday from which use counts: when it went live (or was first asked); None if it never was."""
    days = [d for d in (live_since, *(f.asked_at for f in facts[:1])) if d]
    return monday(min(days)) if days else None


def weekly(facts: Sequence[UsageFact], eligible: Eligible, weeks: Sequence[str], *, first: str | None
           ) -> tuple[WeeklyUse, ...]:
    """Count use by unit and week, and for all units together; weeks before `first` are not counted, later ones are 0.

    Shapes: facts oldest first; one row a unit and week, then one a week for all; the last week is the running one.
    """
    people: dict[tuple[str, str], set[str]] = defaultdict(set)
    tasks: dict[tuple[str, str], int] = defaultdict(int)
    unit_of = {person: unit for unit, members in eligible.items() for person in members}
    for f in facts:
        if f.status in COUNTED and f.principal in unit_of:
            key = (unit_of[f.principal], monday(f.asked_at))
            people[key].add(f.principal)
            tasks[key] += 1
    return tuple(_row(unit, week, eligible, people, tasks, counted=first is not None and week >= first,
                      complete=week != weeks[-1])
                 for unit in (*sorted(eligible), "") for week in weeks)


def _row(unit: str, week: str, eligible: Eligible, people: Mapping[tuple[str, str], set[str]],
         tasks: Mapping[tuple[str, str], int], *, counted: bool, complete: bool) -> WeeklyUse:
    units = (unit,) if unit else tuple(eligible)
    n = sum(len(eligible[u]) for u in units)
    if not counted or not n:
        return WeeklyUse(unit=unit, week=week, eligible=n or None, active=None, share=None, tasks=None,
                         complete=complete)
    active = sum(len(people.get((u, week), ())) for u in units)
    return WeeklyUse(unit=unit, week=week, eligible=n, active=active, share=active / n, complete=complete,
                     tasks=sum(tasks.get((u, week), 0) for u in units))


def returning(facts: Sequence[UsageFact], people: Collection[str], weeks: Sequence[str]) -> tuple[int, int]:
    """Return (people active in any of these weeks, those active in more than one)."""
    active: dict[str, set[str]] = defaultdict(set)
    for f in facts:
        if f.status in COUNTED and f.principal in people and monday(f.asked_at) in weeks:
            active[f.principal].add(monday(f.asked_at))
    return len(active), sum(len(seen) > 1 for seen in active.values())
