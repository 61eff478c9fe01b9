"""The façade of rollout: open, advance and halt phases; measure their health."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.ids import ORGANISATION, Mint, SubjectId
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.gateway.contracts import Release, ReleaseId
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import UseCaseRef
from pilothouse.steps.rollout import store
from pilothouse.steps.rollout.contracts import (
    Advance,
    Halt,
    HealthBreached,
    Measured,
    NewPhase,
    Phase,
    PhaseChanged,
    PhaseOpened,
)
from pilothouse.steps.rollout.errors import NoPhase, NotHealthy, PhaseNotOpen
from pilothouse.steps.rollout.logic import alarming

PASSAGES_MAX = 50


class Rollout:
    """Who is served by what, and whether that goes well. The newest phases are held in memory for every question."""

    def __init__(self, *, database: Database, mint: Mint, portfolio: Portfolio, gateway: Gateway) -> None:
        self._database, self._mint = database, mint
        self._portfolio, self._gateway = portfolio, gateway
        self.current: Mapping[str, Phase] = {}
        """The newest phase of each use case: replaced whole after every change, read without a lock."""

    async def refresh(self) -> None:
        """Read the phases again: at start, after every change, and each second where several processes serve."""
        self.current = await self._database.read(store.latest)

    @operation("POST /api/v1/use-cases/{use_case_id}/phases", effect="write")
    async def open_phase(self, call: Call, request: NewPhase) -> Phase:
        """Open a phase for units and a share of their people; the release it serves never changes afterwards."""
        call.authorize("rollout:propose", on=request.use_case_id)
        _check(request.share, request.passages)
        opened = await self._database.write(call, lambda tx: self._open(tx, call, request))
        await self.refresh()
        return opened

    def _open(self, tx: Transaction, call: Call, request: NewPhase) -> Phase:
        standing = self._portfolio.standing_in(tx, request.use_case_id)
        held = store.phases(tx, standing.use_case_id)
        default = Release(id=ReleaseId(self._mint("rel")), model=request.model, passages=request.passages)
        release = replace(default, instructions=request.instructions) if request.instructions else default
        for before in held[:1]:
            if before.status == "open":
                store.save(tx, replace(before, status="closed", changed_at=stamp(call.at)))
        phase = Phase(use_case_id=standing.use_case_id, number=held[0].number + 1 if held else 1, release=release,
                      units=request.units, share=request.share, status="open", limits=request.limits,
                      changed_at=stamp(call.at), seq=0)
        seq = tx.record(f"use_case/{standing.use_case_id}", PhaseOpened(
            use_case_id=standing.use_case_id, number=phase.number, release_id=release.id, model=release.model,
            units=phase.units, share=phase.share))
        store.save(tx, replace(phase, seq=seq))
        return replace(phase, seq=seq)

    @operation("POST /api/v1/use-cases/{use_case_id}/phase/advance", effect="decide")
    async def advance_phase(self, call: Call, request: Advance) -> Phase:
        """Serve more people; refused while a health limit is breached. Only a person advances."""
        call.authorize("rollout:advance", on=request.use_case_id)
        _check(request.share, 0)
        if breached := [m for m in await self._measure(request.use_case_id, call) if m.breached]:
            raise NotHealthy(f"{breached[0].metric} is over its limit; mend that first", metric=breached[0].metric,
                             measured=breached[0].value or 0.0, limit=breached[0].limit)
        changed = await self._database.write(call, lambda tx: self._change(
            tx, call, request.use_case_id, "advanced", request.reason, share=request.share, units=request.units))
        await self.refresh()
        return changed

    @operation("POST /api/v1/use-cases/{use_case_id}/phase/halt", effect="write")
    async def halt_phase(self, call: Call, request: Halt) -> Phase:
        """Serve nobody from the next question on."""
        call.authorize("rollout:halt", on=request.use_case_id)
        if not request.reason.strip():
            raise Invalid("say in a sentence why the phase halts", field="reason")
        changed = await self._database.write(call, lambda tx: self._change(
            tx, call, request.use_case_id, "halted", request.reason))
        await self.refresh()
        return changed

    async def close_phase(self, call: Call, use_case_id: str) -> None:
        """End the phase of a use case that was killed; nothing to do where none is open."""
        call.authorize("rollout:halt", on=use_case_id)

        def work(tx: Transaction) -> None:
            found = store.phases(tx, use_case_id)
            if found and found[0].status == "open":
                self._change(tx, call, use_case_id, "closed", "")

        await self._database.write(call, work)
        await self.refresh()

    def _change(self, tx: Transaction, call: Call, use_case_id: str, action: Literal["advanced", "halted", "closed"],
                reason: str, *, share: float | None = None, units: tuple[str, ...] = ()) -> Phase:
        standing = self._portfolio.standing_in(tx, use_case_id)
        held = _open_phase(tx, standing.use_case_id)
        phase = replace(held, share=held.share if share is None else share, units=units or held.units,
                        status={"advanced": "open", "halted": "halted", "closed": "closed"}[action],  # type: ignore[arg-type]
                        changed_at=stamp(call.at))
        who = SubjectId(call.principal.id) if call.principal.kind == "human" else ORGANISATION
        seq = tx.record(f"use_case/{held.use_case_id}", PhaseChanged(
            use_case_id=held.use_case_id, number=held.number, action=action, units=phase.units, share=phase.share,
            reason=tx.seal(who, reason) if reason else None))
        store.save(tx, replace(phase, seq=seq))
        return replace(phase, seq=seq)

    @operation("GET /api/v1/use-cases/{use_case}/phases", effect="read")
    async def phases(self, call: Call, request: UseCaseRef) -> tuple[Phase, ...]:
        """Return the phases of a use case, the newest first."""
        call.authorize("rollout:read", on=request.use_case)
        standing = await self._portfolio.standing(call, request)
        return tuple(await self._database.read(lambda r: store.phases(r, standing.use_case_id)))

    @operation("GET /api/v1/phases", effect="read")
    async def list_phases(self, call: Call, request: NoFields) -> tuple[Phase, ...]:
        """Return the newest phase of every use case."""
        call.authorize("rollout:read", on="*")
        return tuple((await self._database.read(store.latest)).values())

    @operation("GET /api/v1/use-cases/{use_case}/health", effect="read")
    async def health(self, call: Call, request: UseCaseRef) -> tuple[Measured, ...]:
        """Measure the newest phase against its limits."""
        call.authorize("rollout:read", on=request.use_case)
        standing = await self._portfolio.standing(call, request)
        return await self._measure(standing.use_case_id, call)

    async def _measure(self, use_case_id: str, call: Call) -> tuple[Measured, ...]:
        return await self._database.read(lambda r: self.measured(r, use_case_id, call))

    def measured(self, reader: Reader, use_case_id: str, call: Call) -> tuple[Measured, ...]:
        """Measure from an open snapshot; nothing where no phase was ever opened."""
        found = store.phases(reader, use_case_id)
        if not found:
            return ()
        since = max(stamp(call.at - timedelta(days=found[0].limits.window_days)), found[0].changed_at)
        facts = self._gateway.usage(reader, use_case_id=use_case_id, since=since, until=stamp(call.at))
        return alarming.health(facts, found[0].limits)

    async def watch(self, call: Call) -> int:
        """Halt every open phase whose limits are breached, without a person; returns how many were halted."""
        call.authorize("rollout:halt", on="*")
        halted = await self._database.write(call, lambda tx: sum(
            self._halt_if_breached(tx, call, p) for p in store.latest(tx).values() if p.status == "open"))
        if halted:
            await self.refresh()
        return halted

    def _halt_if_breached(self, tx: Transaction, call: Call, phase: Phase) -> int:
        breached = [m for m in self.measured(tx, phase.use_case_id, call) if m.breached]
        for m in breached[:1]:
            tx.record(f"use_case/{phase.use_case_id}", HealthBreached(
                use_case_id=phase.use_case_id, number=phase.number, metric=m.metric, value=m.value or 0.0,
                limit=m.limit, n=m.n))
            self._change(tx, call, phase.use_case_id, "halted", f"{m.metric} over its limit")
        return len(breached[:1])


def _open_phase(reader: Reader, use_case_id: str) -> Phase:
    found = store.phases(reader, use_case_id)
    if not found:
        raise NoPhase("this use case has no phase yet; open one first", use_case_id=use_case_id)
    if found[0].status != "open":
        raise PhaseNotOpen(f"the newest phase is {found[0].status}; open a new one", use_case_id=use_case_id)
    return found[0]


def _check(share: float, passages: int) -> None:
    if not 0 <= share <= 1:
        raise Invalid("a share is a fraction from 0 to 1, such as 0.2 for a fifth", field="share")
    if not 0 <= passages <= PASSAGES_MAX:
        raise Invalid(f"a release reads 0 to {PASSAGES_MAX} passages", field="passages")
