"""Weekly use from raw facts: who was eligible, who was active, how many tasks had assistance."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from pilothouse.steps.adoption.contracts import WeeklyUse
from pilothouse.steps.gateway.contracts import UsageFact

FORMULA = ("active people are those who got at least one answer in the ISO week; eligible people are those of the "
           "units the use case is for, as the directory has them today; tasks are answers")
COUNTED = frozenset({"final", "held"})


def monday(day: str) -> str:
    """Return the Monday of the ISO week of a day or instant."""
    at = date.fromisoformat(day[:10])
    return (at - timedelta(days=at.weekday())).isoformat()


def weeks_until(today: str, count: int) -> tuple[str, ...]:
    """Return the Mondays of the last `count` weeks, the current one last."""
    last = date.fromisoformat(monday(today))
    return tuple((last - timedelta(weeks=n)).isoformat() for n in reversed(range(count)))


def weekly(facts: Sequence[UsageFact], eligible: Mapping[str, frozenset[str]], weeks: Sequence[str]
           ) -> tuple[WeeklyUse, ...]:
    """Count use by unit and week, and for all units together; weeks before the first question are not counted."""
    people: dict[tuple[str, str], set[str]] = defaultdict(set)
    tasks: dict[tuple[str, str], int] = defaultdict(int)
    unit_of = {person: unit for unit, members in eligible.items() for person in members}
    for f in facts:
        if f.status in COUNTED and f.principal in unit_of:
            key = (unit_of[f.principal], monday(f.asked_at))
            people[key].add(f.principal)
            tasks[key] += 1
    first = min((monday(f.asked_at) for f in facts), default="~")
    return tuple(_row(unit, week, eligible, people, tasks, counted=week >= first)
                 for unit in (*sorted(eligible), "") for week in weeks)


def _row(unit: str, week: str, eligible: Mapping[str, frozenset[str]], people: Mapping[tuple[str, str], set[str]],
         tasks: Mapping[tuple[str, str], int], *, counted: bool) -> WeeklyUse:
    units = (unit,) if unit else tuple(eligible)
    n = sum(len(eligible[u]) for u in units)
    if not counted or not n:
        return WeeklyUse(unit=unit, week=week, eligible=n or None, active=None, share=None, tasks=None)
    active = sum(len(people.get((u, week), ())) for u in units)
    return WeeklyUse(unit=unit, week=week, eligible=n, active=active, share=active / n,
                     tasks=sum(tasks.get((u, week), 0) for u in units))
