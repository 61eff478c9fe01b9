"""Measurements into inputs: a tied number takes its distribution, grade and source from what was measured."""

from dataclasses import replace
from decimal import Decimal

from pilothouse.kernel.errors import Invalid
from pilothouse.stats.eliciting import HIGH
from pilothouse.stats.student import z_quantile
from pilothouse.steps.portfolio.contracts import CriterionResult, Kpi
from pilothouse.steps.portfolio.contracts.cases import Case, Input, Measurement
from pilothouse.steps.portfolio.contracts.experiments import ExperimentResult
from pilothouse.steps.portfolio.logic import gating

DIGITS = Decimal("1e-9")


def of_kpi(result: CriterionResult) -> Measurement | None:
    """Return a KPI's improvement against its frozen baseline (positive is good) as a measurement, or None."""
    if result.estimate is None or result.baseline is None:
        return None
    low, high = gating.improvement(result.kpi, result.estimate)
    sd = (high - low) / (2 * z_quantile(result.estimate.confidence))
    kpi, b = result.kpi, result.baseline
    return Measurement(mean=abs(result.estimate.value) if _improved(result) else -abs(result.estimate.value), sd=sd,
                       n=result.estimate.n, unit=kpi.unit, grade=result.grade,
                       source=f"KPI `{kpi.slug}` against baseline version {b.version} ({result.estimate.method})",
                       period=result.period or f"{b.starts_on} to {b.ends_on}", baseline_version=b.version)


def of_experiment(result: ExperimentResult, kpi: Kpi) -> Measurement | None:
    """Return a concluded pilot's effect (positive is good) as a measurement, or None without an interval."""
    e = result.effect
    if e is None or e.low is None or e.high is None:
        return None
    sign = -1 if kpi.better == "lower" else 1
    return Measurement(mean=sign * e.value, sd=(e.high - e.low) / (2 * z_quantile(e.confidence)), n=e.n, unit=e.unit,
                       grade=result.grade, period=e.period, entries=(result.seq,),
                       source=f"experiment `{result.slug}`, {result.verdict} ({e.method})")


def _improved(result: CriterionResult) -> bool:
    assert result.estimate is not None
    return (result.estimate.value < 0) == (result.kpi.better == "lower")


def tied(given: Input, measured: Measurement | None, *, field: str) -> Input:
    """Return the input with the measurement's distribution; raises Invalid when there is nothing to tie to."""
    if measured is None:
        raise Invalid(f"nothing has been measured under `{given.tied_to}` yet; untie the input and write low, likely"
                      " and high, or measure first", field=f"{field}.tied_to")
    if measured.unit.partition("/")[0] != given.unit.partition("/")[0]:
        raise Invalid(f"`{given.tied_to}` is measured in {measured.unit}, this input is in {given.unit}; tie what has"
                      " the same unit", field=f"{field}.unit")
    z = z_quantile(2 * HIGH - 1)
    low, high = measured.mean - z * measured.sd, measured.mean + z * measured.sd
    return replace(given, low=_decimal(low), likely=_decimal(measured.mean), high=_decimal(high),
                   mean=_decimal(measured.mean), sd=_decimal(measured.sd), grade=measured.grade, source=measured.source,
                   period=measured.period, entries=measured.entries, baseline_version=measured.baseline_version)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(DIGITS)


def put(case: Case, field: str, given: Input) -> Case:
    """Return the case with one input replaced, by its field path."""
    head, _, name = field.partition(".")
    if head == "adoption":
        return replace(case, adoption=replace(case.adoption, **{name: given}))  # type: ignore[arg-type]
    kind, i = head.split("[")[0], int(head.split("[")[1].rstrip("]"))
    if kind == "costs":
        costs = [replace(c, amount=given) if n == i else c for n, c in enumerate(case.costs)]
        return replace(case, costs=tuple(costs))
    drivers = [replace(d, **{name: given}) if n == i else d for n, d in enumerate(case.drivers)]  # type: ignore[arg-type]
    return replace(case, drivers=tuple(drivers))


def cleared(given: Input) -> Input:
    """Return a tied input without what an earlier tie filled in, so that nobody can hand in a measurement."""
    if not given.tie:
        return replace(given, mean=None, sd=None, baseline_version=0, entries=())
    return replace(given, mean=None, sd=None, baseline_version=0, entries=(), grade="E0")
