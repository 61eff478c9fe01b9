"""Durable work of the portfolio: fresh evidence may fire a kill criterion, which opens a decision."""

from collections.abc import Sequence
from dataclasses import replace

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import instant
from pilothouse.kernel.ledger import Entry
from pilothouse.steps.portfolio.api.board import Board
from pilothouse.steps.portfolio.contracts import SamplesAccepted

OPENS_DECISIONS_ON = (SamplesAccepted.kind,)


async def open_decisions(board: Board, call: Call, entries: Sequence[Entry]) -> None:
    """Look at the kill criteria of the use cases that were measured; safe to run again on the same entries."""
    last = entries[-1]
    concerned = list(dict.fromkeys(str(e.body["use_case_id"]) for e in entries))
    await board.watch(replace(call, at=instant(last.when), demo=last.demo), concerned)
