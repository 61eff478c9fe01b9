"""Step 6 in the console: what people say of answers where they use them, corrections to settle, and the assist."""

from pilothouse.doors.console.contexts import WorkflowRow, WorkflowsPage
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places, RefusedForm
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.steps.portfolio.contracts import PortfolioQuery, UseCaseRef
from pilothouse.steps.workflows.contracts import Settlement

places = Places()


@places.get("/workflows")
async def workflows(desk: Desk) -> Answered:
    """Show feedback by use case, and the corrections that nobody settled."""
    return await _workflows(desk, RefusedForm())


async def _workflows(desk: Desk, refused: RefusedForm) -> Page:
    desk.call.authorize("workflows:read", on="*")
    rows = []
    for u in await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery()):
        if u.stage != "idea":
            ref = UseCaseRef(use_case=u.id)
            proposed = await desk.platform.workflows.list_corrections(desk.call, ref)
            rows.append(WorkflowRow(use_case=u, feedback=await desk.platform.workflows.feedback(desk.call, ref),
                                    corrections=tuple(x for x in proposed if x.status == "proposed")))
    return Page(template="workflows.html", title="Workflows", rail="workflows", demo=any(r.feedback.demo for r in rows),
                status=422 if refused.message else 200, context=WorkflowsPage(
                    rows=tuple(rows), names=await desk.names(), refused=refused))


@places.post("/workflows/corrections/{seq}")
async def settle(desk: Desk) -> Answered:
    """Take or decline a correction."""
    try:
        done = await desk.platform.workflows.settle_correction(desk.call, convert({
            "seq": desk.path["seq"], "taken": desk.form.get("decision") == "take",
            "reason": desk.form.get("reason", ""), "use_case_id": desk.form.get("use_case_id", "")}, Settlement,
            from_text=True))
    except (Invalid, Conflict) as refused:
        return await _workflows(desk, RefusedForm(message=refused.message, typed=desk.form))
    return GoTo(address="/workflows", says=f"The correction is {done.status}; the answer stays as it was given.")
