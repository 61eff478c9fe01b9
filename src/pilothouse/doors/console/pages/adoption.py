"""Steps 7 and 8 in the console: who uses what by unit and week, and whom the open phases serve."""

from pilothouse.doors.console import kpi_charts
from pilothouse.doors.console.contexts import AdoptionPage, RolloutPage, RolloutRow
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.adoption.contracts import AdoptionQuery, UsageReport
from pilothouse.steps.portfolio.contracts import PortfolioQuery, UseCase, UseCaseRef
from pilothouse.steps.rollout.contracts import Advance, Halt

places = Places()
WEEKS = 12


@places.get("/adoption")
async def adoption(desk: Desk) -> Answered:
    """Show weekly use of one use case by unit."""
    cases = await _live(desk)
    chosen = desk.query.get("use_case") or (cases[0].slug if cases else "")
    report = await _report(desk, chosen) if chosen else None
    return Page(template="adoption.html", title="Adoption", rail="adoption", demo=bool(report and report.demo),
                context=AdoptionPage(use_cases=cases, chosen=chosen, report=report,
                                     weekly=kpi_charts.weekly(report, chosen) if report else None))


async def _live(desk: Desk) -> tuple[UseCase, ...]:
    found = await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery())
    return tuple(u for u in found if u.stage in ("pilot", "limited", "scaled"))


async def _report(desk: Desk, use_case: str) -> UsageReport:
    return await desk.platform.adoption.report(desk.call, AdoptionQuery(use_case=use_case, weeks=WEEKS))


@places.get("/adoption/weekly.svg")
async def weekly_picture(desk: Desk) -> Answered:
    """Draw the weekly active share by unit; withheld weeks leave a gap."""
    chosen = desk.query.get("use_case", "")
    return desk.picture(kpi_charts.weekly(await _report(desk, chosen), chosen))


@places.get("/rollout")
async def rollout(desk: Desk) -> Answered:
    """Show the newest phase of every use case with its health."""
    step, rows = desk.platform.rollout, []
    titles = {u.id: u for u in await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery())}
    for p in await step.list_phases(desk.call, NoFields()):
        if u := titles.get(p.use_case_id):
            rows.append(RolloutRow(use_case=u, phase=p, health=await step.health(desk.call, UseCaseRef(use_case=u.id))))
    return Page(template="rollout.html", title="Rollout", rail="rollout", demo=any(r.use_case.demo for r in rows),
                context=RolloutPage(rows=tuple(rows)))


@places.post("/rollout/{use_case_id}/halt")
async def halt(desk: Desk) -> Answered:
    """Halt a phase at once."""
    await desk.platform.rollout.halt_phase(desk.call, Halt(use_case_id=desk.path["use_case_id"],  # type: ignore[arg-type]
                                                          reason=desk.form.get("reason", "")))
    return GoTo(address="/rollout", says="Halted: nobody is served from the next question on.")


@places.post("/rollout/{use_case_id}/advance")
async def advance(desk: Desk) -> Answered:
    """Serve more people."""
    try:
        share = float(desk.form.get("percent", "")) / 100
    except ValueError as wrong:
        raise Invalid("say how many percent of the people, from 0 to 100", field="percent") from wrong
    phase = await desk.platform.rollout.advance_phase(desk.call, Advance(
        use_case_id=desk.path["use_case_id"], share=share, reason=desk.form.get("reason", "")))  # type: ignore[arg-type]
    return GoTo(address="/rollout", says=f"The phase now serves {phase.share:.0%} of its people.")
