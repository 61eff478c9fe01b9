"""Stage gates: criteria, evidence and facts in, a recommendation out."""

from collections.abc import Mapping, Sequence

from pilothouse.stats.intervals import Estimate, difference, proportion_difference
from pilothouse.stats.summary import Summary
from pilothouse.steps.portfolio.contracts import (
    Baseline,
    CriterionResult,
    GateFact,
    Grade,
    Kpi,
    Stage,
    Status,
    Verdict,
)

NEXT: Mapping[Stage, Stage] = {"idea": "pilot", "pilot": "limited", "limited": "scaled", "scaled": "scaled",
                               "retired": "retired"}
SAMPLES_MIN = 2
NEEDS_EVIDENCE: frozenset[Stage] = frozenset({"pilot", "limited", "scaled"})
"""Gates out of these stages need measured effect; the gate out of `idea` needs baselines and roles, not effect."""


def judge(kpi: Kpi, baseline: Baseline | None, current: Summary, grade: Grade, period: str) -> CriterionResult:
    """Hold one KPI against its bar: met when the whole interval clears it, kill when the whole interval lies under
    the kill line, straddles when the interval contains the bar."""
    estimate = change(kpi, baseline, current)
    return CriterionResult(kpi=kpi, baseline=baseline, estimate=estimate, grade=grade, n_current=current.n,
                           period=period, status=_status(kpi, estimate))


def change(kpi: Kpi, baseline: Baseline | None, current: Summary) -> Estimate | None:
    """Estimate current minus baseline in KPI units; None while either side is too small to say."""
    if baseline is None or baseline.n < SAMPLES_MIN or current.n < SAMPLES_MIN:
        return None
    if kpi.shape == "proportion":
        return proportion_difference((round(baseline.total), baseline.n), (round(current.total), current.n))
    return difference(Summary.from_sums(baseline.n, baseline.total, baseline.total_squares), current)


def improvement(kpi: Kpi, estimate: Estimate) -> tuple[float, float]:
    """Return the interval of the change in the better direction (positive is good), in KPI units."""
    if kpi.better == "lower":
        return -estimate.high, -estimate.low
    return estimate.low, estimate.high


def _status(kpi: Kpi, estimate: Estimate | None) -> Status:
    if estimate is None:
        return "no data"
    low, high = improvement(kpi, estimate)
    if kpi.kill_below is not None and high < kpi.kill_below:
        return "kill"
    if low >= kpi.least_change:
        return "met"
    return "not met" if high < kpi.least_change else "straddles"


def recommend(stage: Stage, results: Sequence[CriterionResult], facts: Sequence[GateFact], *,
              grade_min: Grade = "E0", conditions: bool = False) -> tuple[Verdict, tuple[str, ...]]:
    """Apply the gate's one table, worst news first: kill, recycle, hold, then go (conditional with conditions).

    Evidence under `grade_min` holds: it may be true, but not enough is known about it.
    """
    mandatory = [r for r in results if r.kpi.mandatory]
    if killed := [f"{r.kpi.title}: the whole interval lies under the kill line" for r in results if r.status == "kill"]:
        return "kill", tuple(killed)
    if missing := list(_missing_evidence(stage, mandatory)):
        return "recycle", tuple(missing)
    if doubts := [*_doubts(stage, mandatory), *_weak(stage, mandatory, grade_min), *_open_facts(facts)]:
        return "hold", tuple(doubts)
    return ("conditional go" if conditions else "go"), ("every mandatory criterion is met",)


def _missing_evidence(stage: Stage, mandatory: Sequence[CriterionResult]) -> Sequence[str]:
    if not mandatory:
        return ["no mandatory KPI is defined"]
    if stage not in NEEDS_EVIDENCE:
        return [f"{r.kpi.title}: no frozen baseline" for r in mandatory if r.baseline is None]
    return [f"{r.kpi.title}: no evidence" for r in mandatory if r.status == "no data"]


def _doubts(stage: Stage, mandatory: Sequence[CriterionResult]) -> Sequence[str]:
    if stage not in NEEDS_EVIDENCE:
        return []
    return [f"{r.kpi.title}: " + ("the interval contains the bar" if r.status == "straddles" else "the bar is not met")
            for r in mandatory if r.status in ("straddles", "not met")]


def _weak(stage: Stage, mandatory: Sequence[CriterionResult], grade_min: Grade) -> Sequence[str]:
    return [f"{r.kpi.title}: evidence of grade {r.grade}, and this gate asks for {grade_min} or better"
            for r in mandatory if stage in NEEDS_EVIDENCE and r.estimate and r.grade < grade_min]


def _open_facts(facts: Sequence[GateFact]) -> Sequence[str]:
    return [f"{f.name}: {f.status}; {f.says}" for f in facts if f.mandatory and f.status != "covered"]


def stage_after(stage: Stage, verdict: Verdict) -> Stage:
    """Return the stage a verdict leads to: go advances, kill retires, hold and recycle stay."""
    if verdict == "kill":
        return "retired"
    return NEXT[stage] if verdict in ("go", "conditional go") else stage


SEVERITY: Mapping[Verdict, int] = {"kill": 0, "recycle": 1, "hold": 2, "conditional go": 3, "go": 4}


def allowed(recommended: Verdict, verdict: Verdict) -> bool:
    """Return whether a person may decide this on such evidence: never more generous than the recommendation,
    except that any evidence may be held or killed, and doubts may be overruled only towards caution."""
    if verdict in ("hold", "recycle", "kill"):
        return True
    return SEVERITY[verdict] <= SEVERITY[recommended] and recommended in ("go", "conditional go")
