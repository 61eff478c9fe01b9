"""What adoption offers earlier steps: whether people come back (reason 8)."""

from datetime import date, timedelta

from pilothouse.kernel.store import Reader
from pilothouse.steps.adoption.contracts import COHORT_FLOOR
from pilothouse.steps.adoption.logic.activating import COUNTED
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.portfolio.contracts import GateFact, Standing

WINDOW = timedelta(days=28)
RETURNING_SHARE_MIN = 0.4


class AdoptionFacts:
    """Facts for gates: the share of people of the last four weeks who used it in more than one of them."""

    step = "adoption"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return repeat use; below the cohort floor it is no data."""
        since = (date.fromisoformat(today) - WINDOW).isoformat()
        found = self._gateway.usage(reader, use_case_id=standing.use_case_id, since=since, until=f"{today}~")
        days: dict[str, set[str]] = {}
        for f in found:
            if f.status in COUNTED:
                days.setdefault(f.principal, set()).add(f.asked_at[:10])
        if len(days) < COHORT_FLOOR:
            return (GateFact(name="People come back", step=self.step, status="no data", mandatory=False,
                             says=f"fewer than {COHORT_FLOOR} people used it in four weeks", reason_covered=8,
                             action="Invite the people it is for"),)
        returning = sum(len(d) > 1 for d in days.values()) / len(days)
        covered = returning >= RETURNING_SHARE_MIN
        return (GateFact(name="People come back", step=self.step, status="covered" if covered else "exposed",
                         mandatory=False, reason_covered=8, action="" if covered else "Ask why people do not return",
                         says=f"{returning:.0%} of {len(days)} people used it on more than one day in four weeks"),)
