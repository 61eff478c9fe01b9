"""What the portfolio asks of the world: facts that gates and the ten reasons read, and samples of KPIs."""

from datetime import datetime
from typing import Protocol

from pilothouse.kernel.store import Reader
from pilothouse.steps.portfolio.contracts import GateFact, Standing
from pilothouse.steps.portfolio.contracts.samples import Feed, Pulled


class GateFacts(Protocol):
    """Offers typed facts about one use case; several steps plug in. A plug that raises counts as `no data`."""

    @property
    def step(self) -> str: ...

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return the facts as of `today` (ISO date), read from one snapshot."""
        ...


class SampleSource(Protocol):
    """Gives the observations of one feed page by page, each once; drivers go to systems, later steps plug in theirs."""

    def check(self, feed: Feed) -> None:
        """Raise Invalid naming the field of a feed that this source could never serve; nothing is contacted."""
        ...

    async def pull(self, feed: Feed, *, until: datetime, limit: int) -> Pulled:
        """Return what comes after `feed.position`, at most `limit` observations; `until` is now, for what goes by time.

        The same position gives the same page again, or the same with more behind it. What holds no value is counted
        as missing, never as 0. Raises Unavailable when trying again may help, Invalid when only a person can.
        """
        ...
