"""The ten reasons why pilots fail, held against the facts that every step offers."""

from collections.abc import Sequence

from pilothouse.steps.portfolio.contracts import CriterionResult, FactStatus, GateFact, Reason, Standing

TITLES = (
    "No clear objective or use case", "Missing AI skills", "Poor integration with business processes",
    "Misaligned resources", "Unrealistic expectations", "Data quality and governance", "Privacy and security",
    "Resistance to change", "No way to scale", "No governance or operating model",
)


def diagnose(facts: Sequence[GateFact]) -> tuple[Reason, ...]:
    """Return all ten reasons in the playbook's order; a reason nobody has facts on is `no data`, never covered."""
    return tuple(_reason(n, [f for f in facts if f.reason_covered == n]) for n in range(1, 11))


def _reason(number: int, facts: Sequence[GateFact]) -> Reason:
    action = next((f.action for f in facts if f.status != "covered" and f.action), "")
    return Reason(number=number, title=TITLES[number - 1], status=worst(facts), facts=tuple(facts), action=action)


def worst(facts: Sequence[GateFact]) -> FactStatus:
    """Join facts: one exposed exposes, one unknown leaves it unknown, and only all covered cover."""
    found = {f.status for f in facts}
    if "exposed" in found:
        return "exposed"
    return "covered" if found == {"covered"} else "no data"


def own_facts(standing: Standing, results: Sequence[CriterionResult]) -> tuple[GateFact, ...]:
    """Return what step 1 itself knows: a measurable objective (reason 1), and expectations met (reason 5)."""
    return (_objective(results), _expectation(results))


def _objective(results: Sequence[CriterionResult]) -> GateFact:
    mandatory = [r for r in results if r.kpi.mandatory]
    frozen = [r for r in mandatory if r.baseline]
    ready = bool(mandatory) and len(frozen) == len(mandatory)
    return GateFact(name="Objective and baseline", step="portfolio", status="covered" if ready else "exposed",
                    says=f"{len(frozen)} of {len(mandatory)} mandatory KPIs have a frozen baseline",
                    mandatory=False, reason_covered=1, action="" if ready else "Define a KPI and freeze its baseline")


def _expectation(results: Sequence[CriterionResult]) -> GateFact:
    judged = [r for r in results if r.kpi.mandatory and r.estimate]
    if not judged:
        return GateFact(name="Expectation against evidence", step="portfolio", status="no data",
                        says="no effect has been measured yet", mandatory=False, reason_covered=5,
                        action="Measure the KPI with the use case in hand")
    met = [r for r in judged if r.status == "met"]
    return GateFact(name="Expectation against evidence", step="portfolio",
                    status="covered" if len(met) == len(judged) else "exposed",
                    says=f"{len(met)} of {len(judged)} measured KPIs clear their bar", mandatory=False,
                    reason_covered=5, action="" if len(met) == len(judged) else "Lower the expectation or stop")
