"""What the gateway offers earlier steps from its own records: facts for gates, samples of KPIs, measured cost."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from math import sqrt

from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.store import Database, Reader
from pilothouse.stats.summary import summarize
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.gateway.contracts import UsageFact
from pilothouse.steps.portfolio.contracts import GateFact, Standing, UseCaseId
from pilothouse.steps.portfolio.contracts.cases import Measurement, TieKind
from pilothouse.steps.portfolio.contracts.samples import Feed, Pulled

STEP = "gateway"
COST_PER_ANSWER = "cost per answer"
WINDOW = timedelta(days=28)
ANSWERS_MIN = 20
FAILED_SHARE_MAX = 0.05
REFUSED_SHARE_MAX = 0.10
LATENCY_MS_MAX = 10_000.0
"""95 % of answers should come faster; people stop waiting about there."""


class GatewayFacts:
    """Facts of the last four weeks; too few answers are no data."""

    step = STEP

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return running cost, reliability and speed as of `today` (ISO date)."""
        since = (date.fromisoformat(today) - WINDOW).isoformat()
        found = self._gateway.usage(reader, use_case_id=standing.use_case_id, since=since, until=f"{today}~")
        done = [u for u in found if u.status in ("final", "held")]
        if len(done) < ANSWERS_MIN:
            return (_unknown(len(done)),)
        entries = tuple(u.given_seq for u in done[-5:] if u.given_seq is not None)
        return (_cost(done, entries), _failing(found), _refusing(found), _speed(done, entries))


def _unknown(answers: int) -> GateFact:
    return GateFact(name="Running cost", step=STEP, status="no data", mandatory=False, reason_covered=4,
                    says=f"{answers} answers in four weeks are too few to say (at least {ANSWERS_MIN})",
                    action="Put the use case in front of the people it is for")


def _cost(done: Sequence[UsageFact], entries: tuple[int, ...]) -> GateFact:
    total, unpriced = sum(u.cost_eur or 0.0 for u in done), sum(u.cost_eur is None for u in done)
    return GateFact(name="Running cost", step=STEP, status="exposed" if unpriced else "covered", mandatory=False,
                    reason_covered=4, entries=entries, action="Give the route a price" if unpriced else "",
                    says=f"EUR {total:.2f} for {len(done)} answers in four weeks"
                    + (f"; {unpriced} have no price" if unpriced else ""))


def _failing(found: Sequence[UsageFact]) -> GateFact:
    share = sum(u.status == "failed" for u in found) / len(found)
    good = share <= FAILED_SHARE_MAX
    return GateFact(name="Answers fail rarely", step=STEP, status="covered" if good else "exposed", mandatory=False,
                    reason_covered=3, says=f"{share:.1%} of {len(found)} questions got no answer from any model",
                    action="" if good else "Look at the model routes and their time limits")


def _refusing(found: Sequence[UsageFact]) -> GateFact:
    share = sum(u.status == "refused" for u in found) / len(found)
    good = share <= REFUSED_SHARE_MAX
    return GateFact(name="Refusals are rare", step=STEP, status="covered" if good else "exposed", mandatory=False,
                    reason_covered=7, says=f"{share:.1%} of {len(found)} questions were refused by a guardrail",
                    action="" if good else "Read the refusals: either people need a course or the policy is too strict")


def _speed(done: Sequence[UsageFact], entries: tuple[int, ...]) -> GateFact:
    measured = sorted(u.latency_ms for u in done if u.latency_ms is not None)
    p95 = measured[min(len(measured) - 1, int(0.95 * len(measured)))] if measured else None
    good = p95 is not None and p95 <= LATENCY_MS_MAX
    return GateFact(name="Answers come fast", step=STEP, mandatory=False, reason_covered=9, entries=entries,
                    status="no data" if p95 is None else "covered" if good else "exposed",
                    says="no answer was timed" if p95 is None else f"95 % of answers came within {p95:,.0f} ms",
                    action="" if good else "Look at the slowest route, or read fewer passages")


MEASURES: Mapping[str, Callable[[UsageFact], float | None]] = {
    "answers held": lambda u: float(u.status == "held"),
    "answers refused": lambda u: float(u.status == "refused"),
    "answers failed": lambda u: float(u.status == "failed"),
    "cost per answer": lambda u: u.cost_eur,
    "seconds to answer": lambda u: None if u.latency_ms is None else u.latency_ms / 1000,
    "tokens per answer": lambda u: float(u.tokens_in + u.tokens_out),
}
"""What can be measured of each answer: 0 or 1, EUR, seconds, tokens; None where the answer has none."""


class LedgerSamples:
    """The source `ledger`: one observation an answer, in the order of the entries that record them.

    An answer counts as it stands when it is read: held then is held, whatever a reviewer says later.
    """

    def __init__(self, gateway: Gateway, database: Database) -> None:
        self._gateway, self._database = gateway, database

    def check(self, feed: Feed) -> None:
        if feed.query not in MEASURES:
            raise Invalid(f"there is no measure `{feed.query[:60]}`; there are: {', '.join(MEASURES)}", field="query")

    async def pull(self, feed: Feed, *, until: datetime, limit: int) -> Pulled:
        self.check(feed)
        after = int(feed.position or -1)
        found = await self._database.read(lambda r: self._gateway.usage_after(
            r, feed.use_case_id, after=after, limit=limit + 1))
        page = [u for u in found[:limit] if u.asked_at <= stamp(until)]
        measured = [(u.asked_at, MEASURES[feed.query](u)) for u in page]
        held = [(at, v) for at, v in measured if v is not None]
        last = page[-1].given_seq if page else None
        return Pulled(values=tuple(v for _, v in held), times=tuple(at for at, _ in held),
                      position=feed.position if last is None else str(last), missing=len(page) - len(held),
                      more=len(found) > limit and len(page) == limit)


class GatewayCosts:
    """What one answer costs in tokens, measured over four weeks: business cases tie to it instead of guessing."""

    kind: TieKind = "gateway"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def measurement(self, reader: Reader, use_case_id: UseCaseId, ref: str, today: str) -> Measurement | None:
        """Return the mean cost of an answer (EUR) with its standard error; None below 20 answers that have a price."""
        since = (date.fromisoformat(today) - WINDOW).isoformat()
        found = self._gateway.usage(reader, use_case_id=use_case_id, since=since, until=f"{today}~")
        priced = [u for u in found if u.cost_eur is not None]
        costs = summarize([u.cost_eur for u in priced if u.cost_eur is not None])
        if ref != COST_PER_ANSWER or costs.n < ANSWERS_MIN or costs.mean is None or costs.variance is None:
            return None
        entries = tuple(u.given_seq for u in priced[-5:] if u.given_seq is not None)
        return Measurement(mean=costs.mean, sd=sqrt(costs.variance / costs.n), n=costs.n, unit="EUR/answer", grade="E2",
                           source=f"gateway's own records, {costs.n} answers", period=f"{since} to {today}",
                           entries=entries)
