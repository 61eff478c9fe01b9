"""Durable work of the portfolio: feeds pulled page by page, and kill criteria that open a decision when they fire."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import instant
from pilothouse.kernel.jobs import Handler, Progress
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.store import Transaction
from pilothouse.steps.portfolio.api.board import Board
from pilothouse.steps.portfolio.api.samples import PULL, Samples
from pilothouse.steps.portfolio.contracts import SamplesAccepted
from pilothouse.steps.portfolio.errors import FeedMoved

OPENS_DECISIONS_ON = (SamplesAccepted.kind,)


async def open_decisions(board: Board, call: Call, entries: Sequence[Entry]) -> None:
    """Look at the kill criteria of the use cases that were measured; safe to run again on the same entries."""
    last = entries[-1]
    concerned = list(dict.fromkeys(str(e.body["use_case_id"]) for e in entries))
    await board.watch(replace(call, at=instant(last.when), demo=last.demo), concerned)


def handlers(samples: Samples) -> Mapping[str, Handler]:
    """Return what runs each kind of job."""

    async def pull(progress: Progress) -> None:
        await pull_feed(samples, progress)

    return {PULL: pull}


async def pull_feed(samples: Samples, progress: Progress) -> None:
    """Take pages until there are no more."""
    total = progress.job.done

    def moved(tx: Transaction, position: str, taken: int) -> None:
        nonlocal total
        total += taken
        progress.advance(tx, cursor=position, done=total)

    more = True
    while more:
        try:
            more = await samples.take(progress.call, progress.job.payload["feed"], moved)
        except FeedMoved:
            # Another pull took this page: what it left is read from where the feed is now.
            more = True
