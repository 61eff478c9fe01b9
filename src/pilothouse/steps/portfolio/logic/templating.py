"""KPI templates: what others measure, how each is gamed, and the counter-metric that shows it."""

from pilothouse.kernel.codec import nearest
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts import Kpi, UseCaseId
from pilothouse.steps.portfolio.contracts.samples import FromTemplate, KpiProfile, KpiTemplate
from pilothouse.steps.portfolio.logic import gauging

TEMPLATES: tuple[KpiTemplate, ...] = (
    KpiTemplate(slug="cost-per-query", title="Cost per query", unit="EUR", shape="mean", better="lower",
                indicator="leading", instrument="tokens and prices of the gateway's own records (feed `ledger`)",
                gaming_risk="Shorter or refused answers are cheap and help nobody.",
                counter="first-contact-resolution", margin=0.01, cadence="daily"),
    KpiTemplate(slug="handling-time", title="Handling time", unit="min", shape="mean", better="lower",
                indicator="lagging", instrument="timestamps of the ticket system, opened to closed, breaks taken out",
                gaming_risk="Cases are closed early and come back.", counter="rework", margin=0.5),
    KpiTemplate(slug="productivity", title="Productivity", unit="{case}/h", shape="mean", better="higher",
                indicator="lagging", instrument="cases closed over hours worked, by team and week",
                gaming_risk="Easy cases are taken first and hard ones left lying.", counter="error-rate", margin=0.2),
    KpiTemplate(slug="error-rate", title="Error rate", unit="share", shape="proportion", better="lower",
                indicator="lagging", instrument="a second person checks a random sample against the rule book",
                gaming_risk="Fewer checks find fewer errors; fix the size of the sample.", counter="handling-time",
                margin=0.01),
    KpiTemplate(slug="rework", title="Rework", unit="share", shape="proportion", better="lower", indicator="lagging",
                instrument="cases reopened within 14 days, from the ticket system",
                gaming_risk="A new case is opened instead of the old one being reopened.", counter="csat", margin=0.01),
    KpiTemplate(slug="first-contact-resolution", title="First-contact resolution", unit="share", shape="proportion",
                better="higher", indicator="lagging", instrument="no further contact on the matter within 7 days",
                gaming_risk="Contacts on another channel are not linked.", counter="handling-time", margin=0.02),
    KpiTemplate(slug="csat", title="Customer satisfaction (CSAT)", unit="share", shape="proportion", better="higher",
                indicator="leading", instrument="share of answers 4 and 5 of 5, everybody asked, answer rate stated",
                gaming_risk="Only pleased customers are asked.", counter="rework", margin=0.02),
    KpiTemplate(slug="nps", title="Net Promoter Score (NPS)", unit="{point}", shape="mean", better="higher",
                indicator="lagging", instrument="each answer as +100 (9, 10), 0 (7, 8) or -100 (0 to 6)",
                gaming_risk="The question is asked right after good news.", counter="first-contact-resolution",
                margin=5.0, cadence="quarterly"),
    KpiTemplate(slug="revenue-per-case", title="Revenue per case", unit="EUR/{case}", shape="mean", better="higher",
                indicator="lagging", instrument="invoiced and not cancelled after 30 days, from the ledger of accounts",
                gaming_risk="Sales are pulled forward or cancelled after the count.", counter="csat", margin=1.0,
                cadence="monthly"),
)
_BY_SLUG = {t.slug: t for t in TEMPLATES}


def template(slug: str) -> KpiTemplate:
    """Return a template; raises Invalid naming the nearest one."""
    if slug not in _BY_SLUG:
        raise Invalid(f"there is no KPI template `{slug[:60]}`{nearest(slug, _BY_SLUG)}", field="template")
    return _BY_SLUG[slug]


def kpi_of(t: KpiTemplate, request: FromTemplate) -> Kpi:
    """Return the KPI that a template becomes in one use case."""
    return Kpi(use_case_id=request.use_case_id, slug=t.slug, title=t.title, unit=_unit(t, request.unit), shape=t.shape,
               better=t.better, least_change=request.least_change)


def _unit(t: KpiTemplate, wanted: str) -> str:
    """Return the template's unit, in another currency where one is asked for."""
    if not wanted:
        return t.unit
    named = gauging.canonical(wanted)
    if gauging.currency(t.unit) and named in gauging.CURRENCIES:
        return t.unit.replace(gauging.currency(t.unit), named)
    gauging.same(t.unit, wanted)
    return t.unit


def guardrail_of(t: KpiTemplate, use_case_id: UseCaseId) -> Kpi:
    """Return a template as counter-metric: it decides nothing by itself, and it must not worsen."""
    return Kpi(use_case_id=use_case_id, slug=t.slug, title=t.title, unit=t.unit, shape=t.shape, better=t.better,
               least_change=0.0, mandatory=False)


def profile_of(t: KpiTemplate, request: FromTemplate) -> KpiProfile:
    """Return how a KPI from this template is measured."""
    return KpiProfile(use_case_id=request.use_case_id, kpi=t.slug, template=t.slug, indicator=t.indicator,
                      instrument=t.instrument, gaming_risk=t.gaming_risk, cadence=request.cadence or t.cadence)


def guardrail_profile_of(t: KpiTemplate, request: FromTemplate) -> KpiProfile:
    """Return how the counter-metric of `request.template` is measured, and by how much it may worsen."""
    margin = t.margin if request.margin is None else request.margin
    return KpiProfile(use_case_id=request.use_case_id, kpi=t.slug, template=t.slug, indicator=t.indicator,
                      instrument=t.instrument, gaming_risk=t.gaming_risk, cadence=t.cadence,
                      counter_of=request.template, margin=margin)


def check_profile(p: KpiProfile) -> None:
    """Raise Invalid naming the field of a profile that does not fit."""
    if p.margin is not None and p.margin < 0:
        raise Invalid("say how much it may worsen as a positive number, in the KPI's unit", field="margin")
    if p.counter_of and p.margin is None:
        raise Invalid("a guardrail needs a margin: how much it may worsen before that counts", field="margin")
    if p.counter_of == p.kpi:
        raise Invalid("a KPI cannot be the counter-metric of itself", field="counter_of")
    for name in ("instrument", "gaming_risk", "seasonality"):
        if len(getattr(p, name)) > 2000:
            raise Invalid("write at most 2,000 characters", field=name)
