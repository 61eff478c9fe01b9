"""Step 1 in the console: the portfolio, intake, a use case's story, a KPI's provenance, and its gate."""

from collections.abc import Mapping, Sequence

from pilothouse.doors.console import kpi_charts
from pilothouse.doors.console.charts import Chart
from pilothouse.doors.console.contexts import KpiPage, Milestone, PortfolioPage, ProposalPage, UseCasePage
from pilothouse.doors.console.desk import Answered, Desk, GoTo, Page, Places, RefusedForm
from pilothouse.doors.console.filtering import Rectangle, rectangle
from pilothouse.doors.console.stories import story_of
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.kernel.explorer import EntryQuery
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.gateway.contracts import AnswersQuery
from pilothouse.steps.portfolio.contracts import (
    GateRequest,
    KpiRef,
    KpiStanding,
    MatrixPoint,
    PortfolioQuery,
    Proposal,
    UseCase,
    UseCaseRef,
)
from pilothouse.steps.portfolio.contracts.samples import BatchQuery, CsvImport

places = Places()
SEVERAL = ("data_classes", "geographies", "units", "sources")
AXES = ("complexity", "spend")
LISTED = 100
"""Use cases on one page of the list."""


@places.get("/portfolio")
async def portfolio(desk: Desk) -> Answered:
    """Show every use case as a matrix and as a table; a rectangle over the matrix narrows the table."""
    refused, within = RefusedForm(), rectangle({}, *AXES)
    try:
        within = rectangle(desk.query, *AXES)
    except Invalid as broken:
        refused = RefusedForm(message=broken.message, field=str(broken.facts["field"]), typed=desk.query)
    return await _portfolio(desk, within, refused)


async def _portfolio(desk: Desk, within: Rectangle, refused: RefusedForm) -> Page:
    everything = await desk.platform.portfolio.list_use_cases(desk.call, PortfolioQuery(
        stage=desk.query.get("stage", ""), owner=desk.query.get("owner", "")))
    points = {p.slug: p for p in await desk.platform.portfolio.matrix(desk.call, NoFields())}
    found = [u for u in everything if not within.narrows or (
        (p := points.get(u.slug)) and within.holds(complexity=p.complexity, spend=p.spend_eur_month))]
    at = max(1, int(n)) if (n := desk.query.get("page", "")).isdigit() else 1
    placed = tuple(points.values())
    return Page(template="portfolio.html", title="Portfolio", rail="portfolio", demo=any(u.demo for u in everything),
                status=422 if refused.message else 200, context=PortfolioPage(
                    use_cases=tuple(found[(at - 1) * LISTED:at * LISTED]), points=points, owners=await desk.names(),
                    matrix=_matrix(placed, within), within=within, ends=_ends(placed), refused=refused,
                    count=len(found), everything=len(everything), page=at, pages=max(1, -(-len(found) // LISTED))))


def _ends(points: Sequence[MatrixPoint]) -> Mapping[str, float]:
    """Return the upper ends of the matrix's axes: what an open range reaches to."""
    placed = [p for p in points if p.spend_eur_month is not None]
    return {"complexity": max((p.complexity for p in placed), default=0) + 1,
            "spend": max((p.spend_eur_month or 0.0 for p in placed), default=0.0) * 1.05}


def _matrix(points: Sequence[MatrixPoint], within: Rectangle) -> Chart | None:
    ends = _ends(points)
    brush = within.brush(("complexity", 0, ends["complexity"]), ("spend", 0, ends["spend"]))
    return kpi_charts.matrix(points, query=within.query, brush=brush)


@places.get("/portfolio/matrix.svg")
async def matrix_picture(desk: Desk) -> Answered:
    """Draw value against complexity."""
    points = await desk.platform.portfolio.matrix(desk.call, NoFields())
    return desk.picture(_matrix(points, rectangle(desk.query, *AXES)))


@places.get("/portfolio/new")
async def intake(desk: Desk) -> Answered:
    """Ask for a use case in one sitting."""
    return await _intake(desk, ProposalPage(units=await desk.units()))


async def _intake(desk: Desk, page: ProposalPage) -> Page:
    status = 200 if not page.refused.message else 422
    return Page(template="intake.html", title="Propose a use case", rail="portfolio", context=page, status=status)


@places.post("/portfolio/new")
async def propose(desk: Desk) -> Answered:
    """Show what triage says, or propose when asked to; a refusal keeps what was typed."""
    typed = {**desk.form, **{name: desk.lists.get(name, ()) for name in SEVERAL}}
    units = await desk.units()
    try:
        proposal = _proposal(desk)
        if desk.form.get("go") != "propose":
            triage = await desk.platform.portfolio.triage(desk.call, proposal)
            return await _intake(desk, ProposalPage(triage=triage, units=units, refused=RefusedForm(typed=typed)))
        u = await desk.platform.portfolio.propose(desk.call, proposal)
    except (Invalid, Conflict) as refused:
        return await _intake(desk, ProposalPage(units=units, refused=RefusedForm(
            message=refused.message, field=str(refused.facts.get("field", "")).removeprefix("$."), typed=typed)))
    return GoTo(address=f"/use-cases/{u.slug}", says=f"`{u.title}` is in the portfolio as an idea.")


def _proposal(desk: Desk) -> Proposal:
    names = Proposal.__slots__
    raw = {name: desk.form[name].strip() for name in names if desk.form.get(name, "").strip()}
    split = {name: [v.strip() for part in desk.lists.get(name, ()) for v in part.split(",") if v.strip()]
             for name in SEVERAL}
    return convert({**raw, **split}, Proposal, from_text=True)


@places.get("/use-cases/{use_case}")
async def use_case(desk: Desk) -> Answered:
    """Tell a use case's story from idea to today."""
    return await _use_case(desk, RefusedForm())


async def _use_case(desk: Desk, refused: RefusedForm) -> Page:
    step, ref = desk.platform.portfolio, UseCaseRef(use_case=desk.path["use_case"])
    u = await step.use_case(desk.call, ref)
    may_decide = desk.call.may("use_case:decide", on=u.id) and desk.call.principal.id not in (u.owner, u.proposed_by)
    return Page(template="use_case.html", title=u.title, rail="portfolio", demo=u.demo,
                status=422 if refused.message else 200, context=UseCasePage(
                    use_case=u, owner=(await desk.names()).get(u.owner, u.owner), kpis=tuple(
                        (k, kpi_charts.kpi_change(k, u.slug)) for k in await step.kpis(desk.call, ref)),
                    gate=await step.assess_gate(desk.call, ref), decisions=await step.decisions(desk.call, ref),
                    reasons=await step.ten_reasons(desk.call, ref), story=await _story(desk, u),
                    receipts=await _receipts(desk, u), may_decide=may_decide and not u.trial, refused=refused))


async def _story(desk: Desk, u: UseCase) -> tuple[Milestone, ...]:
    if not desk.call.may("ledger:read", on="*"):
        return ()
    entries = await desk.platform.ledger.entries(desk.call, EntryQuery(stream=f"use_case/{u.id}", limit=500))
    return story_of(entries)


async def _receipts(desk: Desk, u: UseCase) -> tuple[tuple[str, str, str], ...]:
    if not desk.call.may("gateway:list", on=u.id):
        return ()
    found = await desk.platform.gateway.list_answers(desk.call, AnswersQuery(use_case=u.slug, limit=12))
    return tuple((str(a.interaction_id), a.asked_at, a.status) for a in found)


@places.get("/use-cases/{use_case}/kpis/{kpi}")
async def kpi(desk: Desk) -> Answered:
    """Show where a KPI's figure comes from."""
    return await _kpi_page(desk, RefusedForm())


async def _kpi_page(desk: Desk, refused: RefusedForm) -> Page:
    u, standing = await _kpi(desk)
    ref = KpiRef(use_case=u.id, kpi=standing.kpi.slug)
    return Page(template="kpi.html", title=standing.kpi.title, rail="portfolio", demo=u.demo,
                status=422 if refused.message else 200, context=KpiPage(
                    use_case=u, standing=standing, refused=refused, picture=kpi_charts.kpi_change(standing, u.slug),
                    versions=await desk.platform.samples.baselines(desk.call, ref),
                    may_measure=desk.call.may("use_case:measure", on=u.id),
                    batches=await desk.platform.portfolio.batches(desk.call, BatchQuery(
                        use_case=u.id, kpi=standing.kpi.slug, limit=50))))


@places.post("/use-cases/{use_case}/kpis/{kpi}")
async def import_samples(desk: Desk) -> Answered:
    """Take in samples from a file or from what was pasted; a refusal names the lines and keeps what was typed."""
    u, standing = await _kpi(desk)
    try:
        done = await desk.platform.samples.import_csv(desk.call, _import(desk, u, standing))
    except (Invalid, Conflict) as refused:
        return await _kpi_page(desk, RefusedForm(message=refused.message, typed=desk.form,
                                                 field=str(refused.facts.get("field", ""))))
    return GoTo(address=f"/use-cases/{u.slug}/kpis/{standing.kpi.slug}",
                says=f"{done.accepted} samples were taken; {done.missing} rows had no value, {done.repeated} batches"
                     " were here already.")


def _import(desk: Desk, u: UseCase, standing: KpiStanding) -> CsvImport:
    return convert({"use_case_id": u.id, "kpi": standing.kpi.slug, "period": desk.form.get("period", ""),
                    "text": desk.form.get("file", "") or desk.form.get("text", ""),
                    "source": desk.form.get("source", ""), "instrument": desk.form.get("instrument", "")}, CsvImport)


async def _kpi(desk: Desk) -> tuple[UseCase, KpiStanding]:
    ref = UseCaseRef(use_case=desk.path["use_case"])
    u = await desk.platform.portfolio.use_case(desk.call, ref)
    for standing in await desk.platform.portfolio.kpis(desk.call, ref):
        if standing.kpi.slug == desk.path["kpi"]:
            return u, standing
    raise Invalid("this use case has no such KPI", field="kpi")


@places.get("/use-cases/{use_case}/kpis/{kpi}/change.svg")
async def kpi_picture(desk: Desk) -> Answered:
    """Draw a KPI against its baseline and its bar."""
    u, standing = await _kpi(desk)
    return desk.picture(kpi_charts.kpi_change(standing, u.slug))


@places.post("/use-cases/{use_case}/gate")
async def decide(desk: Desk) -> Answered:
    """Record a person's decision at the gate; a refusal keeps the reason that was typed."""
    u = await desk.platform.portfolio.use_case(desk.call, UseCaseRef(use_case=desk.path["use_case"]))
    try:
        decided = await desk.platform.portfolio.decide_gate(desk.call, _gate_request(desk, u))
    except (Invalid, Conflict) as refused:
        return await _use_case(desk, RefusedForm(message=refused.message, typed=desk.form,
                                                 field=str(refused.facts.get("field", ""))))
    if decided.status == "waiting":
        return GoTo(address=f"/use-cases/{u.slug}/decision", says=(
            f"Your vote is recorded in entry {decided.seq}; {decided.votes_missing} more must vote the same."))
    return GoTo(address=f"/use-cases/{u.slug}",
                says=f"Decided: {decided.verdict}. `{u.title}` is now {decided.now}; entry {decided.seq} holds it.")


def _gate_request(desk: Desk, u: UseCase) -> GateRequest:
    said = {name: desk.form.get(name, "").strip() for name in ("verdict", "reason", "digest", "dissent")}
    text, due = desk.form.get("condition", "").strip(), desk.form.get("due", "").strip()
    return convert({**said, "use_case_id": u.id, "conditions": [{"text": text, "due": due}] if text else [],
                    "dissent": [said["dissent"]] if said["dissent"] else []}, GateRequest)
