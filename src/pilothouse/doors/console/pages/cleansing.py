"""Step 2 in the console: findings between documents with both sides shown, and the decision on each."""

from typing import cast, get_args

from pilothouse.doors.console.contexts import FindingPage, FindingsPage
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places, RefusedForm
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.contracts.cleansing import (
    Action,
    DecisionRef,
    FindingKey,
    FindingQuery,
    FindingRef,
    Kind,
    NewDecision,
    State,
)

places = Places()


@places.get("/knowledge/findings")
async def findings(desk: Desk) -> Answered:
    """List what documents say differently, open ones first, and what decisions keep from being served."""
    step, call = desk.platform.cleansing, desk.call
    kind, state = desk.query.get("kind", ""), desk.query.get("state", "open")
    query = FindingQuery(kind=cast(Kind, kind) if kind in get_args(Kind) else "",
                         state=cast(State, state) if state in get_args(State) else "")
    found = await step.list_findings(call, query)
    return Page(template="findings.html", title="Findings", rail="knowledge", demo=any(f.demo for f in found),
                context=FindingsPage(lines=found, aside=await step.list_set_aside(call, NoFields()), kind=query.kind,
                                     state=query.state, names=await desk.names()))


@places.get("/knowledge/findings/{key}")
async def finding(desk: Desk) -> Answered:
    """Show both sides of a finding."""
    return await _finding(desk, RefusedForm())


async def _finding(desk: Desk, refused: RefusedForm) -> Page:
    found = await desk.platform.cleansing.show_finding(desk.call, FindingRef(key=FindingKey(desk.path["key"])))
    return Page(template="finding.html", title=found.line.kind.capitalize(), rail="knowledge", demo=found.line.demo,
                status=422 if refused.message else 200,
                context=FindingPage(found=found, names=await desk.names(), refused=refused))


@places.post("/knowledge/findings/{key}")
async def decide(desk: Desk) -> Answered:
    """Decide a finding; a refusal keeps what was typed."""
    try:
        made = await desk.platform.cleansing.decide_finding(desk.call, NewDecision(
            key=FindingKey(desk.path["key"]), action=_action(desk.form.get("action", "")),
            reason=desk.form.get("reason", ""), until=desk.form.get("until", "")))
    except (Invalid, Conflict) as refused:
        return await _finding(desk, RefusedForm(message=refused.message, field=str(refused.facts.get("field", "")),
                                                typed=dict(desk.form)))
    return GoTo(address=f"/knowledge/findings/{made.key}", says=f"Decided: {made.action}. It holds from the next"
                " question on, and can be undone here.")


@places.post("/knowledge/findings/decisions/{decision_id}/undo")
async def undo(desk: Desk) -> Answered:
    """Undo a decision: its finding is open again."""
    await desk.platform.cleansing.undo_decision(desk.call, DecisionRef(decision_id=desk.path["decision_id"]))
    return GoTo(address="/knowledge/findings", says="Undone: the finding is open again, and both sides are served.")


def _action(said: str) -> Action:
    if said not in get_args(Action):
        raise Invalid("choose what to do", field="action")
    return cast(Action, said)
