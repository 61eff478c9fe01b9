"""Durable work of rollout: a gate's decision opens or closes a phase, and health is watched."""

from collections.abc import Sequence
from dataclasses import replace

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import instant
from pilothouse.kernel.codec import convert
from pilothouse.kernel.ledger import Entry
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import GateDecided, UseCaseRef
from pilothouse.steps.rollout.api import Rollout
from pilothouse.steps.rollout.contracts import NewPhase

FOLLOWS = (GateDecided.kind,)


async def follow_gates(rollout: Rollout, portfolio: Portfolio, call: Call, entries: Sequence[Entry]) -> None:
    """Open a first phase when a use case becomes a pilot, close it when one is killed; safe to run again."""
    for entry in entries:
        decided = convert(dict(entry.body), GateDecided)
        then = replace(call, at=instant(entry.when), demo=entry.demo)
        if decided.now == "retired":
            await rollout.close_phase(then, decided.use_case_id)
        elif decided.now == "pilot" and decided.was == "idea":
            ref = UseCaseRef(use_case=decided.use_case_id)
            if not await rollout.phases(then, ref):
                standing = await portfolio.standing(then, ref)
                await rollout.open_phase(then, NewPhase(use_case_id=standing.use_case_id, units=standing.units))
