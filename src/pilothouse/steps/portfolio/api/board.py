"""The board's façade: rules of gates, what waits for a decision, the paper it signs, conditions, the ten reasons."""

from collections.abc import Sequence

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.codec import decode
from pilothouse.kernel.errors import Invalid, Missing
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.portfolio import store
from pilothouse.steps.portfolio.api import Portfolio, deciding
from pilothouse.steps.portfolio.contracts import DecidedGate, GateAssessment, UseCase, UseCaseRef
from pilothouse.steps.portfolio.contracts.deciding import (
    BoardPaper,
    Cause,
    ConditionMet,
    DecisionOpened,
    DecisionRef,
    GateCondition,
    GatePolicy,
    GatePolicySet,
    MetCondition,
    OpenDecision,
    ReasonsRow,
)
from pilothouse.steps.portfolio.logic import binding
from pilothouse.steps.portfolio.store import deciding as tables


class Board:
    """Decisions as a board prepares, makes and follows them up."""

    def __init__(self, *, database: Database, portfolio: Portfolio) -> None:
        self._database, self._portfolio = database, portfolio

    @operation("POST /api/v1/gate-policies", effect="decide")
    async def set_gate_policy(self, call: Call, request: GatePolicy) -> GatePolicy:
        """Change the rules of a gate for one risk tier; votes already cast are counted under the new ones."""
        call.authorize("use_case:configure", on="*")
        binding.check_policy(request)

        def work(tx: Transaction) -> GatePolicy:
            if deciding.policy_in(tx, request.stage, request.risk_tier) != request:
                tables.set_policy(tx, request)
                tx.record("portfolio/gates", GatePolicySet(
                    stage=request.stage, risk_tier=request.risk_tier, quorum=request.quorum,
                    grade_min=request.grade_min, valid_days=request.valid_days))
            return request

        return await self._database.write(call, work)

    @operation("GET /api/v1/gate-policies", effect="read")
    async def gate_policies(self, call: Call, request: NoFields) -> tuple[GatePolicy, ...]:
        """Return the rules of every gate and tier, changed or as they come."""
        call.authorize("use_case:read", on="*")
        return await self._database.read(lambda r: tuple(
            deciding.policy_in(r, stage, tier) for stage in binding.GATED for tier in binding.TIERS))

    @operation("GET /api/v1/decisions/open", effect="read")
    async def open_decisions(self, call: Call, request: NoFields) -> tuple[OpenDecision, ...]:
        """Return what waits for a decision: fired kill criteria, votes, overdue conditions, expired decisions."""
        call.authorize("use_case:read", on="*")

        def look(reader: Reader) -> tuple[OpenDecision, ...]:
            by_id = {u.id: u for u in store.use_cases(reader) if u.stage != "retired" and not u.trial}
            found = tables.waiting(reader, stamp(call.at)[:10])
            return tuple(_open(by_id[id], cause, since, many) for id, cause, since, many in found if id in by_id)

        return await self._database.read(look)

    async def watch(self, call: Call, use_cases: Sequence[str]) -> int:
        """Open a decision where a kill criterion fired; returns how many were opened. Safe to run again."""
        call.authorize("use_case:assess", on="*")
        opened = 0
        for ref in use_cases:
            # Assessed on a snapshot first, so that the one writer is kept only when there is something to write.
            if await self._database.read(lambda r, ref=ref: self._fired(r, call, ref)):  # type: ignore[misc]
                opened += await self._database.write(call, lambda tx, ref=ref: self._opened(tx, call, ref))  # type: ignore[misc]
        return opened

    def _fired(self, reader: Reader, call: Call, ref: str) -> GateAssessment | None:
        u = self._portfolio.use_case_in(reader, ref)
        number = tables.round_of(reader, u.id)
        if u.stage in ("idea", "retired") or u.trial or tables.is_open(reader, u.id, number, _KILL):
            return None
        assessed = self._portfolio.assessed_in(reader, u, call)
        return assessed if assessed.recommended == "kill" else None

    def _opened(self, tx: Transaction, call: Call, ref: str) -> bool:
        assessed = self._fired(tx, call, ref)
        if assessed is None:
            return False
        id, stage = assessed.use_case_id, assessed.stage
        seq = tx.record(f"use_case/{id}", DecisionOpened(
            use_case_id=id, stage=stage, cause=_KILL, recommended="kill", evidence=assessed.evidence))
        tables.open_decision(tx, id, tables.round_of(tx, id), _KILL, seq=seq, at=stamp(call.at))
        return True

    @operation("GET /api/v1/use-cases/{use_case}/board-paper", effect="read")
    async def board_paper(self, call: Call, request: UseCaseRef) -> BoardPaper:
        """Return the page a board decides on: question, evidence with grades, recommendation, votes so far."""
        call.authorize("use_case:read", on=request.use_case)

        def look(reader: Reader) -> BoardPaper:
            u = self._portfolio.use_case_in(reader, request.use_case)
            return self._paper(reader, call, u, self._portfolio.assessed_in(reader, u, call), None)

        return await self._database.read(look)

    @operation("GET /api/v1/use-cases/{use_case}/decisions/{seq}", effect="read")
    async def decision(self, call: Call, request: DecisionRef) -> BoardPaper:
        """Return a decision with the evidence as its deciders saw it."""
        call.authorize("use_case:read", on=request.use_case)

        def look(reader: Reader) -> BoardPaper:
            u = self._portfolio.use_case_in(reader, request.use_case)
            decided = next((g for g in store.gates(reader, u.id) if g.seq == request.seq), None)
            seen = store.paper(reader, u.id, request.seq)
            if decided is None or seen is None:
                raise Missing("this use case has no decision with a paper at that entry", seq=request.seq)
            return self._paper(reader, call, u, decode(seen.encode(), GateAssessment), decided)

        return await self._database.read(look)

    def _paper(self, reader: Reader, call: Call, u: UseCase, assessed: GateAssessment, decided: DecidedGate | None
               ) -> BoardPaper:
        number = tables.round_of(reader, u.id)
        if decided is not None:
            number = sum(g.seq < decided.seq for g in store.gates(reader, u.id))
        conditions = tables.conditions(reader, u.id)
        return BoardPaper(
            use_case=u, question=f"Gate out of {assessed.stage}: what becomes of {u.title}?", assessment=assessed,
            policy=deciding.policy_in(reader, assessed.stage, u.risk_tier), decided=decided,
            votes=tuple(tables.votes(reader, u.id, number)), reasons=self._portfolio.reasons_in(reader, u, call),
            conditions=tuple(c for c in conditions if decided is None or c.gate_seq == decided.seq))

    @operation("POST /api/v1/use-cases/{use_case_id}/conditions/{gate_seq}/{number}/met", effect="decide")
    async def meet_condition(self, call: Call, request: MetCondition) -> GateCondition:
        """Confirm that a condition of a decision is met; confirmed twice is confirmed once."""
        call.authorize("use_case:decide", on=request.use_case_id)
        if not request.note.strip():
            raise Invalid("say what was seen that shows it", field="note")

        def work(tx: Transaction) -> GateCondition:
            u = self._portfolio.use_case_in(tx, request.use_case_id)
            deciding.check_hands(u, call.principal.id)
            if (held := _condition(tx, u, request)).met_at:
                return held
            note = tx.seal(SubjectId(call.principal.id), request.note)
            tx.record(f"use_case/{u.id}", ConditionMet(
                use_case_id=u.id, gate_seq=request.gate_seq, number=request.number, note=note))
            tables.meet(tx, u.id, request.gate_seq, request.number, at=stamp(call.at), by=call.principal.id, note=note)
            return _condition(tx, u, request)

        return await self._database.write(call, work)

    @operation("GET /api/v1/portfolio/ten-reasons", effect="read")
    async def heat_map(self, call: Call, request: NoFields) -> tuple[ReasonsRow, ...]:
        """Hold every live use case against the ten reasons for failure, from recorded facts."""
        call.authorize("use_case:read", on="*")

        def look(reader: Reader) -> tuple[ReasonsRow, ...]:
            live = [u for u in store.use_cases(reader) if u.stage != "retired" and not u.trial]
            return tuple(ReasonsRow(use_case_id=u.id, slug=u.slug, title=u.title, stage=u.stage, demo=u.demo,
                                    reasons=self._portfolio.reasons_in(reader, u, call)) for u in live)

        return await self._database.read(look)


_KILL: Cause = "kill criterion"


def _condition(reader: Reader, u: UseCase, asked: MetCondition) -> GateCondition:
    for c in tables.conditions(reader, u.id):
        if (c.gate_seq, c.number) == (asked.gate_seq, asked.number):
            return c
    raise Missing("no decision of this use case has that condition", gate_seq=asked.gate_seq, number=asked.number)


def _open(u: UseCase, cause: Cause, since: str, many: int) -> OpenDecision:
    says = {"kill criterion": "a kill criterion fired: decide whether to kill it",
            "votes wanted": f"{many} voted so far; the quorum is not complete",
            "condition overdue": f"{many} promised by {since} and not confirmed",
            "decision expired": f"its last go stood until {since}: look again"}
    return OpenDecision(use_case_id=u.id, slug=u.slug, title=u.title, stage=u.stage, cause=cause, since=since,
                        says=says[cause], demo=u.demo)
