"""Values of adoption: who could use a use case, who did, by unit and week, never below the cohort floor."""

from dataclasses import dataclass

from pilothouse.steps.portfolio.contracts import UseCaseId

COHORT_FLOOR = 5
"""No figure is shown about fewer people than this, nor one from which such a figure follows; at least 3."""
SMALL_UNITS = "small units together"
"""What units of fewer people than the floor are counted under, with whatever unit it takes to reach the floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionQuery:
    """Which use case (id or slug) over how many weeks up to today (1 to 104)."""

    use_case: str
    weeks: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyUse:
    """One unit in one ISO week; what would speak about few people is None, as is what was not counted."""

    unit: str
    """Directory unit, `SMALL_UNITS`, or empty for all units together."""
    week: str
    """Monday of the week (ISO date)."""
    eligible: int | None
    active: int | None
    share: float | None
    """Active among eligible people, 0 to 1."""
    tasks: int | None
    """Questions answered for those people."""
    complete: bool = True
    """False for the week that is still running: its share will grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """Use by unit and week, with how it was counted."""

    use_case_id: UseCaseId
    rows: tuple[WeeklyUse, ...]
    floor: int
    withheld: int
    """Rows whose figures are withheld to protect small groups."""
    formula: str
    demo: bool
    pooled: tuple[str, ...] = ()
    """Units that stand in the row of small units."""
    returning_share: float | None = None
    """Share of the people active in the last four complete weeks who were active in more than one of them, to the
    nearest tenth so that no count follows from it."""
