"""The façade of adoption: weekly use by unit, computed on read, small groups shielded."""

from collections.abc import Iterable

from pilothouse.directory.api import Directory
from pilothouse.directory.contracts import Person
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.codec import convert
from pilothouse.kernel.operation import operation
from pilothouse.kernel.store import Database, Reader
from pilothouse.steps.adoption.contracts import COHORT_FLOOR, AdoptionQuery, UsageReport
from pilothouse.steps.adoption.errors import TooManyWeeks
from pilothouse.steps.adoption.logic import activating, shielding
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import GateDecided, Standing, UseCaseRef

WEEKS_MAX = 104
RETURNING_WEEKS = 4


class Adoption:
    """Who could use a use case and who did; never about fewer than five people."""

    def __init__(self, *, database: Database, directory: Directory, portfolio: Portfolio, gateway: Gateway) -> None:
        self._database, self._directory = database, directory
        self._portfolio, self._gateway = portfolio, gateway

    @operation("GET /api/v1/use-cases/{use_case}/adoption", effect="read")
    async def report(self, call: Call, request: AdoptionQuery) -> UsageReport:
        """Return eligible and active people, share and tasks by unit and week."""
        call.authorize("adoption:read", on=request.use_case)
        if not 1 <= request.weeks <= WEEKS_MAX:
            raise TooManyWeeks(f"ask for 1 to {WEEKS_MAX} weeks", field="weeks", limit=WEEKS_MAX)
        standing = await self._portfolio.standing(call, UseCaseRef(use_case=request.use_case))
        people = await self._directory.everybody()
        return await self._database.read(
            lambda r: self.report_in(r, standing, people, today=stamp(call.at), weeks=request.weeks))

    def report_in(self, reader: Reader, standing: Standing, people: Iterable[Person], *, today: str, weeks: int
                  ) -> UsageReport:
        """Count from raw facts in an open snapshot as of an instant (the caller authorizes)."""
        # Whatever is asked for, the last weeks are read: the share of people who return is taken of them.
        mondays = activating.weeks_until(today, max(weeks, RETURNING_WEEKS + 1))
        facts = [f for f in self._gateway.usage(reader, use_case_id=standing.use_case_id) if f.asked_at <= today]
        units, pooled = shielding.pool(eligible(standing, people), COHORT_FLOOR)
        known = activating.weekly(facts, units, mondays[-weeks:],
                                  first=activating.first_week(_live_since(reader, standing), facts))
        rows = shielding.shield(known, COHORT_FLOOR)
        back = activating.returning(facts, frozenset[str]().union(*units.values()), mondays[-RETURNING_WEEKS - 1:-1])
        return UsageReport(use_case_id=standing.use_case_id, rows=rows, floor=COHORT_FLOOR, formula=activating.FORMULA,
                           withheld=sum(shown != row for shown, row in zip(rows, known, strict=True)), pooled=pooled,
                           returning_share=shielding.returning_share(*back, COHORT_FLOOR),
                           demo=any(f.demo for f in facts))


def eligible(standing: Standing, people: Iterable[Person]) -> dict[str, frozenset[str]]:
    """Return the people a use case is for, by unit."""
    found: dict[str, set[str]] = {}
    for p in people:
        wanted = p.unit in standing.units or not standing.units
        if p.unit and wanted and not p.disabled and p.kind == "human":
            found.setdefault(p.unit, set()).add(p.id)
    return {unit: frozenset(members) for unit, members in found.items()}


def _live_since(reader: Reader, standing: Standing) -> str:
    """Return when a gate first let people in, simulated time where that is what counts; empty before."""
    for entry in reader.entries(stream=f"use_case/{standing.use_case_id}", kinds=(GateDecided.kind,)):
        decided = convert(dict(entry.body), GateDecided)
        if decided.was == "idea" and decided.now not in ("idea", "retired"):
            return str(entry.when)
    return ""
