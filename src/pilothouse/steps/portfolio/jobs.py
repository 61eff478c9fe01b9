"""Durable work of the portfolio: feeds pulled page by page, each page once, going on after a crash where it was."""

from collections.abc import Mapping

from pilothouse.kernel.jobs import Handler, Progress
from pilothouse.kernel.store import Transaction
from pilothouse.steps.portfolio.api.samples import PULL, Samples
from pilothouse.steps.portfolio.errors import FeedMoved


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
