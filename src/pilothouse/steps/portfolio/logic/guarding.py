"""Guardrails: a counter-metric must not worsen by more than its margin, judged by its whole interval."""

from pilothouse.steps.portfolio.contracts import CriterionResult, FactStatus, GateFact
from pilothouse.steps.portfolio.logic import gating


def fact(result: CriterionResult, margin: float, guarded: str, entries: tuple[int, ...]) -> GateFact:
    """Return what a guardrail says: broken when the whole interval is worse than the margin, which holds the gate.

    Kept when the whole interval is better than the margin (one-sided non-inferiority); in between it is not known,
    which is shown and holds nothing, as it does while nothing was measured.
    """
    status, says = _judged(result, margin)
    return GateFact(name=f"Guardrail {result.kpi.title}", step="portfolio", status=status,
                    mandatory=status == "exposed", says=f"{says}; it watches over {guarded}", reason_covered=5,
                    entries=entries, action={"exposed": f"Find out what worsened {result.kpi.title} before going on",
                            "no data": f"Measure {result.kpi.title} before and after"}.get(status, ""))


def _judged(result: CriterionResult, margin: float) -> tuple[FactStatus, str]:
    unit = result.kpi.unit
    if result.estimate is None:
        return "no data", "no change has been measured yet"
    low, high = gating.improvement(result.kpi, result.estimate)
    said = f"it changed by {low:+.4g} to {high:+.4g} {unit} (better is up), and may worsen by {margin:g}"
    if high < -margin:
        return "exposed", said
    return ("covered", said) if low >= -margin else ("no data", f"{said}, so that cannot be told yet")
