"""Objectives against evidence: what each KPI contributes a month, added within one unit and never twice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.steps.portfolio.contracts import CriterionResult, UseCase
from pilothouse.steps.portfolio.contracts.strategy import Contribution, NewObjective, ObjectiveLink, RealisedValue
from pilothouse.steps.portfolio.logic import gating, measuring
from pilothouse.steps.portfolio.logic.wording import SLUG, SLUG_LENGTH_MAX

STATEMENT_LENGTH_MAX = 1000


def check_objective(new: NewObjective) -> None:
    """Raise Invalid naming the first field that does not fit."""
    if not (SLUG.fullmatch(new.slug) and len(new.slug) <= SLUG_LENGTH_MAX):
        raise Invalid("a short name is a-z, 0-9 and dashes, such as faster-answers", field="slug")
    if not 3 <= len(new.title.strip()) <= 120:
        raise Invalid("a title has 3 to 120 characters", field="title")
    if not 10 <= len(new.statement.strip()) <= STATEMENT_LENGTH_MAX:
        raise Invalid(f"say in 10 to {STATEMENT_LENGTH_MAX} characters what will be different", field="statement")
    if new.due:
        try:
            date.fromisoformat(new.due)
        except ValueError as problem:
            raise Invalid("write the day as 2026-12-31", field="due") from problem


def check_share(asked: ObjectiveLink, others: float) -> None:
    """Raise unless the shares of one KPI's effect over all objectives stay within 1: nothing is counted twice."""
    if not 0 <= asked.share <= 1:
        raise Invalid("a share is a fraction from 0 to 1", field="share")
    if asked.share + others > 1 + 1e-9:
        raise Conflict(f"{others:.0%} of this effect counts towards other objectives; at most {1 - others:.0%} is left",
                       field="share", left=round(1 - others, 6))


def contribution(u: UseCase, result: CriterionResult, share: float) -> Contribution:
    """Return a KPI's improvement a month, for means counted by the unit of work; shares have no monthly sum."""
    held = Contribution(use_case_id=u.id, slug=u.slug, title=u.title, stage=u.stage, share=share, result=result,
                        per_month=None, low=None, high=None)
    if result.estimate is None or u.volume_per_month is None or result.kpi.shape != "mean":
        return held
    low, high = gating.improvement(result.kpi, result.estimate)
    factor = u.volume_per_month * share
    value = -result.estimate.value if result.kpi.better == "lower" else result.estimate.value
    return replace(held, per_month=value * factor, low=low * factor, high=high * factor)


def realised(contributions: Sequence[Contribution]) -> tuple[RealisedValue, ...]:
    """Add contributions by unit; a unit with no data at all is left out, and a gap is counted as a gap."""
    units = dict.fromkeys(c.result.kpi.unit for c in contributions)
    return tuple(r for unit in units if (r := _realised(unit, [c for c in contributions if c.result.kpi.unit == unit])))


def _realised(unit: str, of_unit: Sequence[Contribution]) -> RealisedValue | None:
    known = [c for c in of_unit if c.per_month is not None]
    if not known:
        return None
    return RealisedValue(
        unit=unit, per_month=sum(c.per_month or 0.0 for c in known), low=sum(c.low or 0.0 for c in known),
        high=sum(c.high or 0.0 for c in known), grade=measuring.weakest([c.result.grade for c in known]),
        counted=len(known), left_out=len(of_unit) - len(known))
