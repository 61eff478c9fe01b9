"""Home: what waits for this person, what changed, and how long work stands."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pilothouse.doors.console import charts
from pilothouse.doors.console.contexts import HomePage, Milestone, Pictured, Waiting
from pilothouse.doors.console.desk import Answered, Desk, Page, Picture, Places
from pilothouse.doors.console.stories import story_of
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Missing
from pilothouse.kernel.explorer import EntryQuery
from pilothouse.kernel.operation import NoFields
from pilothouse.platform import Platform
from pilothouse.steps.gateway.contracts import Explained
from pilothouse.steps.oversight.contracts import ReviewQuery
from pilothouse.steps.portfolio.contracts import PortfolioQuery, UseCase, UseCaseRef
from pilothouse.steps.portfolio.contracts.samples import StaleQuery

places = Places()
CHANGED_MAX, LOOKED_AT = 8, 500
ROLES = ("administrator", "sponsor", "risk", "owner", "reviewer", "engineer")
Rows = Sequence[Mapping[str, Any]]
QUEUE = Pictured(title="The review queue", address="/home/queue.svg", says="", source="Reviews that wait, by use case.")
SOURCES = Pictured(title="What is in", address="/home/sources.svg", says="", source="Passages served, by source.")
REASONS = Pictured(title="Where pilots are exposed", address="/home/reasons.svg", says="",
                   source="Live use cases exposed to each of the ten reasons, from recorded facts.")
MATRIX = Pictured(title="What the work costs today, against complexity", address="/portfolio/matrix.svg", says="",
                  source="Recorded volume times unit cost per use case; complexity counts recorded facts.")
MINE = Pictured(title="What you asked", address="/home/mine.svg", says="",
                source="Your answers, by use case and status.")


@places.get("/")
async def home(desk: Desk) -> Answered:
    """Show the desk of whoever is signed in: seven roles, seven homes."""
    jobs = [j for j in await desk.platform.jobs.list() if j.state in ("waiting", "running", "failed")]
    answers = await desk.platform.gateway.my_answers(desk.call, NoFields())
    use_cases = await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery())
    working = any(j.state in ("waiting", "running") for j in jobs)
    since, changes = await _changes(desk, use_cases)
    return Page(template="home.html", title="Home", rail="home", demo=any(u.demo for u in use_cases) or working,
                refresh_s=3 if working else 0, context=HomePage(
                    role=_role(desk.call), picture=await _picture(desk, use_cases), since=since, changes=changes,
                    waiting=await waiting(desk.platform, desk.call), jobs=tuple(jobs), answers=_latest(answers),
                    use_cases=use_cases))


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
    if role == "reviewer":
        return await _drawn(desk, QUEUE, await _queue(desk))
    if role == "engineer":
        return await _drawn(desk, SOURCES, await _sources(desk))
    if role == "risk":
        return await _drawn(desk, REASONS, await _reasons(desk))
    if role in ("sponsor", "administrator"):
        placed = [p for p in await desk.platform.portfolio.matrix(desk.call, NoFields()) if p.spend_eur_month]
        return replace(MATRIX, says=", ".join(p.title for p in placed)) if placed else None
    return await _drawn(desk, MINE, await _mine(desk))


async def _drawn(desk: Desk, picture: Pictured, rows: Rows) -> Pictured | None:
    return replace(picture, says="; ".join(f"{r['name']}: {r['value']}" for r in rows)) if rows else None


async def _own_kpi(desk: Desk, use_cases: Sequence[UseCase]) -> Pictured | None:
    for u in (u for u in use_cases if u.owner == desk.call.principal.id and u.stage not in ("idea", "retired")):
        for k in await desk.platform.portfolio.kpis(desk.call, UseCaseRef(use_case=u.id)):
            if k.result.baseline and k.result.estimate:
                return Pictured(title=f"{u.title}: {k.kpi.title}",
                                address=f"/use-cases/{u.slug}/kpis/{k.kpi.slug}/change.svg",
                                says=f"{k.kpi.title}: {k.result.status}", source=k.result.baseline.source)
    return None


@places.get("/home/{picture}.svg")
async def drawing(desk: Desk) -> Answered:
    """Draw the picture of a home."""
    drawn = {"queue": (_queue, "reviews that wait"), "sources": (_sources, "passages"),
             "reasons": (_reasons, "use cases exposed"), "mine": (_mine, "my answers")}.get(desk.path["picture"])
    if drawn is None:
        raise Missing("there is no such picture")
    return Picture(spec=charts.bars(await drawn[0](desk), title=drawn[1]), dark=desk.dark)


async def _queue(desk: Desk) -> Rows:
    waiting_reviews = await desk.platform.oversight.list_reviews(desk.call, ReviewQuery(limit=99))
    return _counted(Counter(r.use_case + (" (overdue)" if r.is_overdue else "") for r in waiting_reviews))


async def _sources(desk: Desk) -> Rows:
    found = await desk.platform.knowledge.list_sources(desk.call, NoFields())
    return [{"name": s.name, "value": s.passages} for s in found if s.passages]


async def _reasons(desk: Desk) -> Rows:
    rows = await desk.platform.board.heat_map(desk.call, NoFields())
    return _counted(Counter(f"{x.number} {x.title}" for r in rows for x in r.reasons if x.status == "exposed"))


async def _mine(desk: Desk) -> Rows:
    mine = await desk.platform.gateway.my_answers(desk.call, NoFields())
    return _counted(Counter(f"{m.answer.use_case}, {m.answer.status}" for m in mine))


def _counted(counts: Mapping[str, int]) -> Rows:
    return [{"name": name, "value": n} for name, n in counts.items()]


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
