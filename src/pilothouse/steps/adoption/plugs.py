"""What adoption offers earlier steps: whether people use it week by week, and whether they come back (reason 8)."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from pilothouse.directory.contracts import Person
from pilothouse.kernel.store import Reader
from pilothouse.steps.adoption.api import Adoption
from pilothouse.steps.adoption.contracts import COHORT_FLOOR, WeeklyUse
from pilothouse.steps.adoption.logic import activating, shielding
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.portfolio.contracts import FactStatus, GateFact, Standing

WEEKS = 4
RETURNING_SHARE_MIN = 0.4
WEEKLY_ACTIVE_SHARE_MIN = 0.3


class AdoptionFacts:
    """Facts for gates: weekly active share of the eligible, and the share of active people who come back."""

    step = "adoption"

    def __init__(self, gateway: Gateway, *, adoption: Adoption,
                 people_in: Callable[[Reader], Sequence[Person]]) -> None:
        self._gateway, self._adoption, self._people_in = gateway, adoption, people_in

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return both facts over the last four complete weeks; what would speak about few people is no data."""
        return (*self._weekly(reader, standing, today), self._returning(reader, standing, today))

    def _weekly(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        report = self._adoption.report_in(reader, standing, self._people_in(reader), today=f"{today}~", weeks=WEEKS + 1)
        shown = [r for r in report.rows if not r.unit and r.complete and r.share is not None]
        if not shown:
            return (_fact("People use it", "no data", "no complete week yet of which a share may be told",
                          "Invite the people it is for"),)
        covered = (shown[-1].share or 0) >= WEEKLY_ACTIVE_SHARE_MIN
        return (_fact("People use it", "covered" if covered else "exposed", _says(shown[-1]),
                      "" if covered else "Ask those who do not use it what keeps them"),)

    def _returning(self, reader: Reader, standing: Standing, today: str) -> GateFact:
        weeks = activating.weeks_until(today, WEEKS + 1)[:-1]
        until = (date.fromisoformat(weeks[-1]) + timedelta(weeks=1)).isoformat()
        found = self._gateway.usage(reader, use_case_id=standing.use_case_id, since=weeks[0], until=until)
        active, returned = activating.returning(found, {f.principal for f in found}, weeks)
        share = shielding.returning_share(active, returned, COHORT_FLOOR)
        if share is None:
            few = shielding.RETURNING_FLOORS * COHORT_FLOOR
            return _fact("People come back", "no data", f"fewer than {few} people used it in {WEEKS} complete weeks",
                         "Invite the people it is for")
        covered = share >= RETURNING_SHARE_MIN
        return _fact("People come back", "covered" if covered else "exposed",
                     f"about {share:.0%} of its people used it in more than one of the last {WEEKS} complete weeks",
                     "" if covered else "Ask why people do not return")


def _says(row: WeeklyUse) -> str:
    return (f"{row.share:.0%} of {row.eligible} eligible people used it in the week of {row.week}"
            f" (at least {WEEKLY_ACTIVE_SHARE_MIN:.0%} wanted)")


def _fact(name: str, status: FactStatus, says: str, action: str) -> GateFact:
    return GateFact(name=name, step=AdoptionFacts.step, status=status, says=says, action=action, mandatory=False,
                    reason_covered=8)
