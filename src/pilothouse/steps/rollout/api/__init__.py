"""The façade of rollout: register releases; open, advance and halt phases; measure their health."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.ids import Mint
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import UseCaseRef
from pilothouse.steps.rollout import store
from pilothouse.steps.rollout.api import changing
from pilothouse.steps.rollout.contracts import (
    Advance,
    Halt,
    Measured,
    NewPhase,
    NewRelease,
    Phase,
    RegisteredRelease,
)
from pilothouse.steps.rollout.errors import NotHealthy
from pilothouse.steps.rollout.logic import alarming
from pilothouse.steps.workflows.api import Workflows

Change = Callable[[Transaction], Phase | None]
INSTANT = timedelta(microseconds=1)
"""The resolution of time stamps: windows end after their last instant."""


class Rollout:
    """Who is served by what, and whether that goes well. The newest phases are held in memory for every question."""

    def __init__(self, *, database: Database, mint: Mint, portfolio: Portfolio, gateway: Gateway,
                 workflows: Workflows) -> None:
        self._database, self._mint = database, mint
        self._portfolio, self._gateway, self._workflows = portfolio, gateway, workflows
        self.current: Mapping[str, Phase] = {}
        """The newest phase of each use case: replaced whole after every change, read without a lock."""
        self._changes: set[asyncio.Task[Phase | None]] = set()

    async def refresh(self) -> None:
        """Read the phases again: at start, and with every watch; a change made meanwhile is never undone by it."""
        self._serve((await self._database.read(store.latest)).values())

    def _serve(self, phases: Collection[Phase]) -> None:
        """Let every question from now on see these phases, unless it sees later ones already."""
        later = {str(p.use_case_id): p for p in phases if changing.is_later(p, self.current.get(p.use_case_id))}
        self.current = {**self.current, **later}

    async def _change(self, call: Call, work: Change) -> Phase | None:
        """Commit a change and serve by it, also when whoever asked for it leaves in between."""
        async def act() -> Phase | None:
            changed = await self._database.write(call, work)
            self._serve([changed] if changed else [])
            return changed

        task = asyncio.create_task(act())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    async def _changed(self, call: Call, work: Callable[[Transaction], Phase]) -> Phase:
        changed = await self._change(call, work)
        assert changed is not None
        return changed

    @operation("POST /api/v1/use-cases/{use_case_id}/releases", effect="write")
    async def register_release(self, call: Call, request: NewRelease) -> RegisteredRelease:
        """Register a release; it serves nobody until a phase names it, and it never changes."""
        call.authorize("rollout:propose", on=request.use_case_id)
        return await self._database.write(call, lambda tx: changing.registered(
            tx, call, self._portfolio.standing_in(tx, request.use_case_id).use_case_id, request))

    @operation("GET /api/v1/use-cases/{use_case}/releases", effect="read")
    async def releases(self, call: Call, request: UseCaseRef) -> tuple[RegisteredRelease, ...]:
        """Return the releases of a use case, the newest first."""
        call.authorize("rollout:read", on=request.use_case)
        standing = await self._portfolio.standing(call, request)
        return tuple(await self._database.read(lambda r: store.releases(r, standing.use_case_id)))

    @operation("POST /api/v1/use-cases/{use_case_id}/phases", effect="decide")
    async def open_phase(self, call: Call, request: NewPhase) -> Phase:
        """Open a phase for units and a share of their people; the release it serves never changes afterwards."""
        call.authorize("rollout:propose", on=request.use_case_id)
        changing.check_share(request.share)

        def work(tx: Transaction) -> Phase:
            standing = self._portfolio.standing_in(tx, request.use_case_id)
            changing.check_live(standing)
            return changing.opened(tx, call, standing.use_case_id, request, self._mint)

        return await self._changed(call, work)

    async def begin(self, call: Call, use_case_id: str) -> None:
        """Open the first phase of a use case for all its units, as its gate decided; nothing to do where one exists."""
        call.authorize("rollout:propose", on=use_case_id)

        def work(tx: Transaction) -> Phase | None:
            standing = self._portfolio.standing_in(tx, use_case_id)
            if store.phases(tx, standing.use_case_id):
                return None
            first = NewPhase(use_case_id=standing.use_case_id, units=standing.units)
            return changing.opened(tx, call, standing.use_case_id, first, self._mint)

        await self._change(call, work)

    @operation("POST /api/v1/use-cases/{use_case_id}/phase/advance", effect="decide")
    async def advance_phase(self, call: Call, request: Advance) -> Phase:
        """Serve more people; refused while a health limit is breached. Only a person advances."""
        call.authorize("rollout:advance", on=request.use_case_id)
        changing.check_share(request.share)
        measured = await self._health(call, request.use_case_id)
        if breached := [m for m in measured if m.breached]:
            raise NotHealthy(f"{breached[0].metric} is over its limit; mend that first", metric=breached[0].metric,
                             measured=breached[0].value or 0.0, limit=breached[0].limit)
        if all(m.value is None for m in measured) and not request.reason.strip():
            raise Invalid("too few questions to measure health; say why this phase grows all the same", field="reason")
        return await self._changed(call, lambda tx: changing.advanced(
            tx, call, self._portfolio.standing_in(tx, request.use_case_id).use_case_id, request))

    @operation("POST /api/v1/use-cases/{use_case_id}/phase/halt", effect="write")
    async def halt_phase(self, call: Call, request: Halt) -> Phase:
        """Serve nobody from the next question on; halting what is halted changes nothing."""
        call.authorize("rollout:halt", on=request.use_case_id)
        if not request.reason.strip():
            raise Invalid("say in a sentence why the phase halts", field="reason")
        return await self._changed(call, lambda tx: changing.halted(
            tx, call, self._portfolio.standing_in(tx, request.use_case_id).use_case_id, request.reason))

    async def close_phase(self, call: Call, use_case_id: str) -> None:
        """End the phase of a use case that was killed; nothing to do where none is left to end."""
        call.authorize("rollout:halt", on=use_case_id)
        await self._change(call, lambda tx: changing.closed(tx, call, use_case_id))

    @operation("GET /api/v1/use-cases/{use_case}/phase", effect="read")
    async def phase(self, call: Call, request: UseCaseRef) -> Phase:
        """Return the newest phase of a use case."""
        call.authorize("rollout:read", on=request.use_case)
        standing = await self._portfolio.standing(call, request)
        return await self._database.read(lambda r: changing.newest(r, standing.use_case_id))

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
        return await self._health(call, request.use_case)

    async def _health(self, call: Call, use_case: str) -> tuple[Measured, ...]:
        standing = await self._portfolio.standing(call, UseCaseRef(use_case=use_case))

        def look(reader: Reader) -> tuple[Measured, ...]:
            found = store.phases(reader, standing.use_case_id)
            return self.measured(reader, found[0], now=call.at) if found else ()

        return await self._database.read(look)

    def measured(self, reader: Reader, phase: Phase, *, now: datetime) -> tuple[Measured, ...]:
        """Measure a phase in an open snapshot, since its last change and within its window (the caller authorizes)."""
        since = max(stamp(now - timedelta(days=phase.limits.window_days)), phase.changed_at)
        facts = self._gateway.usage(reader, use_case_id=phase.use_case_id, since=since, until=stamp(now + INSTANT))
        ratings = self._workflows.useful_since(reader, phase.use_case_id, since)
        return alarming.health(facts, phase.limits, ratings=ratings)

    async def watch(self, call: Call, *, only: Collection[str] = ()) -> int:
        """Halt open phases whose limits are breached, without a person; returns how many. `only` names use cases."""
        call.authorize("rollout:halt", on="*")
        await self.refresh()

        def look(reader: Reader) -> list[tuple[Phase, Measured]]:
            watched = [p for p in store.latest(reader).values()
                       if p.status == "open" and (not only or p.use_case_id in only)]
            return [(p, m) for p in watched for m in self.measured(reader, p, now=call.at) if m.breached]

        # Measured on a snapshot, so that the one writer is not kept; halted only if nothing changed meanwhile.
        first = {p.use_case_id: (p, m) for p, m in reversed(await self._database.read(look))}
        halted = [await self._breached(call, p, m) for p, m in first.values()]
        return sum(h is not None for h in halted)

    async def _breached(self, call: Call, phase: Phase, m: Measured) -> Phase | None:
        return await self._change(call, lambda tx: changing.breached(tx, call, phase, m))
