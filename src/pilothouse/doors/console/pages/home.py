"""Home: what waits for this person, what changed, and how long work stands."""

from collections.abc import Mapping

from pilothouse.doors.console.contexts import HomePage, Waiting
from pilothouse.doors.console.desk import Answered, Desk, Page, Places
from pilothouse.kernel.call import Call
from pilothouse.kernel.explorer import EntryQuery
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.operation import NoFields
from pilothouse.platform import Platform
from pilothouse.steps.gateway.contracts import Explained
from pilothouse.steps.oversight.contracts import ReviewQuery
from pilothouse.steps.portfolio.contracts import PortfolioQuery, UseCase, UseCaseRef
from pilothouse.steps.portfolio.contracts.samples import StaleQuery

places = Places()
CHANGED_MAX = 8


@places.get("/")
async def home(desk: Desk) -> Answered:
    """Show the desk of whoever is signed in."""
    jobs = [j for j in await desk.platform.jobs.list() if j.state in ("waiting", "running", "failed")]
    answers = await desk.platform.gateway.my_answers(desk.call, NoFields())
    use_cases = await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery())
    working = any(j.state in ("waiting", "running") for j in jobs)
    return Page(template="home.html", title="Home", rail="home", demo=any(u.demo for u in use_cases) or working,
                refresh_s=3 if working else 0, context=HomePage(
                    waiting=await waiting(desk.platform, desk.call), jobs=tuple(jobs), answers=_latest(answers),
                    changed=await _changed(desk), use_cases=use_cases))


def _latest(answers: tuple[Explained, ...]) -> tuple[Explained, ...]:
    return answers[:CHANGED_MAX]


async def _changed(desk: Desk) -> tuple[Entry, ...]:
    if not desk.call.may("ledger:read", on="*"):
        return ()
    found = await desk.platform.ledger.entries(desk.call, EntryQuery(kind="portfolio.gate_decided", limit=CHANGED_MAX,
                                                                     newest_first=True))
    return tuple(found)


async def waiting(platform: Platform, call: Call) -> tuple[Waiting, ...]:
    """Return what a person must do: reviews, and gates that somebody other than the owner decides."""
    found: list[Waiting] = []
    if call.may("oversight:review", on="*"):
        for r in await platform.oversight.list_reviews(call, ReviewQuery(limit=50)):
            found.append(Waiting(rail="oversight", title=f"Review: {r.use_case}", address=f"/reviews/{r.id}",
                                 since=r.opened_at, urgent=r.is_overdue))
    for late in await platform.samples.stale(call, StaleQuery(owner=call.principal.id)):
        found.append(Waiting(rail="portfolio", title=f"Measure {late.kpi_title} of {late.title}: {late.status}",
                             address=f"/use-cases/{late.use_case}/kpis/{late.kpi}#import", since=late.due_by,
                             urgent=False))
    if call.may("use_case:decide", on="*"):
        for u in await platform.portfolio.list_use_cases(call, PortfolioQuery()):
            if _decides(u, call):
                gate = await platform.portfolio.assess_gate(call, UseCaseRef(use_case=u.id))
                if gate.recommended in ("go", "conditional go", "kill"):
                    found.append(Waiting(rail="portfolio", title=f"Decide the gate of {u.title}: {gate.recommended}",
                                         address=f"/use-cases/{u.slug}#decide", since=u.proposed_at,
                                         urgent=gate.recommended == "kill"))
    return tuple(found)


def _decides(u: UseCase, call: Call) -> bool:
    others = call.principal.id not in (u.owner, u.proposed_by)
    return others and not u.trial and u.stage in ("idea", "pilot", "limited")


async def counts(platform: Platform, call: Call) -> Mapping[str, int]:
    """Return how much waits for a person in each entry of the rail: only what is cheap to count."""
    if not call.may("oversight:review", on="*"):
        return {}
    return {"oversight": len(await platform.oversight.list_reviews(call, ReviewQuery(limit=99)))}
