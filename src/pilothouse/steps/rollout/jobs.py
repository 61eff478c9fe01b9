"""Durable work of rollout: a gate's decision opens or closes a phase, and health is watched."""

from collections.abc import Sequence
from dataclasses import replace

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import instant
from pilothouse.kernel.codec import convert
from pilothouse.kernel.ledger import Entry
from pilothouse.steps.gateway.contracts import AnswerRefused
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import GateDecided
from pilothouse.steps.rollout.api import Rollout
from pilothouse.steps.workflows.contracts import AnswerRated

FOLLOWS = (GateDecided.kind,)
WATCHES = (AnswerRefused.kind, AnswerRated.kind)
"""What can be the first sign of a breach. Answers that went well are looked at by the schedule alone: a phase in
health costs nothing extra, one that begins to fail is measured with the commit that says so."""


async def follow_gates(rollout: Rollout, portfolio: Portfolio, call: Call, entries: Sequence[Entry]) -> None:
    """Open a first phase when a use case becomes a pilot, close it when one is killed; safe to run again."""
    for entry in entries:
        decided = convert(dict(entry.body), GateDecided)
        then = replace(call, at=instant(entry.when), demo=entry.demo)
        if decided.now == "retired":
            await rollout.close_phase(then, decided.use_case_id)
        elif decided.now == "pilot" and decided.was == "idea":
            await rollout.begin(then, decided.use_case_id)


async def watch_health(rollout: Rollout, call: Call, entries: Sequence[Entry]) -> None:
    """Measure the use cases that refusals and ratings speak of, and halt what is breached; safe to run again."""
    concerned = frozenset(str(entry.body["use_case_id"]) for entry in entries)
    # Simulated entries belong to simulated days, of which the wall clock's window holds nothing.
    last = entries[-1]
    await rollout.watch(replace(call, at=instant(last.when), demo=last.demo), only=concerned)
