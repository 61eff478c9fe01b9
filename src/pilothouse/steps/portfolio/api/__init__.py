"""The portfolio's façade: propose, define, freeze, measure, assess, decide."""

from collections.abc import Sequence
from dataclasses import replace

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Conflict, Invalid, PilothouseError
from pilothouse.kernel.ids import ORGANISATION, Mint, SubjectId
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.outlet import Outlets
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.stats.summary import Summary
from pilothouse.steps.portfolio import store
from pilothouse.steps.portfolio.api import accepting, deciding
from pilothouse.steps.portfolio.api.accepting import known as _known
from pilothouse.steps.portfolio.api.accepting import kpi_of as _kpi
from pilothouse.steps.portfolio.api.accepting import no_such as _no_such
from pilothouse.steps.portfolio.api.accepting import standing as _standing
from pilothouse.steps.portfolio.contracts import (
    Baseline,
    BaselineFrozen,
    Batch,
    DecidedGate,
    FreezeRequest,
    GateAhead,
    GateAssessment,
    GateFact,
    GateRequest,
    Kpi,
    KpiDefined,
    KpiStanding,
    MatrixPoint,
    PortfolioQuery,
    Proposal,
    Reason,
    SampleBatch,
    Standing,
    Triage,
    UseCase,
    UseCaseId,
    UseCaseProposed,
    UseCaseRef,
)
from pilothouse.steps.portfolio.contracts.samples import BatchQuery
from pilothouse.steps.portfolio.errors import (
    BaselineFrozenAlready,
    Deferred,
    LikelyDuplicate,
    Prohibited,
    TooFewSamples,
)
from pilothouse.steps.portfolio.logic import (
    binding,
    diagnosing,
    gating,
    measuring,
    prioritising,
    recalling,
    triaging,
    wording,
)
from pilothouse.steps.portfolio.ports import GateFacts
from pilothouse.steps.portfolio.store import deciding as gate_tables
from pilothouse.steps.portfolio.store import samples as kept
from pilothouse.steps.portfolio.store import strategy as strategy_tables

BATCHES_MAX = 1000


class Portfolio:
    """Use cases with owners, KPIs with baselines, gates with evidence."""

    def __init__(self, *, database: Database, mint: Mint) -> None:
        self._database, self._mint = database, mint
        self.gate_facts: Outlets[GateFacts] = Outlets()
        self._epoch = -1
        self._standings: dict[str, Standing] = {}
        self._ids: dict[str, str] = {}

    @operation("POST /api/v1/use-cases/triage", effect="read")
    async def triage(self, call: Call, request: Proposal) -> Triage:
        """Say what intake would answer to a proposal, without proposing it."""
        call.authorize("use_case:propose", on="*")
        wording.check(request)
        return await self._database.read(lambda r: _foretold(r, request, _triage(request, store.use_cases(r))))

    @operation("POST /api/v1/use-cases", effect="write")
    async def propose(self, call: Call, request: Proposal) -> UseCase:
        """Enter a use case into the portfolio as an idea.

        Raises:
            Prohibited: the law forbids this purpose.
            LikelyDuplicate: join the one named, or say in `join_anyway` why not.
            Deferred: customer-facing or autonomous before guardrails are mature.
        """
        call.authorize("use_case:propose", on="*")
        wording.check(request)
        return self._named(await self._database.write(call, lambda tx: self._enter(tx, call, request, trial=False)))

    async def propose_trial(self, call: Call, request: Proposal) -> UseCase:
        """Create the use case that lets a stranger ask at once: minimal risk, asked only by its owner, no gate."""
        call.authorize("use_case:configure", on="*")
        wording.check(request)

        def work(tx: Transaction) -> UseCase:
            held = store.use_case(tx, wording.slug_of(request))
            return held if held else self._enter(tx, call, request, trial=True)

        return self._named(await self._database.write(call, work))

    async def refresh(self) -> None:
        """Learn the names of all use cases, for access on scopes that are written either way."""
        for u in await self._database.read(store.use_cases):
            self._named(u)

    def _named(self, u: UseCase) -> UseCase:
        self._ids[u.slug] = u.id
        return u

    def canonical(self, scope: str) -> str:
        """Return a use case's id for its slug, and any other scope as it is; neither name ever changes."""
        return self._ids.get(scope, scope)

    def _enter(self, tx: Transaction, call: Call, proposal: Proposal, *, trial: bool) -> UseCase:
        triage = _triage(proposal, store.use_cases(tx))
        if not trial:
            _welcome(triage)
        u = wording.use_case_of(proposal, id=UseCaseId(self._mint("uc")), by=call.principal.id, at=stamp(call.at),
                                triage=triage, trial=trial, demo=call.demo)
        if not store.insert_use_case(tx, u):
            raise LikelyDuplicate("this short name is taken; choose another slug, or join that use case",
                                  join=u.slug, field="slug")
        tx.record(f"use_case/{u.id}", UseCaseProposed(
            use_case_id=u.id, slug=u.slug, title=tx.seal(ORGANISATION, u.title), risk_tier=u.risk_tier,
            problem=tx.seal(SubjectId(call.principal.id), u.problem), triage=triage.verdict, owner=u.owner,
            trial=trial))
        return u

    @operation("GET /api/v1/use-cases", effect="read")
    async def list_use_cases(self, call: Call, request: PortfolioQuery) -> tuple[UseCase, ...]:
        """List use cases, oldest first; trials only to their owner."""
        call.authorize("use_case:read", on="*")
        found = await self._database.read(store.use_cases)
        return tuple(u for u in found if request.stage in ("", u.stage) and request.owner in ("", u.owner)
                     and (not u.trial or u.owner == call.principal.id))

    @operation("GET /api/v1/use-cases/{use_case}", effect="read")
    async def use_case(self, call: Call, request: UseCaseRef) -> UseCase:
        """Return one use case by id or slug."""
        call.authorize("use_case:read", on=request.use_case)
        u = await self._database.read(lambda r: _known(r, request.use_case), quick=True)
        if u.trial and u.owner != call.principal.id:
            raise _no_such(request.use_case)
        return u

    @operation("GET /api/v1/portfolio/matrix", effect="read")
    async def matrix(self, call: Call, request: NoFields) -> tuple[MatrixPoint, ...]:
        """Place every live use case between the cost of its work today and its complexity."""
        call.authorize("use_case:read", on="*")
        return prioritising.matrix(await self._database.read(store.use_cases))

    async def standing(self, call: Call, request: UseCaseRef) -> Standing:
        """Return what later steps must know before working for a use case; cached until any use case changes."""
        call.authorize("use_case:read", on=request.use_case)
        return await self._database.read(lambda r: self.standing_in(r, request.use_case), quick=True)

    def standing_in(self, reader: Reader, ref: str) -> Standing:
        """Return the standing by id or slug from an open snapshot; raises NoSuchUseCase."""
        epoch = store.epoch(reader)
        if epoch != self._epoch:
            self._standings, self._epoch = {}, epoch
        held = self._standings.get(ref)
        if held is None:
            held = self._standings[ref] = wording.standing_of(_known(reader, ref))
        return held

    @staticmethod
    def kpi_in(reader: Reader, u: UseCase, slug: str) -> KpiStanding:
        """Return one KPI against its baseline in an open snapshot (the caller authorizes); raises NoSuchKpi."""
        return _standing(reader, u, _kpi(reader, u.id, slug))

    @staticmethod
    def use_case_in(reader: Reader, ref: str) -> UseCase:
        """Return one use case by id or slug from an open snapshot (the caller authorizes); raises NoSuchUseCase."""
        return _known(reader, ref)

    @staticmethod
    def known_in(reader: Reader) -> Sequence[UseCase]:
        """Return every use case from an open snapshot (the caller authorizes)."""
        return store.use_cases(reader)

    @operation("POST /api/v1/use-cases/{use_case_id}/kpis", effect="write")
    async def define_kpi(self, call: Call, request: Kpi) -> Kpi:
        """Define a KPI, or change the bar of one; every version is in the ledger."""
        call.authorize("use_case:define", on=request.use_case_id)
        wording.check_kpi(request)

        def work(tx: Transaction) -> Kpi:
            u = _known(tx, request.use_case_id)
            kpi = replace(request, use_case_id=u.id)
            if kpi in store.kpis(tx, u.id):
                return kpi
            _keeps_its_unit(tx, kpi)
            version = store.save_kpi(tx, kpi)
            tx.record(f"use_case/{u.id}", KpiDefined(
                use_case_id=u.id, kpi=kpi.slug, unit=kpi.unit, shape=kpi.shape, better=kpi.better,
                least_change=kpi.least_change, mandatory=kpi.mandatory, kill_below=kpi.kill_below, version=version))
            return kpi

        return await self._database.write(call, work)

    @operation("POST /api/v1/use-cases/{use_case_id}/samples", effect="write")
    async def measure(self, call: Call, request: SampleBatch) -> KpiStanding:
        """Accept a batch of observations of one KPI; the same key (or the same content) twice is one batch."""
        call.authorize("use_case:measure", on=request.use_case_id)

        kpi, prepared = await accepting.prepare(self._database, call, request)

        def work(tx: Transaction) -> KpiStanding:
            accepting.accept(tx, call, self._mint, kpi, prepared)
            return _standing(tx, _known(tx, prepared.batch.use_case_id), kpi)

        return await self._database.write(call, work)

    @operation("POST /api/v1/use-cases/{use_case_id}/baselines", effect="write")
    async def freeze_baseline(self, call: Call, request: FreezeRequest) -> Baseline:
        """Freeze everything measured in the baseline period.

        Raises:
            BaselineFrozenAlready: a second freeze needs a reason, and makes a new version.
            TooFewSamples: fewer than two observations.
        """
        call.authorize("use_case:freeze", on=request.use_case_id)
        return await self._database.write(call, lambda tx: _freeze(tx, call, request))

    @operation("GET /api/v1/use-cases/{use_case}/kpis", effect="read")
    async def kpis(self, call: Call, request: UseCaseRef) -> tuple[KpiStanding, ...]:
        """Return every KPI against its frozen baseline, with interval, grade and the entries behind it."""
        call.authorize("use_case:read", on=request.use_case)

        def look(reader: Reader) -> tuple[KpiStanding, ...]:
            u = _known(reader, request.use_case)
            return tuple(_standing(reader, u, k) for k in store.kpis(reader, u.id))

        return await self._database.read(look)

    @operation("GET /api/v1/use-cases/{use_case}/kpis/{kpi}/batches", effect="read")
    async def batches(self, call: Call, request: BatchQuery) -> tuple[Batch, ...]:
        """Return the newest batches behind a KPI: the provenance of its figure, baseline first."""
        call.authorize("use_case:read", on=request.use_case)

        def look(reader: Reader) -> tuple[Batch, ...]:
            u = _known(reader, request.use_case)
            _kpi(reader, u.id, request.kpi)
            return tuple(wording.batch_of(r, period) for period in wording.PERIODS for r in kept.page(
                reader, u.id, request.kpi, period, limit=min(request.limit, BATCHES_MAX), before=request.before))

        return await self._database.read(look)

    @operation("GET /api/v1/use-cases/{use_case}/gate", effect="read")
    async def assess_gate(self, call: Call, request: UseCaseRef) -> GateAssessment:
        """Say what the evidence recommends for the gate out of the current stage; nothing is decided."""
        call.authorize("use_case:read", on=request.use_case)
        return await self._database.read(lambda r: self.assessed_in(r, _known(r, request.use_case), call))

    def assessed_in(self, reader: Reader, u: UseCase, call: Call, *, conditions: bool = False) -> GateAssessment:
        """Assess a gate in an open snapshot (the caller authorizes); `conditions` says that some would be named."""
        standings = [_standing(reader, u, k) for k in store.kpis(reader, u.id)]
        results = tuple(s.result for s in standings)
        facts = self._facts(reader, u, call)
        grade_min = deciding.policy_in(reader, u.stage, u.risk_tier).grade_min
        verdict, why = gating.recommend(u.stage, results, facts, grade_min=grade_min, conditions=conditions)
        entries = {seq for s in standings for seq in s.entries} | {seq for f in facts for seq in f.entries}
        return GateAssessment(use_case_id=u.id, stage=u.stage, recommended=verdict, why=why, results=results,
                              facts=facts, evidence=tuple(sorted(entries)),
                              digest=binding.digest(u.stage, results, facts))

    def _facts(self, reader: Reader, u: UseCase, call: Call) -> tuple[GateFact, ...]:
        standing, today = wording.standing_of(u), stamp(call.at)[:10]
        own = binding.facts(store.gates(reader, u.id), gate_tables.conditions(reader, u.id), today)
        return (*own, *(f for plug in self.gate_facts for f in _facts_of(plug, reader, standing, today)))

    @operation("POST /api/v1/use-cases/{use_case_id}/gate", effect="decide")
    async def decide_gate(self, call: Call, request: GateRequest) -> DecidedGate:
        """Record a person's vote at the gate; the one that completes the quorum decides it and moves the use case.

        Raises:
            SameHands: the proposer or the owner tried to decide.
            GateNotReady: the evidence does not allow this verdict.
            Conflict: the evidence changed since it was looked at, or somebody moved the use case first.
        """
        call.authorize("use_case:decide", on=request.use_case_id)
        if not request.reason.strip():
            raise Invalid("say why, in a sentence that a board could read", field="reason")
        return await self._database.write(call, lambda tx: self._decide(tx, call, request))

    def _decide(self, tx: Transaction, call: Call, request: GateRequest) -> DecidedGate:
        u = _known(tx, request.use_case_id)
        deciding.check_hands(u, call.principal.id)
        return deciding.voted(tx, call, u, request, self.assessed_in(tx, u, call, conditions=bool(request.conditions)))

    @operation("GET /api/v1/use-cases/{use_case}/decisions", effect="read")
    async def decisions(self, call: Call, request: UseCaseRef) -> tuple[DecidedGate, ...]:
        """Return the decisions made on a use case, newest first."""
        call.authorize("use_case:read", on=request.use_case)
        return await self._database.read(lambda r: tuple(store.gates(r, _known(r, request.use_case).id)))

    @operation("GET /api/v1/use-cases/{use_case}/ten-reasons", effect="read")
    async def ten_reasons(self, call: Call, request: UseCaseRef) -> tuple[Reason, ...]:
        """Diagnose a use case against the playbook's ten reasons for failure, from recorded facts."""
        call.authorize("use_case:read", on=request.use_case)

        return await self._database.read(lambda r: self.reasons_in(r, _known(r, request.use_case), call))

    def reasons_in(self, reader: Reader, u: UseCase, call: Call) -> tuple[Reason, ...]:
        """Diagnose a use case in an open snapshot (the caller authorizes)."""
        results = [_standing(reader, u, k).result for k in store.kpis(reader, u.id)]
        own = diagnosing.own_facts(wording.standing_of(u), results)
        return diagnosing.diagnose((*own, *self._facts(reader, u, call)))


def _triage(proposal: Proposal, existing: Sequence[UseCase]) -> Triage:
    mature = any(u.stage in ("limited", "scaled") for u in existing)
    return triaging.triage(proposal, existing, guardrails_mature=mature)


def _foretold(reader: Reader, proposal: Proposal, triage: Triage) -> Triage:
    """Add to a triage what a submitter wants to know next: worth, gates ahead, open points, and what others learned."""
    policies = [deciding.policy_in(reader, stage, triage.risk_tier) for stage in binding.GATED]
    spend = prioritising.spend_eur_month(proposal)
    past = recalling.nearest(strategy_tables.learnings(reader), f"{proposal.title} {proposal.problem}")
    return replace(
        triage, work_eur_year=None if spend is None else 12 * spend, learnings=recalling.past(past),
        gates=tuple(GateAhead(stage=p.stage, quorum=p.quorum, grade_min=p.grade_min, valid_days=p.valid_days)
                    for p in policies),
        open_points=triaging.open_points(proposal, triage.risk_tier))


def _welcome(triage: Triage) -> None:
    if triage.verdict == "prohibited":
        raise Prohibited(f"this purpose is prohibited: {triage.reasons[0]}", rule=triage.reasons[0])
    if triage.verdict == "duplicate":
        first = triage.duplicates[0]
        raise LikelyDuplicate(f"this looks like `{first.title}`; join it, or say in `join_anyway` why not",
                              join=first.slug, share=first.share, words=", ".join(first.words))
    if triage.verdict == "deferred":
        raise Deferred(triage.reasons[-1], rule="guardrails-first")


def _facts_of(plug: GateFacts, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
    """Ask one step; a step that fails leaves a mandatory fact without data, which holds the gate."""
    try:
        return plug.facts(reader, standing, today)
    except PilothouseError as failed:
        return (GateFact(name=f"Facts of {plug.step}", step=plug.step, status="no data", says=failed.message),)


def _keeps_its_unit(tx: Transaction, kpi: Kpi) -> None:
    """Raise Conflict when samples in another unit are there already: they would be added to others in silence."""
    for held in store.kpis(tx, kpi.use_case_id):
        changed = held.slug == kpi.slug and (held.unit, held.shape) != (kpi.unit, kpi.shape)
        if changed and any(kept.state(tx, kpi.use_case_id, kpi.slug, p) for p in wording.PERIODS):
            raise Conflict(f"there are samples in `{held.unit}` already; define a KPI of another name in `{kpi.unit}`",
                           field="unit")


def _freeze(tx: Transaction, call: Call, request: FreezeRequest) -> Baseline:
    u = _known(tx, request.use_case_id)
    kpi = _kpi(tx, u.id, request.kpi)
    held = store.baseline(tx, u.id, kpi.slug)
    if held and not request.reason.strip():
        raise BaselineFrozenAlready("this baseline is frozen; give a reason to freeze a new version",
                                    field="reason", version=held[0].version)
    summary, _, _, _ = kept.evidence(tx, u.id, kpi.slug, "baseline")
    if summary.n < gating.SAMPLES_MIN:
        raise TooFewSamples("a baseline needs at least two observations", have=summary.n, need=gating.SAMPLES_MIN)
    b = _baseline(tx, call, u, kpi, summary, version=held[0].version + 1 if held else 1, reason=request.reason)
    reason = tx.seal(SubjectId(call.principal.id), request.reason) if request.reason else None
    seq = tx.record(f"use_case/{u.id}", BaselineFrozen(
        use_case_id=u.id, kpi=kpi.slug, version=b.version, n=b.n, mean=b.mean, sd=b.sd, starts_on=b.starts_on,
        ends_on=b.ends_on, instrument=b.instrument, digest=b.digest, reason=reason))
    store.insert_baseline(tx, b, reason_id=reason.id if reason else "", seq=seq)
    return b


def _baseline(tx: Transaction, call: Call, u: UseCase, kpi: Kpi, summary: Summary, *, version: int, reason: str
              ) -> Baseline:
    found = store.batches(tx, u.id, kpi.slug, "baseline")
    days = sorted(str(d) for r in found for d in (r["starts_on"], r["ends_on"]) if d)
    assert summary.mean is not None
    return Baseline(
        use_case_id=u.id, kpi=kpi.slug, version=version, n=summary.n, mean=summary.mean, sd=summary.sd,
        total=summary.total, total_squares=summary.total_squares, starts_on=days[0] if days else "",
        ends_on=days[-1] if days else "", instrument=wording.joined(found, "instrument"),
        source=wording.joined(found, "source"), frozen_by=call.principal.id, frozen_at=stamp(call.at),
        digest=measuring.digest("\n".join(str(r["digest"]) for r in found).encode()), reason=reason)
