"""Money in the console: the business case whose figures follow its inputs, priorities with their doubt, the budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from pilothouse.doors.console import case_charts, case_forms
from pilothouse.doors.console.case_contexts import BudgetPage, CasePage, ComparisonPage, PrioritiesPage
from pilothouse.doors.console.charts import Chart
from pilothouse.doors.console.desk import DRAWN_AS, Answered, Desk, Download, GoTo, Page, Places, RefusedForm
from pilothouse.doors.console.filtering import Rectangle, rectangle
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.portfolio.contracts import UseCase, UseCaseRef
from pilothouse.steps.portfolio.contracts.cases import (
    Case,
    CaseDraft,
    CaseFileRef,
    CaseOutcome,
    CasePair,
    CaseRef,
    CaseVersion,
    FreezeCase,
)
from pilothouse.steps.portfolio.contracts.planning import Prioritised, RankRequest, Selection, SelectRequest, Weights
from pilothouse.steps.portfolio.errors import NoSuchCase

places = Places()
PICTURES = {"distribution": case_charts.distribution, "tornado": case_charts.tornado, "payback": case_charts.payback}
DRAWS = 100_000
FORM_ONLY = (*DRAWN_AS, "form_token", "reason", "scenario", "version", "as")
AXES = ("complexity", "value")
WEIGHTS = ("value", "fit", "ease", "safety", "evidence")
SELECT = ("budget", "squad_weeks", "objective", "step")
ASKED_FIRST = {"budget": "100000", "squad_weeks": "40", "objective": "whole"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What the address asks to see: a case, where it began, and whether anything was typed."""

    use_case: UseCase
    case: Case
    scenario: str
    began: CaseVersion | None
    was_typed: bool
    query: str
    seed: int


@places.get("/use-cases/{use_case}/case")
async def case(desk: Desk) -> Answered:
    """Show a business case; whatever the address carries is computed and drawn, nothing is kept."""
    return await _shown(desk, desk.query)


async def _shown(desk: Desk, form: Mapping[str, str], refused: RefusedForm | None = None) -> Page:
    fields = dict(form)
    began, u, draft, seed = await _begun(desk, fields)
    try:
        drafted = _drafted(u, began, draft, fields, seed)
        computed = await _outcome(desk, drafted)
        return await _page(desk, drafted, computed, refused or RefusedForm())
    except (Invalid, Conflict) as broken:
        plain = Drafted(use_case=u, case=draft, scenario=_scenario(fields), began=began, was_typed=True,
                        query=_query(fields), seed=seed)
        said = RefusedForm(message=broken.message, field=str(broken.facts.get("field", "")), typed=fields)
        return await _page(desk, plain, None, said)


async def _begun(desk: Desk, fields: dict[str, str]) -> tuple[CaseVersion | None, UseCase, Case, int]:
    """Return the version that the address names, or a first draft where nothing is frozen yet."""
    ref = UseCaseRef(use_case=desk.path["use_case"])
    u = await desk.platform.portfolio.use_case(desk.call, ref)
    version = int(fields["version"]) if fields.get("version", "").isdigit() else 0
    try:
        held = await desk.platform.cases.case(desk.call, CaseRef(use_case=u.id, scenario=_scenario(fields),
                                                                 version=version))
    except NoSuchCase:
        starter = await desk.platform.cases.starter(desk.call, UseCaseRef(use_case=u.id))
        return None, u, starter.case, starter.seed
    return held, u, held.case, held.seed


def _scenario(fields: dict[str, str]) -> str:
    return fields.get("scenario", "").strip() or "base"


def _query(fields: dict[str, str]) -> str:
    return urlencode({k: v for k, v in fields.items() if k not in (*DRAWN_AS, "form_token", "reason", "as")})


def _drafted(u: UseCase, began: CaseVersion | None, start: Case, fields: dict[str, str], seed: int) -> Drafted:
    given = {k: v for k, v in fields.items() if k not in FORM_ONLY}
    changed = case_forms.typed(start, given) if given else start
    return Drafted(use_case=u, case=changed, scenario=_scenario(fields), began=began, was_typed=changed != start,
                   query=_query(fields), seed=seed)


async def _outcome(desk: Desk, d: Drafted) -> tuple[Case, CaseOutcome]:
    if d.began is not None and not d.was_typed:
        return d.case, d.began.outcome
    found = await desk.platform.cases.compute(desk.call, CaseDraft(use_case_id=d.use_case.id, case=d.case, seed=d.seed,
                                                                   draws=DRAWS))
    return found.case, found.outcome


async def _page(desk: Desk, d: Drafted, computed: tuple[Case, CaseOutcome] | None, refused: RefusedForm) -> Page:
    shown, outcome = computed if computed else (d.case, None)
    versions = () if desk.fragment else await desk.platform.cases.list_cases(desk.call, UseCaseRef(
        use_case=d.use_case.id))
    context = CasePage(
        use_case=d.use_case, case=shown, asked=case_forms.asked(shown), splits=case_forms.splits(shown),
        outcome=outcome, pictures=_pictures(d, outcome), scenario=d.scenario, versions=versions, seed=d.seed,
        began=d.began.version if d.began else 0,
        shown=d.began if not d.was_typed else None, refused=refused,
        may_freeze=desk.call.may("case:write", on=d.use_case.id))
    # a fragment that refuses is shown where the figures were; htmx shows only answers with status 200
    return Page(template="case_outcome.html" if desk.fragment else "case.html", rail="portfolio", context=context,
                title=f"Business case of {d.use_case.title}", demo=d.use_case.demo,
                status=422 if refused.message and not desk.fragment else 200)


def _pictures(d: Drafted, outcome: CaseOutcome | None) -> Mapping[str, Chart]:
    if outcome is None:
        return {}
    asked = f"?{d.query}" if d.query else ""
    return {name: draw(outcome, f"/use-cases/{d.use_case.slug}/case/{name}.svg{asked}")
            for name, draw in PICTURES.items()}


@places.get("/use-cases/{use_case}/case/{picture}.svg")
async def case_picture(desk: Desk) -> Answered:
    """Draw what the same address shows: distribution, tornado or payback."""
    fields = {k: v for k, v in desk.query.items() if k not in DRAWN_AS}
    began, u, start, seed = await _begun(desk, fields)
    drafted = _drafted(u, began, start, fields, seed)
    _, outcome = await _outcome(desk, drafted)
    return desk.picture(_pictures(drafted, outcome).get(desk.path["picture"]))


@places.post("/use-cases/{use_case}/case")
async def freeze(desk: Desk) -> Answered:
    """Freeze what the form holds as the next version of its scenario; a refusal keeps what was typed."""
    fields = dict(desk.form)
    began, u, start, seed = await _begun(desk, fields)
    try:
        d = _drafted(u, began, start, fields, seed)
        v = await desk.platform.cases.freeze(desk.call, FreezeCase(
            use_case_id=u.id, case=d.case, scenario=fields.get("as", "").strip() or d.scenario,
            reason=fields.get("reason", ""), seed=seed, draws=DRAWS))
    except (Invalid, Conflict) as refused:
        return await _shown(desk, fields, RefusedForm(message=refused.message, typed=fields,
                                                      field=str(refused.facts.get("field", ""))))
    return GoTo(address=f"/use-cases/{u.slug}/case?scenario={v.scenario}&version={v.version}",
                says=f"Frozen as {v.scenario}, version {v.version}; entry {v.seq} holds it.")


@places.get("/use-cases/{use_case}/case/{scenario}/{version}/file.{form}")
async def file(desk: Desk) -> Answered:
    """Hand a version to finance as a workbook or a paper."""
    found = await desk.platform.cases.export(desk.call, convert({
        "use_case": desk.path["use_case"], "scenario": desk.path["scenario"], "version": desk.path["version"],
        "form": desk.path["form"]}, CaseFileRef, from_text=True))
    return Download(body=found.body, name=found.name, media_type=found.media_type)


@places.get("/use-cases/{use_case}/case/compare")
async def compare(desk: Desk) -> Answered:
    """Lay two versions beside each other."""
    u = await desk.platform.portfolio.use_case(desk.call, UseCaseRef(use_case=desk.path["use_case"]))
    found = await desk.platform.cases.compare(desk.call, CasePair(
        use_case=u.id, left=desk.query.get("left", ""), right=desk.query.get("right", "")))
    return Page(template="case_compare.html", title="Two versions compared", rail="portfolio", demo=u.demo,
                context=ComparisonPage(use_case=u, found=found))


def _weights(desk: Desk) -> Weights:
    given = {name: desk.query[name] for name in WEIGHTS if desk.query.get(name, "").strip()}
    return convert(given, Weights, from_text=True)


@places.get("/portfolio/priorities")
async def priorities(desk: Desk) -> Answered:
    """Show value against complexity with its doubt, and how sure the ranking is; a rectangle narrows the list."""
    weights, refused = Weights(), RefusedForm()
    within = rectangle({}, *AXES)
    try:
        weights, within = _weights(desk), rectangle(desk.query, *AXES)
    except Invalid as broken:
        refused = RefusedForm(message=broken.message, field=str(broken.facts.get("field", "")), typed=desk.query)
    found = await desk.platform.planning.rank(desk.call, RankRequest(weights=weights))
    listed = tuple(p for p in found.placed if not within.narrows or within.holds(
        complexity=p.complexity, value=float(p.value.amount) if p.value else None))
    values = [float(p.value.amount) for p in found.placed if p.value]
    return Page(template="priorities.html", title="Priorities", rail="portfolio",
                demo=any(p.demo for p in found.placed), status=422 if refused.message else 200, context=PrioritiesPage(
                    found=found, weights={name: getattr(weights, name) for name in WEIGHTS}, within=within,
                    listed=listed, matrix=_matrix(desk, found, within), refused=refused,
                    ends={"complexity": (1, 5), "value": (min(values, default=0), max(values, default=0))}))


def _matrix(desk: Desk, found: Prioritised, within: Rectangle) -> Chart | None:
    asked = {**{k: v for k, v in desk.query.items() if k in WEIGHTS}, **within.typed}
    return case_charts.priorities(found, query=urlencode(asked), within=within)


@places.get("/portfolio/priorities.svg")
async def priorities_picture(desk: Desk) -> Answered:
    """Draw value against complexity with its doubt."""
    found = await desk.platform.planning.rank(desk.call, RankRequest(weights=_weights(desk)))
    return desk.picture(_matrix(desk, found, rectangle(desk.query, *AXES)))


@places.get("/portfolio/budget")
async def budget(desk: Desk) -> Answered:
    """Choose under a budget and squad capacity, and hold spend against measured return."""
    typed = {**ASKED_FIRST, **{k: desk.query[k] for k in SELECT if desk.query.get(k, "").strip()}}
    spend = await desk.platform.planning.spend(desk.call, NoFields())
    found, refused = None, RefusedForm()
    try:
        found = await _selection(desk, typed)
    except (Invalid, Conflict) as broken:
        refused = RefusedForm(message=broken.message, field=str(broken.facts.get("field", "")), typed=typed)
    return Page(template="budget.html", title="Portfolio under a budget", rail="portfolio", demo=spend.demo,
                status=422 if refused.message else 200, context=BudgetPage(
                    found=found, spend=spend, typed=typed, refused=refused, frontier=_frontier(found, typed)))


def _frontier(found: Selection | None, typed: Mapping[str, str]) -> Chart | None:
    return case_charts.frontier(found, "/portfolio/frontier.svg?" + urlencode(typed)) if found else None


async def _selection(desk: Desk, typed: dict[str, str]) -> Selection:
    return await desk.platform.planning.select(desk.call, convert(typed, SelectRequest, from_text=True))


@places.get("/portfolio/frontier.svg")
async def frontier_picture(desk: Desk) -> Answered:
    """Draw what more or less budget would bring."""
    typed = {**ASKED_FIRST, **{k: v for k, v in desk.query.items() if k in SELECT}}
    return desk.picture(_frontier(await _selection(desk, typed), typed))
