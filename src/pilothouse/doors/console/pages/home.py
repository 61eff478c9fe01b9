"""Home: what waits for this person, what changed, and how long work stands."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pilothouse.doors.console import charts, kpi_charts
from pilothouse.doors.console.charts import Chart
from pilothouse.doors.console.contexts import HomePage, Milestone, Pictured, Waiting, WorkPage
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places
from pilothouse.doors.console.rendering import number
from pilothouse.doors.console.stories import story_of
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Missing
from pilothouse.kernel.explorer import EntryQuery
from pilothouse.kernel.jobs import Job
from pilothouse.kernel.operation import NoFields
from pilothouse.kernel.work import JobRef, Work
from pilothouse.platform import Platform
from pilothouse.steps.gateway.contracts import Explained
from pilothouse.steps.oversight.contracts import ReviewQuery
from pilothouse.steps.portfolio.contracts import PortfolioQuery, UseCase, UseCaseRef
from pilothouse.steps.portfolio.contracts.samples import StaleQuery

places = Places()
CHANGED_MAX, LOOKED_AT = 8, 500
ROLES = ("administrator", "sponsor", "risk", "owner", "reviewer", "engineer")
Rows = Sequence[Mapping[str, Any]]
MATRIX_COLUMNS = ("Use case", "Complexity, points", "Work today")
DEMO_HISTORY = "demo.history"
SHOWN = frozenset({"waiting", "running", "failed"})


@places.get("/")
async def home(desk: Desk) -> Answered:
    """Show the desk of whoever is signed in: seven roles, seven homes."""
    jobs = [j for j in await _work(desk) if j.state in SHOWN]
    answers = await desk.platform.gateway.my_answers(desk.call, NoFields())
    use_cases = await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery())
    working = any(j.state in ("waiting", "running") for j in jobs)
    since, changes = await _changes(desk, use_cases)
    return Page(template="home.html", title="Home", rail="home", demo=any(u.demo for u in use_cases) or working,
                refresh_s=3 if working else 0, context=HomePage(
                    role=_role(desk.call), picture=await _picture(desk, use_cases), since=since, changes=changes,
                    waiting=await waiting(desk.platform, desk.call), jobs=tuple(jobs), answers=_latest(answers),
                    use_cases=use_cases))


async def _work(desk: Desk) -> Sequence[Work | Job]:
    """Return the long work a person may see; that the demo's history is being loaded, everybody may know."""
    if desk.call.may("jobs:read", on="*"):
        return await desk.platform.work.list_jobs(desk.call, NoFields())
    return await desk.platform.jobs.list(kind=DEMO_HISTORY)


def _role(call: Call) -> str:
    """Return the role one mostly works in: the first of these that was granted."""
    held = {g.role for g in call.principal.grants}
    return next((r for r in ROLES if r in held), "employee")


def _latest(answers: tuple[Explained, ...]) -> tuple[Explained, ...]:
    return answers[:CHANGED_MAX]


async def _changes(desk: Desk, use_cases: Sequence[UseCase]) -> tuple[str, tuple[tuple[str, Milestone], ...]]:
    """Return when one was here before, and the milestones of all use cases since then, newest first."""
    if not desk.call.may("ledger:read", on="*"):
        return "", ()
    visits = await desk.platform.ledger.entries(desk.call, EntryQuery(
        stream=f"person/{desk.call.principal.id}", kind="directory.signed_in", newest_first=True, limit=2))
    since = visits[1].at if len(visits) > 1 else ""
    entries = await desk.platform.ledger.entries(desk.call, EntryQuery(newest_first=True, limit=LOOKED_AT))
    slugs = {f"use_case/{u.id}": u.slug for u in use_cases}
    told = [(slugs[e.stream], m) for e in entries if e.stream in slugs and e.at > since for m in story_of([e])]
    return since, tuple(told[:CHANGED_MAX])


async def _picture(desk: Desk, use_cases: Sequence[UseCase]) -> Pictured | None:
    """Return the picture that a role opens the day with, where there is something to draw."""
    role = _role(desk.call)
    if role == "owner":
        return await _own_kpi(desk, use_cases)
    if role in ("sponsor", "administrator"):
        chart = kpi_charts.matrix(await desk.platform.portfolio.matrix(desk.call, NoFields()))
        return Pictured(title="What the work costs today, against complexity", chart=replace(
            chart, brushes="", table_at="", columns=MATRIX_COLUMNS, rows=_cells(chart))) if chart else None
    name = ROLE_PICTURES.get(role, "mine")
    title, chart = COUNTED[name].title, await _counted_chart(desk, name)
    return Pictured(title=title, chart=chart) if chart else None


def _cells(chart: Chart) -> tuple[tuple[str, ...], ...]:
    return tuple((str(d["title"]), str(d["complexity"]), str(d["cost"])) for d in chart.spec["data"]["values"])


async def _counted_chart(desk: Desk, name: str) -> Chart | None:
    counted = COUNTED[name]
    rows = await counted.rows(desk)
    if not rows:
        return None
    return Chart(address=f"/home/{name}.svg", spec=charts.bars(rows, title=counted.counts), source=counted.source,
                 says="; ".join(f"{r['name']}: {r['value']}" for r in rows) + ".", columns=("", counted.counts),
                 rows=tuple((str(r["name"]), number(r["value"])) for r in rows))


async def _own_kpi(desk: Desk, use_cases: Sequence[UseCase]) -> Pictured | None:
    for u in (u for u in use_cases if u.owner == desk.call.principal.id and u.stage not in ("idea", "retired")):
        for k in await desk.platform.portfolio.kpis(desk.call, UseCaseRef(use_case=u.id)):
            if chart := kpi_charts.kpi_change(k, u.slug):
                return Pictured(title=f"{u.title}: {k.kpi.title}", chart=chart)
    return None


@places.get("/home/{picture}.svg")
async def drawing(desk: Desk) -> Answered:
    """Draw the picture of a home."""
    if desk.path["picture"] not in COUNTED:
        raise Missing("there is no such picture")
    return desk.picture(await _counted_chart(desk, desk.path["picture"]))


async def _queue(desk: Desk) -> Rows:
    waiting_reviews = await desk.platform.oversight.list_reviews(desk.call, ReviewQuery(limit=99))
    titles = await _titles(desk.platform, desk.call)
    return _counted(Counter(titles.get(r.use_case, r.use_case) + (", overdue" if r.is_overdue else "")
                            for r in waiting_reviews))


async def _titles(platform: Platform, call: Call) -> Mapping[str, str]:
    """Return the titles of use cases by short name."""
    return {u.slug: u.title for u in await platform.portfolio.list_use_cases(call, PortfolioQuery())}


async def _sources(desk: Desk) -> Rows:
    found = await desk.platform.knowledge.list_sources(desk.call, NoFields())
    return [{"name": s.name, "value": s.passages} for s in found if s.passages]


async def _reasons(desk: Desk) -> Rows:
    rows = await desk.platform.board.heat_map(desk.call, NoFields())
    return _counted(Counter(f"{x.number} {x.title}" for r in rows for x in r.reasons if x.status == "exposed"))


async def _mine(desk: Desk) -> Rows:
    mine = await desk.platform.gateway.my_answers(desk.call, NoFields())
    titles = await _titles(desk.platform, desk.call)
    return _counted(Counter(f"{titles.get(m.answer.use_case, m.answer.use_case)}, {m.answer.status}" for m in mine))


def _counted(counts: Mapping[str, int]) -> Rows:
    return [{"name": name, "value": n} for name, n in counts.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Counts by name: what is counted, from where, and the question that the picture answers."""

    title: str
    counts: str
    source: str
    rows: Callable[[Desk], Awaitable[Rows]]


COUNTED: Mapping[str, Counted] = {
    "queue": Counted(title="The review queue", counts="reviews that wait", source="Reviews that wait, by use case.",
                     rows=_queue),
    "sources": Counted(title="What is in", counts="passages", source="Passages served, by source.", rows=_sources),
    "reasons": Counted(title="Where pilots are exposed", counts="use cases exposed", rows=_reasons,
                       source="Live use cases exposed to each of the ten reasons, from recorded facts."),
    "mine": Counted(title="What you asked", counts="my answers", rows=_mine,
                    source="Your answers, by use case and status.")}
ROLE_PICTURES = {"reviewer": "queue", "engineer": "sources", "risk": "reasons"}


@places.get("/work/{job}")
async def work(desk: Desk) -> Answered:
    """Show one piece of long work, and what ending it would mean."""
    found = await desk.platform.work.job(desk.call, JobRef(job=desk.path["job"]))
    return Page(template="work.html", title="Long work", rail="home", context=WorkPage(
        work=found, may_end=desk.call.may("jobs:cancel", on="*")))


@places.post("/work/{job}/cancel")
async def cancel_work(desk: Desk) -> Answered:
    """End long work where it stands."""
    ended = await desk.platform.work.cancel(desk.call, JobRef(job=desk.path["job"]))
    return GoTo(address=f"/work/{ended.id}", says="Cancelled: what was done stays, the rest is not done.")


@places.post("/work/{job}/resume")
async def resume_work(desk: Desk) -> Answered:
    """Let long work go on."""
    going = await desk.platform.work.resume(desk.call, JobRef(job=desk.path["job"]))
    return GoTo(address=f"/work/{going.id}", says="It goes on from where it stood.")


async def waiting(platform: Platform, call: Call) -> tuple[Waiting, ...]:
    """Return what a person must do: reviews, and gates that somebody other than the owner decides."""
    found: list[Waiting] = []
    if call.may("oversight:review", on="*"):
        titles = await _titles(platform, call)
        for r in await platform.oversight.list_reviews(call, ReviewQuery(limit=50)):
            title = f"Review: {titles.get(r.use_case, r.use_case)}"
            found.append(Waiting(rail="oversight", title=title, address=f"/reviews/{r.id}",
                                 since=r.opened_at, urgent=r.is_overdue))
    for late in await platform.samples.stale(call, StaleQuery(owner=call.principal.id)):
        found.append(Waiting(rail="portfolio", title=f"Measure {late.kpi_title} of {late.title}: {late.status}",
                             address=f"/use-cases/{late.use_case}/kpis/{late.kpi}#import", since=late.due_by,
                             urgent=False))
    if call.may("use_case:decide", on="*"):
        for o in await platform.board.open_decisions(call, NoFields()):
            found.append(Waiting(rail="portfolio", title=f"{o.title}: {o.says}", since=o.since,
                                 address=f"/use-cases/{o.slug}/decision", urgent=o.cause != "votes wanted"))
        for u in await platform.portfolio.list_use_cases(call, PortfolioQuery()):
            if _decides(u, call):
                gate = await platform.portfolio.assess_gate(call, UseCaseRef(use_case=u.id))
                if gate.recommended in ("go", "conditional go"):
                    found.append(Waiting(rail="portfolio", title=f"Decide the gate of {u.title}: {gate.recommended}",
                                         address=f"/use-cases/{u.slug}/decision", since=u.proposed_at, urgent=False))
    return tuple(found)


def _decides(u: UseCase, call: Call) -> bool:
    others = call.principal.id not in (u.owner, u.proposed_by)
    return others and not u.trial and u.stage in ("idea", "pilot", "limited")


async def counts(platform: Platform, call: Call) -> Mapping[str, int]:
    """Return how much waits for a person in each entry of the rail: only what is cheap to count."""
    if not call.may("oversight:review", on="*"):
        return {}
    return {"oversight": len(await platform.oversight.list_reviews(call, ReviewQuery(limit=99)))}
