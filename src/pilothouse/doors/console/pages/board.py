"""The board in the console: the page a decision is made on, its record and PDF, conditions, and the heat map."""

from pilothouse.doors.console import papers
from pilothouse.doors.console.contexts import PaperPage, ReasonsPage
from pilothouse.doors.console.desk import Answered, Desk, Download, GoTo, Page, Places, RefusedForm
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.portfolio.contracts import UseCaseRef
from pilothouse.steps.portfolio.contracts.deciding import BoardPaper, DecisionRef, MetCondition

places = Places()


@places.get("/portfolio/reasons")
async def reasons(desk: Desk) -> Answered:
    """Show every live use case against the ten reasons why pilots fail."""
    rows = await desk.platform.board.heat_map(desk.call, NoFields())
    return Page(template="reasons.html", title="Ten reasons", rail="portfolio", demo=any(r.demo for r in rows),
                context=ReasonsPage(rows=rows))


@places.get("/use-cases/{use_case}/decision")
async def paper(desk: Desk) -> Answered:
    """Show the paper for the next decision."""
    return await _page(desk, await _next(desk), RefusedForm())


@places.get("/use-cases/{use_case}/decision.pdf")
async def paper_pdf(desk: Desk) -> Answered:
    """Print the paper for the next decision."""
    return await _pdf(desk, await _next(desk))


@places.get("/use-cases/{use_case}/decisions/{seq}")
async def record(desk: Desk) -> Answered:
    """Show a decision as it was made."""
    return await _page(desk, await _made(desk), RefusedForm())


@places.get("/use-cases/{use_case}/decisions/{seq}/paper.pdf")
async def record_pdf(desk: Desk) -> Answered:
    """Print a decision as it was made."""
    return await _pdf(desk, await _made(desk))


@places.post("/use-cases/{use_case}/conditions/{seq}/{number}/met")
async def met(desk: Desk) -> Answered:
    """Confirm that a condition is met; a refusal keeps the note."""
    found = await _next(desk)
    try:
        await desk.platform.board.meet_condition(desk.call, convert({
            "use_case_id": found.use_case.id, "gate_seq": desk.path["seq"], "number": desk.path["number"],
            "note": desk.form.get("note", "")}, MetCondition, from_text=True))
    except (Invalid, Conflict) as refused:
        return await _page(desk, found, RefusedForm(message=refused.message, typed=desk.form))
    return GoTo(address=f"/use-cases/{found.use_case.slug}/decision", says="Confirmed: the condition is met.")


async def _next(desk: Desk) -> BoardPaper:
    return await desk.platform.board.board_paper(desk.call, UseCaseRef(use_case=desk.path["use_case"]))


async def _made(desk: Desk) -> BoardPaper:
    asked = convert({"use_case": desk.path["use_case"], "seq": desk.path["seq"]}, DecisionRef, from_text=True)
    return await desk.platform.board.decision(desk.call, asked)


async def _page(desk: Desk, found: BoardPaper, refused: RefusedForm) -> Page:
    u = found.use_case
    others = desk.call.principal.id not in (u.owner, u.proposed_by)
    return Page(template="board_paper.html", title=f"Decision on {u.title}", rail="portfolio", demo=u.demo,
                status=422 if refused.message else 200, context=PaperPage(
                    paper=found, names=await desk.names(), refused=refused,
                    may_decide=others and desk.call.may("use_case:decide", on=u.id) and not u.trial))


async def _pdf(desk: Desk, found: BoardPaper) -> Download:
    made = papers.board_paper(found, await desk.names(), at=stamp(desk.call.at))
    return Download(body=made, name=f"decision-{found.use_case.slug}.pdf", media_type="application/pdf")
