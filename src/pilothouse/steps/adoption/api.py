"""The façade of adoption: weekly use by unit, computed on read, small groups shielded."""

from pilothouse.directory.api import Directory
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.operation import operation
from pilothouse.kernel.store import Database
from pilothouse.steps.adoption.contracts import COHORT_FLOOR, AdoptionQuery, UsageReport
from pilothouse.steps.adoption.errors import TooManyWeeks
from pilothouse.steps.adoption.logic import activating, shielding
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import Standing, UseCaseRef

WEEKS_MAX = 104


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
        return await self.counted(standing, stamp(call.at), request.weeks)

    async def counted(self, standing: Standing, today: str, weeks: int) -> UsageReport:
        """Count from raw facts as of an instant (the caller authorizes)."""
        mondays = activating.weeks_until(today, weeks)
        facts = await self._database.read(lambda r: self._gateway.usage(r, use_case_id=standing.use_case_id))
        known = activating.weekly(facts, await self._eligible(standing), mondays)
        rows = shielding.shield(known, COHORT_FLOOR)
        return UsageReport(use_case_id=standing.use_case_id, rows=rows, floor=COHORT_FLOOR, formula=activating.FORMULA,
                           withheld=sum(shown != row for shown, row in zip(rows, known, strict=True)),
                           demo=any(f.demo for f in facts))

    async def _eligible(self, standing: Standing) -> dict[str, frozenset[str]]:
        """Return the people a use case is for, by unit."""
        found: dict[str, set[str]] = {}
        for p in await self._directory.everybody():
            wanted = p.unit in standing.units or not standing.units
            if p.unit and wanted and not p.disabled and p.kind == "human":
                found.setdefault(p.unit, set()).add(p.id)
        return {unit: frozenset(people) for unit, people in found.items()}
