"""The façade of prioritisation: score, rank, choose what to fund, and hold spend against measured return."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.quantity import AMOUNT_MAX, Money, money
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.portfolio import store
from pilothouse.steps.portfolio.api.cases import known
from pilothouse.steps.portfolio.contracts import UseCase
from pilothouse.steps.portfolio.contracts.cases import CaseVersion
from pilothouse.steps.portfolio.contracts.planning import (
    Candidate,
    FunctionSpend,
    Marginal,
    Prioritised,
    RankRequest,
    Scoring,
    ScoringSet,
    Selection,
    SelectRequest,
    SpendReport,
)
from pilothouse.steps.portfolio.logic import casing, flowing, measuring, scoring, selecting
from pilothouse.steps.portfolio.store import cases as case_store

HOME_CURRENCY = "EUR"
LIVE = ("limited", "scaled")
FRONTIER = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)
UNNAMED = "function not named"
MEASURED_FROM = measuring.GRADES.index("E2")
METHOD = ("0/1 program on expected NPV (scipy.optimize.milp, HiGHS); budget holds costs of the first twelve months,"
          " capacity holds squad weeks; more budget is solved again, not extrapolated")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """One snapshot of everything that planning reads."""

    use_cases: Sequence[UseCase]
    cases: Mapping[str, CaseVersion]
    scorings: Mapping[str, Scoring]


class Planning:
    """Where each use case lies, how sure the ranking is, what to fund, and what the money brought."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    @operation("POST /api/v1/use-cases/{use_case_id}/scoring", effect="write")
    async def score(self, call: Call, request: Scoring) -> Scoring:
        """Record what its owner says about a use case's complexity, fit and squads; every version is in the ledger."""
        call.authorize("case:write", on=request.use_case_id)
        scoring.check(request)

        def work(tx: Transaction) -> Scoring:
            u = known(tx, request.use_case_id)
            given = replace(request, use_case_id=u.id)
            for slug in given.depends_on:
                if known(tx, slug).id == u.id:
                    raise Invalid("a use case cannot depend on itself", field="depends_on")
            digest = scoring.digest(given)
            version = case_store.save_scoring(tx, given, digest=digest, at=stamp(call.at), by=call.principal.id)
            if version:
                tx.record(f"use_case/{u.id}", ScoringSet(use_case_id=u.id, version=version, digest=digest,
                                                         squad_weeks=str(given.squad_weeks)))
            return given

        return await self._database.write(call, work)

    @operation("POST /api/v1/portfolio/rank", effect="read")
    async def rank(self, call: Call, request: RankRequest) -> Prioritised:
        """Place use cases by value and complexity, rank them under uncertain weights, and say what turns the order."""
        call.authorize("case:read", on="*")
        held = await self._database.read(lambda r: _look(r, request.scenario))
        return await asyncio.to_thread(scoring.prioritise, held.use_cases, held.cases, held.scorings, request.weights,
                                       seed=request.seed, currency=HOME_CURRENCY)

    @operation("POST /api/v1/portfolio/select", effect="read")
    async def select(self, call: Call, request: SelectRequest) -> Selection:
        """Choose what to fund under a budget and squad capacity, and what the next unit of budget would buy."""
        call.authorize("case:read", on="*")
        _check(request)
        held = await self._database.read(lambda r: _look(r, request.scenario))
        return await asyncio.to_thread(_selected, held, request)

    @operation("GET /api/v1/portfolio/spend", effect="read")
    async def spend(self, call: Call, request: NoFields) -> SpendReport:
        """Hold spend against measured return by function, the best measured return for its cost first."""
        call.authorize("case:read", on="*")
        held = await self._database.read(lambda r: _look(r, "base"))
        return _spend(held)


def _look(reader: Reader, scenario: str) -> _Known:
    return _Known(use_cases=store.use_cases(reader), scorings=case_store.scorings(reader),
                  cases={v.use_case_id: v for v in case_store.latest(reader, scenario)})


def _check(request: SelectRequest) -> None:
    for name in ("budget", "squad_weeks"):
        amount: Decimal = getattr(request, name)
        if not (amount.is_finite() and 0 <= amount < AMOUNT_MAX):
            raise Invalid("this is an amount from 0", field=name)
    if request.step is not None and not (request.step.is_finite() and 0 < request.step < AMOUNT_MAX):
        raise Invalid("the next unit of budget is an amount above 0", field="step")
    if request.per_function_max is not None and request.per_function_max < 0:
        raise Invalid("at most so many of one function: a whole number from 0", field="per_function_max")
    if both := set(request.must) & set(request.never):
        raise Invalid(f"{', '.join(sorted(both))} cannot be funded always and never", field="never")


def _selected(held: _Known, request: SelectRequest) -> Selection:
    live = [u for u in held.use_cases if u.stage != "retired" and not u.trial]
    left_out = {u.slug: why for u in live if (why := _why_not(u, held, request))}
    options = [_option(u, held, request) for u in live if u.slug not in left_out]
    limits = selecting.Limits(budget=float(request.budget), capacity=float(request.squad_weeks),
                              per_function_max=request.per_function_max, must=frozenset(request.must),
                              never=frozenset(request.never))
    if missing := set(request.must) - {o.name for o in options}:
        raise Invalid(f"{', '.join(sorted(missing))} cannot be chosen: no frozen case or scoring", field="must")
    best = selecting.choose(options, limits)
    step = float(request.step if request.step is not None else request.budget / 10)
    bought = selecting.next_purchase(options, limits, best)

    def marginal(budget: float) -> Marginal:
        more = selecting.choose(options, replace(limits, budget=budget))
        return _marginal(request, budget, best, more)

    chosen = set(best.names)
    return Selection(
        chosen=best.names, net=money(request.currency, best.net), cost=money(request.currency, best.cost),
        squad_weeks=Decimal(repr(best.capacity)), capacity=request.squad_weeks, method=METHOD,
        budget=Money(currency=request.currency, amount=request.budget), next_step=marginal(limits.budget + step),
        next_purchase=_marginal(request, bought.cost, best, bought) if bought else None,
        shadow_price=selecting.shadow_price(options, limits), caution=_cautions(held, best.names),
        frontier=tuple(marginal(limits.budget * f) for f in FRONTIER) if not limits.must else (),
        candidates=tuple(_candidate(u, held, request, chosen, left_out.get(u.slug, "")) for u in live))


def _why_not(u: UseCase, held: _Known, request: SelectRequest) -> str:
    if u.id not in held.cases:
        return f"no frozen business case for the scenario `{request.scenario}`"
    if u.id not in held.scorings:
        return "no scoring yet, so its squad weeks are unknown"
    if held.cases[u.id].case.currency != request.currency:
        return f"its case is in {held.cases[u.id].case.currency}"
    mature = any(x.stage in LIVE for x in held.use_cases)
    gate, says = scoring.pregate(u, mature=mature)
    return f"risk gate: {says}" if gate != "clear" and u.slug not in request.must else ""


def _option(u: UseCase, held: _Known, request: SelectRequest) -> selecting.Option:
    v, s = held.cases[u.id], held.scorings[u.id]
    side = v.outcome.hard if request.objective == "hard" else v.outcome.whole
    met = {x.slug for x in held.use_cases if x.stage in LIVE} | {x.id for x in held.use_cases if x.stage in LIVE}
    slugs = {x.id: x.slug for x in held.use_cases}
    return selecting.Option(
        name=u.slug, net=float(side.npv.mean.amount), cost=float(v.outcome.first_year_cost.amount),
        capacity=float(s.squad_weeks), function=v.case.function or UNNAMED,
        needs=tuple(slugs.get(n, n) for n in s.depends_on if n not in met),  # type: ignore[call-overload]
        claims=tuple((g, float(share)) for g, share in casing.claims(v.case)))


def _marginal(request: SelectRequest, budget: float, best: selecting.Chosen, more: selecting.Chosen) -> Marginal:
    return Marginal(budget=money(request.currency, budget), net=money(request.currency, more.net),
                    gained=money(request.currency, more.net - best.net),
                    comes=tuple(n for n in more.names if n not in best.names),
                    goes=tuple(n for n in best.names if n not in more.names))


def _candidate(u: UseCase, held: _Known, request: SelectRequest, chosen: set[str], why: str) -> Candidate:
    v, s = held.cases.get(u.id), held.scorings.get(u.id)
    side = (v.outcome.hard if request.objective == "hard" else v.outcome.whole) if v else None
    nothing = Money(currency=request.currency, amount=Decimal(0))
    return Candidate(slug=u.slug, title=u.title, function=(v.case.function if v else "") or UNNAMED,
                     net=side.npv.mean if side else nothing, cost=v.outcome.first_year_cost if v else nothing,
                     squad_weeks=s.squad_weeks if s else Decimal(0), chosen=u.slug in chosen, why_not=why,
                     grade=v.outcome.grade if v else None)


def _cautions(held: _Known, names: Sequence[str]) -> tuple[str, ...]:
    weak = [u.slug for u in held.use_cases if u.slug in names
            and measuring.GRADES.index(held.cases[u.id].outcome.grade) < MEASURED_FROM]
    return (f"chosen on assumptions, not on measurements: {', '.join(weak)}",) if weak else ()


def _spend(held: _Known) -> SpendReport:
    live = [u for u in held.use_cases if u.stage != "retired" and not u.trial]
    counted = [u for u in live if u.id in held.cases and held.cases[u.id].case.currency == HOME_CURRENCY]
    by_function: dict[str, list[CaseVersion]] = {}
    for u in counted:
        v = held.cases[u.id]
        by_function.setdefault(v.case.function or UNNAMED, []).append(v)
    whole = sum(float(v.outcome.costs.mean.amount) for vs in by_function.values() for v in vs)
    found = [_function(name, versions, whole) for name, versions in by_function.items()]
    return SpendReport(currency=HOME_CURRENCY, demo=any(u.demo for u in counted),
                       functions=tuple(sorted(found, key=lambda f: -(f.measured_per_cost or 0.0))),
                       left_out=tuple(u.slug for u in live if u not in counted))


def _function(name: str, versions: Sequence[CaseVersion], whole_spend: float) -> FunctionSpend:
    cost = sum(float(v.outcome.costs.mean.amount) for v in versions)
    parts = [(line, flowing.counted_share(d), measuring.GRADES.index(d.effect.grade) >= MEASURED_FROM)
             for v in versions for line, d in zip(v.outcome.lines, v.case.drivers, strict=True)]
    hard = [(float(line.cash.amount), measured) for line, _, measured in parts]
    whole = [(float(line.present_value.mean.amount) * share, measured) for line, share, measured in parts]
    measured_whole = sum(x for x, measured in whole if measured)
    return FunctionSpend(
        function=name, use_cases=len(versions), cost=money(HOME_CURRENCY, cost),
        share=cost / whole_spend if whole_spend else 0.0, hard_expected=money(HOME_CURRENCY, sum(x for x, _ in hard)),
        hard_measured=money(HOME_CURRENCY, sum(x for x, measured in hard if measured)),
        whole_expected=money(HOME_CURRENCY, sum(x for x, _ in whole)),
        whole_measured=money(HOME_CURRENCY, measured_whole),
        measured_per_cost=measured_whole / cost if cost else None)
