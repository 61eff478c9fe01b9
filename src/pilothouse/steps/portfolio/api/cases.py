"""The business case's façade: start, compute, freeze, compare, hand to finance."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import msgspec

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Conflict, Invalid
from pilothouse.kernel.ids import Mint, SubjectId
from pilothouse.kernel.operation import operation
from pilothouse.kernel.outlet import Outlets
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.portfolio import store
from pilothouse.steps.portfolio.api import accepting
from pilothouse.steps.portfolio.contracts import CriterionResult, UseCase, UseCaseRef
from pilothouse.steps.portfolio.contracts.cases import (
    Case,
    CaseDraft,
    CaseFile,
    CaseFileRef,
    CaseFrozen,
    CaseLine,
    CaseOutcome,
    CasePair,
    CaseRef,
    CaseVersion,
    Changed,
    Comparison,
    Computed,
    FreezeCase,
    Input,
    Measurement,
)
from pilothouse.steps.portfolio.errors import MeasurementsMoved, NoSuchCase, NoSuchUseCase
from pilothouse.steps.portfolio.logic import casing, drafting, tying, valuing
from pilothouse.steps.portfolio.ports import CaseWriter, Measurements
from pilothouse.steps.portfolio.store import cases as case_store
from pilothouse.steps.portfolio.store import samples as kept

OUTCOMES_KEPT = 24
"""Computed drafts kept in memory, about 60 kB each: a page and its pictures are one computation."""
REASON_LENGTH_MAX = 500


class Cases:
    """Business cases: inputs with evidence, money with its doubt, versions that never change."""

    def __init__(self, *, database: Database, mint: Mint, writers: Mapping[str, CaseWriter]) -> None:
        self._database, self._mint, self._writers = database, mint, writers
        self.measurements: Outlets[Measurements] = Outlets()
        self._kept: OrderedDict[str, CaseOutcome] = OrderedDict()

    @operation("GET /api/v1/use-cases/{use_case}/cases/starter", effect="read")
    async def starter(self, call: Call, request: UseCaseRef) -> CaseDraft:
        """Return a first draft from what intake and KPIs recorded; every guess says that it is assumed."""
        call.authorize("case:read", on=request.use_case)

        def look(reader: Reader) -> CaseDraft:
            u = known(reader, request.use_case)
            kpis = tuple(accepting.standing(reader, u, k)
                         for k in store.kpis(reader, u.id))
            priced = self._measured(reader, u, "gateway", "cost per answer", stamp(call.at)[:10]) is not None
            case = drafting.draft(u, kpis, price_year=call.at.year, has_token_cost=priced)
            return CaseDraft(use_case_id=u.id, case=case)

        return await self._database.read(look)

    @operation("POST /api/v1/cases/compute", effect="read")
    async def compute(self, call: Call, request: CaseDraft) -> Computed:
        """Compute a draft without keeping it: ties resolved, overlaps with other use cases checked."""
        call.authorize("case:read", on=request.use_case_id)
        case = await self._database.read(lambda r: self._ready(r, request, stamp(call.at)[:10]))
        return Computed(case=case, outcome=await self._outcome(case, request.seed, request.draws))

    @operation("POST /api/v1/use-cases/{use_case_id}/cases", effect="write")
    async def freeze(self, call: Call, request: FreezeCase) -> CaseVersion:
        """Freeze a case as the next version of its scenario; the same contents twice are one version.

        Raises:
            Invalid: the field that does not fit, and what to write instead.
            MeasurementsMoved: something it is tied to was measured anew meanwhile; look again and freeze.
        """
        call.authorize("case:write", on=request.use_case_id)
        _check_words(request)
        today = stamp(call.at)[:10]
        wanted = CaseDraft(use_case_id=request.use_case_id, case=request.case, seed=request.seed, draws=request.draws)
        case = await self._database.read(lambda r: self._ready(r, wanted, today, request.scenario))
        outcome = await self._outcome(case, request.seed, request.draws)

        def work(tx: Transaction) -> CaseVersion:
            if self._ready(tx, wanted, today, request.scenario) != case:
                raise MeasurementsMoved("what this case is tied to was measured anew; look at the figures and freeze"
                                        " again", use_case=request.use_case_id)
            return self._enter(tx, call, request, case, outcome)

        return await self._database.write(call, work)

    @operation("GET /api/v1/use-cases/{use_case}/cases", effect="read")
    async def list_cases(self, call: Call, request: UseCaseRef) -> tuple[CaseLine, ...]:
        """List every version of every scenario, newest first, each saying whether it rests on an old baseline."""
        call.authorize("case:read", on=request.use_case)

        def look(reader: Reader) -> tuple[CaseLine, ...]:
            u = known(reader, request.use_case)
            return tuple(line_of(current(reader, v)) for v in case_store.cases(reader, u.id))

        return await self._database.read(look)

    @operation("GET /api/v1/use-cases/{use_case}/cases/{scenario}/{version}", effect="read")
    async def case(self, call: Call, request: CaseRef) -> CaseVersion:
        """Return one version with its inputs and figures; version 0 is the latest."""
        call.authorize("case:read", on=request.use_case)
        return await self._database.read(lambda r: version_in(r, request.use_case, request.scenario, request.version))

    @operation("GET /api/v1/use-cases/{use_case}/cases/compare", effect="read")
    async def compare(self, call: Call, request: CasePair) -> Comparison:
        """Lay two versions beside each other: what was changed, and what that did to the money."""
        call.authorize("case:read", on=request.use_case)
        return await self._database.read(lambda r: _comparison(
            version_in(r, request.use_case, *_name("left", request.left)),
            version_in(r, request.use_case, *_name("right", request.right))))

    @operation("GET /api/v1/use-cases/{use_case}/cases/{scenario}/{version}/file", effect="read")
    async def export(self, call: Call, request: CaseFileRef) -> CaseFile:
        """Return a version as a workbook or a paper for finance, grades and sources included."""
        call.authorize("case:read", on=request.use_case)
        ref, version = (request.use_case, request.scenario, request.version), request.version

        def look(reader: Reader) -> tuple[UseCase, CaseVersion]:
            return known(reader, request.use_case), version_in(reader, *ref)

        u, found = await self._database.read(look)
        writer = self._writers[request.form]
        body = await asyncio.to_thread(writer.write, u, found)
        name = f"{u.slug}-{found.scenario}-{version or found.version}.{request.form}"
        return CaseFile(name=name, media_type=writer.media_type, body=body)

    @operation("POST /api/v1/use-cases/{use_case}/cases/{scenario}/{version}/recompute", effect="read")
    async def recompute(self, call: Call, request: CaseRef) -> CaseOutcome:
        """Compute a frozen version anew from its inputs, seed and draws: what it said then must come out again."""
        call.authorize("case:read", on=request.use_case)
        v = await self._database.read(lambda r: version_in(r, request.use_case, request.scenario, request.version))
        return await asyncio.to_thread(valuing.value, v.case, seed=v.seed, draws=v.draws)

    async def _outcome(self, case: Case, seed: int, draws: int) -> CaseOutcome:
        """Return what a ready case comes to, from memory when it was just computed; never on the event loop."""
        key = casing.digest(case, scenario="", seed=seed, draws=draws)
        if (held := self._kept.get(key)) is None:
            held = self._kept[key] = await asyncio.to_thread(valuing.value, case, seed=seed, draws=draws)
        self._kept.move_to_end(key)
        while len(self._kept) > OUTCOMES_KEPT:
            self._kept.popitem(last=False)
        return held

    def _ready(self, reader: Reader, draft: CaseDraft, today: str, scenario: str = "base") -> Case:
        """Return a checked case with its ties filled in; raises Invalid naming the first field that does not fit."""
        u = known(reader, draft.use_case_id)
        casing.check(draft.case, seed=draft.seed, draws=draft.draws)
        case = draft.case
        for field, given in casing.inputs(draft.case):
            case = tying.put(case, field, self._resolved(reader, u, field, given, today))
        mine = [(group, share, u.slug) for group, share in casing.claims(case)]
        casing.check_overlaps([*mine, *_others(reader, u, scenario)] if mine else [])
        return case

    def _resolved(self, reader: Reader, u: UseCase, field: str, given: Input, today: str) -> Input:
        plain = tying.cleared(given)
        if not plain.tie:
            return plain
        measured = self._measured(reader, u, plain.tie, plain.tied_to, today)
        return tying.tied(plain, measured, field=field)

    def _measured(self, reader: Reader, u: UseCase, kind: str, ref: str, today: str) -> Measurement | None:
        if kind == "kpi":
            return _kpi_measurement(reader, u, ref)
        plug = next((p for p in self.measurements if p.kind == kind), None)
        return plug.measurement(reader, u.id, ref, today) if plug else None

    def _enter(self, tx: Transaction, call: Call, request: FreezeCase, case: Case, outcome: CaseOutcome) -> CaseVersion:
        u = known(tx, request.use_case_id)
        digest = casing.digest(case, scenario=request.scenario, seed=request.seed, draws=request.draws)
        held = case_store.case(tx, u.id, request.scenario, 0)
        if held and held.digest == digest:
            return current(tx, held)
        if held and not request.reason.strip():
            raise Invalid(f"version {held.version} is frozen; say why there is a new one", field="reason")
        v = CaseVersion(
            id=self._mint("bc"), use_case_id=u.id, scenario=request.scenario, version=held.version + 1 if held else 1,
            case=case, outcome=outcome, seed=request.seed, draws=request.draws, digest=digest, engine=casing.ENGINE,
            frozen_by=call.principal.id, frozen_at=stamp(call.at), reason=request.reason.strip(), seq=0,
            demo=call.demo)
        reason = tx.seal(SubjectId(call.principal.id), v.reason) if v.reason else None
        frozen = replace(v, seq=tx.record(f"use_case/{u.id}", replace(_event(v), reason=reason)))
        case_store.insert_case(tx, frozen, reason_id=reason.id if reason else "")
        return frozen


def known(reader: Reader, ref: str) -> UseCase:
    """Return a use case by id or slug; raises NoSuchUseCase, for trials too: they are never counted."""
    found = store.use_case(reader, ref)
    if found is None or found.trial:
        raise NoSuchUseCase(f"there is no use case `{ref[:80]}` that you may see", use_case=ref[:80])
    return found


def version_in(reader: Reader, ref: str, scenario: str, version: int) -> CaseVersion:
    """Return a version with what has changed since; raises NoSuchCase."""
    u = known(reader, ref)
    found = case_store.case(reader, u.id, scenario, version)
    if found is None:
        raise NoSuchCase(f"`{u.slug}` has no business case `{scenario[:60]}` version {version or 'latest'}; freeze one",
                         use_case=u.slug, scenario=scenario[:60])
    return current(reader, found)


def current(reader: Reader, v: CaseVersion) -> CaseVersion:
    """Return a version that says which of its baselines have been replaced since."""
    stale = []
    for _, given in casing.inputs(v.case):
        held = store.baseline(reader, v.use_case_id, given.tied_to) if given.tie == "kpi" else None
        if held and held[0].version != given.baseline_version:
            stale.append(f"computed from baseline version {given.baseline_version} of `{given.tied_to}`; version"
                         f" {held[0].version} has replaced it")
    return replace(v, stale=tuple(dict.fromkeys(stale)))


def line_of(v: CaseVersion) -> CaseLine:
    """Return a version as a list shows it."""
    o = v.outcome
    return CaseLine(use_case_id=v.use_case_id, scenario=v.scenario, version=v.version, hard_p50=o.hard.npv.p50,
                    whole_p50=o.whole.npv.p50, above_zero=o.hard.above_zero, grade=o.grade, digest=v.digest,
                    frozen_by=v.frozen_by, frozen_at=v.frozen_at, reason=v.reason, seq=v.seq, demo=v.demo,
                    stale=v.stale)


def _result(reader: Reader, u: UseCase, slug: str) -> CriterionResult:
    kpi = next((k for k in store.kpis(reader, u.id) if k.slug == slug), None)
    if kpi is None:
        raise Invalid(f"this use case has no KPI `{slug[:80]}`; define it first, or tie to another", field="tied_to")
    return accepting.standing(reader, u, kpi).result


def _kpi_measurement(reader: Reader, u: UseCase, slug: str) -> Measurement | None:
    measured = tying.of_kpi(_result(reader, u, slug))
    frozen = store.baseline(reader, u.id, slug)
    if measured is None or frozen is None:
        return None
    return replace(measured, entries=(frozen[1], *kept.latest_entries(reader, u.id, slug, "current")[-20:]))


def _others(reader: Reader, u: UseCase, scenario: str) -> Sequence[tuple[str, Decimal, str]]:
    """Return what the latest cases of other use cases claim of any group; retired ones claim nothing."""
    live = {x.id: x.slug for x in store.use_cases(reader) if x.stage != "retired" and x.id != u.id}
    return [(group, share, live[v.use_case_id]) for v in case_store.latest(reader, scenario)
            if v.use_case_id in live for group, share in casing.claims(v.case)]


def _check_words(request: FreezeCase) -> None:
    if not casing.SCENARIO.fullmatch(request.scenario) or len(request.scenario) > 40:
        raise Invalid("a scenario's name is a-z, 0-9 and dashes, such as `base` or `low-adoption`", field="scenario")
    if len(request.reason) > REASON_LENGTH_MAX:
        raise Invalid(f"a reason has up to {REASON_LENGTH_MAX} characters", field="reason")


def _name(field: str, text: str) -> tuple[str, int]:
    scenario, _, version = text.partition(":")
    if not version.isdigit():
        raise Invalid("name a version as `scenario:version`, such as `base:1`", field=field)
    return scenario, int(version)


def _event(v: CaseVersion) -> CaseFrozen:
    hard, tied = v.outcome.hard, [given for _, given in casing.inputs(v.case) if given.tie]
    return CaseFrozen(
        use_case_id=v.use_case_id, case_id=v.id, scenario=v.scenario, version=v.version, digest=v.digest,
        engine=v.engine, seed=v.seed, draws=v.draws, currency=v.case.currency, hard_p10=str(hard.npv.p10.amount),
        hard_p50=str(hard.npv.p50.amount), hard_p90=str(hard.npv.p90.amount),
        whole_p50=str(v.outcome.whole.npv.p50.amount), above_zero=hard.above_zero, grade=v.outcome.grade,
        baselines=tuple(dict.fromkeys(f"{g.tied_to}@{g.baseline_version}" for g in tied if g.tie == "kpi")),
        entries=tuple(sorted({seq for g in tied for seq in g.entries})))


def _comparison(left: CaseVersion, right: CaseVersion) -> Comparison:
    if left.case.currency != right.case.currency:
        raise Conflict(f"one version is in {left.case.currency} and the other in {right.case.currency}; they cannot be"
                       " subtracted", field="right")
    changed = casing.differences(msgspec.to_builtins(left.case), msgspec.to_builtins(right.case))
    return Comparison(
        left=line_of(left), right=line_of(right),
        changed=tuple(Changed(field=f, left=a, right=b) for f, a, b in changed),
        hard_change=right.outcome.hard.npv.mean - left.outcome.hard.npv.mean,
        whole_change=right.outcome.whole.npv.mean - left.outcome.whole.npv.mean)

