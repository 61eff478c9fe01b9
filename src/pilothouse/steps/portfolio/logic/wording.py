"""Proposals and rows into the values the portfolio speaks of, with every limit stated."""

import re
import unicodedata
from collections.abc import Sequence

from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.store import Row
from pilothouse.steps.portfolio.contracts import Batch, Kpi, Period, Proposal, Standing, Triage, UseCase, UseCaseId
from pilothouse.steps.portfolio.logic import gauging

PERIODS: tuple[Period, ...] = ("baseline", "current")
TITLE_LENGTH_MAX, PROBLEM_LENGTH_MAX, SLUG_LENGTH_MAX = 120, 4000, 60
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def check(p: Proposal) -> None:
    """Raise Invalid naming the first field that does not fit its stated limit."""
    if not 3 <= len(p.title.strip()) <= TITLE_LENGTH_MAX:
        raise Invalid(f"a title has 3 to {TITLE_LENGTH_MAX} characters", field="title")
    if not 10 <= len(p.problem.strip()) <= PROBLEM_LENGTH_MAX:
        raise Invalid(f"describe the problem in 10 to {PROBLEM_LENGTH_MAX} characters", field="problem")
    if not p.unit_of_work.strip():
        raise Invalid("name what is counted, such as `complaint handled`", field="unit_of_work")
    for name, amount in (("volume_per_month", p.volume_per_month), ("current_cost_eur", p.current_cost_eur)):
        if amount is not None and amount < 0:
            raise Invalid("an amount cannot be negative; leave it out while it is unknown", field=name)
    if len(p.kill_criteria) > PROBLEM_LENGTH_MAX:
        raise Invalid(f"say when to stop in at most {PROBLEM_LENGTH_MAX} characters", field="kill_criteria")
    if p.slug and not (SLUG.fullmatch(p.slug) and len(p.slug) <= SLUG_LENGTH_MAX):
        raise Invalid(f"a short name is a-z, 0-9 and dashes, up to {SLUG_LENGTH_MAX} characters", field="slug")


def check_kpi(k: Kpi) -> None:
    """Raise Invalid naming the field of a KPI that does not fit."""
    if not (SLUG.fullmatch(k.slug) and len(k.slug) <= SLUG_LENGTH_MAX):
        raise Invalid("a KPI's short name is a-z, 0-9 and dashes, such as handling-time", field="slug")
    if k.least_change < 0:
        raise Invalid("say how far it must move in the better direction, as a positive number", field="least_change")
    if k.kill_below is not None and k.kill_below > k.least_change:
        raise Invalid("the kill line must lie at or under the bar", field="kill_below")
    if k.shape == "proportion" and k.least_change > 1:
        raise Invalid("a share moves by at most 1 (= 100 points)", field="least_change")
    gauging.check_shape(k.unit, k.shape)


def slug_of(p: Proposal) -> str:
    """Return the proposal's short name, made from the title where none was chosen."""
    if p.slug:
        return p.slug
    plain = unicodedata.normalize("NFKD", p.title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH_MAX].strip("-") or "use-case"


def use_case_of(p: Proposal, *, id: UseCaseId, by: str, at: str, triage: Triage, trial: bool, demo: bool) -> UseCase:
    """Return the use case a proposal becomes, as an idea."""
    return UseCase(
        id=id, slug=slug_of(p), title=p.title.strip(), problem=p.problem.strip(), outcome=p.outcome,
        unit_of_work=p.unit_of_work, volume_per_month=p.volume_per_month, current_cost_eur=p.current_cost_eur,
        audience=p.audience, autonomy=p.autonomy, data_classes=p.data_classes, geographies=p.geographies, units=p.units,
        sources=p.sources, owner=p.owner or by, proposed_by=by, risk_tier="minimal" if trial else triage.risk_tier,
        tier_reasons=("trial, asked only by its owner",) if trial else triage.reasons,
        stage="pilot" if trial else "idea", trial=trial, proposed_at=at, demo=demo,
        benefit_owner=p.benefit_owner, kill_criteria=p.kill_criteria.strip())


def standing_of(u: UseCase) -> Standing:
    return Standing(use_case_id=u.id, slug=u.slug, title=u.title, stage=u.stage, risk_tier=u.risk_tier, owner=u.owner,
                    units=u.units, sources=u.sources, trial=u.trial)


def batch_of(r: Row, period: Period) -> Batch:
    """Return a stored batch as provenance shows it."""
    n, total = int(r["n"] or 0), float(r["total"] or 0)
    return Batch(id=str(r["id"]), period=period, source=str(r["source"]), instrument=str(r["instrument"]),
                 grade=r["grade"], starts_on=str(r["starts_on"]), ends_on=str(r["ends_on"]), n=n,  # type: ignore[arg-type]
                 mean=total / n, digest=str(r["digest"]), seq=int(r["seq"] or 0), demo=bool(r["demo"]))


def joined(rows: Sequence[Row], column: str) -> str:
    """Join the distinct non-empty words of a column, in order of appearance."""
    return "; ".join(dict.fromkeys(str(r[column]) for r in rows if r[column]))
