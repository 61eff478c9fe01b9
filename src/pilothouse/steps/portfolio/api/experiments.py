"""The experiments' façade: plan, register, assign, start, observe, look, stop, conclude."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.ids import Mint, SubjectId
from pilothouse.kernel.ledger import Sealed
from pilothouse.kernel.operation import operation
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.stats.summary import summarize
from pilothouse.steps.portfolio import store as portfolio_store
from pilothouse.steps.portfolio.contracts import Kpi, UseCase, UseCaseId
from pilothouse.steps.portfolio.contracts.cases import Measurement, TieKind
from pilothouse.steps.portfolio.contracts.experiments import (
    Accepted,
    Analysis,
    Assignment,
    Departure,
    Deviation,
    Experiment,
    ExperimentAct,
    ExperimentConcluded,
    ExperimentDeviated,
    ExperimentLookedAt,
    ExperimentMoved,
    ExperimentRef,
    ExperimentRegistered,
    ExperimentResult,
    ExperimentsQuery,
    Look,
    Observation,
    ObservationBatch,
    ObservationsAccepted,
    PersonRef,
    Plan,
    PlanRequest,
    PowerCurve,
    Registration,
    Status,
)
from pilothouse.steps.portfolio.errors import (
    DataArrivedFirst,
    ExperimentFrozen,
    ExperimentNotReady,
    NoSuchExperiment,
    NoSuchKpi,
    NoSuchUseCase,
)
from pilothouse.steps.portfolio.logic import allotting, observing, planning, registering, trialling, tying
from pilothouse.steps.portfolio.logic.trialling import Trial
from pilothouse.steps.portfolio.store import experiments as store


class Experiments:
    """Pilots as experiments: frozen before the first observation, graded by what their design can show."""

    def __init__(self, *, database: Database, mint: Mint) -> None:
        self._database, self._mint = database, mint

    @operation("POST /api/v1/use-cases/{use_case_id}/experiment-plan", effect="read")
    async def plan(self, call: Call, request: PlanRequest) -> Plan:
        """Say how many people, teams and days a pilot needs before anything is registered."""
        call.authorize("use_case:read", on=request.use_case_id)

        def look(reader: Reader) -> Plan:
            u = _known(reader, call, request.use_case_id)
            held = portfolio_store.baseline(reader, u.id, request.kpi)
            return planning.plan(request, _kpi(_kpis(reader, u), request.kpi), held[0] if held else None)

        return await self._database.read(look)

    @operation("POST /api/v1/use-cases/{use_case_id}/experiments", effect="write")
    async def register(self, call: Call, request: Registration) -> Experiment:
        """Freeze an experiment before its first observation; the same registration twice is one.

        Raises:
            DataArrivedFirst: values of a named KPI from this period are there already.
            ExperimentFrozen: the short name belongs to another registration.
        """
        call.authorize("experiment:register", on=request.use_case_id)
        return await self._database.write(call, lambda tx: self._register(tx, call, request))

    def _register(self, tx: Transaction, call: Call, request: Registration) -> Experiment:
        u = _known(tx, call, request.use_case_id)
        request = replace(request, use_case_id=u.id)
        if held := store.find(tx, u.id, request.slug):
            return _same(held, request)
        registering.check(request, _kpis(tx, u), stamp(call.at)[:10])
        _no_data_yet(tx, request)
        return self._freeze(tx, call, request, _metrics(request, _kpis(tx, u)))

    def _freeze(self, tx: Transaction, call: Call, request: Registration, metrics: tuple[Kpi, ...]) -> Experiment:
        experiment_id = self._mint("exp")
        r = registering.pseudonymised(request, experiment_id)
        digest = registering.digest(r)
        hypothesis, rule = _seal(tx, call, r.hypothesis), _seal(tx, call, r.stop_rule)
        despite = _seal(tx, call, r.individual_despite_teams) if r.individual_despite_teams else None
        seq = tx.record(f"use_case/{r.use_case_id}", ExperimentRegistered(
            use_case_id=r.use_case_id, experiment_id=experiment_id, slug=r.slug, design=r.design, primary=r.primary,
            guardrails=r.guardrails, least_effect=r.least_effect, monitoring=r.monitoring, confidence=r.confidence,
            planned_n=r.planned_n, starts_on=r.starts_on, ends_on=r.ends_on, digest=digest, hypothesis=hypothesis,
            stop_rule=rule, metrics=tuple(replace(k, title="") for k in metrics)))
        e = Experiment(id=experiment_id, registration=r, digest=digest, status="registered", seq=seq, deviations=0,
                       looks=0, metrics=metrics, registered_by=call.principal.id, registered_at=stamp(call.at),
                       demo=call.demo)
        store.insert(tx, e, store.TextIds(hypothesis=hypothesis.id, stop_rule=rule.id,
                                          individual_despite_teams=despite.id if despite else ""))
        return e

    @operation("GET /api/v1/use-cases/{use_case}/experiments", effect="read")
    async def list_experiments(self, call: Call, request: ExperimentsQuery) -> tuple[Experiment, ...]:
        """List the experiments of a use case, oldest first; people appear by pseudonym."""
        call.authorize("use_case:read", on=request.use_case)
        return await self._database.read(
            lambda r: tuple(store.every(r, _known(r, call, request.use_case).id)))

    @operation("GET /api/v1/use-cases/{use_case}/experiments/{experiment}", effect="read")
    async def experiment(self, call: Call, request: ExperimentRef) -> Experiment:
        """Return one experiment as registered, and where it stands."""
        call.authorize("use_case:read", on=request.use_case)
        return await self._database.read(lambda r: _found(r, call, request.use_case, request.experiment))

    @operation("GET /api/v1/use-cases/{use_case}/experiments/{experiment}/power", effect="read")
    async def power(self, call: Call, request: ExperimentRef) -> PowerCurve | None:
        """Return what the registration promises to find, by size of the true effect; None where no lot is drawn."""
        call.authorize("use_case:read", on=request.use_case)
        e = await self._database.read(lambda r: _found(r, call, request.use_case, request.experiment))
        return await asyncio.to_thread(planning.curve, e)

    @operation("GET /api/v1/use-cases/{use_case}/experiments/{experiment}/assignments/{person}", effect="read")
    async def assignment(self, call: Call, request: PersonRef) -> Assignment:
        """Return in which arm a person is and from which day; the same answer every time."""
        call.authorize("experiment:assign", on=request.use_case)

        def look(reader: Reader) -> Assignment:
            e = _found(reader, call, request.use_case, request.experiment)
            held = allotting.allot(e.registration, e.digest).get(registering.pseudonym(e.id, request.person))
            if held is None:
                raise NoSuchExperiment("this person was not registered for the experiment", person=request.person)
            return replace(held, person=request.person)

        return await self._database.read(look)

    @operation("POST /api/v1/use-cases/{use_case_id}/experiments/{experiment}/start", effect="write")
    async def start(self, call: Call, request: ExperimentAct) -> Experiment:
        """Start a registered experiment: from here on the treatment period's observations are taken."""
        call.authorize("experiment:run", on=request.use_case_id)
        return await self._database.write(call, lambda tx: _move(tx, call, request, was="registered", now="running"))

    @operation("POST /api/v1/use-cases/{use_case_id}/experiments/{experiment}/stop", effect="write")
    async def stop(self, call: Call, request: ExperimentAct) -> Experiment:
        """Stop a running experiment; days after today do not count."""
        call.authorize("experiment:run", on=request.use_case_id)
        return await self._database.write(call, lambda tx: _move(tx, call, request, was="running", now="stopped"))

    @operation("POST /api/v1/use-cases/{use_case_id}/experiments/{experiment}/observations", effect="write")
    async def observe(self, call: Call, request: ObservationBatch) -> Accepted:
        """Accept observations of the primary metric or a guardrail; the same key (or content) twice is one batch."""
        call.authorize("experiment:observe", on=request.use_case_id)
        return await self._database.write(call, lambda tx: self._observe(tx, call, request))

    def _observe(self, tx: Transaction, call: Call, request: ObservationBatch) -> Accepted:
        e = _found(tx, call, request.use_case_id, request.experiment)
        _may_observe(e, request.kpi)
        observing.check(request, _frozen(e)[request.kpi], today=stamp(call.at)[:10],
                        before=e.registration.starts_on if e.status == "registered" else "")
        body = observing.canonical(_pseudonyms(e, request))
        digest = observing.digest(body)
        key = request.key or digest
        if held := store.batch(tx, e.id, request.kpi, key):
            return Accepted(batch_id=held[0], n=held[1], seq=held[2], repeated=True)
        return self._accept(tx, call, e, request, body=body, digest=digest, key=key)

    def _accept(self, tx: Transaction, call: Call, e: Experiment, request: ObservationBatch, *, body: bytes,
                digest: str, key: str) -> Accepted:
        batch_id, days = self._mint("obs"), sorted(o.day for o in request.observations)
        summary = summarize(o.value for o in request.observations)
        seq = tx.record(f"use_case/{e.registration.use_case_id}", ObservationsAccepted(
            use_case_id=e.registration.use_case_id, experiment_id=e.id, kpi=request.kpi, batch_id=batch_id,
            source=request.source, n=summary.n, total=summary.total, total_squares=summary.total_squares,
            starts_on=days[0], ends_on=days[-1], digest=digest))
        store.insert_batch(tx, e.id, request.kpi, id=batch_id, key=key, source=request.source, n=summary.n,
                           digest=digest, body=body, seq=seq, at=stamp(call.at))
        return Accepted(batch_id=batch_id, n=summary.n, seq=seq, repeated=False)

    @operation("POST /api/v1/use-cases/{use_case_id}/experiments/{experiment}/looks", effect="write")
    async def look(self, call: Call, request: ExperimentAct) -> Look:
        """Look at a running experiment and leave a record of it; a fixed analysis shows no effect before its end."""
        call.authorize("experiment:run", on=request.use_case_id)
        ready = await self._database.read(lambda r: _ready(r, call, request))
        return await self._database.write(call, lambda tx: _look(tx, call, request, ready))

    @operation("GET /api/v1/use-cases/{use_case}/experiments/{experiment}/looks", effect="read")
    async def looks(self, call: Call, request: ExperimentRef) -> tuple[Look, ...]:
        """Return every recorded look, in order: the confidence sequence as it was seen."""
        call.authorize("use_case:read", on=request.use_case)
        return await self._database.read(
            lambda r: tuple(store.looks(r, _found(r, call, request.use_case, request.experiment).id)))

    @operation("POST /api/v1/use-cases/{use_case_id}/experiments/{experiment}/deviations", effect="write")
    async def deviate(self, call: Call, request: Departure) -> Deviation:
        """Record that the experiment was not run as registered, and why; some departures cost a grade."""
        call.authorize("experiment:run", on=request.use_case_id)
        if not request.reason.strip():
            raise Invalid("say why it was done otherwise", field="reason")
        return await self._database.write(call, lambda tx: _deviate(tx, call, request))

    @operation("GET /api/v1/use-cases/{use_case}/experiments/{experiment}/deviations", effect="read")
    async def deviations(self, call: Call, request: ExperimentRef) -> tuple[Deviation, ...]:
        """Return every recorded departure from the registration, oldest first."""
        call.authorize("use_case:read", on=request.use_case)
        return await self._database.read(
            lambda r: tuple(store.deviations(r, _found(r, call, request.use_case, request.experiment).id)))

    @operation("POST /api/v1/use-cases/{use_case_id}/experiments/{experiment}/conclusion", effect="write")
    async def conclude(self, call: Call, request: ExperimentAct) -> ExperimentResult:
        """Conclude an experiment that is over: verdict, grade and effect are computed, recorded and final.

        Raises:
            ExperimentNotReady: it was not stopped and its period is not over.
        """
        call.authorize("experiment:run", on=request.use_case_id)
        ready = await self._database.read(lambda r: _ready(r, call, request))
        return await self._database.write(call, lambda tx: _conclude(tx, call, request, ready))

    @operation("GET /api/v1/use-cases/{use_case}/experiments/{experiment}/result", effect="read")
    async def result(self, call: Call, request: ExperimentRef) -> ExperimentResult:
        """Return what a concluded experiment found: effect, interval, grade and verdict, for the business case."""
        call.authorize("use_case:read", on=request.use_case)

        def look(reader: Reader) -> ExperimentResult:
            e = _found(reader, call, request.use_case, request.experiment)
            found = store.result(reader, e.id)
            if found is None:
                raise ExperimentNotReady("this experiment is not concluded", status=e.status)
            return found

        return await self._database.read(look)


class ExperimentEffects:
    """What pilots found, for business cases: the effect of a concluded experiment takes the place of a guess."""

    kind: TieKind = "experiment"

    def measurement(self, reader: Reader, use_case_id: UseCaseId, ref: str, today: str) -> Measurement | None:
        """Return the effect of the experiment of this short name or id (positive is good), or None."""
        for result in store.results(reader, use_case_id):
            if ref in (result.slug, result.experiment) and result.effect is not None:
                kpis = {k.slug: k for k in portfolio_store.kpis(reader, use_case_id)}
                return tying.of_experiment(result, kpis[result.primary])
        return None


def _known(reader: Reader, call: Call, ref: str) -> UseCase:
    u = portfolio_store.use_case(reader, ref)
    if u is None or (u.trial and u.owner != call.principal.id):
        raise NoSuchUseCase("no use case of this id or slug", use_case=ref)
    return u


def _kpis(reader: Reader, u: UseCase) -> Mapping[str, Kpi]:
    return {k.slug: k for k in portfolio_store.kpis(reader, u.id)}


def _kpi(kpis: Mapping[str, Kpi], slug: str) -> Kpi:
    if slug not in kpis:
        raise NoSuchKpi("this use case has no KPI of that name", kpi=slug)
    return kpis[slug]


def _metrics(r: Registration, kpis: Mapping[str, Kpi]) -> tuple[Kpi, ...]:
    return tuple(kpis[name] for name in (r.primary, *(g.kpi for g in r.guardrails)))


def _frozen(e: Experiment) -> Mapping[str, Kpi]:
    return {k.slug: k for k in e.metrics}


def _found(reader: Reader, call: Call, use_case: str, ref: str) -> Experiment:
    e = store.find(reader, _known(reader, call, use_case).id, ref)
    if e is None:
        raise NoSuchExperiment("this use case has no experiment of that id or slug", experiment=ref)
    return e


def _seal(tx: Transaction, call: Call, text: str) -> Sealed:
    return tx.seal(SubjectId(call.principal.id), text)


def _same(held: Experiment, request: Registration) -> Experiment:
    if registering.digest(registering.pseudonymised(request, held.id)) != held.digest:
        raise ExperimentFrozen("an experiment of this short name is registered and frozen; record a deviation, or"
                               " register another under a new short name", field="slug", experiment=held.id)
    return held


def _no_data_yet(tx: Transaction, r: Registration) -> None:
    for kpi in (r.primary, *(g.kpi for g in r.guardrails)):
        for row in portfolio_store.batches(tx, r.use_case_id, kpi, "current"):
            if not row["ends_on"] or str(row["ends_on"]) >= r.starts_on:
                raise DataArrivedFirst(
                    f"values of `{kpi}` that may be of this period were accepted before; whoever has seen data cannot"
                    " register what to look for in them: register a later period", field="starts_on", kpi=kpi,
                    entry=int(row["seq"] or 0))


def _move(tx: Transaction, call: Call, request: ExperimentAct, *, was: Status, now: Status) -> Experiment:
    e = _found(tx, call, request.use_case_id, request.experiment)
    if e.status == now:
        return e
    if e.status != was:
        raise ExperimentNotReady(f"the experiment is {e.status}, not {was}", status=e.status)
    today = stamp(call.at)[:10]
    store.move(tx, e.id, was=was, now=now, stopped_on=min(today, e.registration.ends_on) if now == "stopped" else "")
    tx.record(f"use_case/{e.registration.use_case_id}", ExperimentMoved(
        use_case_id=e.registration.use_case_id, experiment_id=e.id, was=was, now=now,
        assignment_digest=allotting.digest(allotting.allot(e.registration, e.digest)),
        note=_seal(tx, call, request.note) if request.note else None))
    return replace(e, status=now)


def _may_observe(e: Experiment, kpi: str) -> None:
    if e.status == "concluded":
        raise ExperimentNotReady("the experiment is concluded; what comes now cannot count", status=e.status)
    named = (e.registration.primary, *(g.kpi for g in e.registration.guardrails))
    if kpi not in named:
        raise Invalid(f"this experiment observes {', '.join(named)}", field="kpi")


def _pseudonyms(e: Experiment, request: ObservationBatch) -> list[Observation]:
    known = {m.person for m in e.registration.members}
    found = [replace(o, person=registering.pseudonym(e.id, o.person)) for o in request.observations]
    for i, o in enumerate(found):
        if o.person not in known:
            raise Invalid("this person was not registered for the experiment; leave them out",
                          field=f"observations[{i}].person")
    return found


def _trial(reader: Reader, call: Call, e: Experiment) -> Trial:
    r, stopped = e.registration, store.stopped_on(reader, e.id)
    named = (r.primary, *(g.kpi for g in r.guardrails))
    observations = {k: [o for b in store.batches(reader, e.id, k) for o in observing.read(b)] for k in named}
    final = e.status in ("stopped", "concluded") or (e.status == "running" and stamp(call.at)[:10] > r.ends_on)
    return Trial(registration=r, kpis=_frozen(e), assigned=allotting.allot(r, e.digest), final=final,
                 observations=observations, ended_on=stopped or r.ends_on,
                 altered=[d.altered for d in store.deviations(reader, e.id)])


def _analyse(reader: Reader, call: Call, e: Experiment) -> Analysis:
    return replace(trialling.analyse(_trial(reader, call, e)), experiment=e.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """An analysis made on a snapshot, so that the one writer does not wait for it, and what it rests on."""

    rests_on: tuple[object, ...]
    analysis: Analysis


def _rests_on(reader: Reader, e: Experiment) -> tuple[object, ...]:
    return e.status, store.stopped_on(reader, e.id), e.deviations, store.batch_entries(reader, e.id)


def _ready(reader: Reader, call: Call, request: ExperimentAct) -> _Ready | None:
    e = _found(reader, call, request.use_case_id, request.experiment)
    if e.status not in ("running", "stopped"):
        return None
    return _Ready(rests_on=_rests_on(reader, e), analysis=_analyse(reader, call, e))


def _analysis(tx: Transaction, call: Call, e: Experiment, ready: _Ready | None) -> Analysis:
    """Return the analysis made ready; anew where something arrived since."""
    if ready is not None and ready.rests_on == _rests_on(tx, e):
        return ready.analysis
    return _analyse(tx, call, e)


def _look(tx: Transaction, call: Call, request: ExperimentAct, ready: _Ready | None) -> Look:
    e = _found(tx, call, request.use_case_id, request.experiment)
    if e.status not in ("running", "stopped"):
        raise ExperimentNotReady("only a started experiment can be looked at; a concluded one has its result",
                                 status=e.status)
    analysis = _analysis(tx, call, e, ready)
    number, shown = e.looks + 1, analysis.effect
    seq = tx.record(f"use_case/{e.registration.use_case_id}", ExperimentLookedAt(
        use_case_id=e.registration.use_case_id, experiment_id=e.id, number=number, shown=shown is not None,
        people=analysis.people_control + analysis.people_treatment, value=shown.value if shown else None,
        low=shown.low if shown else None, high=shown.high if shown else None))
    look = Look(number=number, at=stamp(call.at), by=call.principal.id, seq=seq, analysis=analysis)
    store.insert_look(tx, e.id, look)
    return look


def _deviate(tx: Transaction, call: Call, request: Departure) -> Deviation:
    e = _found(tx, call, request.use_case_id, request.experiment)
    if e.status == "concluded":
        raise ExperimentNotReady("the experiment is concluded; its grade is final", status=e.status)
    key = request.key or observing.digest(f"{request.altered}\n{request.reason}".encode())
    if held := store.deviations(tx, e.id, key=key):
        return held[0]
    reason = _seal(tx, call, request.reason)
    seq = tx.record(f"use_case/{e.registration.use_case_id}", ExperimentDeviated(
        use_case_id=e.registration.use_case_id, experiment_id=e.id, altered=request.altered, reason=reason))
    d = Deviation(altered=request.altered, reason=request.reason, recorded_by=call.principal.id,
                  recorded_at=stamp(call.at), seq=seq)
    store.insert_deviation(tx, e.id, d, reason_id=reason.id, key=key)
    return d


def _conclude(tx: Transaction, call: Call, request: ExperimentAct, ready: _Ready | None) -> ExperimentResult:
    e = _found(tx, call, request.use_case_id, request.experiment)
    if held := store.result(tx, e.id):
        return held
    analysis = _analysis(tx, call, e, ready)
    if e.status not in ("running", "stopped") or not analysis.final:
        raise ExperimentNotReady(f"start it first, then stop it or wait until {e.registration.ends_on} is over",
                                 status=e.status)
    seq = _record_conclusion(tx, call, e, analysis, request.note)
    result = ExperimentResult(
        experiment=e.id, slug=e.registration.slug, use_case_id=e.registration.use_case_id,
        primary=e.registration.primary, verdict=analysis.verdict, grade=analysis.grade, effect=analysis.effect,
        digest=e.digest, concluded_at=stamp(call.at), seq=seq, analysis=analysis)
    store.move(tx, e.id, was=e.status, now="concluded")
    store.insert_result(tx, result)
    return result


def _record_conclusion(tx: Transaction, call: Call, e: Experiment, analysis: Analysis, note: str) -> int:
    effect = analysis.effect
    return tx.record(f"use_case/{e.registration.use_case_id}", ExperimentConcluded(
        use_case_id=e.registration.use_case_id, experiment_id=e.id, verdict=analysis.verdict, grade=analysis.grade,
        value=effect.value if effect else None, low=effect.low if effect else None,
        high=effect.high if effect else None,
        n=effect.n if effect else analysis.people_control + analysis.people_treatment,
        method=effect.method if effect else "", registration_digest=e.digest,
        evidence=store.batch_entries(tx, e.id), note=_seal(tx, call, note) if note else None))
