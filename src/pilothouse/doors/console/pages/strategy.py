"""Strategy in the console: objectives with what realises them, and learnings with what speaks for and against."""

from typing import Any

from pilothouse.doors.console.contexts import LearningsPage, ObjectivesPage
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places, RefusedForm
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Conflict, Invalid, Missing
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.portfolio.contracts import PortfolioQuery, UseCaseRef
from pilothouse.steps.portfolio.contracts.strategy import (
    LearningEvidence,
    LearningQuery,
    NewLearning,
    NewObjective,
    ObjectiveLink,
)

places = Places()


@places.get("/objectives")
async def objectives(desk: Desk) -> Answered:
    """Show every objective with its contributions and what is realised a month."""
    return await _objectives(desk, RefusedForm())


async def _objectives(desk: Desk, refused: RefusedForm) -> Page:
    found = await desk.platform.strategy.objectives(desk.call, NoFields())
    choices = []
    for u in await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery()):
        if desk.call.may("objective:define", on="*") and not u.trial:
            kpis = await desk.platform.portfolio.kpis(desk.call, UseCaseRef(use_case=u.id))
            choices += [(f"{u.slug}/{k.kpi.slug}", f"{u.title}: {k.kpi.title}") for k in kpis]
    return Page(template="objectives.html", title="Objectives", rail="portfolio", demo=any(o.demo for o in found),
                status=422 if refused.message else 200, context=ObjectivesPage(
                    objectives=found, names=await desk.names(), kpis=tuple(choices), refused=refused))


@places.post("/objectives")
async def define(desk: Desk) -> Answered:
    """Define an objective."""
    said = {n: desk.form.get(n, "").strip() for n in ("slug", "title", "statement", "due")}
    try:
        made = await desk.platform.strategy.define_objective(desk.call, convert(said, NewObjective))
    except (Invalid, Conflict) as refused:
        return await _objectives(desk, _typed(desk, refused))
    return GoTo(address="/objectives", says=f"`{made.title}` is an objective.")


@places.post("/objectives/{objective}/links")
async def link(desk: Desk) -> Answered:
    """Let a KPI's effect count towards an objective."""
    use_case, _, kpi = desk.form.get("kpi", "").partition("/")
    try:
        percent = float(desk.form.get("percent", "").strip() or "100")
        await desk.platform.strategy.link_objective(desk.call, ObjectiveLink(
            objective=desk.path["objective"], use_case=use_case, kpi=kpi, share=percent / 100))
    except ValueError:
        return await _objectives(desk, RefusedForm(message="write the share in percent, such as 50", field="percent",
                                                   typed=desk.form))
    except (Invalid, Conflict, Missing) as refused:
        return await _objectives(desk, _typed(desk, refused))
    return GoTo(address="/objectives", says="The share is counted from now on.")


@places.get("/learnings")
async def learnings(desk: Desk) -> Answered:
    """Show what was learned, with what speaks for and against it."""
    return await _learnings(desk, RefusedForm())


async def _learnings(desk: Desk, refused: RefusedForm) -> Page:
    text = desk.query.get("q", "")
    found = await desk.platform.strategy.learnings(desk.call, LearningQuery(text=text))
    cases = await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery())
    return Page(template="learnings.html", title="Learnings", rail="portfolio", demo=any(x.demo for x in found),
                status=422 if refused.message else 200, context=LearningsPage(
                    learnings=found, text=text, names=await desk.names(), refused=refused,
                    use_cases=tuple((u.slug, u.title) for u in cases if not u.trial)))


@places.post("/learnings")
async def record(desk: Desk) -> Answered:
    """Record a learning."""
    try:
        await desk.platform.strategy.record_learning(desk.call, NewLearning(
            statement=desk.form.get("statement", ""), use_case=desk.form.get("use_case", ""), entries=_entries(desk)))
    except (Invalid, Missing) as refused:
        return await _learnings(desk, _typed(desk, refused))
    return GoTo(address="/learnings", says="Recorded; it is shown to whoever proposes something like it.")


@places.post("/learnings/{learning}/evidence")
async def evidence(desk: Desk) -> Answered:
    """Add evidence for or against a learning."""
    said: dict[str, Any] = {"learning": desk.path["learning"], "stance": desk.form.get("stance", ""),
                            "use_case": desk.form.get("use_case", ""), "note": desk.form.get("note", "")}
    try:
        await desk.platform.strategy.test_learning(desk.call, convert({**said, "entries": _entries(desk)},
                                                                      LearningEvidence))
    except (Invalid, Missing) as refused:
        return await _learnings(desk, _typed(desk, refused))
    return GoTo(address="/learnings", says="Added; both sides stay.")


def _entries(desk: Desk) -> tuple[int, ...]:
    words = desk.form.get("entries", "").replace(",", " ").split()
    if not all(w.isdigit() for w in words):
        raise Invalid("name ledger entries by their numbers, such as 120, 134", field="entries")
    return tuple(int(w) for w in words)


def _typed(desk: Desk, refused: Invalid | Conflict | Missing) -> RefusedForm:
    return RefusedForm(message=refused.message, field=str(refused.facts.get("field", "")).removeprefix("$."),
                       typed=desk.form)
